package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability"
)

func (e *env) capCommand() *cobra.Command {
	return e.group("cap", "Capabilities: make, narrow, read, check and revoke them", e.capKey(), e.capMint(), e.capAttenuate(), e.capInspect(), e.capVerify(), e.capRevokeCommand(), e.capRevocationsCommand())
}

func (e *env) capKey() *cobra.Command {
	return e.command("key FILE", "Make a key that an agent holds capabilities with",
		"Writes a new Ed25519 key to FILE, which its owner alone may read, and the public key to FILE.pub and to standard output.\n"+
			"The public one is what others need to give this agent a capability. One key for each agent and task.", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			key := agent.NewKey()
			if err := key.Save(args[0]); err != nil {
				return err
			}
			public := append(capability.HolderJWK(key.Public()), '\n')
			if err := os.WriteFile(args[0]+".pub", public, 0o644); err != nil {
				return err
			}
			_, err := e.out.Write(public)
			fmt.Fprintf(e.err, "thumbprint %s\n", key.Thumbprint())
			return err
		})
}

func (e *env) capMint() *cobra.Command {
	var t terms
	var file string
	var req api.MintRequest
	var holder string
	c := fileFlag(e.command("mint --agent AGENT --for KEY.pub [--grant NAME]", "Issue a root capability to an agent of this domain",
		"Issues what scrim.yaml grants to the agent under capabilities.grants, or less where flags ask for less, and puts it on\n"+
			"record. Agents get theirs by themselves at /scrim/token; this is for the operator.", nil,
		func(ctx context.Context, _ []string) error {
			key, err := holderKey(holder)
			if err != nil {
				return err
			}
			less, err := t.grant(time.Now())
			if err != nil {
				return err
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			req.Key, req.Less = capability.HolderJWK(key), &less
			var out api.Minted
			err = withGateway(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/capability/mint", req, &out) },
				func(g *run.Gateway) (err error) {
					out, err = g.Mint(ctx, req)
					return err
				})
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, out.Capability)
			fmt.Fprintf(e.err, "%s\non record as %s\n", out.Sentence, out.Reference)
			return nil
		}), &file)
	c.Flags().StringVar((*string)(&req.Agent), "agent", "", "who gets it, an agent of this domain")
	c.Flags().StringVar(&req.Grant, "grant", "", "which of its grants; may be left out where there is one")
	c.Flags().StringVar(&holder, "for", "", "public key of who gets it: a file, or a JWK")
	t.flags(c.Flags())
	return c
}

func (e *env) capAttenuate() *cobra.Command {
	var t terms
	var key, holder, word string
	c := e.command("attenuate CAPABILITY --key KEY --for OTHER.pub [--as WORD]", "Derive a narrower capability for another agent",
		"Works without a gateway and without a network. CAPABILITY is a file, or - for standard input. What no flag narrows is\n"+
			"taken over; what would be wider is refused.", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			parent, err := e.readChain(args[0])
			if err != nil {
				return err
			}
			own, err := agent.LoadKey(key)
			if err != nil {
				return err
			}
			public, err := holderKey(holder)
			if err != nil {
				return err
			}
			less, err := t.grant(time.Now())
			if err != nil {
				return err
			}
			child, err := agent.Hand(parent, own, agent.Recipient{Key: public, Word: word}, less, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, child)
			return e.say(child)
		})
	c.Flags().StringVar(&key, "key", "", "file of the private key that holds CAPABILITY")
	c.Flags().StringVar(&holder, "for", "", "public key of who gets the new one: a file, or a JWK")
	c.Flags().StringVar(&word, "as", "", "what the other agent is called after this one's name")
	t.flags(c.Flags())
	return c
}

// say tells on standard error what the last token of a chain admits.
func (e *env) say(c capability.Chain) error {
	links, err := c.Unverified()
	if err != nil {
		return err
	}
	fmt.Fprintln(e.err, links[len(links)-1].String())
	return nil
}

func (e *env) capInspect() *cobra.Command {
	var asJSON bool
	c := e.command("inspect [CAPABILITY]", "Say what a capability admits, without believing it",
		"Reads a file, or standard input, and says of each token what it admits. Nothing is verified: \"scrim cap verify\" does that.", cobra.MaximumNArgs(1),
		func(_ context.Context, args []string) error {
			chain, err := e.readChain(orStdin(args))
			if err != nil {
				return err
			}
			links, err := chain.Unverified()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(links)
			}
			for i := range links {
				fmt.Fprintf(e.out, "token %s, for key %s\n  %s\n", links[i].ID, links[i].Holder, links[i].String())
			}
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print the tokens' terms as JSON")
	return c
}

func orStdin(args []string) string {
	if len(args) == 0 {
		return "-"
	}
	return args[0]
}

func (e *env) capVerify() *cobra.Command {
	var file string
	return fileFlag(e.command("verify [CAPABILITY]", "Check a capability as this domain's gateway would",
		"Verifies every token with the keys of this domain and of its peers, and looks each up in the deny-lists. A proof is not\n"+
			"asked for: who only has the bytes cannot use them.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			chain, err := e.readChain(orStdin(args))
			if err != nil {
				return err
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out api.Checked
			req := api.CheckRequest{Capability: chain.String()}
			err = withGateway(ctx, c,
				func(a *adminClient) error {
					return a.call(ctx, http.MethodPost, "/api/v1/capability/verify", req, &out)
				},
				func(g *run.Gateway) error {
					out = g.Check(ctx, req)
					return nil
				})
			if err != nil {
				return err
			}
			if out.Refused != "" {
				return refuse("Ask its issuer, or whoever handed it on, for another one.", "not accepted: %s", out.Refused)
			}
			fmt.Fprintf(e.out, "verified: issued by %s\n%s\n", out.Issuer, out.Sentence)
			return nil
		}), &file)
}
