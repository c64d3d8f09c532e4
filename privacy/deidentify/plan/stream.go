package plan

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/stream"
)

// Named returns the columns that the plan reads, for a stream, which has none before its first record.
func (p *Plan) Named() []table.Column {
	var out []table.Column
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, table.Column{Name: name})
		}
	}
	for _, c := range p.Columns {
		add(c.Name)
	}
	add(p.Subject)
	for _, c := range p.Columns {
		add(c.Subject)
	}
	return out
}

const mostValues = 1_000_000 // of a quasi-identifier of a stream

// streamed gives a quasi-identifier of a stream its hierarchy. A stream learns no values: all that a coding may meet are listed here.
func (k *compiler) streamed(col *column, coding *anonymity.Coding, at string) {
	spec := col.spec
	var err error
	switch {
	case spec.Hierarchy != "":
	case spec.Intervals != nil:
		err = learnNumbers(coding, spec)
	case spec.Prefix != nil:
		n := spec.Prefix[0]
		for i, end := 0, pow10(n); i < end && err == nil; i++ {
			_, err = coding.Code(fmt.Appendf(nil, "%0*d", n, i))
		}
	case spec.Dates != nil:
		for day, end := date(1900), date(2101); day.Before(end) && err == nil; day = day.AddDate(0, 0, 1) {
			_, err = coding.Code(day.AppendFormat(nil, time.DateOnly))
		}
	default:
		return // z-anonymity of values as they are
	}
	if err != nil {
		k.wrong(at, "", "%s", err)
		return
	}
	h, err := stream.Coded(coding)
	if err != nil {
		k.wrong(at, "", "%s", strings.TrimPrefix(err.Error(), stream.ErrOptions.Error()+": "))
		return
	}
	if spec.Least > 0 {
		h = raise(h, spec.Least)
	}
	col.streamed = h
}

func date(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

// dayOf returns the day of a time as it is written; anything else as it is.
func dayOf(text string) string {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if _, err := time.Parse(form, text); err == nil {
			return text[:len(time.DateOnly)]
		}
	}
	return text
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// learnNumbers lists every number from bottom to top, with as many decimals as the plan writes.
func learnNumbers(coding *anonymity.Coding, c *Column) error {
	decimals := 0
	for _, d := range append([]Decimal{c.Origin, c.Bottom, c.Top}, c.Intervals...) {
		if _, after, ok := strings.Cut(string(d), "."); ok {
			decimals = max(decimals, len(after))
		}
	}
	units := func(d Decimal) *big.Int {
		whole, after, _ := strings.Cut(string(d), ".")
		n, _ := new(big.Int).SetString(whole+after+strings.Repeat("0", decimals-len(after)), 10)
		return n
	}
	low, high := units(c.Bottom), units(c.Top)
	if many := new(big.Int).Sub(high, low); many.Sign() < 0 || many.Cmp(big.NewInt(mostValues)) >= 0 {
		return fmt.Errorf("between bottom and top of a stream are at least one number and at most %d", mostValues)
	}
	for one := big.NewInt(1); low.Cmp(high) <= 0; low.Add(low, one) {
		if _, err := coding.Code([]byte(decimal(low, decimals))); err != nil {
			return err
		}
	}
	return nil
}

func decimal(n *big.Int, decimals int) string {
	digits := fmt.Sprintf("%0*s", decimals+1, new(big.Int).Abs(n).String())
	text := digits[:len(digits)-decimals]
	if decimals > 0 {
		text += "." + digits[len(digits)-decimals:]
	}
	if n.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// raised is a hierarchy without its lowest levels.
type raised struct {
	stream.Hierarchy
	least  int
	value  []uint32 // for each code of the least level, a value that becomes it
	leaves [][]int  // codes of the least level below each code
}

func raise(h stream.Hierarchy, least int) stream.Hierarchy {
	r := &raised{Hierarchy: h, least: least, value: make([]uint32, h.Codes(least))}
	for v := range uint32(h.Codes(0)) {
		r.value[h.At(least, v)] = v
	}
	for level := least; level < h.Levels(); level++ {
		n := make([]int, h.Codes(level))
		for _, v := range r.value {
			n[h.At(level, v)]++
		}
		r.leaves = append(r.leaves, n)
	}
	return r
}

func (r *raised) Code(v stream.Value) (uint32, bool) {
	code, ok := r.Hierarchy.Code(v)
	if !ok {
		return 0, false
	}
	return r.Hierarchy.At(r.least, code), true
}
func (r *raised) Levels() int         { return r.Hierarchy.Levels() - r.least }
func (r *raised) Codes(level int) int { return r.Hierarchy.Codes(level + r.least) }
func (r *raised) At(level int, code uint32) uint32 {
	return r.Hierarchy.At(level+r.least, r.value[code])
}
func (r *raised) Leaves(level int, code uint32) int { return r.leaves[level][code] }
func (r *raised) Cell(level int, code uint32) stream.Value {
	return r.Hierarchy.Cell(level+r.least, code)
}

// Streaming carries a plan out on records that come one by one. It is used by one goroutine.
type Streaming struct {
	c      *Compiled
	source string
	push   func(stream.Record) ([]stream.Output, error)
	tick   func(time.Time) []stream.Output
	flush  func() []stream.Output
	quasi  []int // of needed
	stats  StreamStats
}

// StreamStats are numbers of records since the beginning.
type StreamStats struct{ In, Out, Suppressed int64 }

// Stream begins a stream, whose source errors name so. It is the plan's one run.
func (c *Compiled) Stream(source string) (*Streaming, error) {
	p := c.plan.Stream
	s := &Streaming{c: c, source: source}
	var attributes []stream.Attribute
	var names []string
	for i, col := range c.cols {
		if col.quasi < 0 {
			continue
		}
		a := stream.Attribute{Name: col.spec.Name, Hierarchy: col.streamed}
		if col.spec.Weight != "" {
			a.Weight = col.spec.Weight.Float()
		}
		s.quasi, attributes, names = append(s.quasi, i), append(attributes, a), append(names, a.Name)
	}
	switch p.Model {
	case "z-anonymity":
		window, err := time.ParseDuration(p.Window)
		if err != nil {
			return nil, err
		}
		z, err := stream.NewZ(stream.ZOptions{Z: p.Z, Window: window, Capacity: p.Capacity, Attributes: names})
		if err != nil {
			return nil, err
		}
		s.push, s.tick, s.flush = z.Push, z.Tick, z.Flush
	case "castle":
		within, err := p.within()
		if err != nil {
			return nil, err
		}
		castle, err := stream.NewCastle(stream.CastleOptions{
			K: p.K, L: p.L, Delay: p.Delay, Within: within, Attributes: attributes, Clusters: p.Clusters, Recent: p.Recent, Reuse: p.Reuse,
		})
		if err != nil {
			return nil, err
		}
		s.push, s.tick, s.flush = castle.Push, castle.Tick, castle.Flush
	default:
		return nil, errors.New("the plan is for a table: it has no stream")
	}
	return s, nil
}

func (s Stream) within() (time.Duration, error) {
	if s.Within == "" {
		return 0, nil
	}
	return time.ParseDuration(s.Within)
}

// Every is how often Tick is to be called; 0: never.
func (s *Streaming) Every() time.Duration {
	within, _ := s.c.plan.Stream.within()
	if within == 0 {
		return 0
	}
	return min(max(within/10, time.Millisecond), time.Second)
}

// Needed are the columns of the rows that Push takes, and Out those of the rows that come out.
func (s *Streaming) Needed() []string { return s.c.needed }

// Out are the columns of the rows that come out.
func (s *Streaming) Out() []string {
	var names []string
	for _, i := range s.c.out {
		names = append(names, s.c.needed[i])
	}
	return names
}

// Stats returns the numbers so far. What is neither out nor suppressed is held.
func (s *Streaming) Stats() StreamStats { return s.stats }

// Why a record is bad.
var (
	errMissing  = errors.New("the record does not have it")
	errNoPlace  = errors.New("the value has no place in its hierarchy")
	errNoPerson = errors.New("the record does not say whom it is about")
)

// Push takes a record and returns what may leave because of it. A cell is a null without Src where the record has no such member.
// A bad record is an error that names it by number, or suppressed where the plan has it so.
func (s *Streaming) Push(number int64, row []table.Cell) ([][]table.Cell, error) {
	r, err := s.record(number, row)
	if err != nil {
		if bad(err) {
			return nil, s.Bad(err)
		}
		s.stats.In++
		return nil, err
	}
	s.stats.In++
	out, err := s.push(r)
	if err != nil {
		return nil, cellError(s.source, number, "", err)
	}
	return s.leaving(out), nil
}

// Bad counts a record that is none, and returns nil where the plan suppresses such.
func (s *Streaming) Bad(err error) error {
	s.stats.In++
	if s.c.plan.Uncovered != "suppress" {
		return err
	}
	s.stats.Suppressed++
	return nil
}

// bad reports whether it is the record that is to blame.
func bad(err error) bool {
	for _, is := range []error{errMissing, errNoPlace, errNoPerson, errNested, deidentify.ErrForm, deidentify.ErrUncovered, deidentify.ErrSubject} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// Tick returns what may leave because it is now so late.
func (s *Streaming) Tick(now time.Time) [][]table.Cell { return s.leaving(s.tick(now)) }

// Flush ends the stream and returns what may still leave.
func (s *Streaming) Flush() [][]table.Cell { return s.leaving(s.flush()) }

// record makes a record of the stream: all that leaves of it is made here, so that nothing of the row is kept.
func (s *Streaming) record(number int64, row []table.Cell) (r stream.Record, err error) {
	wrong := func(at int, err error) (stream.Record, error) {
		return stream.Record{}, cellError(s.source, number, s.c.needed[at], err)
	}
	for at, name := range s.c.needed {
		if name != s.c.plan.Subject {
			continue
		}
		if c := row[at]; c.Kind == table.Null || c.Kind == table.Nested || len(c.Text) == 0 {
			return wrong(at, errNoPerson)
		}
		r.Subject = row[at].Text
	}
	for _, at := range s.quasi {
		cell := row[at]
		if cell.Kind == table.Null && cell.Src == nil {
			return wrong(at, errMissing)
		}
		if cell.Kind == table.Nested {
			return wrong(at, errNested)
		}
		v := stream.Value{Text: string(cell.Text), Null: cell.Kind == table.Null}
		if h := s.c.cols[at].streamed; h != nil {
			if s.c.cols[at].spec.Dates != nil {
				v.Text = dayOf(v.Text)
			}
			code, ok := h.Code(v)
			if !ok {
				return wrong(at, errNoPlace)
			}
			if s.c.plan.Stream.Model == "z-anonymity" {
				v = h.Cell(0, code)
			}
		}
		r.Values = append(r.Values, v)
	}
	leaves := make([]table.Cell, 0, len(s.c.out))
	for _, at := range s.c.out {
		col, cell := &s.c.cols[at], table.Cell{}
		if col.quasi < 0 {
			if cell = row[at]; !col.keep {
				var room []byte
				kind, text, err := col.append(&room, row, at)
				if err != nil {
					return wrong(at, err)
				}
				cell = table.Cell{Kind: kind, Text: text}
			}
			cell.Text = append([]byte(nil), cell.Text...)
			if cell.Src != nil {
				cell.Src = []byte{} // it is there, and how it was spelt is nobody's
			}
			if col.sensitive >= 0 {
				r.Sensitive = cell.Text
			}
		}
		leaves = append(leaves, cell)
	}
	r.Carry = leaves
	return r, nil
}

// leaving makes rows of what is published, and counts.
func (s *Streaming) leaving(outputs []stream.Output) (rows [][]table.Cell) {
	for _, o := range outputs {
		row, ok := o.Carry.([]table.Cell)
		if o.Why != stream.Published || o.Cells == nil || !ok {
			s.stats.Suppressed++
			continue
		}
		quasi := 0
		for i, at := range s.c.out {
			if s.c.cols[at].quasi < 0 {
				continue
			}
			v := o.Cells[quasi]
			quasi++
			row[i] = table.Cell{Kind: table.Text, Text: []byte(v.Text)}
			if v.Null {
				row[i] = table.Cell{Src: []byte{}}
			}
		}
		s.stats.Out++
		rows = append(rows, row)
	}
	return rows
}
