package budget

import (
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// writer writes the ledger's binary form: unsigned and zig-zag variable-length integers (as encoding/binary), texts with their
// length before them.
type writer struct{ b []byte }

func (w *writer) uint(x uint64) { w.b = binary.AppendUvarint(w.b, x) }
func (w *writer) int(x int64)   { w.b = binary.AppendVarint(w.b, x) }
func (w *writer) raw(x []byte)  { w.b = append(w.b, x...) }

func (w *writer) ints(xs ...int64) {
	for _, x := range xs {
		w.int(x)
	}
}

func (w *writer) text(t string) {
	w.uint(uint64(len(t)))
	w.b = append(w.b, t...)
}

func (w *writer) vector(v account.Vector) {
	for _, x := range components(v) {
		w.int(x)
	}
}

func (w *writer) split(s Split) {
	w.ints(s.Share[:]...)
	w.int(s.Slack)
}

func (w *writer) plan(p *Plan) {
	w.ints(p.Epsilon, p.Delta, int64(p.Menu))
	w.split(p.Split)
}

func (w *writer) caps(c *Caps) {
	w.ints(c.Epsilon, c.Delta, c.Rho)
	w.ints(c.RDP[:]...)
	w.ints(c.Mu2, c.Slack)
}

func (w *writer) budget(b *Budget) {
	w.text(b.Unit.Name)
	from := int64(0)
	if !b.Blocks.From.IsZero() {
		from = b.Blocks.From.UnixMicro()
	}
	refresh := int64(0)
	if b.Refresh {
		refresh = 1
	}
	w.ints(b.Unit.Window.Microseconds(), int64(b.Blocks.Kind), b.Blocks.Count, b.Blocks.Width.Microseconds(), from, refresh, b.Claim.Epsilon, b.Claim.Delta)
}

// reader reads the same. After the first mistake it is bad and reads zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	x, n := binary.Uvarint(r.b)
	return advance(r, x, n)
}

func (r *reader) int() int64 {
	x, n := binary.Varint(r.b)
	return advance(r, x, n)
}

func advance[T int64 | uint64](r *reader, x T, n int) T {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *reader) raw(to []byte) {
	if r.bad || len(r.b) < len(to) {
		r.bad = true
		return
	}
	copy(to, r.b)
	r.b = r.b[len(to):]
}

func (r *reader) text() string {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) || !utf8.Valid(r.b[:n]) {
		r.bad = true
		return ""
	}
	t := string(r.b[:n])
	r.b = r.b[n:]
	return t
}

func (r *reader) ints(to []int64) {
	for i := range to {
		to[i] = r.int()
	}
}

func (r *reader) scope(s *Scope) {
	s.Dataset, s.Domain, s.Workflow, s.Agent, s.Contract = r.text(), flow.DomainID(r.text()), r.text(), r.text(), r.text()
}

func (r *reader) vector() account.Vector {
	var c [11]int64
	r.ints(c[:])
	return vectorOf(c)
}

func (r *reader) split() (s Split) {
	r.ints(s.Share[:])
	s.Slack = r.int()
	return s
}

func (r *reader) plan() *Plan {
	p := &Plan{Epsilon: r.int(), Delta: r.int()}
	p.Menu = Menu(r.int()) // that it fits is checked by writing it again
	p.Split = r.split()
	return p
}

func (r *reader) caps() (c Caps) {
	c.Epsilon, c.Delta, c.Rho = r.int(), r.int(), r.int()
	r.ints(c.RDP[:])
	c.Mu2, c.Slack = r.int(), r.int()
	return c
}

func (r *reader) budget() *Budget {
	b := &Budget{Unit: Unit{Name: r.text(), Window: time.Duration(r.int()) * time.Microsecond}}
	b.Blocks = Blocks{Kind: BlockKind(r.int()), Count: r.int(), Width: time.Duration(r.int()) * time.Microsecond}
	if from := r.int(); b.Blocks.Kind == BlocksTime {
		b.Blocks.From = time.UnixMicro(from).UTC()
	}
	b.Refresh = r.int() == 1
	b.Claim = Claim{r.int(), r.int()}
	return b
}

// components lists a vector in the order in which it is stored.
func components(v account.Vector) [11]int64 {
	return [11]int64{v.Epsilon, v.Delta, v.Rho, v.RDP[0], v.RDP[1], v.RDP[2], v.RDP[3], v.RDP[4], v.RDP[5], v.Mu2, v.Slack}
}

func vectorOf(c [11]int64) account.Vector {
	return account.Vector{
		Epsilon: c[0], Delta: c[1], Rho: c[2], RDP: [6]int64(c[3:9]), Mu2: c[9], Slack: c[10],
	}
}
