package account

import (
	"math"
	"slices"
	"strconv"
)

// Kind names a family of mechanisms, as the member mech of a specification does.
type Kind string

// The kinds of mechanism. The parameters in brackets are those that a kind takes, beside a count; sensitivity and count are 1
// where they are left out.
const (
	// Gaussian adds N(0, σ²) to a query of that L2 sensitivity (sigma, sensitivity).
	Gaussian Kind = "gaussian"
	// RoundedGaussian is a continuous Gaussian rounded to integers behind an integer query, which is post-processing (as Gaussian).
	RoundedGaussian Kind = "rounded_gaussian"
	// DiscreteGaussian adds P(x) ∝ exp(−x²/2σ²) on the integers to one integer (sigma, sensitivity). A vector is one for each entry
	// that a unit moves: its L2 norm as the sensitivity holds for Rho and RDP, and is too little for a loss distribution.
	DiscreteGaussian Kind = "discrete_gaussian"
	// Laplace adds a density ∝ exp(−|x|/b) to a query of that L1 sensitivity (scale, sensitivity).
	Laplace Kind = "laplace"
	// DiscreteLaplace adds P(x) ∝ exp(−a|x|) on the integers to an integer query (a, sensitivity).
	DiscreteLaplace Kind = "discrete_laplace"
	// PoissonSubsampledGaussian is a Gaussian on a sample that holds each unit with probability q on its own (sigma, q, sensitivity).
	PoissonSubsampledGaussian Kind = "poisson_subsampled_gaussian"
	// EpsilonDelta is any mechanism known to be (ε, δ)-differentially private (epsilon, delta).
	EpsilonDelta Kind = "epsilon_delta"
	// Pure is any mechanism known to be ε-differentially private (epsilon).
	Pure Kind = "pure"
	// Exponential is the exponential mechanism, or anything else of ε-bounded range (epsilon). The noisy maximum with exponential noise
	// (permute-and-flip) is not: it is Pure.
	Exponential Kind = "exponential"
	// RandomizedResponse keeps a value of num_buckets with probability 1 − noise_parameter and draws it anew otherwise; one unit's
	// value is replaced (noise_parameter, num_buckets).
	RandomizedResponse Kind = "k_randomized_response"
	// ZCDP is any mechanism known to be ρ-zero-concentrated differentially private (rho).
	ZCDP Kind = "zcdp"
	// GDP is any mechanism known to be μ-Gaussian differentially private (mu).
	GDP Kind = "gdp"
	// LaplaceThreshold releases Laplace-noised counts of the partitions that pass a threshold (l0, linf, epsilon, delta).
	LaplaceThreshold Kind = "laplace_threshold"
	// GaussianThreshold is the same with Gaussian noise (l0, linf, sigma or epsilon with noise_delta, threshold_delta).
	GaussianThreshold Kind = "gaussian_threshold"
	// PartitionSelection keeps each partition with the largest probability that (ε, δ) admits (l0, epsilon, delta).
	PartitionSelection Kind = "truncated_geometric_partition_selection"
)

// Mechanism is one mechanism, or Count of them one after the other. Its JSON form is an element of spec in a golden file.
//
// Which members a kind takes is said at the kinds. The zero value of Count and Sensitivity is 1; every other needed member must be
// given. A member that the kind does not take must be absent: it is refused rather than overlooked.
type Mechanism struct {
	Kind           Kind    `json:"mech"`
	Sigma          float64 `json:"sigma,omitempty"`           // standard deviation of the noise, in the unit of the query
	Scale          float64 `json:"scale,omitempty"`           // b of Laplace noise, in the unit of the query
	A              float64 `json:"a,omitempty"`               // decay of discrete Laplace noise, for each integer
	Sensitivity    float64 `json:"sensitivity,omitempty"`     // 0: 1
	Q              float64 `json:"q,omitempty"`               // probability to be sampled, in (0, 1]
	Epsilon        float64 `json:"epsilon,omitempty"`         // nats
	Delta          float64 `json:"delta,omitempty"`           // in [0, 1)
	NoiseParameter float64 `json:"noise_parameter,omitempty"` // in (0, 1]
	NumBuckets     int64   `json:"num_buckets,omitempty"`     // at least 2
	Rho            float64 `json:"rho,omitempty"`
	Mu             float64 `json:"mu,omitempty"`
	L0             int64   `json:"l0,omitempty"`              // partitions that one unit touches at most; 0: 1
	Linf           float64 `json:"linf,omitempty"`            // what one unit adds to one partition at most; 0: 1
	NoiseDelta     float64 `json:"noise_delta,omitempty"`     // δ that a Gaussian's σ is made of
	ThresholdDelta float64 `json:"threshold_delta,omitempty"` // δ of the threshold
	Count          int64   `json:"count,omitempty"`           // 0: 1
}

// parameter is a member as its name, its value, and the rule that it must fulfil.
type parameter struct {
	name string
	get  func(*Mechanism) float64
	rule string
	ok   func(float64) bool
}

// Bounds of what is taken for a parameter. What lies outside is a mistake rather than a mechanism.
const (
	tiny  = 1e-12
	huge  = 1e12
	maxN  = 1_000_000_000_000 // of a count
	maxE  = 1e6               // of ε, ρ and a
	rules = " and finite, not absurdly small or large"
)

func between(lo, hi float64) func(float64) bool {
	return func(x float64) bool { return x >= lo && x <= hi } // NaN fails
}

func whole(lo, hi float64) func(float64) bool {
	return func(x float64) bool { return x >= lo && x <= hi && x == math.Trunc(x) }
}

func probability(x float64) bool { return x >= 0 && x < 1 && (x == 0 || x >= 1e-300) }

var parameters = []parameter{
	{"sigma", func(m *Mechanism) float64 { return m.Sigma }, "must be above 0" + rules, between(tiny, huge)},
	{"scale", func(m *Mechanism) float64 { return m.Scale }, "must be above 0" + rules, between(tiny, huge)},
	{"a", func(m *Mechanism) float64 { return m.A }, "must be above 0" + rules, between(tiny, maxE)},
	{"sensitivity", func(m *Mechanism) float64 { return m.Sensitivity }, "must be above 0" + rules, between(tiny, huge)},
	{"q", func(m *Mechanism) float64 { return m.Q }, "must be above 0 and at most 1", between(tiny, 1)},
	{"epsilon", func(m *Mechanism) float64 { return m.Epsilon }, "must be above 0" + rules, between(tiny, maxE)},
	{"delta", func(m *Mechanism) float64 { return m.Delta }, "must be at least 0 and below 1", probability},
	{"noise_parameter", func(m *Mechanism) float64 { return m.NoiseParameter }, "must be above 0 and at most 1", between(tiny, 1)},
	{"num_buckets", func(m *Mechanism) float64 { return float64(m.NumBuckets) }, "must be an integer of at least 2" + rules, whole(2, huge)},
	{"rho", func(m *Mechanism) float64 { return m.Rho }, "must be above 0" + rules, between(1e-18, maxE)},
	{"mu", func(m *Mechanism) float64 { return m.Mu }, "must be above 0" + rules, between(tiny, maxE)},
	{"l0", func(m *Mechanism) float64 { return float64(m.L0) }, "must be an integer of at least 1" + rules, whole(1, huge)},
	{"linf", func(m *Mechanism) float64 { return m.Linf }, "must be above 0" + rules, between(tiny, huge)},
	{"noise_delta", func(m *Mechanism) float64 { return m.NoiseDelta }, "must be above 0 and below 1", between(1e-300, 1-1e-15)},
	{"threshold_delta", func(m *Mechanism) float64 { return m.ThresholdDelta }, "must be at least 0 and below 1", probability},
	{"count", func(m *Mechanism) float64 { return float64(m.Count) }, "must be an integer of at least 1" + rules, whole(1, maxN)},
}

// shape is which members a kind needs and which it may have, beside count.
type shape struct{ needs, may []string }

var shapes = map[Kind]shape{
	Gaussian:                  {[]string{"sigma"}, []string{"sensitivity"}},
	RoundedGaussian:           {[]string{"sigma"}, []string{"sensitivity"}},
	DiscreteGaussian:          {[]string{"sigma"}, []string{"sensitivity"}},
	Laplace:                   {[]string{"scale"}, []string{"sensitivity"}},
	DiscreteLaplace:           {[]string{"a"}, []string{"sensitivity"}},
	PoissonSubsampledGaussian: {[]string{"sigma", "q"}, []string{"sensitivity"}},
	EpsilonDelta:              {[]string{"epsilon"}, []string{"delta"}},
	Pure:                      {[]string{"epsilon"}, nil},
	Exponential:               {[]string{"epsilon"}, nil},
	RandomizedResponse:        {[]string{"noise_parameter", "num_buckets"}, nil},
	ZCDP:                      {[]string{"rho"}, nil},
	GDP:                       {[]string{"mu"}, nil},
	LaplaceThreshold:          {[]string{"epsilon", "delta"}, []string{"l0", "linf"}},
	GaussianThreshold:         {[]string{"threshold_delta"}, []string{"l0", "linf", "sigma", "epsilon", "noise_delta"}},
	PartitionSelection:        {[]string{"epsilon", "delta"}, []string{"l0"}},
}

// Kinds lists every kind, sorted.
func Kinds() []Kind {
	var all []Kind
	for k := range shapes {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// Check refuses a mechanism whose parameters are missing, out of range or not its own, with an [*Error] that names the member.
func (m Mechanism) Check() error { return m.check("") }

// check leaves out that the member called free must be there: a question may ask for it.
func (m Mechanism) check(free string) error {
	s, ok := shapes[m.Kind]
	if !ok {
		return refuse("mech", "must be one of the known mechanisms")
	}
	for _, p := range parameters {
		x := p.get(&m)
		needed := slices.Contains(s.needs, p.name)
		switch {
		case x == 0 && needed && p.name != free:
			return refuse(p.name, p.rule)
		case x == 0:
			continue
		case !needed && p.name != "count" && !slices.Contains(s.may, p.name):
			return refuse(p.name, "is not a parameter of this mechanism")
		case !p.ok(x):
			return refuse(p.name, p.rule)
		}
	}
	return m.checkMore()
}

func (m Mechanism) checkMore() error {
	switch m.Kind {
	case DiscreteGaussian, DiscreteLaplace:
		if s := m.sensitivity(); s != math.Trunc(s) {
			return refuse("sensitivity", "must be an integer where the noise is one")
		}
	case GaussianThreshold:
		if (m.Sigma == 0) == (m.Epsilon == 0) || (m.Epsilon == 0) != (m.NoiseDelta == 0) {
			return refuse("sigma", "must be given, or epsilon and noise_delta instead of it")
		}
	}
	return nil
}

func (m Mechanism) sensitivity() float64 { return orOne(m.Sensitivity) }
func (m Mechanism) linf() float64        { return orOne(m.Linf) }
func (m Mechanism) l0() int64            { return max(m.L0, 1) }
func (m Mechanism) count() int64         { return max(m.Count, 1) }

func orOne(x float64) float64 {
	if x == 0 {
		return 1
	}
	return x
}

// checkAll checks a list of mechanisms; the member of the error begins with its place.
func checkAll(spec []Mechanism) error {
	if len(spec) == 0 {
		return refuse("spec", "must name at least one mechanism")
	}
	for i, m := range spec {
		if err := m.Check(); err != nil {
			return at(i, err)
		}
	}
	return nil
}

// at puts the place in spec before the member of an error.
func at(i int, err error) error {
	if e, ok := err.(*Error); ok {
		return &Error{Member: "spec[" + strconv.Itoa(i) + "]." + e.Member, Rule: e.Rule, cause: e.cause}
	}
	return err
}
