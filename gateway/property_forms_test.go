package gateway_test

import (
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// unfolded is a message with all that its texts and files hold, as their readers see it.
func unfolded(t *testing.T, raw string) string {
	var all strings.Builder
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, child := range v {
				all.WriteString(k + "\n")
				if file, ok := child.(string); ok && k == "raw" { // what its letters happen to spell says nothing
					if b, err := base64.StdEncoding.DecodeString(file); err == nil {
						child = string(b)
					}
				}
				visit(child)
			}
		case []any:
			for _, child := range v {
				visit(child)
			}
		case string:
			all.WriteString(v + "\n")
			var inner any
			if stdjson.Unmarshal([]byte(v), &inner) == nil {
				visit(inner)
			} else if b, err := base64.StdEncoding.DecodeString(v); err == nil && len(v) > 8 {
				visit(string(b))
			}
		}
	}
	var m any
	if err := stdjson.Unmarshal([]byte(raw), &m); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	visit(m)
	return all.String()
}

// quote writes a string as JSON, now and then with letters that nobody needs to escape.
func quote(r *rand.Rand, s string) string {
	b, _ := stdjson.Marshal(s)
	if r.IntN(3) > 0 || strings.ContainsRune(string(b), '\\') {
		return string(b)
	}
	var out strings.Builder
	for _, c := range s {
		if r.IntN(4) == 0 {
			fmt.Fprintf(&out, `\u%04x`, c)
		} else {
			out.WriteRune(c)
		}
	}
	return `"` + out.String() + `"`
}

// mappedHex is an identifier of hexadecimal digits, other ones under each keyring.
var mappedHex = regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// The same in whatever form a message holds its values: structured, as JSON in a text or in a file, in prose and in files of
// it, whichever comes first. Identifiers are others for the recipient, where they stand and where the message repeats them.
func TestNoFormShowsMore(t *testing.T) {
	const seed = 20261128
	r := rand.New(rand.NewPCG(seed, 11))
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	hidden, passed := 0, 0
	for round := range 25 {
		var props, values []string
		for i, k := range kinds {
			values = append(values, k.value(r))
			props = append(props, fmt.Sprintf(`"m%d":{"type":"string","x-scrim-label":%q,"x-scrim-droppable":true}`, i, k.label))
		}
		direction, method := flow.Request, "SendMessage"
		if r.IntN(2) == 0 {
			direction = flow.Response
		}
		ids := []string{fmt.Sprintf("message-%010d", r.IntN(1e9)), fmt.Sprintf("%08x-1111-4222-8333-%012x", r.Uint32(), r.Uint32()), fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())}
		var parts []string
		shown := map[int]bool{} // in something structured, so that it is known
		for range 1 + r.IntN(3) {
			var members []string
			for i := range kinds {
				if r.IntN(2) == 0 {
					shown[i] = true
					members = append(members, fmt.Sprintf(`"m%d":%s`, i, quote(r, values[i])))
				}
			}
			doc := "{" + strings.Join(members, ", ") + "}"
			switch r.IntN(3) {
			case 0:
				parts = append(parts, `{"data":`+doc+`}`)
			case 1:
				parts = append(parts, `{"text":`+quote(r, doc)+`}`)
			default:
				parts = append(parts, `{"raw":"`+base64.StdEncoding.EncodeToString([]byte(doc))+`","mediaType":"application/json"}`)
			}
		}
		prose := "Of " + ids[r.IntN(3)] + ": "
		for i := range 5 {
			if shown[i] && r.IntN(2) == 0 {
				prose += values[i] + " and "
			}
		}
		if parts = append(parts, `{"text":`+quote(r, prose+"so on.")+`}`); r.IntN(2) == 0 {
			parts = append(parts, `{"raw":"`+base64.StdEncoding.EncodeToString([]byte(prose+"so on."))+`","mediaType":"text/plain"}`)
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		message := fmt.Sprintf(`{"messageId":%q,"taskId":%q,"contextId":%q,"role":%q,"parts":[%s]}`, ids[0], ids[1], ids[2],
			map[flow.Direction]string{flow.Request: "ROLE_USER", flow.Response: "ROLE_AGENT"}[direction], strings.Join(parts, ","))
		body := `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":` + message + `}}`
		if direction == flow.Response {
			body = `{"jsonrpc":"2.0","id":1,"result":{"message":` + message + `}}`
		}
		rig := gatewaytest.New(t, gatewaytest.Setup{
			Policy: randomPolicy(r), Agents: []*gateway.Agent{{Party: from}, {Party: to}}, NoSync: true,
			Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: direction, JSON: `{"type":"object","properties":{` + strings.Join(props, ",") + `}}`}},
		})
		s := rig.Snapshot()
		table, _ := wire.For("a2a", wire.A2A10, method, direction, false)
		q := policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: method, Direction: direction, Task: flow.Task{ID: "t", Criticality: flow.Criticality(r.IntN(3))}}}
		out, err := rig.Pass(t.Context(), &gateway.Message{
			Snapshot: s, Table: table, Body: []byte(body), Owner: "partner", Query: q, Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", direction),
		})
		if err != nil {
			for _, v := range append(values, ids...) {
				if strings.Contains(err.Error(), v) {
					t.Errorf("seed %d, round %d: the refusal holds %q", seed, round, v)
				}
			}
			rig.Close(t)
			continue
		}
		passed++
		all := unfolded(t, string(out.Body))
		said := mappedHex.ReplaceAllString(gatewaytest.Said(all), "") // five digits of a postal code turn up in other digits by chance
		for i, k := range kinds {
			terms, err := s.Policy.Decide(q, []flow.Leaf{{Label: k.label, Origin: flow.Catalogued}})
			if err != nil {
				t.Fatal(err)
			}
			if terms.Leaves[0].Level == flow.Raw || !shown[i] {
				continue
			}
			hidden++
			if strings.Contains(said, values[i]) {
				t.Errorf("seed %d, round %d: %s is %s and %q left:\n%s\n%s", seed, round, k.label, terms.Leaves[0].Treatment, values[i], body, out.Body)
			}
		}
		for _, id := range ids {
			if strings.Contains(all, id) {
				t.Errorf("seed %d, round %d: the id %s left:\n%s\n%s", seed, round, id, body, out.Body)
			}
		}
		rig.Close(t)
	}
	if hidden < 15 || passed < 8 {
		t.Errorf("%d values hidden in %d messages: too few to say anything", hidden, passed)
	}
}
