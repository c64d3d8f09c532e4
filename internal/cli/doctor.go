package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) doctorCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("doctor [--json] [-c FILE]", "Look at configuration, disk, ports, agents, and ways round the gateway",
		"Looks at everything that a gateway needs, without changing anything: configuration and policies, who can read its files,\n"+
			"how fast the disk makes writes durable and how long it lasts, how old the last backup is, why a running gateway is not ready, who\n"+
			"reaches the console, whether its ports are free or its own, whether each agent answers, whether an agent answers callers that do\n"+
			"not come through the gateway, whether peers and the collector of telemetry take connections, and the clock.", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			return e.examine(ctx, c, asJSON)
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON: one object, its verdict that of the worst")
	return c
}

// verdict is how one look ended.
type verdict int

const (
	fine verdict = iota
	doubtful
	wrong
)

// doctor collects what it sees.
type doctor struct {
	c      *config.Config
	models run.Models
	out    table
	seen   []seen
	worst  verdict
	waits  bool // a restored state waits for its first start, which settles what was lost: nothing here may be that
}

var verdictNames = [...]string{fine: "ok", doubtful: "warn", wrong: "FAIL"}

func (d *doctor) say(v verdict, what, format string, args ...any) {
	d.worst = max(d.worst, v)
	says := fmt.Sprintf(format, args...)
	d.out.add(verdictNames[v], what, says)
	d.seen = append(d.seen, seen{verdictNames[v], what, says})
}

func (e *env) examine(ctx context.Context, c *config.Config, asJSON bool) error {
	d := &doctor{c: c, models: e.models}
	d.versions()
	d.configuration()
	running := d.state(ctx)
	d.backups()
	d.rules(ctx, e)
	d.disk()
	d.budgets()
	d.sources(ctx)
	d.certificate()
	d.trust(ctx)
	d.bundles(ctx, running)
	d.witnessed(ctx, running)
	if !running {
		d.port("port for agents", c.Listen)
		d.port("admin port", c.Admin)
	}
	d.exposure()
	d.reachable(ctx)
	for _, a := range c.Agents {
		d.agent(ctx, a)
	}
	d.clock()
	if asJSON {
		if err := d.writeJSON(e); err != nil {
			return err
		}
		if d.worst == wrong {
			return errSaid
		}
		return nil
	}
	st := e.style(e.out)
	d.out.paint = map[int]func(string) string{0: func(s string) string {
		switch strings.TrimSpace(s) {
		case "ok":
			return st.good(s)
		case "warn":
			return st.warn(s)
		}
		return st.bad(s)
	}}
	d.out.write(e.out, st, "")
	if d.worst == wrong {
		return errSaid
	}
	return nil
}

// sources looks whether the data of datasets is there.
func (d *doctor) sources(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.c.Datasets)) {
		q := d.c.Queried(name)
		if q == nil {
			continue
		}
		looking, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := run.CheckSource(looking, d.c, name)
		cancel()
		if err != nil {
			d.say(wrong, "dataset "+name, "%v", err)
			continue
		}
		d.say(fine, "dataset "+name, "its source has %s", count(len(q.Tables), "declared table"))
	}
}

func (d *doctor) configuration() {
	for _, w := range d.c.Warnings() {
		d.say(doubtful, "configuration", "%s", strings.ReplaceAll(w.String(), "warning: ", ""))
	}
	snap, err := run.Offline(d.c, d.models)
	if err != nil {
		d.say(wrong, "policies", "%v", err)
		return
	}
	d.say(fine, "configuration", "%s, domain %s, %s", d.c.File(), d.c.Domain, count(len(d.c.Agents), "agent"))
	d.say(fine, "policies", "hash %s", short(snap.Policy.Hash()))
	if _, err := run.Snapshot(d.c, d.models); err != nil {
		d.say(wrong, "credentials", "%v", err)
	}
}

// budgets says where spending on datasets is kept. What does not fit in the configuration itself is told with it.
func (d *doctor) budgets() {
	if len(d.c.Datasets) == 0 {
		return
	}
	asked := 0
	for _, a := range d.c.Agents {
		asked += len(a.Questions)
	}
	if d.c.Budgets.Shared == nil {
		d.say(fine, "budgets", "%s with %s, kept in this gateway's own state", count(len(d.c.Datasets), "dataset"), count(asked, "priced question"))
		return
	}
	if _, err := d.c.SharedBudgets(); err != nil {
		d.say(wrong, "budgets", "%v", err)
		return
	}
	d.say(fine, "budgets", "%s with %s, kept in a database that other gateways with the same keyset may share", count(len(d.c.Datasets), "dataset"), count(asked, "priced question"))
}

// state looks at the data directory and reports whether a gateway runs on it.
func (d *doctor) state(ctx context.Context) (running bool) {
	c := d.c
	if !hasState(c) {
		d.say(fine, "data directory", "%s will be made at the first start", c.Data)
		return false
	}
	for _, name := range []string{c.Path(c.Data), c.Path(c.Keys.File), filepath.Join(c.Path(c.Data), api.TokenFile)} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			d.say(wrong, "data directory", "%v", err)
		case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
			d.say(wrong, "data directory", "%s can be read by others; chmod go= it", name)
		}
	}
	what := "data directory"
	if c.Store.Postgres != nil {
		what = "database"
	}
	st, err := run.OpenStore(ctx, c, store.Options{})
	switch {
	case errors.Is(err, store.ErrLocked):
		d.running(ctx)
		d.runningLog(ctx)
		return true
	case err != nil:
		d.say(wrong, what, "%v", err)
		return false
	}
	if db, ok := st.DB.(*store.Postgres); ok {
		d.database(ctx, db)
	}
	d.restored(ctx, st.DB)
	v, err := api.Verified(st.Verify(ctx, c))
	switch {
	case err != nil:
		d.say(wrong, "journal", "%v", err)
	case v.What != "":
		d.say(wrong, "journal", "not as it was written: at row %d %s", v.Bad, v.What)
	default:
		d.say(fine, "journal", "%s, verified", count(int(v.Report.Entries), "row"))
		d.stoppedLog(ctx, st, v.Report)
	}
	if err := st.Close(); err != nil {
		d.say(wrong, what, "%v", err)
	}
	return false
}

// database looks at PostgreSQL as the gateway would use it.
func (d *doctor) database(ctx context.Context, db *store.Postgres) {
	l, err := db.Look(ctx, 30)
	if err != nil {
		d.say(wrong, "database", "%v", err)
		return
	}
	p50, p99 := l.Writes[len(l.Writes)/2], l.Writes[len(l.Writes)*99/100]
	v, note := fine, ""
	if p99 > 50*time.Millisecond {
		v, note = doubtful, "; every decision waits for one, so bring the server and its disk nearer"
	}
	d.say(v, "database", "PostgreSQL %s, durable write p50 %s, p99 %s%s", l.Version, p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), note)
	if !l.TLS && !l.Local {
		d.say(doubtful, "database", "the connection goes to another machine and is not encrypted; add sslmode=verify-full to its URL")
	}
}

func (d *doctor) running(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.c.AdminURL(d.c.Admin)+"/-/readyz", nil)
	if err != nil {
		d.say(wrong, "gateway", "%v", err)
		return
	}
	res, err := adminHTTP(d.c).Do(req)
	if err != nil {
		d.say(wrong, "gateway", "a process holds the data directory, yet nothing answers at %s", d.c.Admin)
		return
	}
	why, _ := io.ReadAll(io.LimitReader(res.Body, 2048)) // what there is of it
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		d.say(doubtful, "gateway", "is running, and not ready: %s", strings.Join(strings.Fields(string(why)), " "))
		return
	}
	d.say(fine, "gateway", "is running and ready")
}

// disk measures what a durable write costs where the data directory is, or will be.
func (d *doctor) disk() {
	dir := d.c.Path(d.c.Data)
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			break
		}
		dir = filepath.Dir(dir)
	}
	took, err := fsyncs(dir, 50)
	if err != nil {
		d.say(wrong, "disk", "cannot make writes durable: %v", err)
		return
	}
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	v, note := fine, ""
	if p99 > 50*time.Millisecond {
		v, note = doubtful, "; every decision waits for one, so put the data directory on a faster disk"
	}
	d.say(v, "disk", "fsync p50 %s, p99 %s%s", p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), note)
}

// fsyncs returns the sorted times of n writes of 4 KiB, each made durable.
func fsyncs(dir string, n int) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	_, _ = rand.Read(block) // never fails
	for range n {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took, nil
}

func (d *doctor) port(what, addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		d.say(wrong, what, "%s cannot be taken: another program has it, or it is not of this machine", addr)
		return
	}
	_ = l.Close() // nobody connected
	d.say(fine, what, "%s is free", addr)
}

// agent looks whether an agent answers, and whether it answers those who do not come through the gateway.
func (d *doctor) agent(ctx context.Context, a config.Agent) {
	if a.A2A != nil {
		d.reach(ctx, a, "a2a", a.A2A.URL, a.A2A.Credential, probeA2A)
	}
	if a.Facade != nil {
		looking, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		if err := run.CheckFacade(looking, d.c, &a); err != nil {
			d.say(wrong, "facade "+string(a.ID), "%s", err)
			return
		}
		d.say(fine, "facade "+string(a.ID), "its source has the tables and columns that the data contract says")
	}
	if a.MCP == nil {
		return
	}
	if len(a.MCP.Command) > 0 {
		if _, err := exec.LookPath(a.MCP.Command[0]); err != nil {
			d.say(wrong, "server "+string(a.ID), "its program is not there or cannot be started")
			return
		}
		d.say(fine, "server "+string(a.ID), "its program is there; only the gateway starts it")
		return
	}
	d.reach(ctx, a, "mcp", a.MCP.URL, a.MCP.Credential, probeMCP)
}

// Probes do nothing: they ask for a task that is not there, and for a sign of life.
var (
	probeA2A = probe{`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"scrim-doctor"}}`, map[string]string{"A2A-Version": "1.0"}}
	probeMCP = probe{
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		map[string]string{"MCP-Protocol-Version": "2025-11-25", "Accept": "application/json, text/event-stream"},
	}
)

type probe struct {
	body    string
	headers map[string]string
}

func (d *doctor) reach(ctx context.Context, a config.Agent, protocol, address string, cred *config.Credential, p probe) {
	what := fmt.Sprintf("agent %s (%s)", a.ID, protocol)
	status, err := p.send(ctx, address)
	if err != nil {
		d.say(wrong, what, "does not answer: %s", err)
		return
	}
	open := status != http.StatusUnauthorized && status != http.StatusForbidden
	switch {
	case !open:
		d.say(fine, what, "answers, and turns away callers without a credential")
	case !d.c.Own(a):
		d.say(fine, what, "answers; whom it lets in is for its own domain to say")
	case cred == nil:
		d.say(doubtful, what, "answers anybody who can reach its address: give it a credential, or let only the gateway reach it")
	default:
		d.say(doubtful, what, "answers without the credential that the gateway shows it: whoever reaches its address goes round the gateway")
	}
}

// send returns the status of the answer. The error holds no address.
func (p probe) send(ctx context.Context, address string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	up, err := gateway.NewUpstream(address, "", flow.Secret{}, gateway.UpstreamOptions{Dial: 3 * time.Second, Headers: 3 * time.Second})
	if err != nil {
		return 0, err
	}
	res, err := up.Send(ctx, http.MethodPost, nil, p.headers, []byte(p.body))
	if ref, ok := errors.AsType[*gateway.Refusal](err); ok {
		if errors.Is(ref.Cause, context.DeadlineExceeded) {
			return 0, errors.New("nothing came back in time")
		}
		return 0, ref.Cause
	}
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}

// clock notices clocks that were never set, by the age of this program's own file.
func (d *doctor) clock() {
	now := time.Now()
	self, err := os.Executable()
	if err == nil {
		if info, err := os.Stat(self); err == nil && now.Before(info.ModTime().Add(-24*time.Hour)) {
			d.say(wrong, "clock", "says %s, which is before this program was made; tokens and records need the time", now.Format(time.DateTime))
			return
		}
	}
	d.say(fine, "clock", "%s", now.Format(time.RFC3339))
}
