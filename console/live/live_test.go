package live_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/live"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/observe/story"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// desk is the pages over a journal of its own. The header Role says who asks.
type desk struct {
	*httptest.Server
	db   store.DB
	ring *activity.Ring
	sums *activity.Sums
}

func open(t testing.TB, db store.DB) *desk {
	t.Helper()
	d := &desk{db: db, ring: activity.NewRing(activity.RingOptions{Frame: time.Millisecond, Viewers: 3})}
	entries := func(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
		return audit.Entries(ctx, db, q)
	}
	d.sums = activity.New(activity.Options{DB: db, Entries: entries, Clock: func() time.Time { return now }, Settled: func() (n int64) {
		_ = db.View(context.Background(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&n)
		})
		return n
	}})
	f := page.New(page.Options{
		Domain: "hospital", Version: "1", Login: "/login", Record: func(context.Context, page.Act) error { return nil },
		Identify: func(r *http.Request) (who page.Who) {
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Name = "ann"
			}
			return who
		},
	})
	live.Add(f, live.Options{Domain: "hospital", DB: db, Ring: d.ring, Clock: func() time.Time { return now }, Stories: &story.Source{Entries: entries}, Left: func(context.Context) map[string]float64 { return map[string]float64{"claims": 2.5} }})
	d.Server = httptest.NewServer(f)
	t.Cleanup(d.Close)
	return d
}

func schemas() []store.Schema { return []store.Schema{audit.Schema(), activity.Schema()} }

// happen puts events on record, and tells of them.
func (d *desk) happen(t testing.TB, all ...flow.Event) {
	t.Helper()
	err := d.db.Update(t.Context(), func(tx store.Tx) error {
		var last int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&last); err != nil {
			return err
		}
		for i := range all {
			raw, err := json.Marshal(all[i])
			if err != nil {
				return err
			}
			last++
			if _, err := tx.Exec("INSERT INTO audit_entries (seq, flow, parent, event, proof) VALUES (?, ?, '', ?, ?)", last, string(all[i].Flow.ID), raw, []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range all {
		d.ring.Add(ev, true)
	}
}

func event(n int) flow.Event {
	ev := flow.Event{
		Time: now.Add(-time.Minute), Outcome: flow.Released, Bytes: 100, Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Masked, Count: 2}},
		Flow: flow.Flow{
			ID: flow.ID(fmt.Sprintf("flow%d", n)), From: flow.Party{Agent: "records", Domain: "hospital"}, To: flow.Party{Agent: "claims", Domain: flow.DomainID(fmt.Sprintf("insurer%d", n%3))},
			Purpose: "billing", Protocol: "a2a/1.0", Direction: flow.Response,
		},
	}
	if n%7 == 0 {
		ev.Outcome, ev.Reason, ev.Levels = flow.Refused, "policy /result", nil
	}
	return ev
}

func (d *desk) get(t testing.TB, path, role string, header ...string) (int, string) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", d.URL+path, nil)
	req.Header.Set("Role", role)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestPagesShowWhatHappened: overview, live and the story of a flow, as pages and as JSON; nobody who is not logged in sees them.
func TestPagesShowWhatHappened(t *testing.T) {
	d := open(t, storetest.Open(t, schemas()...))
	for _, path := range []string{"/", "/live"} {
		if status, body := d.get(t, path, "viewer"); status != 200 || !strings.Contains(body, "scrim demo") {
			t.Errorf("%s with nothing = %d, without a next step", path, status)
		}
	}
	for n := range 20 {
		d.happen(t, event(n))
	}
	if err := d.sums.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/":                            {"<svg", "insurer2", "person/name", "claims", "2.5", "rule=policy"},
		"/?span=1h":                    {"Flows by the minute"},
		"/live":                        {"flow19", "flow7", "level-masked", `class="refused"`, "/live/events?after="},
		"/live?outcome=refused":        {"flow14"},
		"/flows/flow7":                 {"Refused by policy", "state-bad", "The terms do not allow it."},
		"/flows/flow8":                 {"records of hospital", "person/name", "Verify the receipt"},
		"/api/v1/overview":             {`"flows":20`, `"refused":3`},
		"/api/v1/live?domain=insurer1": {`"reference":"flow19"`},
		"/api/v1/flows/flow8":          {`"kind":"decided"`},
	} {
		status, body := d.get(t, path, "viewer")
		if status != 200 {
			t.Errorf("%s = %d", path, status)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not show %q", path, w)
			}
		}
		if strings.Contains(body, "style=") || strings.Contains(body, "onclick") {
			t.Errorf("%s has what the content security policy forbids", path)
		}
		if status, body := d.get(t, path, ""); status == 200 || strings.Contains(body, "flow1") {
			t.Errorf("%s = %d for nobody", path, status)
		}
	}
	if _, body := d.get(t, "/live?outcome=refused", "viewer"); strings.Contains(body, "flow19") {
		t.Error("a filter lets everything through")
	}
	for path, want := range map[string]int{"/flows/nothing": 404, "/live?level=all": 422, "/?span=9y": 422, "/live/events?level=all": 422} {
		if status, _ := d.get(t, path, "viewer"); status != want {
			t.Errorf("%s = %d, want %d", path, status, want)
		}
	}
	if status, _ := d.get(t, "/live/events", ""); status == 200 {
		t.Error("nobody may watch")
	}
}

// TestHostileNamesAreText: an agent's name, a purpose and a label that are markup are text wherever they are shown.
func TestHostileNamesAreText(t *testing.T) {
	d := open(t, storetest.Open(t, schemas()...))
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	ev := event(7)
	ev.Flow.ID, ev.Flow.From.Agent, ev.Flow.From.Domain, ev.Flow.To.Domain, ev.Flow.Purpose, ev.Flow.Method, ev.Reason = "evil", evil, evil, evil, evil, evil, "policy "+evil
	shown := event(8)
	shown.Flow.ID, shown.Levels[0].Label, shown.Policies, shown.Flow.To.Domain = "evil2", evil, []flow.PolicyID{evil}, evil
	v, err := d.ring.View(activity.Filter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	v.Close()
	here := d.ring.Here()
	d.happen(t, ev, shown)
	if err := d.sums.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/live", "/flows/evil", "/flows/evil2", "/live?agent=" + "%22%3E%3Cscript%3Ealert(1)"} {
		if status, body := d.get(t, path, "viewer"); status != 200 || strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("%s = %d, or a name in it is markup", path, status)
		}
	}
	first := d.watch(t, "/live/events?after="+here)()
	var f struct{ HTML string }
	if err := json.Unmarshal([]byte(first), &f); err != nil || !strings.Contains(f.HTML, "evil2") || strings.Contains(f.HTML, "<script>") || strings.Contains(f.HTML, "<img") {
		t.Errorf("a frame is %q, %v", f.HTML, err)
	}
}

// watch opens a stream and returns what waits for the data of its next frame of flows.
func (d *desk) watch(t *testing.T, path string, header ...string) func() string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, _ := http.NewRequestWithContext(ctx, "GET", d.URL+path, nil)
	req.Header.Set("Role", "viewer")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s = %s", path, res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
		kind := ""
		for lines.Scan() {
			if k, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = k
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && kind == "flows" {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
}

// TestFlowsComeAsTheyHappen: a stream tells of what fits its filter; one that was cut goes on where it was; as many watch as can.
func TestFlowsComeAsTheyHappen(t *testing.T) {
	d := open(t, storetest.Open(t, schemas()...))
	d.happen(t, event(1))
	here := d.ring.Here()
	next := d.watch(t, "/live/events?outcome=refused&after="+here)
	d.happen(t, event(2), event(7))
	if got := next(); !strings.Contains(got, "flow7") || strings.Contains(got, "flow2") {
		t.Errorf("a frame is %s, want flow7 alone", got)
	}
	again := d.watch(t, "/live/events", "Last-Event-ID", here)
	if got := again(); !strings.Contains(got, "flow7") || !strings.Contains(got, "flow2") || strings.Contains(got, "flow1\"") {
		t.Errorf("a stream that goes on tells %s", got)
	}
	d.watch(t, "/live/events")
	if status, _ := d.get(t, "/live/events", "viewer"); status != http.StatusServiceUnavailable {
		t.Errorf("one viewer too many = %d, want 503", status)
	}
}

// BenchmarkFirstPage loads the overview and all that it names over loopback, where SCRIM_FLOWS flows of the last day were recorded. The goal is 100 ms
// and 150 kB with a million.
func BenchmarkFirstPage(b *testing.B) {
	n := 20_000
	if s := os.Getenv("SCRIM_FLOWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	db, err := store.Open(b.Context(), b.TempDir(), schemas(), store.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	d := open(b, db)
	all := make([]flow.Event, 0, 5000)
	for i := range n {
		ev := event(i)
		ev.Time = now.Add(-24*time.Hour + time.Duration(i)*24*time.Hour/time.Duration(n))
		ev.Flow.From.Domain, ev.Flow.To.Domain = flow.DomainID(fmt.Sprintf("d%d", i*7%12)), flow.DomainID(fmt.Sprintf("d%d", i*5%11))
		ev.Flow.Purpose = flow.Purpose(fmt.Sprintf("p%d", i%8))
		if all = append(all, ev); len(all) == cap(all) || i == n-1 {
			d.happen(b, all...)
			all = all[:0]
		}
	}
	start := time.Now()
	if err := d.sums.Catch(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d flows were added up in %v", n, time.Since(start))
	size := 0
	for b.Loop() {
		status, body := d.get(b, "/", "viewer")
		if status != 200 || !strings.Contains(body, "<svg") {
			b.Fatalf("the first page = %d", status)
		}
		size = len(body)
		for _, part := range strings.Split(body, `"/static/`)[1:] {
			path, _, _ := strings.Cut(part, `"`)
			status, one := d.get(b, "/static/"+path, "viewer")
			if status != 200 {
				b.Fatalf("/static/%s = %d", path, status)
			}
			size += len(one)
		}
	}
	b.ReportMetric(float64(size)/1000, "kB")
}
