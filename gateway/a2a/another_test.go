package a2a_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

func TestATokenGoesToNobodyButWhomItWasMintedFor(t *testing.T) {
	partner, lab := newAgent(t, answerWith(okMessage)), newAgent(t, answerWith(okMessage))
	r := newRig(t, partner, func(s *gatewaytest.Setup) {
		up, err := gateway.NewUpstream(lab.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.Agents = append(s.Agents, &gateway.Agent{Party: flow.Party{Agent: "lab", Domain: "lab"}, A2A: up})
		s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Data, Owner: "lab", Direction: flow.Request, JSON: referral})
		s.Policy += `@id("lab") permit (principal in Domain::"lab", action in Action::"upto_tokenized", resource in DataClass::"person");`
	})
	r.send(t, fullMessage)
	token := regexp.MustCompile(`stk1_[\w-]+`).FindString(partner.received()[0])
	if token == "" {
		t.Fatal("the partner got no token")
	}
	const forward = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"See %[2]s."},{"data":{"name":"%[2]s"}}]}}}`
	r.url = strings.Replace(r.url, "partner", "lab", 1)
	_, body := r.send(t, fmt.Sprintf(forward, "m-3", token))
	got := lab.received()
	if len(got) != 1 {
		t.Fatalf("the lab got %q, answer %s", got, body)
	}
	if strings.Contains(got[0], token) || !strings.Contains(got[0], "See [removed].") {
		t.Errorf("the lab got the partner's token: %s", got[0])
	}
	r.url = strings.Replace(r.url, "lab", "partner", 1)
	r.send(t, fmt.Sprintf(forward, "m-4", token))
	if got := partner.received(); len(got) != 2 || strings.Count(got[1], token) != 2 {
		t.Errorf("the partner got %q, want its own token twice", got[1:])
	}
}
