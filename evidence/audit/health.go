package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Healthy says why nothing may be released, as an [ErrBehind] or [ErrClosed], or returns nil: rows reach the tree within the merge delay, the
// tree can be published, and nothing was found that must not be signed.
func (l *Log) Healthy() error {
	if err := l.behind(); err != nil || l.opt.Hold == nil {
		return err
	}
	return l.opt.Hold()
}

func (l *Log) behind() error {
	late := l.late.Load()
	if late == 0 && !l.said.Load() {
		return l.readable()
	}
	l.mu.Lock()
	why := l.stuck
	l.mu.Unlock()
	if errors.Is(why, ErrTampered) {
		return fmt.Errorf("%w: %w", ErrBehind, why)
	}
	if late == 0 {
		return l.readable()
	}
	waited := time.Since(l.began) - time.Duration(late)
	switch {
	case waited <= l.opt.MergeDelay:
		return l.readable()
	case why == nil:
		return fmt.Errorf("%w: the oldest waits for %s, more than %s: the disk of %s is too slow", ErrBehind, waited.Round(time.Second), l.opt.MergeDelay, l.opt.Dir)
	}
	return fmt.Errorf("%w: the oldest waits for %s: %w%s", ErrBehind, waited.Round(time.Second), why, l.advice(why))
}

// readable says that the tree could not be published for longer than the merge delay: promises are of the published tree.
func (l *Log) readable() error {
	hidden := l.hidden.Load()
	if hidden == 0 {
		return nil
	}
	waited := time.Since(l.began) - time.Duration(hidden)
	if waited <= l.opt.MergeDelay {
		return nil
	}
	l.mu.Lock()
	why := l.unshown
	l.mu.Unlock()
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: the log cannot be published for %s: %w%s", ErrBehind, waited.Round(time.Second), why, l.advice(why))
}

// published keeps why the tree could not be published, or that it was. That witnesses do not sign is not its matter: asked is their error.
func (l *Log) published(err, asked error) {
	if asked != nil {
		err = nil
	}
	l.mu.Lock()
	l.unshown = err
	l.mu.Unlock()
	if err == nil {
		l.hidden.Store(0)
		return
	}
	l.hidden.CompareAndSwap(0, max(int64(time.Since(l.began)), 1))
}

// advice says what to do.
func (l *Log) advice(why error) string {
	what := ""
	switch {
	case errors.Is(why, syscall.ENOSPC):
		what = "make room on the disk of " + l.opt.Dir
	case errors.Is(why, syscall.EROFS):
		what = "make the disk of " + l.opt.Dir + " writable"
	case errors.Is(why, fs.ErrPermission):
		what = "give " + l.opt.Dir + " back to the gateway's user"
	case errors.Is(why, tile.ErrCorrupt):
		return "; restore " + l.opt.Dir + " and start again"
	default:
		return ""
	}
	return "; " + what + ", and the gateway goes on by itself"
}

// report keeps why rows do not reach the tree, or that they do.
func (l *Log) report(err error) {
	l.mu.Lock()
	before := l.stuck
	l.stuck = err
	l.mu.Unlock()
	if errors.Is(err, ErrTampered) {
		l.said.Store(true) // what is found once is not forgotten for want of new rows
	}
	if err != nil && (before == nil || before.Error() != err.Error()) && l.opt.OnError != nil {
		l.opt.OnError(err)
	}
	if l.tell() == nil {
		l.said.Store(false)
	}
}

// tell tells once when releases stop and when they go on.
func (l *Log) tell() error {
	l.telling.Lock() // one after the other, so that the last that is told is how it is
	defer l.telling.Unlock()
	well := l.Healthy()
	if l.told != (well != nil) && l.opt.OnHealth != nil {
		l.opt.OnHealth(well)
	}
	l.told = well != nil
	return well
}

// watch notices a disk that does not even give errors.
func (l *Log) watch(ctx context.Context) {
	for sleep(ctx, min(l.opt.MergeDelay/4+time.Millisecond, time.Second), nil) {
		_ = l.tell()
	}
}
