// Command delegate is an agent in forty lines: it gets a capability for its key, asks what would be shown, sends its question, and has
// a sub-agent send another with less.
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

func main() {
	if err := talk(context.Background(), os.Stdout, os.Args[1], flow.DomainID(os.Args[2]), flow.NewSecret(os.Getenv("SCRIM_KEY"))); err != nil {
		log.Fatal(err)
	}
}

// talk sends two questions to the agent prior-auth of another domain, through the gateway of this one.
func talk(ctx context.Context, out io.Writer, gateway string, domain flow.DomainID, credential flow.Secret) error {
	self, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{{URL: gateway, Domain: domain}}, Bearer: credential})
	if err != nil {
		return err
	}
	chain, err := self.Obtain(ctx, domain, agent.Ask{})
	if err != nil {
		return err
	}
	terms, err := self.Terms(ctx, gateway+"/out/a2a/prior-auth", agent.Question{Labels: []flow.Label{"person/name"}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a name would be %s\n", terms.Labels[0].Level)
	if err := ask(ctx, out, self, gateway, "Authorise J1745 for Ana Ruiz"); err != nil {
		return err
	}
	key := agent.NewKey() // the sub-agent makes it, and tells the public half
	less := capability.Grant{Levels: map[flow.Label]flow.Level{"*": flow.Masked}, Expires: time.Now().Add(time.Minute)}
	child, err := self.Hand(chain, agent.Recipient{Key: key.Public(), Word: "summariser"}, less)
	if err != nil {
		return err
	}
	sub, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{{URL: gateway, Domain: domain}}})
	if err != nil {
		return err
	}
	if err := sub.Hold(child); err != nil {
		return err
	}
	return ask(ctx, out, sub, gateway, "Is Ana Ruiz covered?")
}

// ask sends one message and tells what the gateway changed in the answer.
func ask(ctx context.Context, out io.Writer, c *agent.Client, gateway, text string) error {
	client, err := a2a.Dial(ctx, c, gateway+"/out/a2a/prior-auth", a2a.Options{Purpose: "treatment", Note: func(n flow.Note) {
		fmt.Fprintf(out, "changed: %d places, reference %s\n", len(n.Changes)+n.Restricted, n.Reference)
	}})
	if err != nil {
		return err
	}
	defer client.Destroy()
	answer, err := client.SendMessage(ctx, &sdk.SendMessageRequest{Message: sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart(text))})
	if err != nil {
		return err
	}
	if m, ok := answer.(*sdk.Message); ok {
		fmt.Fprintln(out, m.Parts[0].Text())
	}
	return nil
}
