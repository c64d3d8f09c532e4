package query

import "github.com/scrimhq/scrim/privacy/dp/noise"

// ForgetLaw replaces the law of the first number, as a mistake would.
func ForgetLaw(pr *Priced, l noise.Law) { pr.laws[0].Law = l }

// LawOf is the law of a number, and in what places it draws.
func LawOf(pr *Priced, i int) (noise.Law, int) { return pr.laws[i].Law, pr.plan.Measures[i].Places }

// MergedPlan is what a batch computes.
func MergedPlan(b *Batch) *Plan { return b.merged }
