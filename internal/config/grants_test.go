package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

const grantsHead = `version: 1
domain: hospital
purposes: {treatment: {}, billing: {}}
agents:
  - {id: intake, purposes: [treatment]}
  - {id: prior-auth, domain: insurer, a2a: {url: "http://127.0.0.1:9"}}
capabilities:
  grants:
`

// grantsOf reads a file beside an empty directory of policies.
func grantsOf(t *testing.T, text string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Parse("scrim.yaml", []byte(text), dir)
}

// A grant of the file is the capability that it says.
func TestGrantsOfTheFile(t *testing.T) {
	c, err := grantsOf(t, grantsHead+`
    - name: prior-authorisation
      agents: [intake]
      recipients: [insurer/prior-auth]
      purposes: [treatment]
      criticality: routine
      levels: {person: tokenized, "*": masked}
      datasets: [{name: encounters, columns: [age, zip]}, {name: wards}]
      tools:
        - name: prior-auth/decide
          arguments: [{name: region, one_of: [north, south]}, {name: days, max: 30, optional: true}, {name: note, any: true}]
      uses: 5
      epsilon: 0.25
      delta: 0.000000000001
      counted: insurer
`)
	if err != nil {
		t.Fatal(err)
	}
	g := c.Capabilities.Grants[0].Terms(c.Domain)
	if g.Cost == nil || *g.Cost != (flow.Cost{EpsilonNano: 250_000_000, DeltaPico: 1}) || *g.Uses != 5 || g.Counted != "insurer" {
		t.Errorf("cost %v, uses %v counted at %q, want ε 0.25, δ 10⁻¹², 5 at insurer", g.Cost, g.Uses, g.Counted)
	}
	if len(g.Via) != 1 || g.Via[0] != "hospital" || g.MaxDepth != 3 {
		t.Errorf("via %v depth %d, want hospital and 3", g.Via, g.MaxDepth)
	}
	if cols, ok := g.Datasets["wards"]; !ok || cols != nil || len(g.Datasets["encounters"]) != 2 {
		t.Errorf("datasets %v, want all of wards and two columns of encounters", g.Datasets)
	}
	args := g.Tools["prior-auth/decide"]
	if args["region"].Kind != capability.Among || !args["days"].Optional || args["note"].Kind != capability.Wildcard || len(args) != 3 {
		t.Errorf("arguments %v", args)
	}
	if g.Levels["*"] != flow.Masked || g.Levels["person"] != flow.Tokenized {
		t.Errorf("levels %v", g.Levels)
	}
}

// Mistakes in grants are told with their place.
func TestMistakesInGrants(t *testing.T) {
	for want, grant := range map[string]string{
		"no agent of this domain":   `{name: a, agents: [prior-auth]}`,
		"need a domain that counts": `{name: a, agents: [intake], uses: 3}`,
		"delta needs epsilon":       `{name: a, agents: [intake], delta: 0.1, counted: insurer}`,
		"exactly one of equal":      `{name: a, agents: [intake], tools: [{name: prior-auth/x, arguments: [{name: n, min: 1, prefix: a}]}]}`,
		"decimal number":            `{name: a, agents: [intake], epsilon: -1, counted: insurer}`,
		"not a label":               `{name: a, agents: [intake], levels: {"Person!": raw}}`,
		"level is not one of":       `{name: a, agents: [intake], levels: {person: secret}}`,
		"recipients":                `{name: a, agents: [intake], recipients: [insurer]}`,
		"the name is used twice":    "{name: a, agents: [intake]}\n    - {name: a, agents: [intake]}",
		"it must be at least 0":     `{name: a, agents: [intake], uses: -1, counted: insurer}`,
		"it must be at most 8":      `{name: a, agents: [intake], depth: 9}`,
		"agents is missing":         `{name: a}`,
	} {
		_, err := grantsOf(t, grantsHead+"    - "+grant+"\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", grant, err, want)
		}
	}
}
