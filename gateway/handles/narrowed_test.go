package handles_test

import (
	"context"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// What an attested runtime got is not given out again to one of the same name that shows no evidence.
func TestWhatAnAttestedRedeemerGotIsItsOwn(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Policy = policies + `@id("attested") @exception("test") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"person/contact/email") when { context.attested };`
	})
	h := r.reference(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`))
	who, _ := r.Snapshot().Identity.Known(r.setup.Agents[1].Party)
	redeem := func(attested bool, request string, have ...string) *gateway.Redeemed {
		t.Helper()
		who.Party.Attested = attested
		out, err := r.Redeem(context.Background(), &gateway.Redemption{
			Snapshot: r.Snapshot(), Flow: flow.Flow{ID: gateway.NewFlowID(), From: who.Party}, Caller: who, ID: gateway.HandleID(h.Ref), Request: request, Have: have, Quantum: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := redeem(true, "one")
	if !strings.Contains(string(first.Body), "jane.doe") {
		t.Fatalf("attested: %q", first.Body)
	}
	if got := redeem(false, "one"); strings.Contains(string(got.Body), "jane.doe") || got.Tag == first.Tag {
		t.Errorf("the same request without evidence: %q", got.Body)
	}
	first = redeem(true, "")
	if got := redeem(false, "", first.Tag); strings.Contains(string(got.Body), "jane.doe") || got.Tag == first.Tag {
		t.Errorf("more of the same without evidence: %q", got.Body)
	}
}

// A part of whose content nothing is left once it was changed takes along what may go by reference only.
func TestWhatGoesByReferenceOnlyDoesNotStayBehind(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(policies, `@id("abroad")`, `@handle("PT1M") @id("abroad")`, 1)
		s.Schemas = []gatewaytest.Schema{
			{Kind: catalog.Data, Owner: "records", Direction: flow.Response, JSON: `{"type":"object","properties":{"code":{"type":"string","enum":["PL","DE"],"x-scrim-label":"person/nationality"}}}`},
			{Kind: catalog.Data, Owner: "records", Name: "metadata", Direction: flow.Response, JSON: `{"type":"object","properties":{"patient":{"type":"string","x-scrim-label":"person/name"}}}`},
		}
	})
	out := r.ask("billing", `{"data":{"code":"PL"},"metadata":{"patient":"Zelda Kowalska"}},{"text":"beside"}`)
	t.Log(out)
	if !strings.Contains(out, "beside") || strings.Contains(out, `"PL"`) || strings.Contains(out, "[person]") || strings.Contains(gatewaytest.Said(out), "Zelda") {
		t.Errorf("what may go by reference only stayed: %s", out)
	}
}

// Marked parts of one message for which there is no room together go as they are, as far as there is none.
func TestRoomIsSharedByThePartsOfAMessage(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Change = func(s *gateway.Snapshot) { s.Handles.TaskBytes = 5 << 10 }
	})
	part := `{"text":"` + secret + `"` + mark + `}`
	out := r.ask("billing", strings.Join([]string{part, part, part, part}, ","))
	if n, inline := strings.Count(out, `"url":"`+r.url)/2, strings.Count(out, "Write to [email] today."); n != 2 || inline != 2 {
		t.Errorf("%d parts went by reference and %d as they are, want 2 and 2: %s", n, inline, out)
	}
}
