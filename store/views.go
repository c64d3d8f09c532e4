package store

import (
	"context"
	"errors"
	"fmt"
)

// views are sessions that read.
type views struct {
	free    chan *session // holds as many as may be open; nil stands for one not opened yet
	closing chan struct{}
	open    func(context.Context) (*session, error)
}

func newViews(most int, closing chan struct{}, open func(context.Context) (*session, error)) *views {
	v := &views{free: make(chan *session, most), closing: closing, open: open}
	for range most {
		v.free <- nil
	}
	return v
}

// view implements [DB.View].
func (v *views) view(ctx context.Context, fn func(Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-v.closing:
		return ErrClosed
	default:
	}
	var r *session
	select {
	case r = <-v.free:
	case <-v.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { v.free <- r }() // r is nil if it did not survive
	if err := v.begin(ctx, &r); err != nil {
		return err
	}
	t := &tx{s: r, ctx: ctx}
	defer func() { // also when fn panics
		t.end()
		if err := r.control(rollback); err != nil {
			_ = discard(&r) // a reader has nothing to lose; the next View opens another
		}
	}()
	return fn(t)
}

// begin begins a transaction, on a connection that is new if there is none, or if a server has closed the one there was.
func (v *views) begin(ctx context.Context, r **session) (err error) {
	fresh := *r == nil
	for {
		if *r == nil {
			if *r, err = v.open(ctx); err != nil {
				*r = nil
				return fmt.Errorf("opening a reader: %w", err)
			}
		}
		err = (*r).control(beginView)
		if err == nil {
			return nil
		}
		again := !fresh && (*r).pg != nil
		err = errors.Join(fmt.Errorf("beginning a view: %w", err), discard(r))
		if !again {
			return err
		}
		fresh = true
	}
}

func discard(r **session) error {
	err := (*r).close()
	*r = nil
	return err
}

// drain waits for the views that still run, and closes all sessions.
func (v *views) drain() error {
	var errs []error
	for range cap(v.free) {
		if r := <-v.free; r != nil {
			errs = append(errs, r.close())
		}
	}
	return errors.Join(errs...)
}
