package duckdb

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/scrimhq/scrim/data/sql/process"
)

// Serve answers requests from in until it ends, one after the other. When in ends while a request is being answered, the statement is
// interrupted and Serve returns without waiting for it: nobody is left to read the answer.
func Serve(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	requests := make(chan *process.Request)
	go func() {
		r := bufio.NewReaderSize(in, 64<<10)
		for {
			req := new(process.Request)
			if err := process.ReadLine(r, req); err != nil {
				cancel(err)
				return
			}
			select {
			case requests <- req:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case req := <-requests:
			finished := make(chan error, 1)
			go func() { finished <- answer(ctx, req, out) }()
			select {
			case err := <-finished:
				if err != nil {
					return err
				}
			case <-ctx.Done():
				return io.ErrUnexpectedEOF
			}
		case <-ctx.Done():
			err := context.Cause(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			_ = process.WriteLine(out, process.Response{Version: process.Version, Failed: process.FailedRequest})
			return err
		}
	}
}

// failed is why a request was not answered, all that is said of it.
type failed process.FailedCode

func (f failed) Error() string { return string(f) }

// answer writes the lines that answer a request. It fails only if they cannot be written.
func answer(ctx context.Context, req *process.Request, out io.Writer) error {
	last := process.Response{ID: req.ID, Version: process.Version, Done: true}
	err := compute(ctx, req, out)
	var code failed
	switch {
	case errors.As(err, &code):
		last = process.Response{ID: req.ID, Version: process.Version, Failed: process.FailedCode(code)}
	case err != nil:
		last = process.Response{ID: req.ID, Version: process.Version, Failed: process.FailedRun}
	}
	return process.WriteLine(out, last)
}

func compute(ctx context.Context, req *process.Request, out io.Writer) error {
	if req.Version != process.Version || req.Source.Memory <= 0 || req.Source.Threads <= 0 {
		return failed(process.FailedRequest)
	}
	db, tables, err := open(ctx, &req.Source)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if req.SQL == "" {
		return process.WriteLine(out, process.Response{ID: req.ID, Tables: tables})
	}
	return run(ctx, db, req, out)
}
