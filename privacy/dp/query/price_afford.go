package query

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Room says how many charges of a cost there is room for: the least of [budget.Standing.More] of all scopes that would be charged. It depends
// on declared costs alone.
type Room func(cost account.Vector) int64

// Offer is a question like the one asked, that there is room for.
type Offer struct {
	Epsilon    string     `json:"epsilon"`
	Groups     int64      `json:"groups,omitempty"`     // bound of groups for one unit, where it is another than the question's
	Aggregates []string   `json:"aggregates,omitempty"` // those alone, where the question has more
	More       int64      `json:"more"`                 // how many such questions there is room for
	Errors     []Expected `json:"errors"`               // of its answer
	Note       string     `json:"note"`

	Terms Terms `json:"-"` // to ask it with
}

// steps are the values of ε that are offered, in each decade.
var steps = []int64{100, 125, 150, 200, 250, 300, 400, 500, 600, 800}

// grid calls f with the steps in rising order.
func grid(f func(int64) bool) {
	for unit := int64(1); unit <= mostEpsilon/100; unit *= 10 {
		for _, s := range steps {
			if !f(unit * s) {
				return
			}
		}
	}
}

// gridBelow is the greatest step that is not above x; x itself below the first.
func gridBelow(x int64) int64 {
	best := x
	grid(func(s int64) bool {
		if s <= x {
			best = s
		}
		return s <= x
	})
	return best
}

// gridAbove is the least step that is not below x.
func gridAbove(x int64) int64 {
	best := x
	grid(func(s int64) bool { best = s; return s < x })
	return max(best, x)
}

// mostMore is where counting ends.
const mostMore = 1_000_000

// More is how many such questions there is room for, a million at most.
func (pr *Priced) More(room Room) int64 { return min(max(room(pr.cost), 0), mostMore) }

// leastOffer is the part of the ε asked for below which nothing is offered.
const leastOffer = 1000

// Affordable returns questions near this one that there is room for, the nearest first; none if there is none. The first asks the same with the
// greatest ε of a grid that fits. Others ask for less and are as exact as the one asked, where there is room for that: with fewer groups for each
// unit, or for the first aggregate alone.
func (p *Plan) Affordable(t Terms, room Room) []Offer {
	asked, err := p.Price(t)
	if err != nil {
		return nil
	}
	at := p.largest(t, room)
	if at == nil {
		return nil
	}
	same := at.offer(room)
	same.Note = "the same question, less exact"
	offers := []Offer{same}
	if fewer := p.fewerGroups(asked, at); fewer != nil && fewer.More(room) > 0 {
		o := fewer.offer(room)
		o.Groups = fewer.groups
		o.Note = "as exact as asked for, but counting each " + unitName(p) + " in fewer groups"
		offers = append(offers, o)
	}
	if part := p.firstAlone(asked); part != nil && part.More(room) > 0 {
		o := part.offer(room)
		o.Aggregates = []string{part.plan.Aggregates[0].Text}
		o.Note = fmt.Sprintf("as exact as asked for, but %s alone", part.plan.Aggregates[0].Text)
		offers = append(offers, o)
	}
	return offers
}

func unitName(p *Plan) string { return strings.TrimSpace(p.Dataset.Unit) }

func (pr *Priced) offer(room Room) Offer {
	o := Offer{Epsilon: amount(pr.terms.Epsilon, 9), More: pr.More(room), Terms: pr.terms}
	for i := range pr.plan.Aggregates {
		o.Errors = append(o.Errors, pr.expected(&pr.plan.Aggregates[i]))
	}
	return o
}

// largest looks for the greatest ε of the grid that fits.
func (p *Plan) largest(t Terms, room Room) *Priced {
	var all []int64
	grid(func(s int64) bool {
		if s >= t.Epsilon/leastOffer && s < t.Epsilon {
			all = append(all, s)
		}
		return s < t.Epsilon
	})
	price := func(epsilon int64) *Priced {
		t.Epsilon = epsilon
		pr, err := p.Price(t)
		if err != nil || pr.More(room) == 0 {
			return nil
		}
		return pr
	}
	// What fits is at the lower end, but for ε that is too small for any law, at the very end.
	n, _ := slices.BinarySearchFunc(all, true, func(e int64, _ bool) int {
		if t.Epsilon = e; tooDear(p, t, room) {
			return 1
		}
		return -1
	})
	if n == 0 {
		return nil
	}
	return price(all[n-1])
}

// tooDear is whether a price is known and does not fit.
func tooDear(p *Plan, t Terms, room Room) bool {
	pr, err := p.Price(t)
	return err == nil && pr.More(room) == 0
}

// fewerGroups is the question with the ε of at and so few groups for each unit that its noise is what was asked for.
func (p *Plan) fewerGroups(asked, at *Priced) *Priced {
	part := float64(at.terms.Epsilon) / float64(asked.terms.Epsilon)
	if at.noise == GaussianNoise {
		part *= part
	}
	n := int64(math.Floor(float64(asked.groups) * part))
	if len(p.Keys) == 0 || n < 1 || n >= asked.groups {
		return nil
	}
	less := *p
	less.Relation.Groups = n
	pr, err := less.price(at.terms, at.noise)
	if err != nil {
		return nil
	}
	return pr
}

// firstAlone is the question for its first aggregate, with the part of ε that its numbers have of what was asked for.
func (p *Plan) firstAlone(asked *Priced) *Priced {
	if len(p.Aggregates) < 2 {
		return nil
	}
	less := *p
	a := p.Aggregates[0]
	var weight, weights int64
	less.Measures = nil
	for _, w := range asked.weights {
		weights += w
	}
	mine := make([]int, len(a.Measures))
	for i, m := range a.Measures {
		less.Measures = append(less.Measures, p.Measures[m])
		weight += asked.weights[m]
		mine[i] = i
	}
	a.Measures = mine
	less.Aggregates, less.Columns, less.Having, less.Order = []Aggregate{a}, nil, nil, nil
	if weight >= weights {
		return nil
	}
	t := asked.terms
	t.Noise = asked.noise
	part := float64(weight) / float64(weights)
	if p.Private() {
		part = float64(weight+1) / float64(weights+1)
	}
	if asked.noise == GaussianNoise {
		part = math.Sqrt(part)
	}
	t.Epsilon = gridAbove(int64(float64(t.Epsilon) * part))
	pr, err := less.Price(t)
	if err != nil {
		return nil
	}
	return pr
}
