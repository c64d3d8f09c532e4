package account

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Answer is what a [Row] asked for.
type Answer struct {
	ID     string
	Values []float64 // one value, or one for each order
	List   bool      // whether the value is a list
	Whole  bool      // whether the value is a count
	By     string    // the method, as docs/spec/dp-accounting.md lists them
}

// MarshalJSON writes id, value and by.
func (a Answer) MarshalJSON() ([]byte, error) {
	var value any = a.Values
	switch {
	case a.List:
	case a.Whole:
		value = int64(a.Values[0])
	default:
		value = a.Values[0]
	}
	return json.Marshal(struct {
		ID    string `json:"id"`
		Value any    `json:"value"`
		By    string `json:"by"`
	}{a.ID, value, a.By})
}

// Answer answers the row. It returns an [*Error] that names the member at fault, and one that is [ErrUnsupported] where the question is well
// formed but no sound answer is known.
func (r Row) Answer() (Answer, error) {
	if len(r.Spec) == 0 {
		return Answer{}, refuse("spec", "must name at least one mechanism")
	}
	if r.relation != "" {
		for i := range r.Spec {
			if err := r.Spec[i].relate("neighboring", r.relation); err != nil {
				return Answer{}, err
			}
		}
	}
	if r.Quantity == "rdp" {
		return r.rdp()
	}
	value, by, err := r.value()
	if err != nil {
		return Answer{}, err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return Answer{}, unsupported("quantity", "has no finite value")
	}
	return Answer{ID: r.ID, Values: []float64{value}, By: by, Whole: r.Quantity == "max_count"}, nil
}

func (r Row) value() (float64, string, error) {
	switch r.Quantity {
	case "epsilon":
		if r.lacks("epsilon") {
			return r.calibrate("epsilon")
		}
		return r.epsilon()
	case "pure_epsilon":
		return r.pure()
	case "per_query_epsilon":
		return r.calibrate("epsilon")
	case "delta":
		return r.delta()
	case "threshold_delta":
		return r.thresholdDelta()
	case "threshold":
		return r.threshold()
	case "keep_probability":
		return r.keepProbability()
	case "max_count":
		return r.maxCount()
	case "rho", "mu":
		if !r.lacks(r.Quantity) {
			return r.sum()
		}
		return r.calibrate(r.Quantity)
	case "noise_multiplier":
		s, by, err := r.calibrate("sigma")
		return s / r.Spec[0].sensitivity(), by, err
	case "sigma", "scale", "a", "noise_parameter", "q":
		return r.calibrate(r.Quantity)
	}
	return 0, "", refuse("quantity", "must be one that docs/spec/dp-accounting.md lists")
}

// lacks says whether a mechanism of the row needs that member and does not have it.
func (r Row) lacks(name string) bool {
	for i := range r.Spec {
		if r.Spec[i].lacks(name) {
			return true
		}
	}
	return false
}

func (m *Mechanism) lacks(name string) bool {
	if !slices.Contains(shapes[m.Kind].needs, name) {
		return false
	}
	for _, p := range parameters {
		if p.name == name {
			return p.get(m) == 0
		}
	}
	return false
}

func (r Row) rdp() (Answer, error) {
	spec, err := prepared(r.Spec)
	if err != nil {
		return Answer{}, err
	}
	orders, list := r.Input.Orders, true
	if orders == nil && r.Input.Order != 0 {
		orders, list = []float64{r.Input.Order}, false
	}
	if orders == nil {
		return Answer{}, refuse("input.orders", "must be given")
	}
	c := curveOf(spec)
	if c.keep != 0 {
		return Answer{}, unsupported("spec", "has a δ, beside which there is no Rényi divergence alone")
	}
	a := Answer{ID: r.ID, List: list, By: "rdp"}
	for _, order := range orders {
		x := c.named(order)
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return Answer{}, unsupported("input.orders", "has an order without a finite divergence")
		}
		a.Values = append(a.Values, x)
	}
	return a, nil
}

func (r Row) epsilon() (float64, string, error) {
	if r.Input.Delta == nil {
		return 0, "", refuse("input.delta", "must be given")
	}
	if r.Input.Orders == nil {
		return Epsilon(r.Spec, *r.Input.Delta)
	}
	spec, err := prepared(r.Spec)
	if err != nil {
		return 0, "", err
	}
	e, _ := curveOf(spec).epsilon(*r.Input.Delta, r.Input.Orders)
	return e, "rdp: orders", nil
}

func (r Row) pure() (float64, string, error) {
	spec, err := prepared(r.Spec)
	if err != nil {
		return 0, "", err
	}
	if c := curveOf(spec); c.keep != 0 {
		return 0, "", unsupported("spec", "has a mechanism with a δ")
	}
	return pureSum(spec), "exact: pure", nil
}

func (r Row) delta() (float64, string, error) {
	if r.Input.Threshold != nil {
		return r.thresholdDelta()
	}
	if r.Input.Epsilon == nil {
		return 0, "", refuse("input.epsilon", "must be given")
	}
	if r.Input.Orders == nil {
		return Delta(r.Spec, *r.Input.Epsilon)
	}
	spec, err := prepared(r.Spec)
	if err != nil {
		return 0, "", err
	}
	d, _ := curveOf(spec).delta(*r.Input.Epsilon, r.Input.Orders)
	return d, "rdp: orders", nil
}

// sum is ρ, or μ of Gaussian noise.
func (r Row) sum() (float64, string, error) {
	spec, err := prepared(r.Spec)
	if err != nil {
		return 0, "", err
	}
	rho, gaussian := ratInt(0), true
	for i := range spec {
		rho.Add(rho, mul(spec[i].rhoExact(), ratInt(spec[i].count())))
		gaussian = gaussian && spec[i].gaussian()
	}
	switch {
	case curveOf(spec).keep != 0:
		return 0, "", unsupported("spec", "has a mechanism with a δ")
	case r.Quantity == "rho":
		return floatUp(rho), "zcdp", nil
	case !gaussian:
		return 0, "", unsupported("spec", "must be Gaussian noise alone")
	}
	return up(math.Sqrt(floatUp(mul(rho, ratInt(2))))), "gdp", nil
}

// thresholding is the one mechanism of a row about thresholds, with the member that the question is about left out.
func (r Row) thresholding() (Mechanism, error) {
	if len(r.Spec) != 1 {
		return Mechanism{}, refuse("spec", "must be one mechanism for this quantity")
	}
	m, free := r.Spec[0], "delta"
	switch m.Kind {
	case LaplaceThreshold:
	case GaussianThreshold:
		free = "threshold_delta"
	default:
		return Mechanism{}, refuse("spec[0].mech", "must be a threshold for this quantity")
	}
	if err := m.check(free); err != nil {
		return Mechanism{}, at(0, err)
	}
	return m.withSigma(), nil
}

func (r Row) threshold() (float64, string, error) {
	m, err := r.thresholding()
	if err != nil {
		return 0, "", err
	}
	var d float64
	for _, given := range []*float64{r.Input.ThresholdDelta, r.Input.Delta, &m.ThresholdDelta, &m.Delta} {
		if given != nil && *given > 0 {
			d = *given
			break
		}
	}
	if d == 0 {
		return 0, "", refuse("input.threshold_delta", "must be given and above 0")
	}
	if m.Kind == LaplaceThreshold {
		return laplaceThreshold(m.l0(), m.linf(), m.Epsilon, d), "exact: laplace threshold", nil
	}
	return gaussianThreshold(m.l0(), m.linf(), m.Sigma, d), "exact: gaussian threshold", nil
}

func (r Row) thresholdDelta() (float64, string, error) {
	m, err := r.thresholding()
	if err != nil {
		return 0, "", err
	}
	if r.Input.Threshold == nil {
		return 0, "", refuse("input.threshold", "must be given")
	}
	if m.Kind == LaplaceThreshold {
		return laplaceThresholdDelta(m.l0(), m.linf(), m.Epsilon, *r.Input.Threshold), "exact: laplace threshold", nil
	}
	d := gaussianThresholdDelta(m.l0(), m.linf(), m.Sigma, *r.Input.Threshold)
	if r.Quantity == "delta" {
		d = math.Min(1, d+r.Spec[0].NoiseDelta)
	}
	return d, "exact: gaussian threshold", nil
}

func (r Row) keepProbability() (float64, string, error) {
	if len(r.Spec) != 1 || r.Spec[0].Kind != PartitionSelection {
		return 0, "", refuse("spec", "must be one partition selection for this quantity")
	}
	m := r.Spec[0]
	if err := m.Check(); err != nil {
		return 0, "", at(0, err)
	}
	return keepProbability(r.Input.Units, m.l0(), m.Epsilon, m.Delta), "exact: partition selection", nil
}

func (r Row) maxCount() (float64, string, error) {
	f := r.Input.Filter
	if f == "" {
		// A row without the member may name its filter in its id: filter_NAME_….
		if rest, ok := strings.CutPrefix(r.ID, "filter_"); ok {
			name, _, _ := strings.Cut(rest, "_")
			f, _ = filterNamed(name)
		}
	}
	l := limit{orders: r.Input.Orders, prime: r.Input.DeltaPrime, rho: r.Input.Rho}
	if r.Input.Order != 0 {
		l.orders = []float64{r.Input.Order}
	}
	if l.rho != 0 {
		n, by, err := maxCount(r.Spec, FilterZCDP, l)
		return float64(n), by, err
	}
	if r.Input.Epsilon == nil {
		return 0, "", refuse("input.target_epsilon", "must be given")
	}
	l.epsilon = *r.Input.Epsilon
	if r.Input.Delta != nil {
		l.delta = *r.Input.Delta
	}
	n, by, err := maxCount(r.Spec, f, l)
	return float64(n), by, err
}
