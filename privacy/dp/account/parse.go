package account

import (
	"encoding/json"
	"slices"
	"strings"
)

// ParseMechanism reads a mechanism as a person writes it, its kind and then its parameters, "gaussian sigma=10 sensitivity=2 count=5", or its
// JSON form. A parameter may be left out if it is called free. It returns an [*Error] that names the member at fault.
func ParseMechanism(s, free string) (Mechanism, error) {
	var m Mechanism
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		if err := m.UnmarshalJSON([]byte(s)); err != nil {
			return Mechanism{}, err
		}
		return m, m.check(free)
	}
	words := strings.Fields(s)
	if len(words) == 0 {
		return Mechanism{}, refuse("mech", "must be one of the known mechanisms")
	}
	m.Kind = Kind(words[0])
	if k, ok := aliases[words[0]]; ok {
		m.Kind = k
	}
	var seen []string
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return Mechanism{}, refuse(shown(w), "must be of the form name=number")
		}
		if slices.Contains(seen, name) {
			return Mechanism{}, refuse(shown(name), "must not be there twice")
		}
		seen = append(seen, name)
		if !json.Valid([]byte(value)) || name == "mech" {
			return Mechanism{}, refuse(shown(name), "must be a number")
		}
		if err := m.set(member{name, json.RawMessage(value)}); err != nil {
			return Mechanism{}, err
		}
	}
	if err := m.check(free); err != nil {
		return Mechanism{}, err
	}
	return m, nil
}
