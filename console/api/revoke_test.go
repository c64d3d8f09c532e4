package api_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestRevokingOverTheAPI(t *testing.T) {
	db := storetest.Open(t, ledger.Schema(), audit.Schema())
	led, err := ledger.Open(t.Context(), db, ledger.Options{Domain: "hospital.example"})
	if err != nil {
		t.Fatal(err)
	}
	journal, err := audit.Open(t.Context(), db, "test", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)), audit.Options{Dir: t.TempDir(), MergeDelay: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close(t.Context())
	token := flow.NewSecret("the operator's")
	h := api.New(api.Options{
		Ledger: api.Ledger{DB: db, Journal: journal, Capabilities: led}, Token: token,
		Snapshot: func() *gateway.Snapshot { return &gateway.Snapshot{Domain: "hospital.example"} },
	})
	ask := func(method, path, key, body string) (int, string) {
		req := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+key)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	root := &capability.Verified{Issuer: "hospital.example", Links: []capability.Link{{ID: "t-1"}}}
	const one = `{"denials":[{"kind":"token","name":"t-1"}]}`
	for _, c := range []struct {
		name, key, body string
		want            int
	}{
		{"nobody in particular", "", one, http.StatusUnauthorized},
		{"nothing", token.Expose(), `{"denials":[]}`, http.StatusBadRequest},
		{"no kind", token.Expose(), `{"denials":[{"kind":"agent","name":"t-1"}]}`, http.StatusBadRequest},
		{"a key that is none", token.Expose(), `{"denials":[{"kind":"token","name":"t-1"},{"kind":"holder","name":"canary"}]}`, http.StatusBadRequest},
		{"an end that is over", token.Expose(), `{"denials":[{"kind":"token","name":"t-1","until":"2020-01-01T00:00:00Z"}]}`, http.StatusBadRequest},
		{"too many", token.Expose(), `{"denials":[` + strings.Repeat(`{"kind":"task","name":"x"},`, 256) + `{"kind":"task","name":"x"}]}`, http.StatusBadRequest},
	} {
		if got, body := ask(http.MethodPost, "/api/v1/cap/revoke", c.key, c.body); got != c.want || strings.Contains(body, "canary") {
			t.Errorf("%s got %d %s, want %d", c.name, got, body, c.want)
		}
	}
	if err := led.Revoked(root, ""); err != nil {
		t.Fatalf("something was revoked by it: %v", err)
	}
	status, body := ask(http.MethodPost, "/api/v1/cap/revoke", token.Expose(), one)
	if status != http.StatusOK || !strings.Contains(body, `"version":2`) || led.Revoked(root, "") == nil {
		t.Fatalf("got %d %s, want version 2, in force", status, body)
	}
	var all api.Revocations
	if _, body = ask(http.MethodGet, "/api/v1/cap/revocations", token.Expose(), ""); json.Unmarshal([]byte(body), &all) != nil {
		t.Fatal(body)
	}
	if len(all.Denials) != 1 || all.Denials[0].Name != "t-1" || int(all.Denials[0].Until.Sub(all.Denials[0].Since).Hours()) != 91*24 || all.Version != 2 {
		t.Errorf("listed is %+v, want the token for 91 days", all)
	}
	var rows int
	for e, err := range audit.Entries(t.Context(), db, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if rows++; e.Event.Outcome != flow.Changed || !strings.HasPrefix(e.Event.Reason, "revoked: token ") {
			t.Errorf("on record is %+v, want that a token was revoked", e.Event)
		}
	}
	if rows != 1 {
		t.Errorf("%d rows are on record, want 1", rows)
	}
}
