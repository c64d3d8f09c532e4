package cli

import "github.com/spf13/cobra"

func (e *env) capCommand() *cobra.Command {
	return e.group("cap", "Give agents capabilities, and take them away", e.capRevokeCommand(), e.capRevocationsCommand())
}
