package pushdown

import (
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/data/sql/dialect"
)

// Why a source did not answer. There are no others at run time but [context.Canceled], and none depends on a value.
var (
	ErrTime       = errors.New("the source took too long")
	ErrConnection = errors.New("the source cannot be reached")
	ErrSchema     = errors.New("the source has no such table or column, or it may not be read")
	ErrFailed     = errors.New("the source failed")
)

// Error is a failure of a source.
type Error struct {
	Source string // what it is, without secrets
	Table  string // of configuration; "": none is to blame
	Column string
	Why    error
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Source
	if e.Table != "" {
		s += ": table " + e.Table
	}
	if e.Column != "" {
		s += ": column " + e.Column
	}
	return s + ": " + e.Why.Error()
}

// Unwrap is why.
func (e *Error) Unwrap() error { return e.Why }

// Options are for all engines.
type Options struct {
	Timeout     time.Duration // of a statement; 0: a minute. At most an hour, which sums rely on
	Connections int           // at once; 0: 2
}

func (o Options) checked() (Options, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Timeout < time.Millisecond || o.Timeout > time.Hour || o.Connections < 1 || o.Connections > 64 {
		return o, errors.New("a statement may take up to an hour, and 1 to 64 connections are open at once")
	}
	return o, nil
}

// ended is the error of a context that is over, or nil.
func ended(parent, ctx context.Context) error {
	switch {
	case parent.Err() != nil:
		return parent.Err()
	case ctx.Err() != nil:
		return ErrTime
	}
	return nil
}

// written says whether an error is of writing the statement, which depends on no data.
func written(err error) bool {
	own, ok := errors.AsType[*Error](err)
	return errors.Is(err, dialect.ErrShape) || errors.Is(err, dialect.ErrLong) || ok && own != nil
}
