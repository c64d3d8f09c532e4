package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/live"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/observe/story"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// logged is a log of its own with rows of one flow after another, published.
func logged(t *testing.T, rows ...flow.ID) api.Ledger {
	t.Helper()
	db := storetest.Open(t, audit.Schema())
	keys, err := vault.OpenKeyring(t.Context(), filepath.Join(t.TempDir(), "keyset.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := audit.Open(t.Context(), db, "scrim.dev/log/hospital.example", keys.Signer("log"), audit.Options{Dir: t.TempDir(), MergeDelay: time.Minute, Archive: t.TempDir(), Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close(context.Background()) })
	for _, id := range rows {
		if err := db.Update(t.Context(), func(tx store.Tx) error {
			_, err := j.Append(tx, flow.Event{Time: time.Now(), Outcome: flow.Segment, Flow: flow.Flow{ID: id, Protocol: "a2a/1.0"}}, audit.Private{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	return api.Ledger{DB: db, Journal: j, Keys: keys}
}

// TestAReceiptOfAStoryIsOfItsRows: what is shown as verified is the rows of this flow, in this log, and what was not looked at is said.
func TestAReceiptOfAStoryIsOfItsRows(t *testing.T) {
	own, strange := logged(t, "flow-a", "flow-b", "flow-a", "flow-c"), logged(t, "flow-a", "flow-b", "flow-a", "flow-c")
	give := func(l api.Ledger, id flow.ID, change func(*proofs.Answer)) func(context.Context, flow.ID) (proofs.Answer, error) {
		return func(ctx context.Context, _ flow.ID) (proofs.Answer, error) {
			a, err := api.Receipts(ctx, l, id)
			if err == nil && change != nil {
				change(&a)
			}
			return a, err
		}
	}
	for name, c := range map[string]struct {
		of       flow.ID
		receipts func(context.Context, flow.ID) (proofs.Answer, error)
		status   int
		good     bool
		proven   int
		rest     int
	}{
		"its own":               {"flow-a", give(own, "flow-a", nil), 200, true, 2, 0},
		"those of another flow": {"flow-a", give(own, "flow-b", nil), 200, false, 0, 2},
		"those of another log":  {"flow-a", give(strange, "flow-a", nil), 200, false, 0, 2},
		"another's proofs": {"flow-a", give(own, "flow-a", func(a *proofs.Answer) {
			a.Records[0].Proof, a.Records[1].Proof = a.Records[1].Proof, a.Records[0].Proof
		}), 200, false, 0, 0},
		"a proof without its checkpoint": {"flow-a", give(own, "flow-a", func(a *proofs.Answer) {
			for i := range a.Records {
				a.Records[i].Proof, _, _ = strings.Cut(a.Records[i].Proof, "\n\n")
			}
		}), 200, false, 0, 0},
		"promises alone":      {"flow-a", give(own, "flow-a", func(a *proofs.Answer) { a.Records[0].Proof, a.Records[1].Proof = "", "" }), 200, true, 0, 0},
		"a row left out":      {"flow-a", give(own, "flow-a", func(a *proofs.Answer) { a.Records = a.Records[:1] }), 200, true, 1, 1},
		"one row twice":       {"flow-a", give(own, "flow-a", func(a *proofs.Answer) { a.Records[1] = a.Records[0] }), 200, false, 1, 1},
		"none":                {"flow-a", give(own, "flow-a", func(a *proofs.Answer) { a.Records = nil }), 200, false, 0, 2},
		"the number of a row": {"3", give(own, "3", nil), 404, false, 0, 0},
	} {
		f := page.New(page.Options{
			Domain: "hospital", Version: "1", Login: "/login", Record: func(context.Context, page.Act) error { return nil },
			Identify: func(*http.Request) page.Who { return page.Who{Name: "ann", Role: page.Viewer, Token: true} },
		})
		live.Add(f, live.Options{LogKey: own.Journal.Key(), Stories: &story.Source{Entries: own.Journal.Entries, Receipts: c.receipts}})
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", fmt.Sprintf("/api/v1/flows/%s/verify", c.of), strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		f.ServeHTTP(w, r)
		shown, form := httptest.NewRecorder(), httptest.NewRequest("POST", fmt.Sprintf("/flows/%s/verify", c.of), nil)
		f.ServeHTTP(shown, form)
		if said := strings.Contains(shown.Body.String(), "1 entry of this flow was not looked at"); shown.Code != c.status || said != (c.good && c.rest > 0) {
			t.Errorf("%s: the page has status %d and says that something was not looked at: %t", name, shown.Code, said)
		}
		var v live.Verified
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || v.Good != c.good || v.Proven != c.proven || v.Rest != c.rest {
			t.Errorf("%s: status %d, good %t, %d proven, %d not looked at; want %d, %t, %d, %d\n%+v", name, w.Code, v.Good, v.Proven, v.Rest, c.status, c.good, c.proven, c.rest, v.Checks)
		}
	}
}
