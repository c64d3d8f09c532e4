package audit

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"math/bits"
	"strconv"
)

// Pair is one mechanism on two neighbouring datasets, as its claim defines neighbours.
type Pair struct {
	Name string
	A, B func() Draw // each call makes one that a goroutine has for itself
	Real bool        // answers are [Ordered] numbers and shown as such
}

func (p Pair) show(v int64) string {
	if p.Real {
		return strconv.FormatFloat(unordered(v), 'g', -1, 64)
	}
	return strconv.FormatInt(v, 10)
}

// ThresholdOptions say how a mechanism is audited as a black box.
type ThresholdOptions struct {
	Samples int     // answers from each side; 0 means 200,000
	Alpha   float64 // how often the bound may be wrong; 0 means 1e-6
	Workers int     // goroutines that draw at once; 0 means one for each processor
}

func (o ThresholdOptions) complete() (ThresholdOptions, error) {
	o.Samples, o.Workers = or(o.Samples, 200_000), or(o.Workers, processors())
	if o.Alpha == 0 {
		o.Alpha = 1e-6
	}
	switch {
	case o.Samples < 100 || o.Samples > maxTrials/4:
		return o, &Error{Member: "samples", Rule: "must be at least 100 and at most 25,000,000"}
	case o.Workers < 1 || o.Workers > 1024:
		return o, &Error{Member: "workers", Rule: "must be at least 1 and at most 1024"}
	}
	return o, checkRate("alpha", o.Alpha)
}

// Finding is what a black-box audit found.
type Finding struct {
	Pair    string  `json:"pair,omitempty"`
	Samples int     `json:"samples"` // from each side; half of them chose the event
	Alpha   float64 `json:"alpha"`   // how often Lower may be wrong
	Claimed float64 `json:"claimed"` // the ε of the claim
	Delta   float64 `json:"delta"`   // the δ of the claim

	Event  string `json:"event"`  // what an attacker looks for
	Likely string `json:"likely"` // the side on which it is likelier: a or b
	Method string `json:"method"` // ratio or clopper-pearson
	Hits   [2]int `json:"hits"`   // how often it was seen, first on the likelier side
	Trials [2]int `json:"trials"` // of how many

	Lower   float64 `json:"lower"`   // with confidence 1 − alpha ε is at least this, at this δ
	Refuted bool    `json:"refuted"` // Lower is more than what is claimed
}

// Threshold audits a mechanism as a black box: half of the answers choose an event that tells both sides apart, the other half
// bounds by it how great ε must be. The event may be a threshold, a set of likely values, a remainder (noise on a coarser
// grid than the answer) or the absence of an answer.
//
// The bound is wrong with probability at most alpha. It is the better of two, and the first half also chooses which:
//
//   - clopper-pearson: ln((p − δ)/q) for bounds p and q of [ClopperPearson], alpha shared by both.
//   - ratio: which side is drawn from is itself decided by fair coins. An answer in the event then comes from the likelier
//     side with odds of at most e^ε, and so the number of those is at most binomial ([ratioBound] has the proof, for δ > 0
//     too). It uses the hits of both sides in one test, and is nearer the truth.
//
// Errors are those of drawing, of parameters ([Error]) and of ctx.
func Threshold(ctx context.Context, pair Pair, claim Claim, options ThresholdOptions) (Finding, error) {
	o, err := options.complete()
	if err != nil {
		return Finding{}, err
	}
	if err := claim.check(); err != nil {
		return Finding{}, err
	}
	half := o.Samples / 2
	a, err := collect(ctx, pair.A, half, o.Workers)
	if err != nil {
		return Finding{}, fmt.Errorf("side a: %w", err)
	}
	b, err := collect(ctx, pair.B, half, o.Workers)
	if err != nil {
		return Finding{}, fmt.Errorf("side b: %w", err)
	}
	chosen := choose(a, b, claim, o.Alpha)

	// The other half. How many of its answers come from a is the number of heads among as many coins as there are answers.
	rest := 2 * (o.Samples - half)
	heads, err := coins(rest)
	if err != nil {
		return Finding{}, err
	}
	if a, err = collect(ctx, pair.A, heads, o.Workers); err != nil {
		return Finding{}, fmt.Errorf("side a: %w", err)
	}
	if b, err = collect(ctx, pair.B, rest-heads, o.Workers); err != nil {
		return Finding{}, fmt.Errorf("side b: %w", err)
	}
	if chosen.swapped {
		a, b = b, a
	}
	s := sighting{hits(chosen.event, a), len(a), hits(chosen.event, b), len(b)}
	f := Finding{
		Pair: pair.Name, Samples: o.Samples, Alpha: o.Alpha, Claimed: claim.Epsilon, Delta: claim.Delta,
		Event: chosen.text(pair.show), Likely: "a", Method: chosen.method,
		Hits: [2]int{s.x, s.y}, Trials: [2]int{s.nx, s.ny},
		Lower: s.bound(chosen.method, claim.Delta, o.Alpha),
	}
	if chosen.swapped {
		f.Likely = "b"
	}
	f.Refuted = f.Lower > claim.Epsilon
	return f, nil
}

const (
	byRatio          = "ratio"
	byClopperPearson = "clopper-pearson"
)

// sighting is how often an event was seen: x of nx on the likelier side, y of ny on the other.
type sighting struct{ x, nx, y, ny int }

func (s sighting) bound(method string, delta, alpha float64) float64 {
	if s.nx == 0 || s.ny == 0 {
		return 0
	}
	if method == byRatio {
		return ratioBound(s, delta, alpha)
	}
	p := lowerBound(s.x, s.nx, alpha/2) - delta
	q := 1 - lowerBound(s.ny-s.y, s.ny, alpha/2)
	if p <= q {
		return 0
	}
	return math.Log(p / q)
}

// ratioBound is the least ε that the hits do not refute.
//
// N = nx + ny trials; each draws its side by a fair coin. Let the event have probability p on the likelier side and q on the
// other, and suppose p ≤ e^ε·q + δ. Write p = p′ + d with p′ = min(p, e^ε·q) and 0 ≤ d ≤ δ, and call each hit of the likelier
// side "plain" with probability p′/p and "extra" otherwise, independently. A trial is then an extra hit with probability d/2,
// a plain one with p′/2, a hit of the other side with q/2. So:
//
//   - the number D of extra hits is binomial of N and d/2 ≤ δ/2. For the least c with P[Bin(N, δ/2) > c] ≤ alpha/8,
//     P[D > c] ≤ alpha/8. For δ = 0 there are none, and all of alpha is for the rest.
//   - given how many plain hits and hits of the other side there are together, r, the plain ones are binomial of r and
//     p′/(p′+q) ≤ e^ε/(1+e^ε). So π(x′, y) = P[Bin(x′+y, e^ε/(1+e^ε)) ≥ x′] is a p-value of x′ plain hits: it is at most t
//     with probability at most t.
//   - π falls as x′ grows: it is the probability of at most y failures in x′+y trials. If D ≤ c then x′ = x − D ≥ x − c, so
//     π(x′, y) ≤ π(x−c, y).
//
// Refuting ε when π(x−c, y) ≤ alpha·7/8 is therefore wrong with probability at most alpha. π(x−c, y) grows with ε: all
// refuted ε lie below one bound, and (ε, δ)-DP with a smaller ε is refuted with it.
func ratioBound(s sighting, delta, alpha float64) float64 {
	x, rate := s.x, alpha
	if delta > 0 {
		c, ok := allowance(s.nx+s.ny, delta/2, alpha/8)
		if !ok {
			return 0
		}
		x, rate = s.x-c, alpha*7/8
	}
	if x <= 0 {
		return 0
	}
	share := lowerBound(x, x+s.y, rate) // the greatest success rate for which x or more of them have at most this probability
	if share <= 0.5 {
		return 0
	}
	return math.Log(share / (1 - share))
}

// allowance is the least c with P[Bin(n, p) > c] ≤ alpha.
func allowance(n int, p, alpha float64) (int, bool) {
	alpha *= 1 - slack
	lo, hi := -1, n // P[> hi] = 0; lo is one for which it is more than alpha
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		if atLeast(mid+1, n, p, 1-p) <= alpha {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi, hi < n
}

// selected is an event and the way in which it is used.
type selected struct {
	found
	method   string
	estimate float64 // what the bound was on the answers that chose it: a little high by chance, but good to compare
}

// plainer is how much better a set of many parts must do than a threshold that says the same and is easier to read.
const plainer = 1.02

// choose finds the event and the method that give the best bound. One half of the answers proposes an event of each family, the
// other half compares them: events of many parts fit the answers that they were made of better than they fit others.
func choose(a, b []int64, claim Claim, alpha float64) selected {
	best := selected{found: found{event: absence{true}}, method: byRatio}
	proposals := newChooser(a[:len(a)/2], b[:len(b)/2], claim.Delta, alpha).choose()
	a, b = a[len(a)/2:], b[len(b)/2:]
	for _, f := range proposals {
		one, other := a, b
		if f.swapped {
			one, other = b, a
		}
		s := sighting{hits(f.event, one), len(one), hits(f.event, other), len(other)}
		for _, method := range []string{byRatio, byClopperPearson} {
			e := s.bound(method, claim.Delta, alpha)
			if f.sets == best.sets && e > best.estimate || f.sets && e > best.estimate*plainer || !f.sets && e*plainer > best.estimate {
				best = selected{f, method, e}
			}
		}
	}
	return best
}

// coins tosses n fair coins and counts heads.
func coins(n int) (heads int, err error) {
	buf := make([]byte, 4096)
	for n > 0 {
		if _, err := rand.Read(buf); err != nil {
			return 0, err
		}
		for _, b := range buf {
			if n < 8 {
				b &= 1<<n - 1
			}
			heads += bits.OnesCount8(b)
			if n -= min(n, 8); n == 0 {
				break
			}
		}
	}
	return heads, nil
}

// Worst audits declared pairs of neighbours and bounds ε by the worst of them. A tenth of the answers look at each pair; the
// pair that looks worst is then audited anew with all of them, so that the choice costs nothing of alpha. It returns the
// finding of that pair and, in the order of the pairs, what each looked like: estimates, not bounds.
//
// No pair, or two of one name, are an [Error].
func Worst(ctx context.Context, pairs []Pair, claim Claim, options ThresholdOptions) (Finding, []float64, error) {
	o, err := options.complete()
	if err != nil {
		return Finding{}, nil, err
	}
	if err := claim.check(); err != nil {
		return Finding{}, nil, err
	}
	names := map[string]bool{}
	for _, p := range pairs {
		if names[p.Name] {
			return Finding{}, nil, &Error{Member: "pairs", Rule: "must have names of their own"}
		}
		names[p.Name] = true
	}
	if len(pairs) == 0 {
		return Finding{}, nil, &Error{Member: "pairs", Rule: "must be at least one"}
	}
	looks := make([]float64, len(pairs))
	worst := 0
	for i, p := range pairs {
		n := max(o.Samples/10, 100)
		a, err := collect(ctx, p.A, n, o.Workers)
		if err != nil {
			return Finding{}, nil, fmt.Errorf("pair %s, side a: %w", p.Name, err)
		}
		b, err := collect(ctx, p.B, n, o.Workers)
		if err != nil {
			return Finding{}, nil, fmt.Errorf("pair %s, side b: %w", p.Name, err)
		}
		// A lenient rate: which pair is worst shows before anything is proven.
		if looks[i] = choose(a, b, claim, 0.05).estimate; looks[i] > looks[worst] {
			worst = i
		}
	}
	f, err := Threshold(ctx, pairs[worst], claim, o)
	return f, looks, err
}
