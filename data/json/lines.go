package json

import (
	"bytes"
	"io"
	"math"
)

// Lines reads a stream of JSON documents, one on each line, as MCP's stdio transport and JSONL files frame them.
//
// It splits, it does not parse. It is not safe for concurrent use.
type Lines struct {
	r      io.Reader
	max    int
	buf    []byte
	from   int   // buf[from:] is read but not yet given out
	seen   int   // so many bytes of buf[from:] are known to hold no line end
	offset int   // of buf[from] in the stream
	skip   bool  // the rest of an over-long line is still to be passed over
	err    error // from r; final
}

// NewLines reads lines of at most max bytes, their end not counted, from r. If max is zero or negative it is
// [DefaultBytes].
func NewLines(r io.Reader, max int) *Lines {
	if max <= 0 {
		max = DefaultBytes
	}
	return &Lines{r: r, max: min(max, math.MaxInt32)}
}

// Next returns the next line without its end, which is "\n" or "\r\n". The bytes are valid until the next call.
//
// Lines of nothing but white space are passed over. The last line needs no end. After it the error is [io.EOF]; an
// error of the reader is returned as it is, and a line it cut short is not given out. Both are final.
//
// For a line that is longer than the maximum the error is an [*Error] with [ErrTooBig] and the place where the line
// starts. It comes as soon as the maximum is passed, without waiting for the end of the line, and the stream stays
// usable: the next call passes over the rest and goes on with the line behind it. Never more than the maximum and one
// read of a few KiB is held.
func (l *Lines) Next() ([]byte, error) {
	for {
		rest := l.buf[l.from:]
		i := bytes.IndexByte(rest[l.seen:], '\n')
		whole := i >= 0
		line := rest
		if whole {
			line = rest[:l.seen+i]
		}
		l.seen = len(line)
		last := !whole && l.err == io.EOF && len(line) > 0
		start := l.offset
		switch {
		case l.skip:
			l.skip = !whole
			l.pass(len(line), whole)
		case len(trimReturn(line)) > l.max:
			l.skip = !whole
			l.pass(len(line), whole)
			return nil, &Error{Offset: start, Err: ErrTooBig}
		case whole || last:
			l.pass(len(line), whole)
			if line = trimReturn(line); !blank(line) {
				return line, nil
			}
		}
		if whole {
			continue
		}
		if l.err != nil {
			return nil, l.err
		}
		l.fill()
	}
}

// pass counts n bytes as given out, and the line end behind them.
func (l *Lines) pass(n int, end bool) {
	if end {
		n++
	}
	l.from += n
	l.offset += n
	l.seen = 0
}

const (
	leastRead = 512
	firstRead = 4 << 10
	idleReads = 100 // reads of nothing in a row before giving up, as package bufio has it
)

// fill reads once, making room first: at most that for the longest line and one read.
func (l *Lines) fill() {
	if cap(l.buf)-len(l.buf) < leastRead {
		rest := l.buf[l.from:]
		if cap(l.buf)-len(rest) < leastRead {
			l.buf = make([]byte, 0, max(firstRead, min(2*cap(l.buf), l.max+firstRead)))
		}
		l.buf = append(l.buf[:0], rest...)
		l.from = 0
	}
	for range idleReads {
		n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

func trimReturn(line []byte) []byte { return bytes.TrimSuffix(line, []byte("\r")) }

func blank(line []byte) bool {
	for _, c := range line {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// AppendLine appends raw, one JSON value, to dst as a line of its own: line ends in it, which valid JSON has only
// between its tokens, become spaces, and one is added.
func AppendLine(dst, raw []byte) []byte {
	from := len(dst)
	dst = append(dst, raw...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return append(dst, '\n')
}
