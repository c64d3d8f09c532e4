package trust_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/trust"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const (
	formToken = "token-of-the-form-8f31c7a2"
	hostile   = "cl<script>alert(1)</script>\"'\u202eaims"
	own       = flow.DomainID("hospital.example")
)

// house is the pages over a journal; the header Role says who asks.
type house struct {
	*httptest.Server
	api  api.Options
	log  *audit.Log
	led  *ledger.Ledger
	db   store.DB
	mu   sync.Mutex
	acts []page.Act
	lost error // recording fails with it
}

func open(t testing.TB, change ...func(*api.Options)) *house {
	t.Helper()
	return openWith(t, filepath.Join(t.TempDir(), "keyset.json"), change...)
}

// openWith opens a house that has the keys in a file.
func openWith(t testing.TB, keyset string, change ...func(*api.Options)) *house {
	t.Helper()
	h := &house{db: storetest.Open(t, audit.Schema(), ledger.Schema(), freeze.Schema(), alarm.Schema())}
	keys, err := vault.OpenKeyring(t.Context(), keyset, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.log, err = audit.Open(t.Context(), h.db, "scrim.dev/log/hospital.example", keys.Signer("log"), audit.Options{Dir: t.TempDir(), MergeDelay: time.Minute, Archive: t.TempDir(), Interval: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.log.Close(context.Background()) })
	if h.led, err = ledger.Open(t.Context(), h.db, ledger.Options{Domain: own}); err != nil {
		t.Fatal(err)
	}
	freezes, err := freeze.Open(t.Context(), freeze.Options{DB: h.db, Journal: h.log, Domain: own, FlowID: gateway.NewFlowID})
	if err != nil {
		t.Fatal(err)
	}
	h.api = api.Options{
		Ledger: api.Ledger{DB: h.db, Journal: h.log, Keys: keys, Capabilities: h.led, Freezes: freezes},
		Verify: h.log.Verify, Snapshot: func() *gateway.Snapshot { return &gateway.Snapshot{Domain: own} },
	}
	for _, f := range change {
		f(&h.api)
	}
	f := page.New(page.Options{
		Domain: string(own), Version: "1", Login: "/login",
		Identify: func(r *http.Request) page.Who {
			var who page.Who
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Name, who.Form = "ann", flow.NewSecret(formToken)
			}
			return who
		},
		Record: func(_ context.Context, a page.Act) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.lost == nil {
				h.acts = append(h.acts, a)
			}
			return h.lost
		},
	})
	p := trust.Add(f, trust.Options{API: h.api})
	t.Cleanup(p.Close)
	h.Server = httptest.NewServer(f)
	t.Cleanup(h.Server.Close)
	return h
}

func (h *house) do(t testing.TB, method, path, role string, form url.Values) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, h.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Role", role)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
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
	return res.StatusCode, string(b), res.Header
}

func (h *house) get(t testing.TB, path string) string {
	t.Helper()
	status, body, _ := h.do(t, "GET", path, "viewer", nil)
	if status != 200 {
		t.Fatalf("%s: %d, %s", path, status, body)
	}
	return body
}

func (h *house) post(t testing.TB, path, role string, pairs ...string) (int, string) {
	t.Helper()
	form := url.Values{"form_token": {formToken}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	status, body, _ := h.do(t, "POST", path, role, form)
	return status, body
}

// into reads the JSON twin of a page.
func (h *house) into(t testing.TB, path string, m any) {
	t.Helper()
	if err := json.Unmarshal([]byte(h.get(t, "/api/v1"+path)), m); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (h *house) append(t testing.TB, ev flow.Event) {
	t.Helper()
	must(t, h.db.Update(t.Context(), func(tx store.Tx) error { _, err := h.log.Append(tx, ev, audit.Private{}); return err }))
}

// flows puts so many flows on record, and has them published.
func (h *house) flows(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		h.append(t, flow.Event{
			Time: time.Now(), Outcome: flow.Released,
			Flow: flow.Flow{ID: flow.ID(fmt.Sprintf("flow-%d", i)), From: flow.Party{Agent: "intake", Domain: own}, To: flow.Party{Agent: "claims", Domain: "insurer.example"}, Protocol: "a2a/1.0", Method: "SendMessage"},
		})
	}
	_, err := h.log.Checkpoint(t.Context())
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// harmless checks that a hostile text stands on a page as text.
func harmless(t testing.TB, at, body string) {
	t.Helper()
	if strings.Contains(body, "<script>alert") {
		t.Errorf("%s: the script is one", at)
	}
	if !strings.Contains(body, "cl&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("%s: the name is not there", at)
	}
	if strings.Contains(body, "style=") || strings.Contains(body, "onclick=") {
		t.Errorf("%s: inline style or script", at)
	}
}

func TestHostileNamesAreText(t *testing.T) {
	h := open(t)
	h.append(t, flow.Event{Time: time.Now(), Outcome: flow.Refused, Reason: hostile, Flow: flow.Flow{
		ID: "f-hostile", From: flow.Party{Agent: hostile, Domain: hostile}, To: flow.Party{Agent: "claims", Domain: own}, Protocol: "a2a/1.0", Method: "x/" + hostile}})
	h.flows(t, 1)
	for _, at := range []string{"/log/rows", "/log/rows/1", "/log/rows?who=" + url.QueryEscape(hostile), "/log/rows?flow=f-hostile"} {
		body := h.get(t, at)
		harmless(t, at, body)
		if strings.Contains(body, "\u202e") && !strings.Contains(body, "<bdi>") {
			t.Errorf("%s: a right-to-left mark stands alone", at)
		}
	}
}

func TestEmptyPagesSayWhatIsNext(t *testing.T) {
	h := open(t)
	for at, want := range map[string]string{"/log": "scrim demo", "/log/rows": "scrim demo", "/log/alarms": "No alarm", "/log/verification": "A steward may", "/log/receipt": "Verify"} {
		if body := h.get(t, at); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", at, want)
		}
	}
}

func TestEntriesArePagedAndFiltered(t *testing.T) {
	h := open(t)
	h.flows(t, 130)
	h.append(t, flow.Event{Time: time.Now(), Outcome: flow.Changed, Reason: "console/freeze agent:x, by ann", Flow: flow.Flow{ID: "act-1", From: flow.Party{Domain: own}, To: flow.Party{Domain: own}, Protocol: "admin", Method: "console/freeze"}})
	seen := map[int64]bool{}
	for before := int64(0); ; {
		var m trust.Rows
		h.into(t, fmt.Sprintf("/log/rows?before=%d", before), &m)
		for _, r := range m.Rows {
			if seen[r.Seq] {
				t.Fatalf("entry %d is there twice", r.Seq)
			}
			seen[r.Seq] = true
		}
		if before = m.Next; before == 0 {
			break
		}
	}
	if len(seen) != 131 {
		t.Errorf("%d entries were listed, want 131", len(seen))
	}
	for query, want := range map[string]int{"method=console/": 1, "outcome=changed": 1, "who=claims": 50, "who=nobody": 0, "flow=flow-7": 1, "who=insurer.example&outcome=refused": 0} {
		var m trust.Rows
		h.into(t, "/log/rows?"+query, &m)
		if len(m.Rows) != want {
			t.Errorf("%s: %d entries, want %d", query, len(m.Rows), want)
		}
	}
}

func TestAnEntryHasTheBytesOfItsLeaf(t *testing.T) {
	h := open(t)
	h.flows(t, 3)
	var m trust.Row
	h.into(t, "/log/rows/2", &m)
	sum := audit.LeafHash([]byte(m.Leaf))
	if hex.EncodeToString(sum[:]) != m.Hash || !m.Published || m.Index != 2 || m.Flow != "flow-1" {
		t.Errorf("%+v", m)
	}
	for _, at := range []string{"/log/rows/0", "/log/rows/99", "/log/rows/x"} {
		if status, _, _ := h.do(t, "GET", at, "viewer", nil); status != 404 {
			t.Errorf("%s: %d", at, status)
		}
	}
}

// verify asks for the JSON of a verification.
func (h *house) verify(t testing.TB, in trust.ReceiptRequest) trust.Checked {
	t.Helper()
	b, _ := json.Marshal(in)
	req, _ := http.NewRequest("POST", h.URL+"/api/v1/log/receipt", strings.NewReader(string(b)))
	req.Header.Set("Role", "viewer")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Scrim-Form", formToken)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var out trust.Checked
	if err := json.Unmarshal(body, &out); res.StatusCode != 200 || err != nil {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	return out
}

// Every form in which a receipt travels is verified, and each way to change it fails at the step that says so.
func TestReceiptsAreVerifiedStepByStep(t *testing.T) {
	h := open(t)
	h.flows(t, 9)
	a, err := api.Receipts(t.Context(), h.api.Ledger, "flow-4")
	must(t, err)
	r := a.Records[0]
	all, _ := json.Marshal(a)
	var other trust.Row
	h.into(t, "/log/rows/5", &other)
	cose := base64.StdEncoding.EncodeToString(r.COSE)
	changed := append([]byte{}, r.COSE...)
	changed[len(changed)-1] ^= 1
	swap := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in the receipt", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	var noise ed25519.PublicKey = make([]byte, 32)
	for name, c := range map[string]struct {
		in     trust.ReceiptRequest
		failed string
	}{
		"by flow":                       {trust.ReceiptRequest{Reference: "flow-4"}, ""},
		"by number":                     {trust.ReceiptRequest{Reference: "5"}, ""},
		"the whole answer":              {trust.ReceiptRequest{Text: string(all)}, ""},
		"a promise":                     {trust.ReceiptRequest{Text: r.Promise}, ""},
		"a promise with CRLF":           {trust.ReceiptRequest{Text: strings.ReplaceAll(r.Promise, "\n", "\r\n")}, ""},
		"a proof":                       {trust.ReceiptRequest{Text: r.Proof}, ""},
		"a proof and its leaf":          {trust.ReceiptRequest{Text: r.Proof, Leaf: other.Hash}, ""},
		"COSE and its leaf":             {trust.ReceiptRequest{Text: cose, Leaf: other.Hash}, ""},
		"COSE alone":                    {trust.ReceiptRequest{Text: cose}, "entry"},
		"COSE, changed":                 {trust.ReceiptRequest{Text: base64.StdEncoding.EncodeToString(changed), Leaf: other.Hash}, "signature of the log"},
		"COSE, cut":                     {trust.ReceiptRequest{Text: base64.StdEncoding.EncodeToString(r.COSE[:40]), Leaf: other.Hash}, "form"},
		"a proof of another leaf":       {trust.ReceiptRequest{Text: r.Proof, Leaf: hex.EncodeToString(noise)}, "path to the root"},
		"a proof with another index":    {trust.ReceiptRequest{Text: swap(r.Proof, "index 5", "index 4")}, "path to the root"},
		"a proof with another size":     {trust.ReceiptRequest{Text: swap(r.Proof, "\n10\n", "\n11\n")}, "signature of the log"},
		"a promise with another number": {trust.ReceiptRequest{Text: swap(r.Promise, "5", "6")}, "signature of the log"},
		"something else":                {trust.ReceiptRequest{Text: "zebrafinch-40414 is no receipt"}, "form"},
		"half a proof":                  {trust.ReceiptRequest{Text: r.Proof[:len(r.Proof)/2]}, "form"},
	} {
		out := h.verify(t, c.in)
		if out.Failed != c.failed || out.Good != (c.failed == "") || out.Good != (len(out.Proves) > 0) {
			t.Errorf("%s: failed at %q, want %q; %+v", name, out.Failed, c.failed, out)
		}
	}
	_, body := h.post(t, "/log/receipt", "viewer", "text", "zebrafinch-40414 is no receipt")
	if strings.Contains(body, "zebrafinch") || !strings.Contains(body, "It proves nothing") {
		t.Error("what was pasted is repeated, or it is not told that it is nothing")
	}
	if len(h.acts) != 0 {
		t.Errorf("on record: %v", h.acts)
	}
}

// A receipt of a log that was replaced by another one is good by itself, and the log of today is not that one.
func TestAReceiptThatTheLogNoLongerKeeps(t *testing.T) {
	keyset := filepath.Join(t.TempDir(), "keyset.json")
	h := openWith(t, keyset)
	h.flows(t, 3)
	a, err := api.Receipts(t.Context(), h.api.Ledger, "flow-2")
	must(t, err)
	again := openWith(t, keyset)
	again.flows(t, 1)
	all, _ := json.Marshal(a)
	out := again.verify(t, trust.ReceiptRequest{Text: string(all)})
	if out.Good || out.Failed != "log of today continues it" {
		t.Errorf("%+v", out)
	}
}

// The log is verified once at a time, by a job that nobody has to wait for, and whoever asks is on record.
func TestVerificationIsAJob(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	h := open(t, func(o *api.Options) {
		whole := o.Verify
		o.Verify = func(ctx context.Context) (audit.Report, error) {
			close(begun)
			select {
			case <-goOn:
			case <-ctx.Done():
				return audit.Report{}, ctx.Err()
			}
			return whole(ctx)
		}
	})
	h.flows(t, 5)
	if status, _ := h.post(t, "/log/verification", "viewer"); status != 403 {
		t.Errorf("a viewer began it: %d", status)
	}
	if status, _, _ := h.do(t, "POST", "/log/verification", "steward", url.Values{"form_token": {"another"}}); status != 403 {
		t.Errorf("a forged form: %d", status)
	}
	if len(h.acts) != 0 {
		t.Fatalf("on record: %v", h.acts)
	}
	if status, body := h.post(t, "/log/verification", "steward"); status != 303 {
		t.Fatalf("%d %s", status, body)
	}
	<-begun
	if status, body := h.post(t, "/log/verification", "steward"); status != 422 || !strings.Contains(body, "being verified already") {
		t.Errorf("a second one: %d", status)
	}
	if !strings.Contains(h.get(t, "/log/verification"), "it runs") {
		t.Error("that it runs is not told")
	}
	close(goOn)
	var m trust.Verification
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if h.into(t, "/log/verification", &m); !m.Running {
			break
		}
	}
	if m.Result == nil || m.Result.What != "" || m.Result.Report.Entries != 5 || m.Done < 5 || m.By != "ann" {
		t.Errorf("%+v", m)
	}
	if len(h.acts) == 0 || h.acts[0].Name != "console/verify-log" {
		t.Errorf("on record: %v", h.acts)
	}
}

// A journal that somebody changed is told with the entry.
func TestATamperedJournalIsTold(t *testing.T) {
	h := open(t)
	h.flows(t, 5)
	must(t, h.db.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE audit_entries SET flow = 'another' WHERE seq = 3")
		return err
	}))
	h.post(t, "/log/verification", "steward")
	var m trust.Verification
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if h.into(t, "/log/verification", &m); !m.Running {
			break
		}
	}
	if m.Result == nil || m.Result.Bad != 3 || !strings.Contains(h.get(t, "/log"), "does not verify") {
		t.Errorf("%+v", m)
	}
}
