package query

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Answer is what leaves: noisy numbers with what they may be off by, and what was spent on them. Its JSON form is on the page
// docs/spec/dp-sql-answers.md. Numbers are decimal text, so that no reader rounds them.
type Answer struct {
	Dataset string    `json:"dataset"`
	Columns []Heading `json:"columns"`
	Rows    [][]Cell  `json:"rows"`
	Privacy Privacy   `json:"privacy"`
	Notes   []string  `json:"notes"`
}

// Heading is one column of an answer.
type Heading struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`            // number, text, truth, date, time or histogram
	Noisy bool   `json:"noisy,omitempty"` // noise is in it
}

// Cell is one value of an answer.
type Cell struct {
	Value *string `json:"value"`          // nil: NULL
	Low   string  `json:"low,omitempty"`  // of a noisy number: with a probability of at least 95 % it lies between both, were there no noise
	High  string  `json:"high,omitempty"` // "" of both: nothing bounds it
	Bars  []Bar   `json:"bars,omitempty"` // of a histogram
}

// compose makes the answer of the released groups: post-processing, all of it.
func (pr *Priced) compose(groups []*releasedGroup) *Answer {
	p := pr.plan
	return &Answer{Dataset: p.Dataset.Name, Columns: p.columns(), Rows: pr.rows(groups), Privacy: pr.privacy(), Notes: pr.notes()}
}

func (pr *Priced) rows(groups []*releasedGroup) [][]Cell {
	p := pr.plan
	all := [][]Cell{}
	var rows []row
	for _, g := range groups {
		if p.Having != nil && !g.value(p.Having).isTrue() {
			continue
		}
		r := row{group: g, values: make([]datum, len(p.Columns))}
		for i, c := range p.Columns {
			r.values[i] = g.value(c.Expr)
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(x, y row) int { return x.compare(y, p.Order) })
	if p.Limit >= 0 && int64(len(rows)) > p.Limit {
		rows = rows[:p.Limit]
	}
	for _, r := range rows {
		all = append(all, r.cells())
	}
	return all
}

// row is a row of the answer before it is text.
type row struct {
	group  *releasedGroup
	values []datum
}

// compare orders by the columns named, NULL as the greatest.
func (r row) compare(s row, by []Order) int {
	for _, o := range by {
		x, y := r.values[o.Column], s.values[o.Column]
		c := 0
		switch {
		case x.Null || y.Null:
			c = rankNull(x.Value) - rankNull(y.Value)
		case x.bars == nil && y.bars == nil:
			c = order(x, y)
		}
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (r row) cells() []Cell {
	p := r.group.of.plan
	cells := make([]Cell, len(r.values))
	for i, v := range r.values {
		var s span
		e := p.Columns[i].Expr
		if !v.Null && v.bars == nil && noisy(e) {
			s = r.group.bound(e, p.sharing(e))
		}
		cells[i] = cellOf(v, s)
	}
	return cells
}

func cellOf(v datum, s span) Cell {
	if v.bars != nil {
		return Cell{Bars: v.bars}
	}
	if v.Null {
		return Cell{}
	}
	if v.num == nil {
		text := valueText(v.Value)
		c := Cell{Value: &text}
		if moment := v.Kind == relation.Date || v.Kind == relation.Time; moment && s.known() {
			c.Low, c.High = valueText(momentOf(s.lo, v.Kind)), valueText(momentOf(s.hi, v.Kind))
		}
		return c
	}
	digits := s.digits()
	text := decimalText(v.num, digits)
	c := Cell{Value: &text}
	if s.known() {
		c.Low, c.High = decimalText(towards(s.lo, digits, false), digits), decimalText(towards(s.hi, digits, true), digits)
	}
	return c
}

// mostDigits is how many decimals are shown at most. What has no more of them is shown whole.
const mostDigits = 9

// digits are how many decimals a number is shown with: down to a thousandth of the width of its interval.
func (s span) digits() int {
	if !s.known() {
		return mostDigits
	}
	w := new(big.Rat).Sub(s.hi, s.lo)
	w.Mul(w, big.NewRat(1, 1000))
	for d := range mostDigits {
		if w.Cmp(new(big.Rat).SetFrac(big.NewInt(1), pow10(d))) >= 0 {
			return d
		}
	}
	return mostDigits
}

// towards rounds down or up to a number of decimals, unless x has few enough anyhow.
func towards(x *big.Rat, digits int, up bool) *big.Rat {
	if short(x) {
		return x
	}
	n := new(big.Int).Mul(x.Num(), pow10(digits))
	if up {
		n.Neg(n)
	}
	n.Div(n, x.Denom()) // Euclidean: down, for a positive divisor
	if up {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, pow10(digits))
}

// short is whether mostDigits decimals show x exactly.
func short(x *big.Rat) bool {
	return new(big.Int).Rem(new(big.Int).Mul(x.Num(), pow10(mostDigits)), x.Denom()).Sign() == 0
}

// decimalText is x without trailing zeros: whole if mostDigits decimals show it exactly, else rounded to so many digits.
func decimalText(x *big.Rat, digits int) string {
	if short(x) {
		digits = mostDigits
	}
	text := x.FloatString(digits)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// valueText writes a value that is no number.
func valueText(v relation.Value) string {
	switch v.Kind {
	case relation.Text:
		return v.Text
	case relation.Truth:
		if v.Int != 0 {
			return "true"
		}
		return "false"
	case relation.Date:
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(v.Int)).Format(time.DateOnly)
	}
	return time.UnixMicro(v.Int).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

func (p *Plan) columns() []Heading {
	all := make([]Heading, len(p.Columns))
	for i, c := range p.Columns {
		all[i] = Heading{c.Name, p.kindOf(c.Expr), noisy(c.Expr)}
	}
	return all
}

var kindNames = map[relation.Kind]string{
	relation.Number: "number", relation.Text: "text", relation.Truth: "truth", relation.Date: "date", relation.Time: "time",
}

// kindOf is the kind of values that an expression has.
func (p *Plan) kindOf(e Post) string {
	switch e := e.(type) {
	case PostKey:
		return kindNames[p.Keys[e.Key].Type.Kind]
	case PostAggregate:
		switch a := p.Aggregates[e.Aggregate]; a.Kind {
		case HistogramAggregate:
			return "histogram"
		case QuantileAggregate:
			return kindNames[a.Type.Kind]
		}
		return "number"
	case PostConst:
		return kindNames[e.Type.Kind]
	case PostCompare, PostLogic, PostNot, PostIsNull:
		return "truth"
	case PostCase:
		for _, w := range e.Whens {
			if c, ok := w.Then.(PostConst); !ok || !c.Value.Null {
				return p.kindOf(w.Then)
			}
		}
		if e.Else != nil {
			return p.kindOf(e.Else)
		}
	}
	return "number"
}
