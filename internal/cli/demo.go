package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scrimhq/scrim/internal/demo/show"
)

func (e *env) demoCommand() *cobra.Command {
	var opt show.Options
	var plain bool
	c := e.command("demo [--keep] [--plain]", "Show what Scrim does, with three domains in one process",
		"Starts a hospital, an insurer and a research lab, each with agents, an MCP server and a gateway, takes a prior\n"+
			"authorisation from the first to the other two, prints what each of them saw, and ends. All of it is made up, listens on\n"+
			"127.0.0.1 alone and leaves nothing behind.", nil,
		func(ctx context.Context, _ []string) error {
			collectLess()
			opt.Out, opt.Colour = e.out, e.style(e.out).on && !plain
			if f, ok := e.out.(*os.File); ok {
				opt.Width, _, _ = term.GetSize(int(f.Fd())) // no terminal: 0, which is the default
			}
			return show.Run(ctx, opt)
		})
	c.Flags().BoolVar(&opt.Keep, "keep", false, "stay up afterwards and print commands to try, until interrupted")
	c.Flags().BoolVar(&plain, "plain", false, "no colours")
	return c
}
