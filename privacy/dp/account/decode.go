package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// member is one of an object, in its order.
type member struct {
	name string
	raw  json.RawMessage
}

// members reads an object and refuses one that says a member twice.
func members(raw []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, refuse("", "must be a JSON object")
	}
	var all []member
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, refuse("", "must be a JSON object")
		}
		if slices.ContainsFunc(all, func(m member) bool { return m.name == name }) {
			return nil, refuse(shown(name), "must not be there twice")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, refuse(shown(name), "must be JSON")
		}
		all = append(all, member{name, v})
	}
	if _, err := d.Token(); err != nil {
		return nil, refuse("", "must be a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse("", "must be one JSON object")
	}
	return all, nil
}

// shown is the name of a member where it is a plain word, so that an error repeats nothing else.
func shown(name string) string {
	if len(name) > 40 || name == "" {
		return "a member"
	}
	for _, c := range name {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return "a member"
		}
	}
	return name
}

// number reads a finite JSON number. Those too small for a float64 are refused as well as those too large: 0 is never meant by them.
func number(name string, raw json.RawMessage) (float64, error) {
	s := string(bytes.TrimSpace(raw))
	if s == "" || s[0] == '"' || s[0] == '{' || s[0] == '[' || s == "null" || s == "true" || s == "false" || len(s) > 400 {
		return 0, refuse(name, "must be a number")
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, refuse(name, "must be a finite number")
	}
	if x == 0 && strings.ContainsAny(strings.FieldsFunc(s, func(c rune) bool { return c == 'e' || c == 'E' })[0], "123456789") {
		return 0, refuse(name, "must not be so close to 0")
	}
	return x, nil
}

// integer reads a number that is a whole one.
func integer(name string, raw json.RawMessage) (int64, error) {
	x, err := number(name, raw)
	if err != nil {
		return 0, err
	}
	if x != math.Trunc(x) || math.Abs(x) > 1e15 {
		return 0, refuse(name, "must be an integer, and not absurdly large")
	}
	return int64(x), nil
}

func text(name string, raw json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || len(s) > 10_000 {
		return "", refuse(name, "must be a text")
	}
	return s, nil
}

// remarks are members of a mechanism or an input that say what is so anyway.
var remarks = []string{"pmf", "note", "name", "comment"}

// aliases are other names of kinds.
var aliases = map[string]Kind{
	"approx_dp": EpsilonDelta, "approximate_dp": EpsilonDelta, "pure_dp": Pure, "pure_epsilon": Pure, "epsilon_dp": Pure,
	"geometric": DiscreteLaplace, "randomized_response": RandomizedResponse, "subsampled_gaussian": PoissonSubsampledGaussian,
}

// UnmarshalJSON reads an element of spec. It refuses members that it does not know, members that are there twice, and numbers that
// are given and out of range, zero included: with an [*Error] that names the member. Whether what is needed is there, [Mechanism.Check] says.
func (m *Mechanism) UnmarshalJSON(raw []byte) error {
	all, err := members(raw)
	if err != nil {
		return err
	}
	*m = Mechanism{}
	if i := slices.IndexFunc(all, func(x member) bool { return x.name == "mech" }); i > 0 {
		all[0], all[i] = all[i], all[0] // the kind decides about others
	}
	for _, x := range all {
		if err := m.set(x); err != nil {
			*m = Mechanism{}
			return err
		}
	}
	if _, ok := shapes[m.Kind]; !ok {
		*m = Mechanism{}
		return refuse("mech", "must be one of the known mechanisms")
	}
	return nil
}

func (m *Mechanism) set(x member) (err error) {
	floats := map[string]*float64{
		"sigma": &m.Sigma, "scale": &m.Scale, "a": &m.A, "sensitivity": &m.Sensitivity, "q": &m.Q, "epsilon": &m.Epsilon, "delta": &m.Delta,
		"noise_parameter": &m.NoiseParameter, "rho": &m.Rho, "mu": &m.Mu, "linf": &m.Linf, "noise_delta": &m.NoiseDelta, "threshold_delta": &m.ThresholdDelta,
	}
	ints := map[string]*int64{"num_buckets": &m.NumBuckets, "l0": &m.L0, "count": &m.Count}
	switch {
	case x.name == "mech":
		s, err := text("mech", x.raw)
		if m.Kind = Kind(s); aliases[s] != "" {
			m.Kind = aliases[s]
		}
		return err
	case slices.Contains(remarks, x.name):
		_, err = text(x.name, x.raw)
		return err
	case slices.Contains(relations, x.name):
		s, err := text(x.name, x.raw)
		if err == nil {
			err = m.relate(x.name, s)
		}
		return err
	case floats[x.name] != nil:
		if *floats[x.name], err = number(x.name, x.raw); err != nil {
			return err
		}
	case ints[x.name] != nil:
		if *ints[x.name], err = integer(x.name, x.raw); err != nil {
			return err
		}
	default:
		return refuse(shown(x.name), "is no parameter of any mechanism")
	}
	for _, p := range parameters {
		if p.name == x.name && !p.ok(p.get(m)) {
			return refuse(p.name, p.rule)
		}
	}
	return nil
}

// relations are members that say what makes two data sets neighbours.
var relations = []string{"neighboring", "neighbouring", "neighboring_relation"}

// relate refuses a relation of neighbours that the formulas of the mechanism are not about. Where a sensitivity says how far a neighbour moves
// the query, it does not matter how; sampling is about adding or removing a unit, and randomised response about replacing one.
func (m *Mechanism) relate(name, relation string) error {
	relation = strings.ToLower(relation)
	replace := strings.Contains(relation, "replace") || strings.Contains(relation, "substitut")
	add := strings.Contains(relation, "add") || strings.Contains(relation, "remove")
	switch {
	case replace == add:
		return refuse(name, "must be add_remove or replace_one")
	case replace && m.Kind == PoissonSubsampledGaussian, add && m.Kind == RandomizedResponse:
		return unsupported(name, "is not the one that this mechanism is understood for")
	}
	return nil
}
