package budget

import (
	"context"

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

// Split says who gets how much of a plan's δ, in femto. What nobody gets is the reserve, from which a later plan may take. The
// zero value stands for [DefaultSplit].
type Split struct {
	Share [filters]int64 // by filter: δ₀ of the basic one, δ_j of the others
	Slack int64          // δ_s
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

// Fits returns the filters of the menu that sums fit.
func (p Plan) Fits(c Caps, sums account.Vector) Menu { return 0 }

// Replan gives the budget of a dataset another plan. Sums stay; ε does not rise; a filter gets a greater share of δ only from the
// reserve. See theorem 3 of docs/spec/budget-admission.md. [ErrRefill] otherwise.
func (l *Ledger) Replan(ctx context.Context, dataset string, p Plan) error { return errUnbuilt }

// SetQuota sets the plan of a scope below a dataset; nil takes it away. Quotas may rise and fall: they carry no claim. What was
// charged to the scope before counts.
func (l *Ledger) SetQuota(ctx context.Context, s Scope, p *Plan) error { return errUnbuilt }
