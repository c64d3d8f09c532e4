//go:build unix

package cli

import (
	"context"
	"os/exec"
	"syscall"
)

// shell is a command line, run by the shell in a process group of its own, so that what the shell started ends with it.
func shell(ctx context.Context, command string) *exec.Cmd {
	c := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}
