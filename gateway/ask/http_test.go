package ask_test

import (
	stdjson "encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

// What is asked by one door is known by the other.
func TestTheHTTPAPIIsTheSameRoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`); got != `{"draw":1}` {
		t.Fatal(refused)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/questions/stays", `{"sql":"ward"}`, 200, `{"draw":1}`},
		{"POST", "/questions/stays", ` {"sql":"age","epsilon":0.1} `, 200, `{"draw":2}`},
		{"POST", "/questions/stays/explain", `{"sql":"age"}`, 200, `"epsilon":"0.2"`},
		{"GET", "/questions", "", 200, `"name":"stays"`},
		{"GET", "/questions/stays", "", 200, `"unit":"patient"`},
		{"GET", "/questions/stays/budget", "", 200, `"epsilon":"1"`},
		{"GET", "/questions/nothing", "", 403, "no dataset of this name"},
		{"POST", "/questions/nothing", `{"sql":"ward"}`, 403, "no dataset of this name"},
		{"POST", "/questions/stays", `{"sql":"'"}`, 400, "Line 1, column 8"},
		{"POST", "/questions/stays", `{"sql":"ward","sql":"age"}`, 400, ""},
		{"POST", "/questions/stays", `{"sql":"ward","dataset":"other"}`, 400, "leave it out of the body"},
		{"POST", "/questions/stays", `["ward"]`, 400, "not a JSON object"},
		{"POST", "/questions/stays", `{"sql":"ward","epsilon":0.9}`, 403, "no room for this one"},
		{"POST", "/questions/st%22ays", `{"sql":"ward"}`, 400, "names no dataset"},
		{"POST", "/questions/stays", `{"sql":"ward","Dataset":"other"}`, 400, "form"},
		{"POST", "/questions/stays", `{"sql":"ward","SQL":"age"}`, 400, "form"},
		{"POST", "/questions/stays", `{"queries":[{"sql":"ward","ſql":"age"},{"sql":"ward"}]}`, 400, "form"},
		{"GET", "/questions/stays/budget/more", "", 404, ""},
		{"DELETE", "/questions/stays", "", 405, ""},
		{"POST", "/questions", `{}`, 405, ""},
		{"POST", "/questions/stays/budget", `{}`, 405, ""},
	} {
		if status, got := r.http(tt.method, tt.path, tt.body, key("key-lab")); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, got)
		}
	}
	if status, got := r.http("POST", "/questions/stays", `{"sql":"ward"}`, key("nobody")); status != 401 || !strings.Contains(got, `"rule":"identity"`) {
		t.Errorf("nobody: %d %s", status, got)
	}
	if status, _ := r.http("POST", "/questions/stays", `sql=ward`, key("key-lab"), "Content-Type", "text/plain"); status != http.StatusUnsupportedMediaType {
		t.Errorf("a form of a web page: %d", status)
	}
	if spent := r.Spent(t, scope); spent != 300_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged", spent)
	}
}

func TestIdsOfTheHTTPAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ask := func(sql string) (int, string) {
		return r.http("POST", "/questions/stays", `{"sql":"`+sql+`"}`, key("key-lab"), "Scrim-Flow-Id", "q-1")
	}
	for range 2 {
		if status, got := ask("ward"); status != 200 || got != `{"draw":1}` {
			t.Fatalf("%d %s", status, got)
		}
	}
	if status, got := ask("age"); status != http.StatusConflict {
		t.Errorf("another question by the same id: %d %s", status, got)
	}
}

// A proof of possession is about the bytes that were sent, to the address that they were sent to.
func TestCapabilitiesAtTheHTTPAPI(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) { s.Domains = d })
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Datasets: map[string][]string{"stays": {"ward"}}})
	show := func(req *http.Request, body []byte) { h.Show(t, req, body) }
	if status, got := r.http("POST", "/questions/stays", `{"sql":"ward"}`, show); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if status, got := r.http("POST", "/questions/stays", `{"sql":"age"}`, show); status != 403 || !strings.Contains(got, `"rule":"capability"`) {
		t.Errorf("another column: %d %s", status, got)
	}
	other := func(req *http.Request, body []byte) { h.Show(t, req, []byte(`{"sql":"ward"}`)) }
	if status, got := r.http("POST", "/questions/stays", `{"sql":"ward "}`, other); status != 401 {
		t.Errorf("a proof for another body: %d %s", status, got)
	}
	if status, got := r.http("GET", "/questions", "", show); status != 200 || !strings.Contains(got, "stays") {
		t.Errorf("the list: %d %s", status, got)
	}
}

func TestTheHTTPAPIIsDescribed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	status, got := r.http("GET", "/questions/-/openapi.json", "", func(*http.Request, []byte) {})
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := stdjson.Unmarshal([]byte(got), &doc); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	ids := map[string]bool{}
	for _, path := range doc.Paths {
		for _, op := range path {
			ids[op.ID] = true
		}
	}
	for _, act := range (&ask.Service{Streams: &published{}}).Acts() {
		if !ids[act.Name] {
			t.Errorf("%s is not described", act.Name)
		}
	}
}

func FuzzArguments(f *testing.F) {
	f.Add(`{"dataset":"stays","sql":"SELECT count(*) FROM stays","epsilon":"0.1"}`)
	f.Add(`{"dataset":"d","sql":"s","accuracy":{"half_width":"3.5"},"rows":2,"from":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"dataset":"d","sql":"s","epsilon":1e-9}`)
	f.Add(`{"dataset":"d","queries":[{"sql":"a"},{"sql":"b","weight":3}]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := ask.ParseArguments([]byte(raw))
		if err != nil {
			return
		}
		n, ok := a.Epsilon.Nano()
		if a.Dataset == "" || (a.SQL == "") == (len(a.Queries) == 0) || a.Rows < 0 || a.Groups < 0 || a.Epsilon != "" && (!ok || n <= 0) {
			t.Errorf("%q was read as %+v", raw, a)
		}
	})
}

// A web page of another site cannot have a browser ask, by the gateway's own name or by one of the site's that leads there.
func TestPagesOfOtherSitesDoNotAsk(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, tt := range []struct {
		host, origin string
		want         int
	}{
		{"", "", http.StatusOK},
		{"", r.url, http.StatusOK},
		{"", "https://evil.example", http.StatusForbidden},
		{"evil.example:7070", "", http.StatusForbidden},
	} {
		status, got := r.http("GET", "/questions", "", func(req *http.Request, _ []byte) {
			req.Header.Set("Authorization", "Bearer key-lab")
			if tt.origin != "" {
				req.Header.Set("Origin", tt.origin)
			}
			if tt.host != "" {
				req.Host = tt.host
			}
		})
		if status != tt.want {
			t.Errorf("host %q, origin %q: %d %s, want %d", tt.host, tt.origin, status, got, tt.want)
		}
	}
}
