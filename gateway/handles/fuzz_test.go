package handles_test

import (
	"context"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// FuzzMarkedParts: whatever a sender marks, and however, nothing is shown by reference that is not shown without.
func FuzzMarkedParts(f *testing.F) {
	for _, s := range []string{
		`{"text":"` + secret + `"` + mark + `}`, `{"data":{"name":"jane.doe@example.org"}` + mark + `}`, `{"raw":"V3JpdGUgdG8gamFuZS5kb2VAZXhhbXBsZS5vcmcu","mediaType":"text/plain"` + mark + `}`,
		`{"text":"{\"name\":\"jane.doe@example.org\"}"` + mark + `}`, `{"url":"scrim:ref:0k9d3p1l7fq2r8s4t6v5u0aebichgjmn"}`,
		`{"text":"jane.doe@exam"` + mark + `},{"text":"ple.org"` + mark + `}`, `{"text":"x","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":1e3,"seconds":-1}}}}`,
	} {
		f.Add(s)
	}
	r := newRig(f, nil)
	s := r.Snapshot()
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Response, false)
	who, _ := s.Identity.Known(r.setup.Agents[1].Party)
	f.Fuzz(func(t *testing.T, parts string) {
		ctx := context.Background()
		fl := flow.Flow{ID: gateway.NewFlowID(), From: r.setup.Agents[0].Party, To: who.Party, Protocol: "a2a/1.0", Direction: flow.Response, Purpose: "billing"}
		p, err := r.Pass(ctx, &gateway.Message{
			Snapshot: s, Query: policy.Query{Flow: fl}, Table: table, Owner: "records",
			Body: []byte(`{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[` + parts + `]}}}`),
		})
		if err != nil {
			return
		}
		if strings.Contains(string(p.Body), "jane.doe@example.org") {
			t.Fatalf("it passed: %s", p.Body)
		}
		for rest := string(p.Body); ; {
			at := strings.Index(rest, flow.HandleScheme)
			if at < 0 || len(rest) < at+42 {
				return
			}
			id := gateway.HandleID(rest[at : at+42])
			rest = rest[at+42:]
			out, err := r.Redeem(ctx, &gateway.Redemption{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), From: who.Party}, Caller: who, ID: id})
			if err == nil && (strings.Contains(string(out.Body), "jane.doe@example.org") || strings.Contains(string(out.Part), "jane.doe@example.org")) {
				t.Fatalf("redeemed %q", out.Body)
			}
		}
	})
}

func BenchmarkByReference(b *testing.B) {
	r := newRig(b, nil)
	s := r.Snapshot()
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Response, false)
	who, _ := s.Identity.Known(r.setup.Agents[1].Party)
	text := strings.Repeat("The usual, nothing new about the bill of jane.doe@example.org today. ", 60)
	pass := func(b *testing.B, more string) string {
		fl := flow.Flow{ID: gateway.NewFlowID(), From: r.setup.Agents[0].Party, To: who.Party, Protocol: "a2a/1.0", Direction: flow.Response, Purpose: "billing"}
		p, err := r.Pass(context.Background(), &gateway.Message{
			Snapshot: s, Query: policy.Query{Flow: fl}, Table: table, Owner: "records",
			Body: []byte(`{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + text + `"` + more + `}]}}}`),
		})
		if err != nil {
			b.Fatal(err)
		}
		return string(p.Body)
	}
	redeem := func(b *testing.B, id, request string) {
		in := &gateway.Redemption{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), From: who.Party}, Caller: who, ID: id, Request: request}
		if _, err := r.Redeem(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("inline", func(b *testing.B) {
		for b.Loop() {
			pass(b, "")
		}
	})
	b.Run("made", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			if out := pass(b, mark); n < 1000 && !strings.Contains(out, flow.HandleScheme) {
				b.Fatal(out)
			}
		}
	})
	id := gateway.HandleID(r.reference(pass(b, strings.Replace(mark, "true", `{"seconds":800}`, 1))).Ref)
	b.Run("redeemed", func(b *testing.B) {
		for b.Loop() {
			redeem(b, id, "")
		}
	})
	redeem(b, id, "again")
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			redeem(b, id, "again")
		}
	})
}
