package gateway_test

import (
	"context"
	stdjson "encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// block returns the fenced text that follows a marker of the page.
func block(t *testing.T, page, marker string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<!-- example: "+marker+" -->\n")
	if ok {
		_, rest, ok = strings.Cut(rest, "\n") // the fence's own line
	}
	text, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("the page has no example %q", marker)
	}
	return text
}

// sealedID is an identifier as another domain sees it: other bytes under each keyring.
var sealedID = regexp.MustCompile(`sid1_[\w-]+`)

// The worked example of the privacy note's page is what a gateway writes, byte for byte.
func TestNoteOfTheSpec(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/privacy-note.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	for _, tt := range []struct {
		protocol, method string
		kind             catalog.Kind
		in               gateway.NotePlace
	}{
		{"a2a", "SendMessage", catalog.Data, gateway.NotePlace{Under: "params/message", Names: []string{"metadata", card.PrivacyExtension}}},
		{"mcp", "tools/call", catalog.Tool, gateway.NotePlace{Under: "params", Names: []string{"_meta", wire.MetaNote}}},
	} {
		rig := gatewaytest.New(t, gatewaytest.Setup{
			Policy:  block(t, page, "policy"),
			Agents:  []*gateway.Agent{{Party: from}, {Party: to}},
			Schemas: []gatewaytest.Schema{{Kind: tt.kind, Owner: "partner", Direction: flow.Request, JSON: block(t, page, "schema")}},
		})
		version := map[string]string{"a2a": wire.A2A10, "mcp": wire.MCP20260728}[tt.protocol]
		table, ok := wire.For(tt.protocol, version, tt.method, flow.Request, false)
		if !ok {
			t.Fatalf("%s has no table", tt.method)
		}
		s := rig.Snapshot()
		passed, err := rig.Pass(context.Background(), &gateway.Message{
			Snapshot: s, Table: table, Body: []byte(block(t, page, tt.protocol+" sent")), Owner: "partner",
			Schemas: s.Catalog.Schemas(tt.kind, "partner", "", flow.Request), NoteIn: tt.in,
			Query: policy.Query{Flow: flow.Flow{
				ID: "06h0a7pgdpkmbfokh1vp84m3r0", From: from, To: to, Protocol: tt.protocol + "/" + version, Method: tt.method,
				Task: flow.Task{ID: "t", Criticality: flow.Routine},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sealedID.ReplaceAllString(string(passed.Body), "sid1_…"), block(t, page, tt.protocol+" received"); got != want {
			t.Errorf("%s: the gateway sends\n%s\nthe page says\n%s", tt.protocol, got, want)
		}
	}
	var note map[string]any
	if err := stdjson.Unmarshal([]byte(block(t, page, "note")), &note); err != nil {
		t.Fatal(err)
	}
	for name := range note {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("the page does not describe the member %q", name)
		}
	}
}
