package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Program is a mechanism that runs outside and answers over a pair of pipes. The protocol is docs/spec/dp-audit.md: a JSON line
// asks for so many answers on one of two datasets that the program itself knows, and a line of so many numbers answers.
//
// A program is asked by one goroutine at a time. After an error it is not asked again.
type Program struct {
	real bool

	mu     sync.Mutex // guards the fields below; held while the program is asked
	in     io.Writer
	out    *bufio.Reader
	failed error
	begun  map[[sha256.Size]byte]bool // how lines began
	first  *int64                     // the first answer
	varied bool                       // there was another one
}

const (
	maxAsked = 4096    // answers that one line asks for at most
	maxLine  = 1 << 20 // bytes of a line of answers
)

// ErrEnded is matched by errors about a program that is gone before it has answered.
var ErrEnded = errors.New("the program ended before it had answered")

// NewProgram speaks to a program that reads from in and writes to out. Answers are integers of 64 bits; with real they may be
// any numbers, and are told apart by [Ordered].
func NewProgram(in io.Writer, out io.Reader, real bool) *Program {
	return &Program{real: real, in: in, out: bufio.NewReaderSize(out, maxLine), begun: map[[sha256.Size]byte]bool{}}
}

// Varied is whether any two answers differed. Where all were the same, such as no answer each time, nothing of a mechanism was seen.
func (p *Program) Varied() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.varied
}

// Finish reads what the program still writes, until its output ends; the caller has closed its input. A line more than was asked for is an
// [Error]: answers taken for those of one dataset were then those of the other.
func (p *Program) Finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.failed == nil {
		b, err := p.out.ReadByte()
		if err != nil {
			return nil
		}
		if !unicode.IsSpace(rune(b)) {
			p.failed = tooMuch
		}
	}
	return p.failed
}

var tooMuch = &Error{Member: "output", Rule: "must be one line for each that asks, and nothing else"}

// Pair is two neighbouring datasets of the program, named by what the program is told; the name may be empty.
func (p *Program) Pair(name string) Pair {
	side := func(data string) func() Draw {
		return func() Draw {
			return func(ctx context.Context, dst []int64) error { return p.ask(ctx, name, data, dst) }
		}
	}
	return Pair{Name: name, A: side("a"), B: side("b"), Real: p.real}
}

type question struct {
	Pair string `json:"pair,omitempty"`
	Data string `json:"data"`
	N    int    `json:"n"`
}

func (p *Program) ask(ctx context.Context, pair, data string, dst []int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(dst) > 0 && p.failed == nil {
		if p.failed = ctx.Err(); p.failed == nil {
			n := min(len(dst), maxAsked)
			if p.failed = p.line(question{pair, data, n}, dst[:n]); p.failed == nil {
				p.failed = p.seen(dst[:n])
			}
			dst = dst[n:]
		}
	}
	return p.failed
}

// line asks and reads one line.
func (p *Program) line(q question, dst []int64) error {
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if p.out.Buffered() > 0 {
		return tooMuch
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("asking: %w: %w", ErrEnded, err)
	}
	line, err := p.out.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return &Error{Member: "line", Rule: "must be at most a mebibyte"}
	case errors.Is(err, io.EOF):
		return fmt.Errorf("reading answers: %w", ErrEnded)
	case err != nil:
		return fmt.Errorf("reading answers: %w", err)
	}
	return readAnswers(line, p.real, dst)
}

// seen looks at a line of answers. One that begins as an earlier line did is an [Error], unless nearly all answers are the same: by chance that comes
// less than once in e¹⁰⁰ pairs of lines, so the program draws with a seed that it begins anew, and its noise can be computed.
func (p *Program) seen(answers []int64) error {
	if p.first == nil {
		p.first = new(answers[0])
	}
	for _, v := range answers {
		p.varied = p.varied || v != *p.first
	}
	const begin, others = 1024, 100
	if len(answers) < begin {
		return nil
	}
	counts, common := map[int64]int{}, 0
	words := make([]byte, 0, 8*begin)
	for _, v := range answers[:begin] {
		counts[v]++
		common = max(common, counts[v])
		words = binary.BigEndian.AppendUint64(words, uint64(v))
	}
	if begin-common < others {
		return nil
	}
	sum := sha256.Sum256(words)
	if p.begun[sum] {
		return &Error{Member: "randomness", Rule: "must be fresh for each line: two lines of answers begin with the same 1024"}
	}
	p.begun[sum] = true
	return nil
}

// readAnswers reads len(dst) answers: numbers, or null or NaN for none, as a JSON list or parted by spaces.
func readAnswers(line []byte, real bool, dst []int64) error {
	if !utf8.Valid(line) {
		return &Error{Member: "line", Rule: "must be a list of numbers"}
	}
	line = bytes.TrimSpace(line)
	list := bytes.HasPrefix(line, []byte("["))
	if list != bytes.HasSuffix(line, []byte("]")) {
		return &Error{Member: "line", Rule: "must be one whole list"}
	}
	var words [][]byte
	if list {
		if line = bytes.TrimSpace(line[1 : len(line)-1]); len(line) > 0 {
			words = bytes.Split(line, []byte(","))
		}
	} else {
		words = bytes.Fields(line)
	}
	if len(words) != len(dst) {
		return &Error{Member: "line", Rule: "must hold as many answers as were asked for"}
	}
	for i, w := range words {
		v, err := readAnswer(string(bytes.TrimSpace(w)), real)
		if err != nil {
			return err
		}
		dst[i] = v
	}
	return nil
}

func readAnswer(word string, real bool) (int64, error) {
	if word == "null" || word == "NaN" {
		return Absent, nil
	}
	if !real {
		v, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, &Error{Member: "answer", Rule: "must be an integer of 64 bits, or null; other numbers are taken as real answers only"}
		}
		return v, nil
	}
	x, err := strconv.ParseFloat(word, 64)
	if err != nil && !(errors.Is(err, strconv.ErrRange) && math.IsInf(x, 0)) {
		return 0, &Error{Member: "answer", Rule: "must be a number, or null"}
	}
	return Ordered(x), nil
}
