package mcp_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/exposure"
)

const (
	askedRecord = `{"type":"object","properties":{"id":{"type":"string","x-scrim-label":"person/contact/email","x-scrim-subject":"/id","x-scrim-unit":"patient"},
		"fields":{"type":"array","items":{"type":"string","x-scrim-label":"public"}}}}`
	givenRecord = `{"type":"object","properties":{"id":{"type":"string","x-scrim-label":"person/contact/email","x-scrim-subject":"/id","x-scrim-unit":"patient"},
		"born":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/id","x-scrim-unit":"patient"},
		"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/id","x-scrim-unit":"patient"},
		"postal":{"type":"string","x-scrim-label":"location/postal","x-scrim-subject":"/id","x-scrim-unit":"patient"}}}`
)

type askedFields struct {
	ID     string   `json:"id,omitempty"`
	Fields []string `json:"fields"`
}

// fieldsRig is a server that answers with the fields that were asked for, behind a gateway whose policy lets everything pass raw.
func fieldsRig(t *testing.T, memory bool, opt *sdk.StreamableHTTPOptions) *rig {
	s := sdk.NewServer(&sdk.Implementation{Name: "records", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "record"}, func(_ context.Context, _ *sdk.CallToolRequest, in askedFields) (*sdk.CallToolResult, map[string]string, error) {
		out := map[string]string{"id": in.ID, "born": "1957-03-14", "sex": "female", "postal": "97701"}
		if in.ID == "" {
			out["id"] = "jane.doe@example.org"
		}
		for k := range out {
			if !slices.Contains(in.Fields, k) {
				delete(out, k)
			}
		}
		return nil, out, nil
	})
	u := (&upstream{}).serve(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, opt))
	return newRig(t, u, func(setup *gatewaytest.Setup) {
		setup.Policy = `
permit (principal, action in Action::"upto_raw", resource) when { context.direction == "request" };
permit (principal, action in Action::"upto_raw", resource) unless { resource in DataClass::"person/contact" };
permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person/contact");
permit (principal, action == Action::"open", resource);`
		setup.Schemas = append(setup.Schemas,
			gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "record", Direction: flow.Request, JSON: askedRecord},
			gatewaytest.Schema{Kind: catalog.Tool, Owner: "records", Name: "record", Direction: flow.Response, JSON: givenRecord})
		setup.Change = func(s *gateway.Snapshot) {
			if memory {
				s.Exposure = &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: s.Taxonomy}
			}
		}
	})
}

// TestFieldsWithoutTheOneThatNamesTheSubject: who asks for single fields of a record, each in a session and task of its own and without the
// one that says whose they are, knows whose they are, and the memory does, too.
func TestFieldsWithoutTheOneThatNamesTheSubject(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		for _, memory := range []bool{false, true} {
			r := fieldsRig(t, memory, opt)
			var got string
			for _, field := range []string{"sex", "postal", "born"} {
				s := connect(t, r.url, "scrim_other", version, nil)
				got += encoded(t, call(t, s, "record", askedFields{ID: "jane.doe@example.org", Fields: []string{field}}, nil))
			}
			if !strings.Contains(got, "97701") || !strings.Contains(got, "female") {
				t.Errorf("memory %v: pieces that are little do not pass: %s", memory, got)
			}
			if whole := strings.Contains(gatewaytest.Said(got), "1957"); whole == memory {
				t.Errorf("memory %v: the year of birth is shown: %v, in %s", memory, whole, got)
			}
			s := connect(t, r.url, "scrim_other", version, nil)
			if other := encoded(t, call(t, s, "record", askedFields{ID: "john.poe@example.org", Fields: []string{"born"}}, nil)); !strings.Contains(other, "1957-03-14") {
				t.Errorf("memory %v: of somebody else: %s", memory, other)
			}
		}
	})
}

// TestAStandInNamesWhomItStandsFor: pieces that are asked for by a token and those that are asked for by the number are of one patient.
func TestAStandInNamesWhomItStandsFor(t *testing.T) {
	r := fieldsRig(t, true, nil)
	ask := func(id, field string) string {
		return encoded(t, call(t, connect(t, r.url, "scrim_other", "2025-11-25", nil), "record", askedFields{ID: id, Fields: []string{field}}, nil))
	}
	token := tokenOf.FindString(ask("", "id"))
	if token == "" {
		t.Fatalf("there is no token: %s", ask("", "id"))
	}
	got := ask(token, "sex") + ask(token, "postal")
	if !strings.Contains(got, "female") || !strings.Contains(got, "97701") {
		t.Errorf("pieces that are little do not pass: %s", got)
	}
	if born := ask("jane.doe@example.org", "born"); strings.Contains(gatewaytest.Said(born), "1957") {
		t.Errorf("the number gives the year of birth beside what the token gave: %s", born)
	}
}
