package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) consoleCommand() *cobra.Command {
	return e.group("console", "Let people into the console of a running gateway, and end their sessions",
		e.consoleLinkCommand(), e.consoleSessionsCommand(), e.consoleEndCommand())
}

func (e *env) consoleLinkCommand() *cobra.Command {
	var file, role string
	c := fileFlag(e.command("link [--role ROLE]", "Print a link by which one browser logs in to the console, once",
		"The link works once and for ten minutes (console.link), and dies with the gateway. What comes after its # is sent to nobody before a button is\n"+
			"pressed. Making it is on record, and so is its use, by the name that is printed.", nil,
		func(ctx context.Context, _ []string) error {
			var l session.NewLink
			c, err := e.askConsole(ctx, file, "/api/v1/sessions/link", session.LinkRequest{Role: role}, &l)
			if err != nil {
				return err
			}
			at := c.AdminURL(c.Admin) + l.Path
			if c.Console.PublicURL != "" {
				at = l.URL
			}
			fmt.Fprintln(e.out, at)
			fmt.Fprintf(e.err, "for one browser, as %s, until %s; on the log as %s\n", l.Role, l.Ends.Local().Format(time.TimeOnly), l.ID)
			return nil
		}), &file)
	c.Flags().StringVar(&role, "role", page.Admin.String(), "what whoever uses it may do: viewer, steward, approver or admin")
	return c
}

func (e *env) consoleSessionsCommand() *cobra.Command {
	var file string
	return fileFlag(e.command("sessions", "List who is logged in to the console", "", nil, func(ctx context.Context, _ []string) error {
		var l session.List
		if _, err := e.askConsole(ctx, file, "/api/v1/sessions", nil, &l); err != nil {
			return err
		}
		t := table{head: true}
		t.add("SESSION", "WHO", "ROLE", "BY", "SINCE", "LAST SEEN", "ENDS")
		for _, s := range l.Sessions {
			t.add(s.ID, s.Who, s.Role.String(), string(s.How), s.Began.Format(time.DateTime), s.Seen.Format(time.DateTime), s.Ends.Format(time.DateTime))
		}
		t.write(e.out, e.style(e.out), "")
		return nil
	}), &file)
}

func (e *env) consoleEndCommand() *cobra.Command {
	var file string
	return fileFlag(e.command("end SESSION", "End somebody's session at once", "SESSION is as \"scrim console sessions\" lists it. It is on record.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			var none struct{}
			if _, err := e.askConsole(ctx, file, "/api/v1/sessions/"+url.PathEscape(args[0])+"/end", struct{}{}, &none); err != nil {
				return err
			}
			fmt.Fprintln(e.out, "ended")
			return nil
		}), &file)
}

// askConsole asks the console of a running gateway; without a body it only looks.
func (e *env) askConsole(ctx context.Context, file, path string, body, out any) (*config.Config, error) {
	c, err := e.load(file)
	if err != nil {
		return nil, err
	}
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	return c, eitherWay(c,
		func(a *adminClient) error { return a.call(ctx, method, path, body, out) },
		func() error {
			// The directory opened, so that nobody else has it: there is nothing to log in to.
			st, err := run.OpenStore(ctx, c, store.Options{})
			if err != nil {
				return err
			}
			return errors.Join(refuse(`Start it with "scrim run".`, "no gateway is running on %s", c.Data), st.Close())
		})
}

// consoleLink prints a one-time link, if somebody looks at the output or asked for it: it opens the console to whoever reads it first.
func (e *env) consoleLink(ctx context.Context, r *run.Gateway, con *console.Console, at net.Addr, asked bool) {
	if !asked && !terminal(e.out) {
		return
	}
	path, err := con.Link(ctx, page.Admin)
	if errors.Is(err, session.ErrOff) {
		return
	}
	if err != nil {
		e.complain(err.Error())
		return
	}
	c := r.Config()
	base := c.AdminURL(at.String())
	if c.Console.PublicURL != "" {
		base = c.Console.PublicURL
	}
	fmt.Fprintf(e.out, "console, once and for %s (scrim console link makes another):\n  %s\n", strings.TrimSuffix(time.Duration(c.Console.Link).String(), "0s"), base+path)
}
