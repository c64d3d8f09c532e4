// Command scrim-verify checks a log of Scrim without trusting whoever keeps it. "scrim-verify help" lists what it can do.
package main

import (
	"os"

	"github.com/scrimhq/scrim/internal/stranger/program"
)

func main() {
	os.Exit(program.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
