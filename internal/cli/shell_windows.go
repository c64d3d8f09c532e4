package cli

import (
	"context"
	"os/exec"
)

// shell is a command line, run by the shell. What the shell started may outlive it.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "cmd", "/C", command)
}
