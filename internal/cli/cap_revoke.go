package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

func (e *env) capRevokeCommand() *cobra.Command {
	var file, lasts string
	c := fileFlag(e.command("revoke (token | holder | task) NAME...", "End capabilities at once, here and at every peer",
		"Puts what is named on the domain's signed list of revocations. It is on record and in force when the command returns; a\n"+
			"running gateway sends it to peers at once, a stopped one when it starts.\n\n"+
			"  token   the id of a token, as \"scrim cap inspect\" shows it: the token and all that was derived from it\n"+
			"  holder  the thumbprint of a holder's key: every token that was given to it, and all derived from those\n"+
			"  task    the id of a task: every flow that serves it\n\n"+
			"A revocation cannot be taken back. It ends by itself when nothing that it names can be in force any more.", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			kind, err := ledger.ParseKind(args[0])
			if err != nil {
				return misuse("%q is not one of token, holder, task", args[0])
			}
			req, err := revokeRequest(kind, args[1:], lasts)
			if err != nil {
				return err
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out revocations.Revoked
			peers := "they are told when the gateway starts"
			err = withState(ctx, c,
				func(a *adminClient) error {
					peers = "they are told now"
					return a.call(ctx, http.MethodPost, "/api/v1/cap/revoke", req, &out)
				},
				func(st *run.State) (err error) {
					out, err = api.Revoke(ctx, st.Ledger(), c.Domain, req)
					return err
				})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "revoked: version %d of the list; on record as %s\n", out.Version, out.Reference)
			fmt.Fprintf(e.err, "In force here; as for peers, %s.\n", peers)
			return nil
		}), &file)
	c.Flags().StringVar(&lasts, "for", "", "how long it lasts, such as 90d; absent: 91 days for a token, a year for a holder or task")
	return c
}

func revokeRequest(kind ledger.Kind, names []string, lasts string) (req api.RevokeRequest, err error) {
	now := time.Now()
	until := revocations.Until(kind, now)
	if lasts != "" {
		var d config.Duration
		if err := d.UnmarshalText([]byte(lasts)); err != nil || d <= 0 {
			return req, misuse("--for %q is not a length of time such as 12h or 90d", lasts)
		}
		until = now.Add(time.Duration(d))
	}
	for _, name := range names {
		d := ledger.Denial{Kind: kind, Name: name, Until: until.UTC()}
		if err := d.Check(now); err != nil {
			return req, misuse("%s: %s", kind, err)
		}
		req.Denials = append(req.Denials, d)
	}
	return req, nil
}

func (e *env) capRevocationsCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("revocations", "List what is revoked, and how peers' lists stand",
		"Lists what this domain revokes, and of each peer's list its version and age. Where one is too old, none of that peer's\n"+
			"capabilities is accepted.", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out api.Revocations
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/cap/revocations", nil, &out) },
				func(st *run.State) (err error) {
					out, err = api.ListRevocations(ctx, st.Ledger())
					return err
				})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(out)
			}
			e.showRevocations(out)
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (e *env) showRevocations(r api.Revocations) {
	fmt.Fprintf(e.err, "version %d of the list\n", r.Version)
	if len(r.Denials) == 0 {
		fmt.Fprintln(e.err, "nothing is revoked")
	} else {
		t := table{head: true}
		t.add("kind", "name", "since", "until")
		for _, d := range r.Denials {
			t.add(d.Kind.String(), d.Name, d.Since.Format(time.RFC3339), d.Until.Format(time.RFC3339))
		}
		t.write(e.out, e.style(e.out), "")
	}
	if len(r.Peers) == 0 {
		return
	}
	t := table{head: true}
	t.add("peer", "version", "entries", "issued", "")
	for _, p := range r.Peers {
		state := ""
		if p.Stale {
			state = "too old: its capabilities are refused"
		}
		t.add(string(p.Domain), strconv.FormatInt(p.Version, 10), strconv.Itoa(p.Entries), p.Issued.Format(time.RFC3339), state)
	}
	t.write(e.out, e.style(e.out), "")
}
