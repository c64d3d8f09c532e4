package api

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Described is what a metric says of itself.
type Described struct {
	Name, Help string
	Type       string // counter, gauge or histogram
	Labels     []string
}

// description is how the client library writes one; it has no other way to ask.
var description = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)", unit: "[^"]*", constLabels: \{[^}]*\}, variableLabels: \{([^}]*)\}`)

// Described are all metrics of the gateway's own, those without a number yet too, by name.
func (m *Metrics) Described() (all []Described) {
	types := map[string]string{}
	families, _ := m.registry.Gather() // what cannot be read now has a name all the same
	for _, f := range families {
		types[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc, 16)
	go func() { m.registry.Describe(descs); close(descs) }()
	for d := range descs {
		got := description.FindStringSubmatch(d.String())
		if got == nil || !strings.HasPrefix(got[1], "scrim_") {
			continue
		}
		one := Described{Name: got[1], Help: got[2]}
		if got[3] != "" {
			one.Labels = strings.Split(got[3], ",")
		}
		if one.Type = types[one.Name]; one.Type == "" { // it has no number yet
			switch {
			case strings.HasSuffix(one.Name, "_total"):
				one.Type = "counter"
			case strings.HasSuffix(one.Name, "_seconds"):
				one.Type = "histogram"
			default:
				one.Type = "gauge"
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Described) int { return strings.Compare(a.Name, b.Name) })
	return all
}
