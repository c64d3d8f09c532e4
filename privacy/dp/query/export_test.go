package query

import (
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// ForgetLaw replaces the law of the first number, as a mistake would.
func ForgetLaw(pr *Priced, l noise.Law) { pr.laws[0].Law = l }

// LawOf is the law of a number, and in what places it draws.
func LawOf(pr *Priced, i int) (noise.Law, int) { return pr.laws[i].Law, pr.plan.Measures[i].Places }

// MergedPlan is what a batch computes.
func MergedPlan(b *Batch) *Plan { return b.merged }

// NodesOf are the numbers of a tree of bins before noise.
func NodesOf(pr *Priced, measure int, cells map[int]int64) []int64 {
	return pr.trees[measure].count(cells)
}

// ScaleOf is by what the noise of a number is scaled: Laplace's scale or Gauss's σ, in its own steps.
func ScaleOf(pr *Priced, measure int) *big.Rat { return pr.laws[measure].scale.Rat() }

// WidthOf is how wide the noise of a number is taken to be at 95 %, where it stands beside that of others.
func WidthOf(pr *Priced, measure int) *big.Rat {
	return (&releasedGroup{of: pr}).wide(measure, wholeAlpha)
}

// MostGroups is how many selected groups are held at most.
func MostGroups(pr *Priced) *int { return &pr.most }
