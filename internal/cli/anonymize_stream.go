package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// anonymizeStream releases records one by one, as they come.
func (e *env) anonymizeStream(ctx context.Context, from string, a anonymizing) (err error) {
	switch {
	case a.plan == "":
		return misuse("--plan names the plan")
	case a.recipient.to == "":
		return misuse("a stream is a release: --to names the agent that it is for, so that policy can decide")
	case a.resume || a.restart || a.dry || a.report != "" || a.workers != 0 || a.progress != "":
		return misuse("a stream takes none of --resume, --restart, --dry-run, --report, --workers and --progress")
	}
	p, err := parsePlan(a.plan)
	if err != nil {
		return err
	}
	if p.Stream.Model == "" {
		return misuse("--stream needs a plan for a stream: this one is for tables, it has no stream")
	}
	c, err := e.load(a.recipient.file)
	if err != nil {
		return err
	}
	if _, err := a.recipient.query(c); err != nil {
		return err
	}
	s := &release.Streamed{Source: "standard input", In: e.in, Out: e.out}
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		s.Source, s.In = from, f
	}
	if _, err := os.Lstat(a.to); a.to != "" && a.to != "-" && err == nil {
		return refuse("choose another -o", "%s: %s", a.to, rows.ErrExists)
	}
	st, err := run.OpenState(ctx, c, store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return refuse("Stop the gateway, let the stream run, and start it again.", "the gateway that runs on %s holds its record", c.Data)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	snap, err := e.snapshotIn(ctx, st, c)
	if err != nil {
		return err
	}
	query, err := e.queryIn(ctx, st, c, &a.recipient)
	if err != nil {
		return err
	}
	// The keys and the record outlive the signal that ends the stream: what is flushed then is minted and on record too.
	lasting := context.WithoutCancel(ctx)
	s.Keys = release.NewKeys(lasting, st.Vault, st.Keys, snap.Taxonomy, query.Flow.To.Domain, snap.Group(query.Flow.Purpose))
	if s.Plan, err = p.Compile(p.Named(), s.Keys, beside{e, filepath.Dir(a.plan)}); err != nil {
		return err
	}
	order := a.order(query)
	return e.runStream(ctx, st.Office(), snap, order, s, a)
}

func (e *env) runStream(ctx context.Context, office *release.Office, snap *gateway.Snapshot, order release.Order, s *release.Streamed, a anonymizing) error {
	s.Target = "stream " + string(gateway.NewFlowID()) // a stream is never gone on with
	base := a.beside
	if a.to != "" && a.to != "-" {
		out := &late{path: a.to}
		defer out.close()
		s.Out, s.Sync = out, out.sync
		if base == "" {
			base = a.to
		}
	}
	if base != "" {
		s.Beside = release.BesideFile(base)
	}
	job := s.Job()
	carry := job.Run
	job.Run = func(_ context.Context, before func(release.Outcome) error) error { return carry(ctx, before) }
	m, err := office.Release(context.WithoutCancel(ctx), snap, order, job)
	fmt.Fprintf(e.err, "records: %d in, %d out, %d suppressed\n", s.Stats.In, s.Stats.Out, s.Stats.Suppressed)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.err, "released to %s for %s: on record as %s\n", order.To, order.Purpose, m.Flow)
	return nil
}

// late is a file that is made with its first byte, or when the stream ends without any: not before the release is on record.
type late struct {
	path string
	f    *os.File
}

var _ io.Writer = (*late)(nil)

func (l *late) open() (err error) {
	if l.f == nil {
		l.f, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return refuse("choose another -o", "%s: %s", l.path, rows.ErrExists)
		}
	}
	return err
}

func (l *late) Write(b []byte) (int, error) {
	if err := l.open(); err != nil {
		return 0, err
	}
	return l.f.Write(b)
}

func (l *late) sync() error {
	if err := l.open(); err != nil {
		return err
	}
	return l.f.Sync()
}

func (l *late) close() {
	if l.f != nil {
		_ = l.f.Close() // it was synced
	}
}
