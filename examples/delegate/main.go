// Command delegate is an agent in forty lines: it gets a capability for its key, asks what would be shown of a name, and hands a
// narrower capability to a sub-agent, which sends the question.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/agent/a2a"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

func main() { // delegate GATEWAY DOMAIN, with the agent's credential in SCRIM_KEY
	here := agent.Gateway{URL: os.Args[1], Domain: flow.DomainID(os.Args[2])}
	if err := delegate(context.Background(), os.Stdout, here, flow.NewSecret(os.Getenv("SCRIM_KEY"))); err != nil {
		log.Fatal(err)
	}
}

func delegate(ctx context.Context, out io.Writer, here agent.Gateway, credential flow.Secret) error {
	self, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{here}, Bearer: credential})
	if err != nil {
		return err
	}
	chain, err := self.Obtain(ctx, here.Domain, agent.Ask{})
	if err != nil {
		return err
	}
	partner := here.URL + "/out/a2a/prior-auth"
	terms, err := self.Terms(ctx, partner, agent.Question{Labels: []flow.Label{"person/name"}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a name that I send would be %s\n", terms.Labels[0].Level)
	key := agent.NewKey() // the sub-agent makes it, and tells the public half
	chain, err = self.Hand(chain, agent.Recipient{Key: key.Public(), Word: "summariser"}, capability.Grant{Expires: time.Now().Add(time.Minute)})
	if err != nil {
		return err
	}
	sub, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{here}})
	if err != nil {
		return err
	}
	critical := flow.Critical
	client, err := a2a.Dial(agent.WithCapability(ctx, chain), sub, partner, a2a.Options{Criticality: &critical})
	if err != nil {
		return err
	}
	answer, err := client.SendMessage(agent.WithCapability(ctx, chain), &sdk.SendMessageRequest{Message: sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart("Is Ana Ruiz covered?"))})
	if m, ok := answer.(*sdk.Message); ok && err == nil {
		fmt.Fprintln(out, m.Parts[0].Text())
	}
	return err
}
