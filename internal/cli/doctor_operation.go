package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// seen is one look as JSON has it.
type seen struct {
	Verdict string `json:"verdict"` // ok, warn, FAIL
	What    string `json:"what"`
	Says    string `json:"says"`
}

// writeJSON tells what was seen to programs.
func (d *doctor) writeJSON(e *env) error {
	v, commit := version()
	return json.NewEncoder(e.out).Encode(struct {
		Verdict string `json:"verdict"` // the worst
		Program string `json:"program"`
		Commit  string `json:"commit"`
		Seen    []seen `json:"seen"`
	}{verdictNames[d.worst], v, commit, d.seen})
}

// versions says which program looks, and which form the configuration has.
func (d *doctor) versions() {
	v, commit := version()
	d.say(fine, "versions", "scrim %s (%s), configuration version %d", v, commit, d.c.Version)
}

// oldBackup is when a backup is so old that somebody has forgotten it.
const oldBackup = 7 * 24 * time.Hour

// backups says how old the last backup is, and whether the state came from one that nobody has answered for.
func (d *doctor) backups() {
	if !hasState(d.c) {
		return
	}
	last, err := run.ReadLastBackup(d.c)
	switch {
	case err != nil:
		d.say(wrong, "backup", "%v", err)
	case last == nil:
		d.say(doubtful, "backup", "there was none; scrim backup takes one while the gateway runs")
	case time.Since(last.Made) > oldBackup:
		d.say(doubtful, "backup", "the last one is %d days old", int(time.Since(last.Made).Hours()/24))
	default:
		d.say(fine, "backup", "the last one is of %s, up to entry %d", last.Made.Format(time.RFC3339), last.Rows)
	}
}

// restored says what became of a restore, of a stopped gateway.
func (d *doctor) restored(ctx context.Context, db store.DB) {
	r, err := run.LastRestore(ctx, db)
	switch {
	case err != nil:
		d.say(wrong, "restore", "%v", err)
	case r == nil:
	case r.Waits():
		d.waits = true
		d.say(doubtful, "restore", "the state is that of a backup of %s; the next start finds out what was lost since", r.Made.Format(time.RFC3339))
	default:
		d.say(fine, "restore", "restored at %s from a backup of %s; what was lost is on record", r.At.Format(time.RFC3339), r.Made.Format(time.RFC3339))
	}
}

// exposure says who can reach the console and the admin API, and what stands before them.
func (d *doctor) exposure() {
	host, _, err := net.SplitHostPort(d.c.Admin)
	if err != nil {
		return // the configuration says so
	}
	addr, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && addr.IsLoopback() {
		d.say(fine, "console", "at %s, which only this machine reaches", d.c.Admin)
		return
	}
	if d.c.Console.TLS.On() && d.c.HasConsole() {
		d.say(fine, "console", "at %s, which other machines may reach, with a certificate and a provider at which people log in", d.c.Admin)
		return
	}
	if d.c.Console.TLS.On() {
		d.say(doubtful, "console", "at %s, which other machines may reach: a token is all that stands before the admin API, and there is no console", d.c.Admin)
		return
	}
	d.say(doubtful, "console", "at %s, which other machines may reach, without encryption: let a proxy with TLS stand before it, or use 127.0.0.1", d.c.Admin)
}

// reachable says whether a collector and peers take connections. Nothing is sent.
func (d *doctor) reachable(ctx context.Context) {
	if d.c.Telemetry.Endpoint != "" {
		d.dial(ctx, doubtful, "telemetry", d.c.Telemetry.Endpoint)
	}
	for _, p := range d.c.Peers {
		d.dial(ctx, doubtful, "peer "+string(p.Domain), p.URL)
	}
}

func (d *doctor) dial(ctx context.Context, bad verdict, what, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return // the configuration says so
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		why := "takes no connection"
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			why = "has a name that is not known here"
		}
		d.say(bad, what, "%s", why)
		return
	}
	_ = conn.Close() // nothing was sent
	d.say(fine, what, "takes connections")
}
