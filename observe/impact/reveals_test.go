package impact_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/observe/impact"
)

const contract = `apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
customProperties:
  - {property: scrim.purposes, value: [care, payment]}
schema:
  - name: visits
    description: Visits
    customProperties:
      - {property: scrim.budget, value: {epsilon: 3, delta: 0.000001}}
    properties:
      - {name: day, logicalType: date, customProperties: [{property: scrim.label, value: health/visit-date}, {property: scrim.retention, value: 30d}]}
      - {name: code, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}
`

// Of contracts and settings, what is on no list counts as revealing.
func TestRevealsOfContractsAndSettings(t *testing.T) {
	s := set(t, nil, rules)
	with := func(text string, change func(map[string]string)) impact.Side {
		t.Helper()
		k, err := catalog.ParseContract("c.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]string{
			"domain": "hospital", "mode": "learn", "listen": "127.0.0.1:7070", "datasets/visits/epsilon": "3", "datasets/visits/delta": "1e-6", "retention/exposure": "720h0m0s",
			"purposes/care/title": "Care", "log/level": "info", "exposure/k": "5",
		}
		if change != nil {
			change(settings)
		}
		return impact.Side{Policy: s, Catalog: catalog.New(nil, []*catalog.Contract{k}), Settings: settings}
	}
	old := with(contract, nil)
	contracts := func(from, to string) impact.Side {
		if !strings.Contains(contract, from) {
			t.Fatalf("%q is not in the contract", from)
		}
		return with(strings.Replace(contract, from, to, 1), nil)
	}
	setting := func(path, value string) impact.Side {
		return with(contract, func(m map[string]string) {
			maps.DeleteFunc(m, func(p, _ string) bool { return p == path && value == "" })
			if value != "" {
				m[path] = value
			}
		})
	}
	for name, next := range map[string]impact.Side{
		"nothing": old, "another version": contracts("1.0.0", "1.1.0"), "other words": contracts("description: Visits", "description: What patients came for"),
		"fewer purposes": contracts("[care, payment]", "[care]"), "a shorter time": contracts("30d", "7d"), "a smaller budget": contracts("epsilon: 3", "epsilon: 2"),
		"enforcing": setting("mode", "enforce"), "a smaller ε": setting("datasets/visits/epsilon", "2.5"), "a smaller δ": setting("datasets/visits/delta", "0.0000005"),
		"a longer memory": setting("retention/exposure", "800h0m0s"), "a title": setting("purposes/care/title", "Treatment"), "the gateway's own log": setting("log/level", "debug"),
	} {
		if reveals, why := impact.Reveals(old, next); reveals || len(why) > 0 {
			t.Errorf("%s: Reveals() = %v, %q", name, reveals, why)
		}
	}
	none := contracts("id: visits", "id: other")
	for name, next := range map[string]impact.Side{
		"more purposes": contracts("[care, payment]", "[care, payment, research]"), "all purposes": contracts("customProperties:\n  - {property: scrim.purposes, value: [care, payment]}\n", ""), "a longer time": contracts("30d", "31d"),
		"a larger budget": contracts("epsilon: 3", "epsilon: 4"), "another contract": none, "another status": contracts("status: active", "status: draft"),
		"a field less": contracts("      - {name: code, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}\n", ""),
		"a type":       contracts("name: code, logicalType: string", "name: code, logicalType: integer"), "no contract": {Policy: s, Settings: old.Settings},
		"learning from enforcing": setting("mode", ""), "a larger ε": setting("datasets/visits/epsilon", "3.1"), "no ε": setting("datasets/visits/epsilon", ""),
		"another dataset": setting("datasets/more/epsilon", "1"), "a shorter memory": setting("retention/exposure", "700h0m0s"), "an address": setting("listen", "0.0.0.0:7070"),
		"exposure": setting("exposure/k", "6"), "what nobody thought of": setting("x/y", "1"), "settings that are not known": {Policy: s, Catalog: old.Catalog},
	} {
		if reveals, why := impact.Reveals(old, next); !reveals || len(why) == 0 {
			t.Errorf("%s: Reveals() = %v, %q", name, reveals, why)
		}
	}
}
