package budget

import (
	"math"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Filter is one of the menu: a sum with a cap. See docs/spec/budget-admission.md.
type Filter int

// The filters. The numbers are stored.
const (
	Basic Filter = iota // ΣEpsilon ≤ ε and ΣDelta ≤ δ₀
	ZCDP                // ΣRho, and this and all that follow: ΣSlack ≤ δ_s
	RDP2                // ΣRDP[0], of order 2
	RDP4
	RDP8
	RDP16
	RDP32
	RDP64
	GDP // ΣMu2

	filters = 9
)

// String returns the filter's name, such as "zcdp" or "rdp16".
func (f Filter) String() string {
	names := [filters]string{"basic", "zcdp", "rdp2", "rdp4", "rdp8", "rdp16", "rdp32", "rdp64", "gdp"}
	if f < 0 || f >= filters {
		return "unknown"
	}
	return names[f]
}

// Menu is a set of filters. The zero value stands for all that have a share of δ, and the basic filter.
type Menu uint16

const wholeMenu Menu = 1<<filters - 1

// MenuOf returns the set of the filters.
func MenuOf(fs ...Filter) Menu {
	var m Menu
	for _, f := range fs {
		m |= 1 << f
	}
	return m
}

// Has reports whether f is in the menu.
func (m Menu) Has(f Filter) bool { return f >= 0 && f < filters && m&(1<<f) != 0 }

// Filters returns the menu as a list.
func (m Menu) Filters() []Filter {
	var fs []Filter
	for f := range Filter(filters) {
		if m.Has(f) {
			fs = append(fs, f)
		}
	}
	return fs
}

// Split says who gets how much of a plan's δ, in femto. What nobody gets is the reserve, from which a later plan may take. The
// zero value stands for [DefaultSplit].
type Split struct {
	Share [filters]int64 // by filter: δ₀ of the basic one, δ_j of the others
	Slack int64          // δ_s
}

// total is what all get together; it saturates.
func (s Split) total() int64 {
	t := s.Slack
	for _, x := range s.Share {
		if t > math.MaxInt64-x {
			return math.MaxInt64
		}
		t += x
	}
	return t
}

// defaultShares are hundredths of δ, by filter. Their reasons are in docs/spec/budget-ledger.md, with what they are worth.
var defaultShares = [filters]int64{Basic: 10, ZCDP: 15, RDP2: 1, RDP4: 1, RDP8: 5, RDP16: 5, RDP32: 5, RDP64: 3, GDP: 35}

const defaultSlack = 10 // hundredths, and as much is the reserve

// DefaultSplit is the split of a δ, in femto, that a plan has if it says none: in hundredths, 35 for GDP, 15 for zCDP, 20 for the six
// Rényi orders, 10 each for the basic filter, for slack and in reserve.
func DefaultSplit(delta int64) Split {
	part := func(hundredths int64) int64 { return delta/100*hundredths + delta%100*hundredths/100 }
	var s Split
	for f, h := range defaultShares {
		s.Share[f] = part(h)
	}
	s.Slack = part(defaultSlack)
	return s
}

// Plan is what a budget or a quota has room for: at most (ε, δ) by any filter of its menu.
type Plan struct {
	Epsilon int64 // nano-ε
	Delta   int64 // femto-δ; 0 leaves the basic filter alone, for pure ε
	Menu    Menu
	Split   Split
}

// Caps are what the filters of a plan let a sum reach, rounded down. They are computed once, when the plan is made, and kept.
type Caps struct {
	Epsilon, Delta int64 // of the basic filter: nano-ε, femto-δ
	Rho            int64 // nano-ρ
	RDP            [6]int64
	Mu2            int64
	Slack          int64 // femto-δ, beside all but the basic filter
}

const (
	mostEpsilon = 1000 * 1_000_000_000  // nano; beyond it nothing is protected
	wholeDelta  = 1_000_000_000_000_000 // femto: δ = 1
)

// Fill checks the plan and returns it with its menu and split written out, and with the caps that follow from them. [ErrPlan].
func (p Plan) Fill() (Plan, Caps, error) {
	refuse := func(what string) (Plan, Caps, error) { return Plan{}, Caps{}, &Error{Rule: ErrPlan, What: what} }
	switch {
	case p.Epsilon <= 0 || p.Epsilon > mostEpsilon:
		return refuse("Epsilon must be above 0 and at most 1000")
	case p.Delta < 0 || p.Delta >= wholeDelta:
		return refuse("Delta must be at least 0 and below 1")
	case p.Menu&^wholeMenu != 0:
		return refuse("Menu has a filter that does not exist")
	}
	if p.Split == (Split{}) {
		p.Split = DefaultSplit(p.Delta)
	}
	for f, x := range p.Split.Share {
		if x < 0 {
			return refuse("Split has a negative share")
		}
		if p.Menu != 0 && !p.Menu.Has(Filter(f)) {
			p.Split.Share[f] = 0
		}
	}
	if p.Split.Slack < 0 || p.Split.total() > p.Delta {
		return refuse("Split gives away more than Delta, or less than nothing")
	}
	if p.Menu == 0 {
		p.Menu = wholeMenu
	}
	for f := ZCDP; f < filters; f++ {
		if p.Split.Share[f] == 0 {
			p.Menu &^= 1 << f // without δ it admits nothing
		}
	}
	if p.Menu == 0 {
		return refuse("Menu has no filter with a share of Delta")
	}
	c, err := p.caps()
	if err != nil {
		return Plan{}, Caps{}, err
	}
	for _, f := range p.Menu.Filters() {
		if f != Basic && c.of(f) == 0 { // ε is too small for what it costs to convert
			p.Menu &^= 1 << f
			p.Split.Share[f] = 0
		}
	}
	if p.Menu == 0 {
		return refuse("no filter of the Menu has room")
	}
	return p, c, nil
}

// of returns the cap of the filter, of the basic one that of ε.
func (c *Caps) of(f Filter) int64 {
	switch f {
	case Basic:
		return c.Epsilon
	case ZCDP:
		return c.Rho
	case GDP:
		return c.Mu2
	}
	return c.RDP[f-RDP2]
}

// caps computes what follows from a plan that is filled.
func (p Plan) caps() (c Caps, err error) {
	fail := func(f Filter, err error) (Caps, error) {
		return Caps{}, &Error{Rule: ErrPlan, What: "the cap of " + f.String(), Cause: err}
	}
	share := p.Split.Share
	for _, f := range p.Menu.Filters() {
		switch f {
		case Basic:
			c.Epsilon, c.Delta, err = account.BasicCap(p.Epsilon, share[f])
		case ZCDP:
			c.Rho, err = account.RhoCap(p.Epsilon, share[f])
		case GDP:
			c.Mu2, err = account.Mu2Cap(p.Epsilon, share[f])
		default:
			i := f - RDP2
			c.RDP[i], err = account.RDPCap(account.Orders[i], p.Epsilon, share[f])
		}
		if err != nil {
			return fail(f, err)
		}
	}
	c.Slack = p.Split.Slack
	return c, nil
}

// above returns a filter whose cap is more than that of d allows, by more than the arithmetic of two versions may differ.
func (c Caps) above(d Caps) (Filter, bool) {
	more := func(a, b int64) bool { return a > b && a-b > 2+b/1_000_000_000 }
	for i := range c.RDP {
		if more(c.RDP[i], d.RDP[i]) {
			return RDP2 + Filter(i), true
		}
	}
	switch {
	case c.Epsilon > d.Epsilon || c.Delta > d.Delta || c.Slack > d.Slack:
		return Basic, true
	case more(c.Rho, d.Rho):
		return ZCDP, true
	case more(c.Mu2, d.Mu2):
		return GDP, true
	}
	return 0, false
}

// Fits returns the filters of the menu that the sums fit.
func (p Plan) Fits(c Caps, sums account.Vector) Menu {
	var m Menu
	if sums.Epsilon <= c.Epsilon && sums.Delta <= c.Delta {
		m |= 1 << Basic
	}
	if sums.Slack <= c.Slack {
		if sums.Rho <= c.Rho {
			m |= 1 << ZCDP
		}
		for i, x := range sums.RDP {
			if x <= c.RDP[i] {
				m |= 1 << (RDP2 + Filter(i))
			}
		}
		if sums.Mu2 <= c.Mu2 {
			m |= 1 << GDP
		}
	}
	return m & p.Menu
}

// more returns how many further charges of v fit, by the filter that has most room.
func (p Plan) more(c Caps, sums, v account.Vector) int64 {
	var most int64
	for _, f := range p.Fits(c, sums).Filters() {
		n := int64(math.MaxInt64)
		if f != Basic {
			n = room(c.Slack, sums.Slack, v.Slack)
		}
		switch f {
		case Basic:
			n = min(room(c.Epsilon, sums.Epsilon, v.Epsilon), room(c.Delta, sums.Delta, v.Delta))
		case ZCDP:
			n = min(n, room(c.Rho, sums.Rho, v.Rho))
		case GDP:
			n = min(n, room(c.Mu2, sums.Mu2, v.Mu2))
		default:
			n = min(n, room(c.RDP[f-RDP2], sums.RDP[f-RDP2], v.RDP[f-RDP2]))
		}
		most = max(most, n)
	}
	return most
}

func room(limit, sum, each int64) int64 {
	if each == 0 {
		return math.MaxInt64
	}
	return (limit - sum) / each
}
