package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/gateway/identity"
)

func (e *env) keyCommand() *cobra.Command {
	create := e.command("new", "Make an API key for an agent",
		"Prints a new key, which the agent sends as \"Authorization: Bearer KEY\", and the digest that scrim.yaml keeps of it.\n"+
			"The key itself is kept nowhere.", nil,
		func(context.Context, []string) error {
			key, digest := identity.NewKey()
			t := table{}
			t.add("key", key.Expose())
			t.add("sha256", digest)
			t.write(e.out, e.style(e.out), "")
			fmt.Fprintln(e.err, "Hand the key to the agent now; it is not shown again. In scrim.yaml, under the agent:")
			fmt.Fprintf(e.err, "    keys: [{sha256: %s}]\n", digest)
			return nil
		})
	return e.group("key", "Make API keys", create)
}
