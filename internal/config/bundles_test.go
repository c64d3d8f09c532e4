package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
)

const heldContract = `apiVersion: v3.1.0
kind: DataContract
id: claims
version: 1.0.0
status: active
schema:
  - name: claims
    properties:
      - name: note
        logicalType: string
        customProperties: [{property: scrim.label, value: health/note}]
      - name: loose
        logicalType: string
`

func loadWith(t *testing.T, files map[string]string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Load(filepath.Join(dir, "scrim.yaml"))
}

const withDefaults = `version: 1
domain: hospital.example
purposes: {care: {}, billing: {}}
roles: {clinician: {}, clerk: {}}
contracts: [claims.yaml]
defaults:
  agents: {roles: [clinician], purposes: [care], default_purpose: care, criticality: low, capability: required, limits: {rate: 5, body: 1KiB}}
  datasets: {epsilon: 2, delta: 1e-6, pad: 3s, formal: false, unit: patient, labels: [health], purposes: [care], techniques: [aggregate], retain: 30d}
agents:
  - id: fresh
  - {id: old, roles: [clerk], purposes: [billing], criticality: critical, limits: {rate: 9}}
  - {id: none, roles: [], purposes: []}
  - {id: theirs, domain: insurer.example}
datasets:
  new: {}
  kept: {epsilon: 1, pad: 1s, formal: true, unit: {name: visit}}
`

// TestWhatIsNotWrittenIsInherited looks at an agent and a dataset of which nothing is written, and at those that have words of their own.
func TestWhatIsNotWrittenIsInherited(t *testing.T) {
	c, err := loadWith(t, map[string]string{"scrim.yaml": withDefaults, "claims.yaml": heldContract})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[flow.AgentID]string{
		"fresh":  "[clinician] [care] care low required 5 1024",
		"old":    "[clerk] [billing] billing critical required 9 1024",
		"none":   "[] []  low required 5 1024",
		"theirs": "[] []  routine  0 0",
	} {
		a, _ := c.Agent(id)
		got := fmt.Sprintf("%v %v %s %s %s %d %d", a.Roles, a.Purposes, a.DefaultPurpose, a.Criticality, a.Capability, a.Limits.Rate, a.Limits.Body)
		if got != want {
			t.Errorf("%s has %s, want %s", id, got, want)
		}
	}
	for name, want := range map[string]string{"new": "2 1e-6 3s false patient", "kept": "1  1s true visit"} {
		d := c.Datasets[name]
		if got := fmt.Sprintf("%s %s %s %t %s", d.Epsilon, d.Delta, d.Pad, *d.Formal, d.Unit.Name); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	d, _ := c.contracted("claims")
	if g := d.Fields[0].Governance; !slices.Equal(g.Purposes, []flow.Purpose{"care"}) || !slices.Equal(g.Techniques, []string{"aggregate"}) || g.Retention != 30*24*time.Hour {
		t.Errorf("a field has %+v", g)
	}
	out := c.Outside()
	if len(out) != 1 || len(out[0].Datasets) != 1 || out[0].Datasets[0].Retain != 30*24*time.Hour || !slices.Equal(out[0].Datasets[0].Columns["loose"], []flow.Label{"health"}) || len(out[0].Datasets[0].Columns) != 1 {
		t.Errorf("limits by default: %+v", out)
	}
	told := map[string]string{}
	for _, in := range c.Inherited() {
		told[in.Place] = in.Value + " of " + in.From
	}
	for place, want := range map[string]string{
		"agents.fresh.roles": "clinician of defaults", "agents.fresh.capability": "required of defaults", "agents.old.limits.body": "1024 of defaults",
		"datasets.new.epsilon": "2 of defaults", "datasets.new.pad": "3s of defaults", "contracts.claims.purposes": "care of defaults",
	} {
		if told[place] != want {
			t.Errorf("%s is told as %q, want %q", place, told[place], want)
		}
	}
	for _, place := range []string{"agents.old.roles", "agents.none.roles", "agents.theirs.capability", "datasets.kept.epsilon"} {
		if _, ok := told[place]; ok {
			t.Errorf("%s is told as inherited", place)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func heldBundle() *bundle.Bundle {
	return &bundle.Bundle{
		Issuer: "insurer.example", Name: "baseline", Version: 3, Issued: time.Unix(1_800_000_000, 0), Expires: time.Unix(1_810_000_000, 0),
		Content: bundle.Content{
			Labels:   []bundle.Label{{Label: "health", Level: ptr(flow.Masked)}},
			Datasets: []bundle.Dataset{{Name: "kept", Epsilon: 500_000_000, Pad: 5 * time.Second}},
			Defaults: bundle.Defaults{Capability: true, Criticality: ptr(flow.Routine), Pad: 2 * time.Second, Epsilon: 1_500_000_000, Retain: time.Hour},
		},
	}
}

// TestABundleHoldsAConfiguration sees that what is looser becomes as strict as the bundle, and what is stricter stays.
func TestABundleHoldsAConfiguration(t *testing.T) {
	free, err := loadWith(t, map[string]string{"scrim.yaml": withDefaults, "claims.yaml": heldContract})
	if err != nil {
		t.Fatal(err)
	}
	c := free.HeldTo([]Held{{ID: "insurer.example/baseline", Bundle: heldBundle()}})
	if theirs, _ := c.Agent("theirs"); theirs.Capability != "required" {
		t.Error("an agent may call without a capability")
	}
	old, _ := c.Agent("old")
	fresh, _ := c.Agent("fresh")
	if old.Criticality != flow.Routine || fresh.Criticality != flow.Low {
		t.Errorf("criticality %s and %s, want routine and low", old.Criticality, fresh.Criticality)
	}
	if d := c.Datasets["kept"]; d.Epsilon.String() != "0.5" || nanoOf(d.Epsilon) != 500_000_000 || d.Pad != Duration(5*time.Second) {
		t.Errorf("kept has ε %s and pad %s", d.Epsilon, d.Pad)
	}
	if d := c.Datasets["new"]; d.Epsilon.String() != "1.5" || d.Pad != Duration(3*time.Second) {
		t.Errorf("new has ε %s and pad %s", d.Epsilon, d.Pad)
	}
	if c.Hash() == free.Hash() || len(c.Outside()) != 3 {
		t.Errorf("hash %s, %d limits", c.Hash(), len(c.Outside()))
	}
	if d := free.Datasets["kept"]; d.Epsilon.String() != "1" || free.Agents[3].Capability != "" || len(free.Outside()) != 1 {
		t.Error("the configuration itself was changed")
	}
	if again := c.HeldTo(nil); again != free {
		t.Error("what is not held is not the configuration of before")
	}
	late := free.HeldTo([]Held{{ID: "insurer.example/baseline", Late: ptr(bundle.Stop)}})
	if !slices.ContainsFunc(late.Outside(), func(o policy.Outside) bool { return strings.Contains(o.Forbid, "late") }) || late.Hash() == free.Hash() {
		t.Error("a bundle that is late holds nothing")
	}
}

// TestNoBundleLoosensAConfiguration draws what bundles might say, and looks at all that is not policy.
func TestNoBundleLoosensAConfiguration(t *testing.T) {
	free, err := loadWith(t, map[string]string{"scrim.yaml": withDefaults, "claims.yaml": heldContract})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(n int64) int64 { return r.Int64N(2) * r.Int64N(n) }
	narrowed := 0
	for range 500 {
		var held []Held
		for n := range 1 + r.IntN(3) {
			b := heldBundle()
			b.Name = fmt.Sprint("b", n)
			b.Defaults = bundle.Defaults{Capability: r.IntN(2) == 0, Epsilon: pick(4_000_000_000), Pad: time.Duration(pick(6000)) * time.Millisecond, Retain: time.Duration(pick(9000)) * time.Second}
			if r.IntN(2) == 0 {
				b.Defaults.Criticality = ptr(flow.Criticality(r.IntN(3)))
			}
			b.Datasets = []bundle.Dataset{{Name: []string{"new", "kept", "other"}[r.IntN(3)], Epsilon: pick(4_000_000_000), Pad: time.Duration(pick(6000)) * time.Millisecond}}
			held = append(held, Held{ID: b.ID(), Bundle: b})
		}
		c := free.HeldTo(held)
		for i, a := range c.Agents {
			before := free.Agents[i]
			if a.Criticality > before.Criticality || before.Capability != "" && a.Capability == "" || !slices.Equal(a.Roles, before.Roles) || !slices.Equal(a.Purposes, before.Purposes) {
				t.Fatalf("agent %s: %+v, before %+v", a.ID, a, before)
			}
		}
		for name, d := range c.Datasets {
			before := free.Datasets[name]
			if nanoOf(d.Epsilon) > nanoOf(before.Epsilon) || nanoOf(d.Epsilon) <= 0 || d.Delta != before.Delta || d.Pad < before.Pad || *d.Formal != *before.Formal {
				t.Fatalf("dataset %s: ε %s pad %s, before ε %s pad %s", name, d.Epsilon, d.Pad, before.Epsilon, before.Pad)
			}
			if d.Epsilon != before.Epsilon {
				narrowed++
			}
		}
	}
	if narrowed < 100 {
		t.Errorf("%d datasets were narrowed: too few to say anything", narrowed)
	}
}

func TestWhatIsPublished(t *testing.T) {
	text := strings.Replace(withDefaults, "agents:\n  - id", `publish:
  - name: baseline
    policies: [out/*.cedar]
    labels: {health: {level: generalized, retain: 30d}, person: {tier: restricted}}
    datasets: [claims]
    defaults: {capability: required, criticality: routine, epsilon: 1.5, pad: 2s}
    to: [insurer.example]
subscribe:
  - {domain: insurer.example, bundle: floor, late: dropped, max_age: 1h}
agents:
  - id`, 1)
	files := map[string]string{
		"scrim.yaml": text, "claims.yaml": heldContract,
		"out/a.cedar": "forbid (principal, action == Action::\"train\", resource);", "out/b.cedar": "// nothing\n\n",
	}
	c, err := loadWith(t, files)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := c.Content("baseline")
	if !ok || got.Policies != "forbid (principal, action == Action::\"train\", resource);\n// nothing\n" || len(got.Labels) != 2 || *got.Labels[0].Level != flow.Generalized ||
		len(got.Datasets) != 1 || len(got.Datasets[0].Columns) != 1 || got.Datasets[0].Columns[0].Name != "note" || got.Defaults.Epsilon != 1_500_000_000 || !got.Defaults.Capability {
		t.Errorf("content = %+v", got)
	}
	if s := c.Subscribe[0]; s.ID() != "insurer.example/floor" || s.Late != "dropped" || s.Every != Duration(5*time.Minute) {
		t.Errorf("subscription = %+v", s)
	}
	files["out/a.cedar"] = "forbid (principal, action == Action::\"match\", resource);"
	other, err := loadWith(t, files)
	if err != nil || other.Hash() == c.Hash() {
		t.Errorf("another text has the same hash: %v", err)
	}
}

func TestMistakesOfBundlesAndDefaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"publish: [{name: Base}]", "1:18: not the name of a bundle"},
		{"publish: [{name: a}, {name: a}]", "another bundle has the same name"},
		{"publish: [{name: a, datasets: [nothing]}]", "no data contract describes the dataset"},
		{"publish: [{name: a, policies: [none/*.cedar]}]", "no file matches"},
		{"publish: [{name: a, labels: {no/such: {level: raw}}}]", "no such class of data"},
		{"publish: [{name: a, labels: {health: {}}}]", "a member of the bundle is not as it has to be: labels"},
		{"publish: [{name: a, labels: {health: {level: naked}}}]", "level"},
		{"publish: [{name: a, life: 500d}]", "at most 366 days"},
		{"subscribe: [{domain: hospital.example, bundle: a}]", "does not subscribe to its own bundle"},
		{"subscribe: [{domain: b, bundle: a}, {domain: b, bundle: a}]", "listed twice"},
		{"subscribe: [{domain: b, bundle: a, late: open}]", "one of masked, dropped, stop is expected"},
		{"mode: learn\nsubscribe: [{domain: b, bundle: a}]", "learn mode enforces nothing"},
		{"defaults: {agents: {roles: [nobody]}}", "there is no role"},
		{"defaults: {agents: {purposes: [nothing]}}", "there is no purpose"},
		{"defaults: {datasets: {labels: [no/such]}}", "no such class of data"},
		{"defaults: {datasets: {techniques: [guess]}}", "not a technique"},
		{"defaults: {datasets: {delta: 1e-6}}", "delta goes with epsilon"},
	} {
		_, err := loadWith(t, map[string]string{"scrim.yaml": c.text + "\nversion: 1\ndomain: hospital.example\n"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q", c.text, err, c.want)
		}
	}
}

// TestADatasetWhoseValuesLeaveInMessagesIsPublished: what its contract lets leave otherwise is what the bundle limits; where that is nothing, no question is left.
func TestADatasetWhoseValuesLeaveInMessagesIsPublished(t *testing.T) {
	for said, want := range map[string][]string{"message, aggregate": {"aggregate", "message"}, "message": {"message"}} {
		contract := strings.Replace(heldContract, "  - name: claims\n", "  - name: claims\n    customProperties: [{property: scrim.techniques, value: ["+said+"]}]\n", 1)
		c, err := loadWith(t, map[string]string{
			"scrim.yaml": "version: 1\ndomain: hospital.example\ncontracts: [claims.yaml]\npublish: [{name: baseline, datasets: [claims]}]\n", "claims.yaml": contract,
		})
		if err != nil {
			t.Fatal(err)
		}
		content, _ := c.Content("baseline")
		if got := content.Datasets[0].Techniques; !slices.Equal(got, want) {
			t.Errorf("of %s, %v is published, want %v", said, got, want)
		}
	}
}
