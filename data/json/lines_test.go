package json

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLinesGoesOnBehindAnOverlongLine(t *testing.T) {
	l := NewLines(strings.NewReader("[1]\n\"far too long\"\n[2]\r\n\n[3]"), 5)
	for _, want := range []string{"[1]", "", "[2]", "[3]"} {
		line, err := l.Next()
		if want == "" {
			if e, ok := errors.AsType[*Error](err); !ok || e.Offset != 4 || !errors.Is(err, ErrTooBig) {
				t.Fatalf("Next() error = %v, want ErrTooBig at byte 4", err)
			}
		} else if err != nil || string(line) != want {
			t.Fatalf("Next() = %q, %v, want %q", line, err, want)
		}
	}
	for range 2 {
		if line, err := l.Next(); err != io.EOF || line != nil {
			t.Fatalf("Next() = %q, %v, want io.EOF", line, err)
		}
	}
}

func TestLinesRefusesAnEndlessLineAtOnce(t *testing.T) {
	r := &endless{}
	l := NewLines(r, 100_000)
	if _, err := l.Next(); !errors.Is(err, ErrTooBig) {
		t.Fatalf("Next() error = %v, want ErrTooBig", err)
	}
	if r.given > 100_000+2*firstRead || cap(l.buf) > 100_000+2*firstRead {
		t.Errorf("%d bytes read into a buffer of %d before refusing 100,000", r.given, cap(l.buf))
	}
	r.left = 10_000_000
	if _, err := l.Next(); err != io.EOF || cap(l.buf) > 100_000+2*firstRead {
		t.Errorf("Next() error = %v with a buffer of %d, want io.EOF", err, cap(l.buf))
	}
}

// endless gives one byte again and again, until left has run out.
type endless struct{ given, left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left > 0 {
		if e.left -= len(p); e.left <= 0 {
			return 0, io.EOF
		}
	}
	e.given += len(p)
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

func TestLinesReturnsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	l := NewLines(io.MultiReader(strings.NewReader("[1]\n[2"), iotest.ErrReader(broken)), 0)
	if line, err := l.Next(); err != nil || string(line) != "[1]" {
		t.Fatalf("Next() = %q, %v, want [1]", line, err)
	}
	for range 2 {
		if line, err := l.Next(); !errors.Is(err, broken) || line != nil {
			t.Fatalf("Next() = %q, %v, want nothing of a line cut short, and the reader's error", line, err)
		}
	}
	if _, err := NewLines(idle{}, 0).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Next() error = %v, want io.ErrNoProgress", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestAppendLine(t *testing.T) {
	got := AppendLine([]byte("0\n"), []byte("{\r\n \"a\\n\": [\n1]}"))
	if want := "0\n{   \"a\\n\": [ 1]}\n"; string(got) != want {
		t.Errorf("AppendLine = %q, want %q", got, want)
	}
}
