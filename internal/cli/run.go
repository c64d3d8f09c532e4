package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/notify"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

func (e *env) runCommand() *cobra.Command {
	var file, dir string
	var governed, link bool
	var c *cobra.Command
	c = e.command("run [-c FILE]", "Run the gateway",
		"Stands between the agents and MCP servers of scrim.yaml until it is told to stop. Where there is no scrim.yaml, it writes\n"+
			"a commented one with starter policies, and binds 127.0.0.1.\n\n"+
			"It reads its files again when they change, on SIGHUP, and on POST /-/reload; if there is a mistake, the old ones stay in\n"+
			"force. On SIGTERM it takes no new calls and lets open ones end.", nil,
		func(ctx context.Context, _ []string) error {
			path := file
			if !c.Flags().Changed("config") {
				path = filepath.Join(dir, defaultConfig)
				if err := e.firstFiles(dir); err != nil {
					return err
				}
			}
			return e.serve(ctx, path, serving{governed: governed, link: link})
		})
	c.Flags().BoolVar(&governed, "governed", false, "start only by a version of the rules that is in force already, never by what lies on disk")
	c.Flags().BoolVar(&link, "console-link", false, "print a one-time link to the console at start even where the output is no terminal")
	c.Flags().StringVar(&dir, "dir", ".", "directory of scrim.yaml, written to where there is none")
	return fileFlag(c, &file)
}

// firstFiles writes a first configuration and starter policies where there is none. It overwrites nothing.
func (e *env) firstFiles(dir string) error {
	name := filepath.Join(dir, defaultConfig)
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o755); err != nil {
		return err
	}
	written := []string{}
	write := func(name string, content []byte) error {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody's own; it stays
		}
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		written = append(written, name)
		return errors.Join(err, f.Close())
	}
	starter := policy.Starter()
	err := fs.WalkDir(starter, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(starter, path)
		if err != nil {
			return err
		}
		return write(filepath.Join(dir, "policies", filepath.FromSlash(path)), content)
	})
	if err == nil {
		err = write(name, config.Default("home")) // last, so that a run that was cut short begins again
	}
	if err != nil {
		return fmt.Errorf("writing the first files: %w", err)
	}
	for _, w := range written {
		fmt.Fprintf(e.out, "wrote %s\n", w)
	}
	return nil
}

// serving is how a gateway is run.
type serving struct {
	learn, governed bool
	link            bool // a one-time link to the console is printed even where nobody may be looking
}

// serve runs a gateway until ctx is done.
func (e *env) serve(ctx context.Context, file string, how serving) error {
	c, err := e.inForce(ctx, file, how.governed)
	if err != nil {
		return err
	}
	e.warnings(c)
	collectLess()
	log := newLog(e.err, c.Log)
	r, err := run.Open(ctx, c, run.Options{Logger: log, Models: e.models, Watcher: true, Learn: how.learn, Governed: how.governed, Version: programVersion(), Release: e.releaseHere})
	if err != nil {
		return e.notOpened(c, err)
	}
	admin, err := r.Console()
	if err != nil {
		return errors.Join(err, r.Close())
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { tell(log, notify.Stopping()) })()
	reloads := make(chan struct{})
	go func() {
		defer close(reloads)
		reloadOn(ctx, hup, r, log)
	}()
	err = r.Serve(ctx, admin, func(data, at net.Addr) {
		e.started(r, data, at)
		e.consoleLink(ctx, r, admin, at, how.link)
		fmt.Fprintln(e.out, "Stop with Ctrl-C. Files are read again when they change.")
		tell(log, notify.Ready(taking(c)))
	})
	cancel()
	<-reloads
	if r.Learner != nil {
		err = errors.Join(err, r.Learner.Save())
		e.proposals(run.Propose(r.Learner.Seen()))
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(e.out, "stopped: every call ended, the journal is signed")
	return nil
}

// inForce reads the configuration that a gateway is to run by: that of the version in force, or what lies on disk where none is. With governed the second is
// refused.
func (e *env) inForce(ctx context.Context, file string, governed bool) (*config.Config, error) {
	c, ruled, err := run.LoadRuled(ctx, file, run.Options{Models: e.models})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrLocked):
		return e.load(file) // which says what to do, or opening does
	case err != nil:
		return nil, e.notOpened(nil, err)
	case governed && !ruled:
		return nil, refuse("Start it once without --governed where the data directory is new; where it is not, find out who put another in its place.", "no version of the rules is in force in %s", c.Data)
	}
	return c, nil
}

// reloadOn reads the configuration again at each signal until ctx is done.
func reloadOn(ctx context.Context, hup <-chan os.Signal, r *run.Gateway, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			tell(log, notify.Reloading())
			if err := r.Reload(ctx, "SIGHUP"); err != nil {
				log.Error("not reloaded", "error", err)
			}
			tell(log, notify.Ready(taking(r.Config())))
		}
	}
}

// taking is what a service manager shows of a gateway that runs.
func taking(c *config.Config) string {
	return "domain " + string(c.Domain) + ", for agents at " + c.Listen
}

// tell notes that a service manager could not be told. It then kills the gateway in its own time, so somebody should know why.
func tell(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("the service manager was not told", "error", err)
	}
}

// notOpened says what to do about a gateway that does not start.
func (e *env) notOpened(c *config.Config, err error) error {
	switch {
	case errors.Is(err, store.ErrLocked):
		return refuse("Stop the other one, or give this one a data directory of its own, and a schema of its own where it keeps its state in PostgreSQL.", "%v", err)
	case errors.Is(err, store.ErrNewer):
		return refuse("Run the newer scrim again, or restore the data directory from before it.", "%v", err)
	case errors.Is(err, store.ErrElsewhere):
		return refuse("Move it as docs/spec/store.md says, or give this gateway a data directory of its own.", "%v", err)
	case errors.Is(err, run.ErrLearn):
		return refuse(`Use "scrim run": where flows leave the domain, something must be enforced.`, "%v", err)
	}
	return e.mistakes(c, err)
}

func (e *env) started(r *run.Gateway, data, admin net.Addr) {
	st, c := e.style(e.out), r.Config()
	if c.Mode == config.Learn {
		e.banner()
	}
	fmt.Fprintf(e.out, "%s\n", st.good("scrim is ready"))
	t := table{paint: map[int]func(string) string{1: st.bold}}
	t.add("domain", string(c.Domain))
	scheme := "http://"
	if c.TLS.On() {
		scheme = "https://"
	}
	t.add("for agents", scheme+data.String())
	t.add("admin", c.AdminURL(admin.String())+"  (token in "+filepath.Join(c.Data, api.TokenFile)+")")
	for _, a := range c.Agents {
		face := ""
		if !c.Own(a) {
			face = "/out"
		}
		if a.Serves() {
			t.add("", c.PublicURL+face+"/mcp/"+string(a.ID))
		}
		if a.A2A != nil {
			t.add("", c.PublicURL+face+"/a2a/"+string(a.ID))
		}
	}
	t.write(e.out, style{}, "  ")
	if len(c.Agents) == 0 {
		fmt.Fprintf(e.out, "nobody is known yet. Next:\n"+
			"  1. scrim key new              makes a key for an agent that calls\n"+
			"  2. edit %-20s  put your agents and MCP servers under agents: it is read again as you save it\n"+
			"  3. scrim config check         lists every mistake; scrim doctor looks at the surroundings\n"+
			"  4. scrim check FILE --to AGENT --purpose P   shows what an agent would see of a text\n", c.File())
	}
}
