package a2a_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
)

var refSaid = regexp.MustCompile(`scrim:ref:[0-9a-v]{32}`)

// byReference is a part that its sender has go by reference.
const byReference = `{"data":{"name":"Jane Doe","born":"1961-04-12"},"metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":true}}}`

// A part that goes by reference shows no more when it is redeemed than it would have shown beside the rest: what the hospital
// held back is held back, too, from whom the insurer's agent asks.
func TestAReferenceIsBoundedByTheHop(t *testing.T) {
	w := newRow(t, nil)
	onward := newAgent(t, answerWith(okMessage))
	up, err := gateway.NewUpstream(onward.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.rigs[insurer].Snapshot().Agents["underwrite"].A2A = up
	w.priorAuth.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(rw, r)
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.call(t, insurer, "/out/a2a/underwrite", "scrim_prior", `{"jsonrpc":"2.0","id":7,"method":"SendMessage","params":{"message":{"messageId":"u-1","role":"ROLE_USER","parts":[`+byReference+`]}}}`,
			"Traceparent", r.Header.Get("Traceparent"))
		answerWith(`{"message":{"messageId":"r-9","role":"ROLE_AGENT","parts":[{"text":"done"}]}}`)(rw, string(b))
	})
	status, answered := w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage, "Traceparent", trace)
	if status != 200 || strings.Contains(answered, `"error"`) {
		t.Fatalf("the hospital's agent got %d %s", status, answered)
	}
	if len(onward.received()) != 1 {
		t.Fatalf("the next agent was called %d times, want once", len(onward.received()))
	}
	g, who := w.rigs[insurer].Gateway, flow.Party{Agent: "underwrite", Domain: reinsurer}
	out, err := g.Redeem(t.Context(), &gateway.Redemption{
		Snapshot: g.Snapshot(), ID: gateway.HandleID(refSaid.FindString(onward.received()[0])), Quantum: time.Millisecond,
		Flow:   flow.Flow{ID: gateway.NewFlowID(), From: who, Protocol: "handle/1", Method: "RedeemHandle", To: flow.Party{Domain: insurer}},
		Caller: identity.Caller{Party: who, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical},
	})
	if err != nil {
		t.Fatal(err)
	}
	without(t, "what is redeemed", string(out.Body), "Jane", "Doe", "1961-04-12", "04-12")
	if !strings.Contains(string(out.Body), `"born":"1961"`) {
		t.Errorf("%s is redeemed, want the year that the hospital let through", out.Body)
	}
}
