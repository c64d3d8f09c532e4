package cli

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/hop"
)

// logOpening shows that a record of another domain belongs to one of this, or checks what somebody shows.
func (e *env) logOpening() *cobra.Command {
	var file, to, salt, parent string
	c := fileFlag(e.command("opening FLOW (--to DOMAIN [-c FILE] | --salt SALT --parent PARENT)", "Prove that a record of another domain continues one of this",
		"The record of the next domain names its parent by a commitment (hop:…), which says nothing to anybody there. With --to, prints\n"+
			"the salt that opens it for a flow of this domain: give it to an auditor and to nobody else. With --salt and --parent, checks one;\n"+
			"that needs no configuration.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			o := hop.Opening{Flow: flow.ID(args[0])}
			switch {
			case to != "" && salt == "" && parent == "":
				c, err := e.load(file)
				if err != nil {
					return err
				}
				if !hasState(c) {
					return refuse(`Start one with "scrim run", or name another configuration with -c.`, "no gateway has run on %s yet", c.Data)
				}
				keys, err := run.Keyring(ctx, c)
				if err != nil {
					return err
				}
				if o, err = gateway.HopOpening(keys, c.Domain, flow.DomainID(to), o.Flow); err != nil {
					return err
				}
				fmt.Fprintf(e.out, "flow    %s\nsalt    %s\nparent  %s\n", o.Flow, base64.RawURLEncoding.EncodeToString(o.Salt[:]), o.Commitment().Parent())
				return nil
			case to == "" && salt != "" && parent != "":
				raw, err := base64.RawURLEncoding.Strict().DecodeString(salt)
				c, ok := hop.ParseParent(flow.ID(parent))
				if err != nil || copy(o.Salt[:], raw) != len(o.Salt) || len(raw) != len(o.Salt) || !ok {
					return refuse(`"scrim log opening FLOW --to DOMAIN" prints both.`, "the salt or the parent has not the form of one")
				}
				st := e.style(e.out)
				if o.Commitment() != c {
					fmt.Fprintf(e.out, "%s  the record with that parent does not continue this flow\n", st.bad("BAD"))
					return errSaid
				}
				fmt.Fprintf(e.out, "%s  the record with that parent continues this flow\n", st.good("ok"))
				return nil
			}
			return refuse("", "give --to, or both --salt and --parent")
		}), &file)
	c.Flags().StringVar(&to, "to", "", "domain that the flow went to")
	c.Flags().StringVar(&salt, "salt", "", "salt to check")
	c.Flags().StringVar(&parent, "parent", "", "parent in the other domain's record, hop:…")
	return c
}
