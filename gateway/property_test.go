package gateway_test

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// kinds of value a random message is made of: a label and a value that nothing else in a message looks like.
var kinds = []struct {
	label flow.Label
	value func(*rand.Rand) string
}{
	{"person/name", func(r *rand.Rand) string { return "Zelda " + word(r) }},
	{"person/contact/email", func(r *rand.Rand) string { return strings.ToLower(word(r)) + "@mail.example" }},
	{"person/birth-date", func(r *rand.Rand) string {
		return fmt.Sprintf("19%02d-0%d-1%d", 40+r.IntN(50), 1+r.IntN(9), r.IntN(10))
	}},
	{"health/member-number", func(r *rand.Rand) string { return "HM" + strings.ToUpper(word(r)) + "7" }},
	{"health/diagnosis", func(r *rand.Rand) string { return fmt.Sprintf("M%02d.%d9", 10+r.IntN(80), r.IntN(10)) }},
	{"location/postal", func(r *rand.Rand) string { return fmt.Sprintf("9%04d", r.IntN(10000)) }},
	{"technical/record-id", func(r *rand.Rand) string { return "rec-" + strings.ToLower(word(r)) }},
	{"business/category", func(r *rand.Rand) string { return "cat-" + strings.ToLower(word(r)) }},
}

func word(r *rand.Rand) string {
	b := []byte{byte('A' + r.IntN(26))}
	for range 7 {
		b = append(b, "bcdfghjklmnpqrstvwxz"[r.IntN(20)])
	}
	return string(b)
}

// randomPolicy permits some labels up to some level, and forbids some.
func randomPolicy(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(`@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");` + "\n")
	for _, k := range kinds {
		level := []string{"raw", "tokenized", "generalized", "masked"}[r.IntN(4)]
		if r.IntN(5) > 0 {
			fmt.Fprintf(&b, "@exception(\"t\") permit (principal, action in Action::\"upto_%s\", resource in DataClass::%q);\n", level, k.label)
		}
		if r.IntN(6) == 0 {
			fmt.Fprintf(&b, "forbid (principal, action in Action::\"atleast_%s\", resource in DataClass::%q);\n", level, k.label)
		}
	}
	return b.String()
}

// Whatever the policy, the schema and the message: a value that is not shown raw is nowhere in what leaves, neither where
// it stood nor in the prose beside it, and what is shown raw is still there.
func TestNoValueLeavesAboveItsLevel(t *testing.T) {
	const seed = 20261128
	r := rand.New(rand.NewPCG(seed, 9))
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	raw, hidden, refused := 0, 0, 0
	for round := range 40 {
		var props, members []string
		var values []string
		prose := "Note well: "
		for i, k := range kinds {
			v := k.value(r)
			values = append(values, v)
			props = append(props, fmt.Sprintf(`"m%d":{"type":"string","x-scrim-label":%q,"x-scrim-droppable":%v}`, i, k.label, r.IntN(8) > 0))
			members = append(members, fmt.Sprintf(`"m%d":%q`, i, v))
			if i < 5 && r.IntN(2) == 0 { // what is learned from structured values is found in prose
				prose += v + " and "
			}
		}
		quoted, _ := stdjson.Marshal(prose + "so on.")
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":%s},{"data":{%s}}]}}}`,
			quoted, strings.Join(members, ", "))
		rig := gatewaytest.New(t, gatewaytest.Setup{
			Policy: randomPolicy(r), Agents: []*gateway.Agent{{Party: from}, {Party: to}}, NoSync: true,
			Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: `{"type":"object","properties":{` + strings.Join(props, ",") + `}}`}},
		})
		s := rig.Snapshot()
		q := policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{ID: "t", Criticality: flow.Criticality(r.IntN(3))}}}
		passed, err := rig.Pass(context.Background(), &gateway.Message{
			Snapshot: s, Table: table, Body: []byte(body), Owner: "partner", Query: q, Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Request),
		})
		if err != nil {
			refused++
			for _, v := range values {
				if strings.Contains(err.Error(), v) {
					t.Errorf("seed %d, round %d: the refusal holds %q", seed, round, v)
				}
			}
			continue
		}
		for i, k := range kinds {
			terms, err := s.Policy.Decide(q, []flow.Leaf{{Label: k.label, Origin: flow.Catalogued}})
			if err != nil {
				t.Fatal(err)
			}
			shown := strings.Contains(gatewaytest.Said(string(passed.Body)), values[i])
			switch isRaw := terms.Leaves[0].Level == flow.Raw; {
			case isRaw && !shown:
				t.Errorf("seed %d, round %d: %s may be raw and is gone:\n%s\n%s", seed, round, k.label, body, passed.Body)
			case !isRaw && shown:
				t.Errorf("seed %d, round %d: %s is %s and %q left:\n%s", seed, round, k.label, terms.Leaves[0].Treatment, values[i], passed.Body)
			case isRaw:
				raw++
			default:
				hidden++
			}
		}
		rig.Close(t)
	}
	if raw < 20 || hidden < 20 {
		t.Errorf("%d values raw, %d hidden, %d messages refused: too few of a kind to say anything", raw, hidden, refused)
	}
}
