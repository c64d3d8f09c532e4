package run

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

func TestAPanicIsToldByTypeAndPlace(t *testing.T) {
	var log bytes.Buffer
	g := &Gateway{log: slog.New(slog.NewTextHandler(&log, nil))}
	h := g.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("jane@example.com") }))
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("the panic that goes on is a %T, want the one that cuts the connection", v)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	if text := log.String(); !strings.Contains(text, "guard_test.go") || !strings.Contains(text, "type=string") {
		t.Errorf("log = %s, want type and place of the panic", text)
	} else if strings.Contains(text, "jane") {
		t.Errorf("log = %s, holds what the panic said", text)
	}
}

func TestLearningProposesFromPlacesAlone(t *testing.T) {
	dir := t.TempDir()
	l := NewLearner(dir)
	f := flow.Flow{Protocol: "mcp/2025-11-25", Method: "tools/call", Subject: "lookup", Direction: flow.Response}
	for range 3 {
		l.Watch(f, gateway.Observation{
			Owner: "tickets",
			Leaves: []flow.Leaf{
				{Path: "/result/structuredContent/title", Label: flow.Unlabelled, Origin: flow.Catalogued},
				{Path: "/result/structuredContent/people/0/mail", Label: "person/contact/email", Origin: flow.Detected},
				{Path: "/result/content/0/text", Label: "person/contact/phone", Origin: flow.Detected},
			},
			Undeclared: []gateway.Guess{{Path: "/result/structuredContent/ssn", Label: "government-id/ssn"}, {Path: "/result/structuredContent/*"}},
		})
	}
	if err := l.Save(); err != nil {
		t.Fatal(err)
	}
	seen, err := ReadSeen(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := Propose(seen)
	if len(p.Schemas) != 1 || p.Schemas[0].File != "schemas/tickets.lookup.response.json" {
		t.Fatalf("proposed %v, want one schema for the tool", p.Schemas)
	}
	schema := string(p.Schemas[0].JSON)
	for _, want := range []string{`"x-scrim-label": "person/contact/email"`, `"x-scrim-label": "government-id/ssn"`, `"title": {}`, `"items"`, "$comment"} {
		if !strings.Contains(schema, want) {
			t.Errorf("schema lacks %s:\n%s", want, schema)
		}
	}
	if !strings.Contains(p.Bindings, `{file: schemas/tickets.lookup.response.json, agent: tickets, tool: "lookup", direction: response}`) {
		t.Errorf("bindings = %s", p.Bindings)
	}
	if !strings.Contains(p.Policy, `resource in DataClass::"person/contact/phone"`) {
		t.Errorf("policy lacks what was found in prose:\n%s", p.Policy)
	}
	if p.Unnamed != 1 {
		t.Errorf("%d places are not named, want 1", p.Unnamed)
	}
	if n := NewLearner(dir).Seen().Sources[0].Messages; n != 3 {
		t.Errorf("a learner that goes on has seen %d messages, want 3", n)
	}
}
