package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// Streamed is a compiled plan for a stream, with where its records come from and go to: JSON lines. An opened row is on record before
// the first record leaves, a closed one with counts and digests when the last has left: at the end of the input, when the context is
// done, and after an error. What is held is then flushed by the rules; after an error it does not leave.
type Streamed struct {
	Plan   *plan.Compiled
	Source string // as errors name it
	Target string // unlike that of any other stream
	In     io.Reader
	Out    io.Writer    // takes each line whole
	Sync   func() error // makes what was written durable; nil: it is not
	Keys   *Keys        // of the plan's techniques; nil: it needs none
	Beside func(suffix string, content []byte) error

	Stats plan.StreamStats // once it has ended
}

// Job returns the job that carries the stream out.
func (s *Streamed) Job() Job {
	j := Job{
		Plan: s.Plan.Hash(), Model: Promised(s.Plan.Plan()), Source: s.Source, Target: s.Target, Beside: s.Beside, Stream: true,
		Columns: columnsOf(s.Plan, nil),
	}
	j.Run = func(ctx context.Context, before func(Outcome) error) error {
		r := &streaming{s: s, in: sha256.New(), out: sha256.New()}
		var failed error
		if r.stream, failed = s.Plan.Stream(s.Source); failed == nil {
			failed = r.run(ctx)
			s.Stats = r.stream.Stats()
		}
		if s.Sync != nil {
			failed = errors.Join(failed, s.Sync())
		}
		s.Stats.Suppressed = s.Stats.In - r.written // what an error kept back, too
		s.Stats.Out = r.written
		out := Outcome{
			Plan: j.Plan, Fingerprint: digest(r.in), Digest: digest(r.out), In: s.Stats.In, Out: s.Stats.Out, Suppressed: s.Stats.Suppressed,
			Model: j.Model, Broken: failed != nil,
		}
		return errors.Join(failed, before(out))
	}
	return j
}

func digest(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// streaming is a stream on its way.
type streaming struct {
	s       *Streamed
	stream  *plan.Streaming
	in, out hash.Hash
	doc     json.Doc
	number  int64
	written int64
	line    []byte
}

// arrived is a line, or why there are no more.
type arrived struct {
	line []byte
	err  error
}

const longestLine = 1 << 20 // bytes

func (r *streaming) run(ctx context.Context) error {
	lines := make(chan arrived)
	stop := make(chan struct{})
	defer close(stop)
	go read(r.s.In, lines, stop)
	var ticks <-chan time.Time
	if every := r.stream.Every(); every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		ticks = t.C
	}
	for {
		var rows [][]table.Cell
		select {
		case <-ctx.Done():
			return r.write(r.stream.Flush())
		default:
		}
		select {
		case <-ctx.Done():
			continue
		case <-ticks:
			rows = r.stream.Tick(time.Now())
		case a := <-lines:
			if a.err == io.EOF {
				return r.write(r.stream.Flush())
			}
			var err error
			if rows, err = r.take(a); err != nil {
				return err
			}
		}
		if err := r.write(rows); err != nil {
			return err
		}
	}
}

// read hands lines over until nobody takes them any longer.
func read(in io.Reader, to chan<- arrived, stop <-chan struct{}) {
	lines := json.NewLines(in, longestLine)
	for {
		line, err := lines.Next()
		select {
		case to <- arrived{append([]byte(nil), line...), err}:
		case <-stop:
			return
		}
		if err != nil && !errors.Is(err, json.ErrTooBig) {
			return
		}
	}
}

// take pushes one line.
func (r *streaming) take(a arrived) ([][]table.Cell, error) {
	r.number++
	wrong := func(why string) error { return &table.Error{Table: r.s.Source, Row: r.number, Why: why} }
	if errors.Is(a.err, json.ErrTooBig) {
		return nil, r.stream.Bad(wrong(fmt.Sprintf("is longer than %d bytes", longestLine)))
	}
	if a.err != nil {
		r.number--
		return nil, fmt.Errorf("reading %s: %w", r.s.Source, a.err)
	}
	r.in.Write(a.line)
	r.in.Write([]byte{'\n'})
	if err := r.doc.Parse(a.line, nil, json.Limits{Bytes: longestLine}); err != nil {
		return nil, r.stream.Bad(wrong("is not one JSON value: " + err.Error()))
	}
	if r.doc.Nodes[0].Kind != json.Object {
		return nil, r.stream.Bad(wrong("is not an object"))
	}
	names := r.stream.Needed()
	row := make([]table.Cell, len(names))
	for i, name := range names {
		if n, ok := r.doc.Member(0, name); ok {
			row[i] = cellOf(&r.doc, n)
		}
	}
	return r.stream.Push(r.number, row)
}

func cellOf(d *json.Doc, n int) table.Cell {
	raw := d.Raw(n)
	switch d.Nodes[n].Kind {
	case json.Null:
		return table.Cell{Src: raw}
	case json.True, json.False:
		return table.Cell{Kind: table.Bool, Text: raw, Src: raw}
	case json.Number:
		return table.Cell{Kind: table.Number, Text: raw, Src: raw}
	case json.String:
		return table.Cell{Kind: table.Text, Text: []byte(d.Text(n)), Src: raw}
	}
	return table.Cell{Kind: table.Nested, Text: json.AppendLine(nil, raw), Src: raw}
}

// write lets rows leave: what their tokens need to be opened is durable before.
func (r *streaming) write(rows [][]table.Cell) error {
	if len(rows) == 0 {
		return nil
	}
	if r.s.Keys != nil {
		if err := r.s.Keys.Flush(); err != nil {
			return fmt.Errorf("keeping what tokens need to be opened: %w", err)
		}
	}
	names := r.stream.Out()
	for _, row := range rows {
		r.line = append(r.line[:0], '{')
		for i, c := range row {
			if c.Kind == table.Null && c.Src == nil {
				continue
			}
			if len(r.line) > 1 {
				r.line = append(r.line, ',')
			}
			r.line = append(json.AppendString(r.line, names[i]), ':')
			switch c.Kind {
			case table.Null:
				r.line = append(r.line, "null"...)
			case table.Text:
				r.line = json.AppendString(r.line, string(c.Text))
			default:
				r.line = append(r.line, c.Text...)
			}
		}
		r.line = append(r.line, '}', '\n')
		n, err := r.s.Out.Write(r.line)
		r.out.Write(r.line[:n])
		if n == len(r.line) {
			r.written++
		}
		if err != nil {
			return fmt.Errorf("writing record %d: %w", r.written+1, err)
		}
	}
	return nil
}
