package table

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// Options say how [Copy] and [Each] work. The zero value is a good choice.
type Options struct {
	Workers    int            // goroutines that read, change and encode; 0: one for each processor
	Progress   func(Progress) // called from one goroutine, in order, after each chunk; nil: not at all
	Checkpoint time.Duration  // least time between two checkpoints; 0: 5 seconds; negative: behind every chunk
	Durable    func() error   // makes durable what the rows changed so far depend on; runs before each checkpoint; nil: they depend on nothing
}

// Progress is how far a copy is.
type Progress struct {
	Rows  int64 // of the source, those that an earlier run had written included
	Bytes int64 // of the source, as far as its reader tells
}

// Copy writes the rows of src, as change leaves them, behind those that dst has, and returns when dst has taken all.
//
// Chunks are read, changed and encoded by several goroutines, each with one batch that it uses again, and written in order: rows
// keep their order, and no more chunks are held than there are workers, and two. Change may be nil, and is called by many
// goroutines at once. It sees no row that an earlier run wrote. Of several errors that of the earliest chunk is returned. When
// Copy returns, no goroutine of it is left; it neither finishes nor closes dst.
func Copy(ctx context.Context, src Reader, dst Writer, change func(*Batch) error, o Options) error {
	if l, ok := dst.(Liker); ok {
		l.Like(src)
	}
	every := o.Checkpoint
	if every == 0 {
		every = 5 * time.Second
	}
	last := time.Now()
	p := pump{src: src, options: o, behind: dst.Rows()}
	p.work = func(_ int, b *Batch) (Encoded, error) {
		if change != nil {
			if err := change(b); err != nil {
				return Encoded{}, err
			}
		}
		return dst.Encode(b)
	}
	p.take = func(ctx context.Context, e Encoded) error {
		if err := dst.Write(ctx, e); err != nil {
			return err
		}
		if time.Since(last) < every {
			return nil
		}
		if o.Durable != nil {
			if err := o.Durable(); err != nil {
				return err
			}
		}
		err := dst.Checkpoint(ctx)
		last = time.Now()
		return err
	}
	return p.run(ctx)
}

// Each reads all rows of src in any order: look is called by several goroutines at once with batches of rows and the number of its
// goroutine, from 0, below the number of workers. The rest is as with [Copy].
func Each(ctx context.Context, src Reader, look func(worker int, b *Batch) error, o Options) error {
	p := pump{src: src, options: o}
	p.work = func(worker int, b *Batch) (Encoded, error) {
		return Encoded{First: b.First, Rows: b.Rows}, look(worker, b)
	}
	p.take = func(context.Context, Encoded) error { return nil }
	return p.run(ctx)
}

// count is how many goroutines [Copy] and [Each] use with these options.
func (o Options) count() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// pump moves chunks from a reader through workers to one goroutine that takes them in order.
type pump struct {
	src     Reader
	options Options
	behind  int64 // rows up to here are passed over
	work    func(worker int, b *Batch) (Encoded, error)
	take    func(context.Context, Encoded) error
}

// job is a chunk on its way. Done has room for one answer, so that no worker waits for it to be taken.
type job struct {
	chunk Chunk
	done  chan answer
}

type answer struct {
	e   Encoded
	err error
}

func (p *pump) run(ctx context.Context) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	workers := p.options.count()
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()

	work := make(chan job)
	order := make(chan job, workers+2) // with a place for the end of the source: feeding never waits here
	tokens := make(chan struct{}, workers+2)
	all.Go(func() { p.feed(ctx, work, order, tokens) })
	for i := range workers {
		all.Go(func() {
			var b Batch
			for j := range work {
				e, err := p.one(ctx, i, j.chunk, &b)
				j.done <- answer{e, err}
			}
		})
	}
	err := p.drain(ctx, order, tokens)
	if err != nil && outer.Err() != nil {
		return outer.Err() // what failed because of it is not the reason
	}
	return err
}

// feed finds chunks while there are tokens for them. The last job on order has the error with which it ended, or io.EOF.
func (p *pump) feed(ctx context.Context, work, order chan<- job, tokens chan<- struct{}) {
	defer close(work)
	for {
		select {
		case tokens <- struct{}{}:
		case <-ctx.Done():
			return
		}
		j := job{done: make(chan answer, 1)}
		var err error
		if j.chunk, err = p.src.Next(ctx); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			j.done <- answer{err: err}
			order <- j
			return
		}
		order <- j
		if c := j.chunk; c.Rows >= 0 && c.First+int64(c.Rows) <= p.behind+1 && c.Rows > 0 {
			j.done <- answer{e: Encoded{First: c.First, Rows: c.Rows}, err: errPassed}
			continue
		}
		select {
		case work <- j:
		case <-ctx.Done():
			j.done <- answer{err: ctx.Err()}
			return
		}
	}
}

// errPassed marks a chunk that an earlier run wrote.
var errPassed = errors.New("rows were written before")

// one reads, changes and encodes a chunk.
func (p *pump) one(ctx context.Context, worker int, c Chunk, b *Batch) (Encoded, error) {
	if err := ctx.Err(); err != nil {
		return Encoded{}, err
	}
	if err := p.src.Read(ctx, c, b); err != nil {
		return Encoded{}, err
	}
	if b.First <= p.behind {
		if b.behind(p.behind); b.Rows == 0 {
			return Encoded{First: c.First, Rows: 0}, errPassed
		}
	}
	return p.work(worker, b)
}

// drain takes what comes out, in order, until the source's end or the first error.
func (p *pump) drain(ctx context.Context, order <-chan job, tokens <-chan struct{}) error {
	var at Progress
	for {
		var j job
		select {
		case j = <-order:
		case <-ctx.Done():
			return ctx.Err()
		}
		var a answer
		select {
		case a = <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		switch {
		case a.err == io.EOF:
			return nil
		case a.err == errPassed:
		case a.err != nil:
			return a.err
		default:
			if err := p.take(ctx, a.e); err != nil {
				return err
			}
		}
		<-tokens
		at.Bytes += j.chunk.Bytes
		if a.e.Rows > 0 {
			at.Rows = a.e.First + int64(a.e.Rows) - 1
		}
		if p.options.Progress != nil {
			p.options.Progress(at)
		}
	}
}
