package release_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const contract = `apiVersion: v3.1.0
kind: DataContract
id: patients
version: 1.0.0
status: active
schema:
  - name: patients
    properties:
      - {name: id, logicalType: string, customProperties: [{property: scrim.label, value: health/record-number}]}
      - {name: name, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]}
      - {name: born, logicalType: date, customProperties: [{property: scrim.label, value: person/birth-date}]}
      - {name: zip, logicalType: string, customProperties: [{property: scrim.label, value: location/postal}]}
      - {name: sex, logicalType: string, customProperties: [{property: scrim.label, value: person/gender}]}
      - {name: diagnosis, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}
      - {name: extra, logicalType: string}
  - name: weather
    properties:
      - {name: born, logicalType: string, classification: public}
      - {name: city, logicalType: string, classification: public}
  - name: trial
    customProperties: [{property: scrim.formal, value: true}]
    properties:
      - {name: sex, logicalType: string, customProperties: [{property: scrim.label, value: person/gender}]}
`

const labPolicy = `
	@id("lab-extract") @reason("protocol 7") @exception("ethics board") @retain("P365D")
	permit (principal in Role::"research", action == Action::"extract", resource == Dataset::"patients")
	when { context.purpose in Purpose::"research" && context.k >= 5 && context.l >= 2 };
	@id("weather") permit (principal, action == Action::"extract", resource == Dataset::"weather");
	@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
	@id("join") @token("oneway") @exception("joins visits") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"health/record-number");
	@id("month") @generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");`

type rig struct {
	office *release.Office
	snap   *gateway.Snapshot
	db     store.DB
	log    *audit.Log
	keys   *vault.Keyring
	dir    string
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir, policies string) *rig {
	t.Helper()
	ctx := context.Background()
	r := &rig{dir: dir}
	var err error
	r.db, err = storetest.Try(t, filepath.Join(dir, "data"), store.Options{}, audit.Schema(), vault.Schema(), gateway.Schema(), release.Schema())
	must(t, err)
	r.keys, err = vault.OpenKeyring(ctx, filepath.Join(dir, "keyset.json"), nil)
	must(t, err)
	r.log, err = audit.Open(ctx, r.db, "scrim.dev/log/hospital", r.keys.Signer("log"), audit.Options{Dir: filepath.Join(dir, "log"), MergeDelay: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(r.log.Close(ctx), r.db.Close())) })
	tax := flow.DefaultTaxonomy()
	c, err := catalog.ParseContract("patients.yaml", []byte(contract), tax)
	must(t, err)
	lab := flow.Party{Agent: "study", Domain: "lab", Roles: []flow.Role{"research"}}
	other := flow.Party{Agent: "claims", Domain: "insurer"}
	ents := policy.Entities{Agents: []flow.Party{lab, other}, Purposes: map[flow.Purpose][]flow.Purpose{"research": nil, "billing": nil}}
	for _, f := range c.Fields() {
		ents.Fields = append(ents.Fields, policy.Field{Name: f.Name, Dataset: f.Dataset, Label: f.Label})
	}
	for _, d := range c.Datasets {
		ents.Datasets = append(ents.Datasets, policy.Dataset{Name: d.Name, Formal: d.Formal})
	}
	set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(policies)}}, policy.Options{Entities: ents})
	must(t, err)
	r.snap = &gateway.Snapshot{
		Domain: "hospital", Taxonomy: tax, Policy: set, Catalog: catalog.New(nil, []*catalog.Contract{c}), ConfigHash: "config",
		Agents: map[flow.AgentID]*gateway.Agent{"study": {Party: lab}, "claims": {Party: other}},
	}
	r.office = &release.Office{DB: r.db, Journal: r.log, Seal: r.keys.AEAD("journal"), Secrets: r.keys.AEAD("release"), Signer: r.keys.Signer("log")}
	return r
}

// events are the rows of the journal.
func (r *rig) events(t testing.TB) (all []flow.Event) {
	t.Helper()
	for e, err := range audit.Entries(context.Background(), r.db, audit.Query{}) {
		must(t, err)
		all = append(all, e.Event)
	}
	return all
}

func outcomes(all []flow.Event) string {
	var words []string
	for _, ev := range all {
		words = append(words, string(ev.Outcome))
	}
	return strings.Join(words, " ")
}

var toLab = release.Order{Dataset: "patients", To: "study", Purpose: "research", Criticality: flow.Routine}

// columns of a good plan.
func columns() []release.Column {
	return []release.Column{
		{Name: "born", Role: release.Quasi, Least: 1},
		{Name: "zip", Role: release.Quasi},
		{Name: "sex", Role: release.Quasi},
		{Name: "diagnosis", Role: release.Sensitive, Says: deidentify.Keep().Says()},
	}
}

const written = "1950-1959,46***,f,J45\n"

// file is a job that writes a text to a file as tables are written: under a passing name first.
func (r *rig) file(cols []release.Column, steps func(string)) release.Job {
	name := filepath.Join(r.dir, "extract.csv")
	step := func(s string) {
		if steps != nil {
			steps(s)
		}
	}
	return release.Job{
		Plan: "plan-1", Columns: cols, Model: policy.Model{K: 5, L: 2}, Source: "patients.csv", Target: name,
		Run: func(_ context.Context, before func(release.Outcome) error) error {
			if _, err := os.Stat(name); err == nil {
				return table.ErrExists
			}
			step("opened")
			if err := os.WriteFile(name+".part", []byte(written), 0o600); err != nil {
				return err
			}
			step("written")
			out := outcome()
			if err := before(out); err != nil {
				return err
			}
			step("closed")
			if err := os.Rename(name+".part", name); err != nil {
				return err
			}
			step("renamed")
			return nil
		},
		Beside: func(suffix string, content []byte) error {
			step("beside " + suffix)
			return os.WriteFile(name+suffix, content, 0o600)
		},
	}
}

func outcome() release.Outcome {
	return release.Outcome{
		Plan: "plan-1", Fingerprint: "sha256:secret-fingerprint", Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(written))), In: 10, Out: 9, Suppressed: 1,
		Model: policy.Model{K: 6, L: 2, Risk: 167}, Levels: map[string]int{"born": 4, "zip": 3, "sex": 0},
	}
}

func (r *rig) has(t testing.TB, suffix string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(r.dir, "extract.csv"+suffix))
	return err == nil
}

func (r *rig) read(t testing.TB, suffix string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "extract.csv"+suffix))
	must(t, err)
	return b
}

func (r *rig) key() string {
	return release.VerifierKey("hospital", r.keys.Signer("log").Public().(ed25519.PublicKey))
}

// brief is what stands somewhere in digests, signatures and times by chance, so that it tells something by itself alone.
var brief = regexp.MustCompile(`^[0-9A-Z]{1,5}$`)

func contains(t testing.TB, where string, b []byte, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		word := regexp.QuoteMeta(s)
		if brief.MatchString(s) {
			word = `(^|[^\w+/])` + word + `($|[^\w+/])`
		}
		if regexp.MustCompile(word).Match(b) {
			t.Errorf("%s holds %q", where, s)
		}
	}
}
