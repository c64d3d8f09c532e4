// Command release builds what is released, so that whoever has the source can build the same bytes.
//
//	go run ./internal/release -out /tmp/release
//
// It writes scrim and scrim-verify for each system, a bill of materials beside each, and SHA256SUMS over all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	out := flag.String("out", "", "`directory` to make and write to; it must not be there yet")
	only := flag.String("target", "", "build for this `system/architecture` alone, such as linux/amd64")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := release(ctx, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", strings.TrimSpace(err.Error()))
		os.Exit(1)
	}
}
