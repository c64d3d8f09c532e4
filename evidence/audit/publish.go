package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
)

const patience = 10 * time.Second // for witnesses

// publishing shows the tree to readers again and again.
func (l *Log) publishing(ctx context.Context) {
	t := time.NewTicker(l.opt.Publish)
	defer t.Stop()
	var thinned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := l.finish(ctx)
		if _, e := l.publish(ctx, l.opt.Cosign, false); e != nil {
			err = errors.Join(err, e)
		}
		if time.Since(thinned) >= thinEvery { // of the process, whatever the clock says
			thinned = time.Now()
			err = errors.Join(err, l.archive.thin(ctx, l.opt.Clock()))
		}
		if err != nil && !canceled(ctx, err) && l.opt.OnError != nil {
			l.opt.OnError(err)
		}
	}
}

// publish publishes the current tree and archives the checkpoint when it is time.
func (l *Log) publish(ctx context.Context, cosign tile.Cosign, must bool) (tile.Checkpoint, error) {
	l.driving.Lock()
	tree, name := l.current, ""
	if tree != nil {
		l.mu.Lock()
		name = l.known[l.at].name
		l.mu.Unlock()
	}
	l.driving.Unlock()
	if tree == nil {
		return tile.Checkpoint{}, nil // no row was ever written
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asked error
	if ask := cosign; ask != nil {
		cosign = func(ctx context.Context, c tile.Checkpoint, prove tile.Prove) (lines []byte, err error) {
			lines, asked = ask(ctx, c, prove)
			return lines, asked
		}
	}
	c, err := tree.Publish(asking, cosign)
	if errors.Is(err, tile.ErrClosed) {
		return tile.Checkpoint{}, nil // another period began meanwhile
	}
	if !canceled(ctx, err) {
		l.published(err, asked)
	}
	if err != nil {
		return tile.Checkpoint{}, fmt.Errorf("publishing a checkpoint: %w", err)
	}
	return c, l.keep(name, c, must)
}

// keep archives a checkpoint if it is time to, or if it must be.
func (l *Log) keep(name string, c tile.Checkpoint, must bool) error {
	if !l.due(c, must) {
		return nil
	}
	now := l.opt.Clock()
	if err := l.archive.keep(name, c, now); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.archived, l.when = c, now
	return nil
}

// due reports whether a checkpoint is to be archived.
func (l *Log) due(c tile.Checkpoint, must bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.archived
	if old.Origin == c.Origin && old.Size == c.Size {
		return must && len(c.Note) > len(old.Note) // witnesses have signed since
	}
	if must || old.Origin != c.Origin || c.Size-old.Size >= int64(l.opt.Every) {
		return true
	}
	since := l.opt.Clock().Sub(l.when)
	return l.opt.Interval > 0 && (since >= l.opt.Interval || since < 0)
}

// finish asks witnesses for the last checkpoints of trees that ended, and closes those.
func (l *Log) finish(ctx context.Context) error {
	l.driving.Lock()
	ended := l.previous
	l.driving.Unlock()
	var errs []error
	for _, t := range ended {
		asking, cancel := context.WithTimeout(ctx, patience)
		c, err := t.Publish(asking, l.opt.Cosign)
		cancel()
		if err == nil {
			err = l.keep(nameOf(l.origin, c.Origin), c, true)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("ending a log: %w", err))
			continue // again the next time
		}
		l.driving.Lock()
		for i := range l.previous {
			if l.previous[i] == t {
				l.previous = append(l.previous[:i:i], l.previous[i+1:]...)
				errs = append(errs, t.Close())
				break
			}
		}
		l.driving.Unlock()
	}
	return errors.Join(errs...)
}

// nameOf is the inverse of treeOrigin.
func nameOf(origin, tree string) string {
	if tree == origin {
		return allTime
	}
	return tree[len(origin)+1:]
}

// Checkpoint takes all committed rows to the tree, publishes it, and archives the checkpoint. If no row was ever written, it returns none and no error.
// Witnesses are not waited for.
func (l *Log) Checkpoint(ctx context.Context) (tile.Checkpoint, error) {
	err := l.drain(ctx)
	l.report(err)
	if err != nil {
		return tile.Checkpoint{}, err
	}
	return l.publish(ctx, nil, true)
}
