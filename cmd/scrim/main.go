// Command scrim is a privacy gateway between agents. "scrim help" lists what it can do.
package main

import (
	"os"

	"github.com/scrimhq/scrim/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
