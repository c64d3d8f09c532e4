package ask_test

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// published is one stream, and one of a dataset that nobody has.
type published struct {
	asked []stream.Ask
	err   error
}

func (p *published) List(context.Context) ([]stream.Info, error) {
	return []stream.Info{{Dataset: "stays", Stream: "admissions", Every: "1h0m0s"}, {Dataset: "nowhere", Stream: "admissions", Every: "1h0m0s"}}, nil
}

func (p *published) Stream(context.Context, string, string) (stream.Info, error) {
	all, _ := p.List(context.Background())
	return all[0], p.err
}

func (p *published) Read(_ context.Context, a stream.Ask) (*stream.Reading, error) {
	p.asked = append(p.asked, a)
	all, _ := p.List(context.Background())
	return &stream.Reading{Info: all[0], Points: []stream.Point{{Step: int64(len(p.asked))}}}, p.err
}

func (p *published) Scans(dataset, name string) []relation.Scan {
	if name != "admissions" {
		return nil
	}
	return []relation.Scan{{Table: "clinic", Fields: []relation.Field{{Source: "src_patient"}, {Source: "src_ward"}}}}
}

// streaming is a rig whose service has a stream.
func streaming(t *testing.T, change func(*gatewaytest.Setup)) (*rig, *published) {
	t.Helper()
	r, p := newRig(t, change), &published{}
	s := &ask.Service{Gateway: r.Gateway, Language: r.words, Ledger: r.Budgets, Streams: p}
	mux := http.NewServeMux()
	mux.Handle("/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: offer.New(s.Tools()...)})
	mux.Handle(ask.StreamsPath, &ask.API{Service: s})
	mux.Handle(ask.StreamsPath+"/", &ask.API{Service: s})
	srv := httptest.NewServer(r.Door(mux))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r, p
}

const admissions = `{"dataset":"stays","stream":"admissions","window":24,"points":3,"until":"2026-03-02T12:00:00Z"}`

func TestReadingAStreamCostsNothingAndIsRecorded(t *testing.T) {
	t.Parallel()
	r, p := streaming(t, nil)
	got, refused := r.call("key-lab", "read_stream", admissions)
	var reading struct {
		Stream string
		Points []struct{ Step int64 }
	}
	if err := stdjson.Unmarshal([]byte(got), &reading); err != nil || reading.Stream != "admissions" || len(reading.Points) != 1 {
		t.Fatalf("%s %s", got, refused)
	}
	if a := p.asked[0]; a.Dataset != "stays" || a.Over != 24*time.Hour || a.Points != 3 || a.Until.Hour() != 12 {
		t.Errorf("it was asked for %+v", a)
	}
	if spent := r.Spent(t, scope); spent != 0 {
		t.Errorf("ε = %d·10⁻⁹ was charged", spent)
	}
	var rows []string
	for _, ev := range r.Events() {
		rows = append(rows, fmt.Sprint(ev.Flow.Direction == flow.Response)+" "+string(ev.Outcome)+" "+ev.Flow.Subject)
		if q := ev.Question; q == nil || q.Dataset != "stays" || q.Stream != "admissions" {
			t.Errorf("the record says of what is read %+v", q)
		}
	}
	if len(rows) != 2 || rows[0] != "false released read_stream" || rows[1] != "true released read_stream" {
		t.Errorf("on record is %q", rows)
	}
	// A retry gets what it got, whatever was released since.
	first, _ := r.call("key-lab", "read_stream", admissions, "id", "one")
	if again, _ := r.call("key-lab", "read_stream", admissions, "id", "one"); again != first || len(p.asked) != 2 {
		t.Errorf("a retry is answered %s, at first it was %s, and streams were read %d times", again, first, len(p.asked))
	}
}

// The HTTP API reads streams by the same rights, and takes nothing that it does not know.
func TestStreamsOverHTTP(t *testing.T) {
	t.Parallel()
	r, p := streaming(t, nil)
	const address = "/streams/stays/admissions"
	for _, tt := range []struct {
		method, path, key string
		status            int
		want              string
	}{
		{"GET", "/streams", "key-lab", 200, `{"streams":[{"dataset":"stays","stream":"admissions"`},
		{"GET", "/streams", "key-mute", 200, `{"streams":[]}`},
		{"GET", address + "?window=24&points=3&until=2026-03-02T12:00:00Z", "key-lab", 200, `"points":[`},
		{"GET", address, "key-lab", 200, `"points":[`},
		{"GET", address, "key-mute", 403, "no stream of this name"},
		{"GET", address, "nobody", 401, `"rule":"identity"`},
		{"GET", "/streams/stays/other", "key-lab", 403, "no stream of this name"},
		{"GET", "/streams/nowhere/admissions", "key-lab", 403, "no stream of this name"},
		{"GET", address + "?window=0", "key-lab", 400, "parameters"},
		{"GET", address + "?window=-1", "key-lab", 400, "parameters"},
		{"GET", address + "?window=1&window=24", "key-lab", 400, "parameters"},
		{"GET", address + "?window=99999999", "key-lab", 400, "one to 16777216"},
		{"GET", address + "?until=yesterday", "key-lab", 400, "parameters"},
		{"GET", address + "?dataset=nowhere", "key-lab", 400, "parameters"},
		{"GET", address + "?window=%zz", "key-lab", 400, "parameters"},
		{"GET", "/streams/stays/ad%22missions", "key-lab", 400, "names no stream"},
		{"GET", "/streams/st%22ays/admissions", "key-lab", 400, "names no dataset"},
		{"POST", address, "key-lab", 405, ""},
		{"POST", "/streams", "key-lab", 405, ""},
		{"GET", "/streams/stays", "key-lab", 404, ""},
		{"GET", address + "/more", "key-lab", 404, ""},
	} {
		if status, got := r.http(tt.method, tt.path, "", key(tt.key)); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s as %s: %d %s", tt.method, tt.path, tt.key, status, got)
		}
	}
	if len(p.asked) != 2 {
		t.Fatalf("streams were read %d times", len(p.asked))
	}
	if a := p.asked[0]; a.Dataset != "stays" || a.Stream != "admissions" || a.Over != 24*time.Hour || a.Points != 3 || a.Until.Hour() != 12 {
		t.Errorf("it was asked for %+v", a)
	}
	if a := p.asked[1]; a.Over != 0 || a.Points != 0 || !a.Until.IsZero() {
		t.Errorf("without parameters it was asked for %+v", a)
	}
}

// A proof of possession is for the parameters too: whoever holds a call back cannot ask for other sums by it.
func TestAProofIsForTheParametersOfAStream(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r, p := streaming(t, func(s *gatewaytest.Setup) { s.Domains = d })
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Datasets: map[string][]string{"stays": {"ward"}}})
	const address = "/streams/stays/admissions?window=24"
	if status, got := r.http("GET", address, "", func(req *http.Request, body []byte) { h.Show(t, req, body) }); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	changed := func(req *http.Request, body []byte) {
		h.Show(t, req, body)
		req.URL.RawQuery = "window=1"
	}
	if status, got := r.http("GET", address, "", changed); status != 401 || len(p.asked) != 1 {
		t.Errorf("a proof for other parameters: %d %s", status, got)
	}
}

// Which streams there are is nothing that one learns who may not read them.
func TestWhoMayReadNoStreamCannotTellWhichThereAre(t *testing.T) {
	t.Parallel()
	r, p := streaming(t, nil)
	without := func(s string) string { return reference.ReplaceAllString(s, "") }
	_, forbidden := r.call("key-mute", "read_stream", admissions)
	_, purpose := r.call("key-lab", "read_stream", admissions, "Scrim-Purpose", "care")
	for _, unknown := range []string{`{"dataset":"stays","stream":"other"}`, `{"dataset":"nowhere","stream":"admissions"}`} {
		for _, key := range []string{"key-mute", "key-lab"} {
			if _, refused := r.call(key, "read_stream", unknown); refused == "" || without(refused) != without(forbidden) || without(purpose) != without(forbidden) {
				t.Errorf("%s %s:\n%s\n%s\n%s", key, unknown, refused, forbidden, purpose)
			}
		}
	}
	if list, _ := r.call("key-mute", "streams", `{}`); list != `{"streams":[]}` {
		t.Errorf("who may read none is told of %s", list)
	}
	if list, _ := r.call("key-lab", "streams", `{}`); strings.Count(list, `"admissions"`) != 1 || strings.Contains(list, "nowhere") {
		t.Errorf("who may read one is told of %s", list)
	}
	if len(p.asked) != 0 {
		t.Error("a stream was read for who may not")
	}
}

func TestStreamsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r, p := streaming(t, nil)
	for arguments, want := range map[string]string{
		`{"dataset":"stays","stream":"admissions","window":-1}`:       "one to 16777216",
		`{"dataset":"stays","stream":"admissions","window":99999999}`: "one to 16777216",
		`{"dataset":"stays","stream":"admissions","epsilon":1}`:       "form",
		`{"dataset":"stays"}`: "names no dataset, or no stream",
	} {
		if _, refused := r.call("key-lab", "read_stream", arguments); !strings.Contains(refused, want) {
			t.Errorf("%s is refused with %q, want %q in it", arguments, refused, want)
		}
	}
	for err, want := range map[error]string{stream.ErrNotKept: "not kept", errors.New("/secret/place"): "could not be read"} {
		p.err = err
		if _, refused := r.call("key-lab", "read_stream", admissions); !strings.Contains(refused, want) || strings.Contains(refused, "secret") {
			t.Errorf("%v is refused with %q", err, refused)
		}
	}
}

// A capability admits streams that are made of what it names alone, and reading takes a use.
func TestACapabilityBoundsWhichStreamsAreRead(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r, p := streaming(t, func(s *gatewaytest.Setup) { s.Domains = d })
	root := d.Root(t, gatewaytest.Own, capability.Grant{
		Agent: "lab", Uses: new(int64(2)), Counted: gatewaytest.Own, Techniques: []string{"aggregate"}, Datasets: map[string][]string{"stays": {"ward", "age"}},
	})
	for name, h := range map[string]*gatewaytest.Holder{
		"a column":  root.Child(t, capability.Grant{Datasets: map[string][]string{"stays": {"age"}}}),
		"a dataset": root.Child(t, capability.Grant{Datasets: map[string][]string{}}),
		"technique": root.Child(t, capability.Grant{Techniques: []string{}}),
		"tool":      root.Child(t, capability.Grant{Tools: map[string]capability.Arguments{"scrim/query": nil}}),
	} {
		if got, refused := r.by(h, "read_stream", admissions); got != "" || refused == "" {
			t.Errorf("without %s: %s", name, got)
		}
	}
	for range 3 { // a retry takes no use
		if got, refused := r.by(root, "read_stream", admissions, "id", "one"); got == "" {
			t.Errorf("what it covers: %s", refused)
		}
	}
	if got, refused := r.by(root, "read_stream", admissions); got == "" {
		t.Errorf("its second use: %s", refused)
	}
	if got, refused := r.by(root, "read_stream", admissions); got != "" || !strings.Contains(refused, "use") {
		t.Errorf("its third of two uses: %s %s", got, refused)
	}
	if len(p.asked) != 3 { // the third was read, and not given
		t.Errorf("streams were read %d times", len(p.asked))
	}
}
