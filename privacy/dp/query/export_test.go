package query

import "github.com/scrimhq/scrim/privacy/dp/noise"

// ForgetLaw replaces the law of the first number, as a mistake would.
func ForgetLaw(pr *Priced, l noise.Law) { pr.laws[0].Law = l }
