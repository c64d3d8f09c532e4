package release_test

import (
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/vault"
)

// folder opens what plans refer to.
type folder string

func (f folder) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), name))
}
func (f folder) Table(name string) (table.Source, error) {
	return csv.File(filepath.Join(string(f), name), csv.Options{})
}

const labPlan = `version: 1
columns:
  born: {role: quasi, dates: [year, decade], least: 1}
  zip: {role: quasi, prefix: [5, 4, 3, 2]}
  sex: {role: quasi}
  diagnosis: {role: sensitive}
privacy:
  - {model: k-anonymity, k: 5}
  - {model: l-diversity, column: diagnosis, l: 2}
suppression: 20%
`

// patients are made up, the same at every run.
func patients(n int) [][]string {
	r := rand.New(rand.NewPCG(5, 5))
	rows := [][]string{{"id", "name", "born", "zip", "sex", "diagnosis"}}
	for i := range n {
		rows = append(rows, []string{
			fmt.Sprintf("MRN-%06d", i), fmt.Sprintf("Person%d Family%d", i, r.IntN(90)),
			fmt.Sprintf("%d-%02d-%02d", 1940+r.IntN(60), 1+r.IntN(12), 1+r.IntN(28)), fmt.Sprintf("021%02d", r.IntN(40)),
			[]string{"female", "male"}[r.IntN(2)], []string{"J45.0", "E11.9", "I10", "M54.5", "K21.9"}[r.IntN(5)],
		})
	}
	return rows
}

func (r *rig) write(t testing.TB, name string, rows [][]string) string {
	t.Helper()
	var b bytes.Buffer
	w := stdcsv.NewWriter(&b)
	must(t, w.WriteAll(rows))
	path := filepath.Join(r.dir, name)
	must(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// planned is a plan for a source, compiled for a recipient.
func (r *rig) planned(t testing.TB, src, text, to string, recipient flow.DomainID) *release.Planned {
	t.Helper()
	source, err := csv.File(src, csv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, source.Close()) })
	opened, err := source.Open(t.Context())
	must(t, err)
	columns := opened.Columns()
	must(t, opened.Close())
	p, err := plan.Parse("plan.yaml", []byte(text))
	must(t, err)
	v, err := vault.New(r.db, r.keys, vault.Options{Domain: "hospital"})
	must(t, err)
	keys := release.NewKeys(context.Background(), v, r.keys, r.snap.Taxonomy, recipient, "research")
	c, err := p.Compile(columns, keys, folder(r.dir))
	must(t, err)
	name := filepath.Join(r.dir, to)
	return &release.Planned{Plan: c, Source: source, Target: csv.Target(name, csv.Options{}), Keys: keys, Beside: release.BesideFile(name)}
}

func (r *rig) table(t testing.TB, name string) [][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	must(t, err)
	rows, err := stdcsv.NewReader(bytes.NewReader(b)).ReadAll()
	must(t, err)
	return rows
}

// fits reports whether what a release shows may stand for what an attacker knows.
func fits(shown, known string) bool {
	if strings.HasSuffix(shown, "s") { // a decade
		shown = shown[:3] + "*"
	}
	return shown == "*" || strings.HasPrefix(known, strings.TrimRight(shown, "*"))
}

// linked is for how many people exactly one row fits all that an attacker knows, and how many rows fit at least where any does.
func linked(people, rows [][]string, at []int) (found, fewest int) {
	fewest = len(rows)
	for _, p := range people {
		n := 0
		for _, row := range rows {
			all := true
			for i, col := range at {
				all = all && fits(row[col], p[i])
			}
			if all {
				n++
			}
		}
		if n == 1 {
			found++
		}
		if n > 0 {
			fewest = min(fewest, n)
		}
	}
	return found, fewest
}

func TestALinkageAttackSucceedsOnTheTableAndFailsOnTheRelease(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	raw := patients(400)
	p := r.planned(t, r.write(t, "patients.csv", raw), labPlan, "extract.csv", "lab")
	m, err := r.office.Release(t.Context(), r.snap, toLab, p.Job())
	must(t, err)
	var known [][]string
	for _, row := range raw[1:] {
		known = append(known, []string{row[2], row[3], row[4]})
	}
	found, _ := linked(known, raw[1:], []int{2, 3, 4})
	if found < 350 {
		t.Errorf("on the raw table the attack finds %d of 400, want nearly all: else it proves nothing below", found)
	}
	got := r.table(t, "extract.csv")
	if h := strings.Join(got[0], " "); h != "born zip sex diagnosis" {
		t.Fatalf("the release has columns %s", h)
	}
	found, fewest := linked(known, got[1:], []int{0, 1, 2})
	if found != 0 || fewest < 5 {
		t.Errorf("on the release the attack finds %d people, %d rows fit somebody; want none, and at least 5", found, fewest)
	}
	if m.Measured.K < 5 || m.Measured.Risk > 200 || m.Promised.L != 2 || m.Rows.Out != int64(len(got)-1) || m.Rows.Out < 320 {
		t.Errorf("the manifest says %+v, %+v of %d rows", m.Measured, m.Rows, len(got)-1)
	}
	must(t, m.Check(bytes.NewReader(r.read(t, ""))))
	for _, suffix := range []string{release.ManifestSuffix, release.LineageSuffix, release.RiskSuffix, release.RiskPageSuffix} {
		contains(t, suffix, r.read(t, suffix), "Person1", "MRN-", "02101", r.dir)
	}
	ev := r.events(t)[1]
	if ev.Table.In != 400 || ev.Table.Out != m.Rows.Out || ev.Table.In-ev.Table.Out != ev.Table.Suppressed || ev.Table.Plan != p.Plan.Hash() {
		t.Errorf("the journal has %+v", ev.Table)
	}
}

func TestTokensOfTwoReleasesDoNotJoin(t *testing.T) {
	both := labPolicy + `
		@id("claims") permit (principal == Agent::"claims", action == Action::"extract", resource == Dataset::"patients");`
	const text = "version: 1\ncolumns:\n  id: {technique: one-way, label: health/record-number}\n"
	r := open(t, t.TempDir(), both)
	src := r.write(t, "patients.csv", patients(50))
	seen := map[string]string{}
	for _, to := range []struct {
		file   string
		agent  flow.AgentID
		domain flow.DomainID
	}{{"a.csv", "claims", "insurer"}, {"b.csv", "claims", "insurer"}} {
		p := r.planned(t, src, text, to.file, to.domain)
		order := toLab
		order.To = to.agent
		_, err := r.office.Release(t.Context(), r.snap, order, p.Job())
		must(t, err)
		for _, row := range r.table(t, to.file)[1:] {
			seen[row[0]] += to.file
		}
	}
	if len(seen) != 50 {
		t.Fatalf("two releases to one recipient have %d tokens of 50 people: the test below would prove nothing", len(seen))
	}
	lab := strings.ReplaceAll(both, `principal == Agent::"claims"`, `principal == Agent::"study"`)
	s := open(t, t.TempDir(), lab)
	s.keys, s.office.Signer = r.keys, r.office.Signer // the same domain, with the same keys
	p := s.planned(t, src, text, "c.csv", "lab")
	_, err := s.office.Release(t.Context(), s.snap, toLab, p.Job())
	must(t, err)
	for _, row := range s.table(t, "c.csv")[1:] {
		if with := seen[row[0]]; with != "" {
			t.Fatalf("a token of the lab's is one of the insurer's, too (%s)", with)
		}
	}
}

// TestTokensOfAResumedReleaseOpen: a process that ends between a checkpoint and the end of the table has written what the tokens of the
// rows before the checkpoint need. Otherwise the resumed table had tokens that nobody opens, and two for one value.
func TestTokensOfAResumedReleaseOpen(t *testing.T) {
	r := open(t, t.TempDir(), `permit (principal == Agent::"claims", action == Action::"extract", resource == Dataset::"patients");
		@id("join") @token("reversible") @exception("joins visits") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"health/record-number");`)
	rows := patients(40_000)
	for i := range rows[1:] {
		rows[i+1][0] = fmt.Sprintf("MRN-%06d", i%1000) // the same ones on both sides of every checkpoint
	}
	src := r.write(t, "patients.csv", rows)
	const text = "version: 1\ncolumns:\n  id: {technique: token, label: health/record-number}\n"
	order := toLab
	order.To = "claims"

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := r.planned(t, src, text, "out.csv", "insurer")
	p.Options = plan.Options{Workers: 1, Checkpoint: -1, Progress: func(p plan.Progress) {
		if p.Phase == "writing" {
			cancel()
		}
	}}
	if _, err := r.office.Release(ctx, r.snap, order, p.Job()); !errors.Is(err, context.Canceled) {
		t.Fatalf("Release() error = %v, want that it was interrupted", err)
	}

	p = r.planned(t, src, text, "out.csv", "insurer") // with a vault that remembers nothing
	p.Options = plan.Options{Resume: true}
	_, err := r.office.Release(t.Context(), r.snap, order, p.Job())
	must(t, err)
	if p.Outcome.Resumed == 0 || p.Outcome.Resumed == p.Outcome.In {
		t.Fatalf("%d of %d rows were written before: the test would prove nothing", p.Outcome.Resumed, p.Outcome.In)
	}
	v, err := vault.New(r.db, r.keys, vault.Options{Domain: "hospital"})
	must(t, err)
	tokens := map[string]string{}
	for i, row := range r.table(t, "out.csv")[1:] {
		value := rows[i+1][0]
		if known, ok := tokens[value]; ok && known != row[0] {
			t.Fatalf("row %d: the value has two tokens", i+1)
		} else if ok {
			continue
		}
		tokens[value] = row[0]
		if o, err := v.Resolve(t.Context(), row[0]); err != nil || o.Value.Expose() != value {
			t.Fatalf("row %d of which %d were written before the interruption: Resolve() = %v, %v", i+1, p.Outcome.Resumed, o, err)
		}
	}
}

func TestAPlannedReleaseThatPolicyRefusesReadsNothing(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	src := r.write(t, "patients.csv", patients(50))
	for name, text := range map[string]string{
		"a name":          strings.Replace(labPlan, "  sex:", "  name: {technique: keep}\n  sex:", 1),
		"a smaller k":     strings.Replace(labPlan, "k: 5", "k: 4", 1),
		"stars":           labPlan + "suppressed: stars\n",
		"no l":            strings.NewReplacer("  - {model: l-diversity, column: diagnosis, l: 2}\n", "", "role: sensitive", "technique: keep").Replace(labPlan),
		"a lighter label": strings.Replace(labPlan, "  sex:", "  name: {technique: keep, label: public}\n  sex:", 1),
	} {
		p := r.planned(t, src, text, "extract.csv", "lab")
		if _, err := r.office.Release(t.Context(), r.snap, toLab, p.Job()); !errors.Is(err, release.ErrRefused) {
			t.Errorf("%s: Release() error = %v, want ErrRefused", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, "extract*")); len(left) > 0 {
			t.Errorf("%s: a refused release left %v", name, left)
		}
	}
}

func TestWhatModelsPromise(t *testing.T) {
	for name, c := range map[string]struct {
		plan string
		want policy.Model
	}{
		"k and l": {labPlan, policy.Model{K: 5, L: 2, T: 1000, Risk: 200}},
		"two sensitive columns with a model each, and none for both": {
			strings.NewReplacer("  sex: {role: quasi}", "  sex: {role: quasi}\n  id: {role: sensitive}", "suppression", "  - {model: t-closeness, column: id, t: 0.2}\nsuppression").Replace(labPlan),
			policy.Model{K: 5, L: 1, T: 1000, Risk: 200},
		},
		"stars": {labPlan + "suppressed: stars\n", policy.Model{}},
		"none":  {"version: 1\ncolumns: {sex: {technique: keep}}\n", policy.Model{}},
	} {
		p, err := plan.Parse("plan.yaml", []byte(c.plan))
		must(t, err)
		if got := release.Promised(p); got != c.want {
			t.Errorf("%s: Promised() = %+v, want %+v", name, got, c.want)
		}
	}
}

func TestADatasetThatLiesIsFoundOut(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	rows := [][]string{{"city", "born"}}
	for i := range 30 {
		rows = append(rows, []string{fmt.Sprintf("person%d@example.org", i), "dry"})
	}
	src := r.write(t, "weather.csv", rows)
	order := toLab
	order.Dataset = "weather"
	engine, err := detect.New(detect.Options{})
	must(t, err)
	p := r.planned(t, src, "version: 1\ncolumns:\n  city: {technique: keep}\n  born: {technique: keep}\n", "extract.csv", "lab")
	if p.Found, err = release.Found(t.Context(), engine, r.snap.Taxonomy, p.Source); err != nil || p.Found["city"] != "person/contact/email" || len(p.Found) != 1 {
		t.Fatalf("Found() = %v, %v; want the addresses and nothing else", p.Found, err)
	}
	_, err = r.office.Release(t.Context(), r.snap, order, p.Job())
	no, ok := errors.AsType[*release.Refused](err)
	if !ok || len(no.Columns) != 1 || no.Columns[0].Column != "city" || no.Columns[0].Label != "person/contact/email" {
		t.Errorf("Release() error = %v, want a refusal of the addresses", err)
	}
}
