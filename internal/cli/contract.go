package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) contractCommand() *cobra.Command {
	return e.group("contract", "What this domain and its peers agree on", e.contractList(), e.contractShow(), e.contractPropose(), e.contractCounter(), e.contractAccept(), e.contractWithdraw())
}

// askContracts does something with the contracts of a gateway.
func askContracts[A any](ctx context.Context, e *env, file, path string, q api.ContractRequest, do func(context.Context, *offer.Book, api.ContractRequest) (A, error)) (A, error) {
	return askPart(ctx, e, file, path, q, func(st *run.State, _ *config.Config) (*offer.Book, error) { return st.Contracts, nil }, do)
}

func (e *env) contractList() *cobra.Command {
	var file string
	return fileFlag(e.command("list", "List negotiations and contracts",
		"One a line: its id, the peer, its name, how far it is, and until when it lasts. \"waiting\" is for this domain to answer.", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askContracts(ctx, e, file, "/api/v1/contracts/list", api.ContractRequest{}, api.ListContracts)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("negotiation", "peer", "name", "state", "version", "until")
			for _, v := range all {
				t.add(v.Negotiation, string(v.Peer), v.Name, string(v.State), fmt.Sprint(v.Version), v.Expires.Format(time.DateOnly))
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
}

func (e *env) contractShow() *cobra.Command {
	var file string
	var signed bool
	c := fileFlag(e.command("show NEGOTIATION [--signed]", "Show what was offered last, or agreed",
		"With --signed the JWS is printed: with one signature an offer, with two a contract.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := askContracts(ctx, e, file, "/api/v1/contracts/show", api.ContractRequest{Negotiation: args[0]}, api.ShowContract)
			if err != nil {
				return err
			}
			if signed {
				fmt.Fprintln(e.out, string(v.Signed))
				return nil
			}
			return e.showContract(v)
		}), &file)
	c.Flags().BoolVar(&signed, "signed", false, "print the JWS")
	return c
}

func (e *env) showContract(v api.ContractView) error {
	t := table{}
	t.add("negotiation", v.Negotiation)
	t.add("id", v.ID)
	t.add("name", string(v.Peer)+":"+v.Name)
	t.add("state", string(v.State))
	t.add("from", v.NotBefore.Format(time.RFC3339))
	t.add("until", v.Expires.Format(time.RFC3339))
	t.write(e.out, e.style(e.out), "")
	var b bytes.Buffer
	if err := json.Indent(&b, v.Offer, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(e.out, b.String())
	return nil
}

// readDraft reads an offer that somebody wrote.
func readDraft(file string) (*offer.Draft, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var any map[string]any
	if err := yaml.Unmarshal(raw, &any); err != nil {
		return nil, fmt.Errorf("%s is no YAML", file)
	}
	text, err := json.Marshal(any)
	if err != nil {
		return nil, err
	}
	var d offer.Draft
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, refuse("docs/spec/terms.md has an example.", "%s is no offer: %v", file, err)
	}
	return &d, nil
}

func (e *env) contractPropose() *cobra.Command {
	var file, to string
	c := fileFlag(e.command("propose FILE --to DOMAIN", "Offer a contract to a peer",
		"FILE says in YAML what each of the two domains would give to the other, for which purposes and until when. It is sent by the\n"+
			"gateway, at once if one is running.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			d, err := readDraft(args[0])
			if err != nil {
				return err
			}
			if to == "" {
				return misuse("--to is missing: which peer is it for?")
			}
			v, err := askContracts(ctx, e, file, "/api/v1/contracts/propose", api.ContractRequest{Peer: flow.DomainID(to), Draft: d}, api.ProposeContract)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "offered to %s as %s\n", v.Peer, v.Negotiation)
			return nil
		}), &file)
	c.Flags().StringVar(&to, "to", "", "the peer")
	return c
}

func (e *env) contractCounter() *cobra.Command {
	var file string
	return fileFlag(e.command("counter NEGOTIATION FILE", "Answer an offer with a narrower one",
		"FILE is as for propose. It may be wider in no place than what it answers.", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			d, err := readDraft(args[1])
			if err != nil {
				return err
			}
			v, err := askContracts(ctx, e, file, "/api/v1/contracts/counter", api.ContractRequest{Negotiation: args[0], Draft: d}, api.CounterContract)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "version %d is offered to %s\n", v.Version, v.Peer)
			return nil
		}), &file)
}

func (e *env) contractAccept() *cobra.Command {
	var file string
	return fileFlag(e.command("accept NEGOTIATION ID", "Sign what a peer offered",
		"ID is that which \"scrim contract show\" printed: if the peer offered something else meanwhile, nothing is signed. The contract\n"+
			"is in force once the peer's gateway knows.", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			v, err := askContracts(ctx, e, file, "/api/v1/contracts/accept", api.ContractRequest{Negotiation: args[0], ID: args[1]}, api.AcceptContract)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "signed; policies see it as %s:%s once it is agreed\n", v.Peer, v.Name)
			return nil
		}), &file)
}

func (e *env) contractWithdraw() *cobra.Command {
	var file string
	return fileFlag(e.command("withdraw NEGOTIATION", "End a negotiation or a contract",
		"At once, and for good: flows are no longer bound by it nor permitted because of it. The peer is told.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := askContracts(ctx, e, file, "/api/v1/contracts/withdraw", api.ContractRequest{Negotiation: args[0]}, api.WithdrawContract)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s with %s is ended\n", v.Name, v.Peer)
			return nil
		}), &file)
}
