package plan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// folder opens what plans refer to.
type folder string

func (f folder) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), name))
}
func (f folder) Table(name string) (table.Source, error) {
	return csv.File(filepath.Join(string(f), name), csv.Options{})
}

// carry writes a table, carries a plan out on it and returns what stands under the final name.
func carry(t testing.TB, in, text string, o plan.Options) (string, plan.Outcome, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "in.csv", in)
	return carryIn(t, dir, text, o)
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func carryIn(t testing.TB, dir, text string, o plan.Options) (string, plan.Outcome, error) {
	t.Helper()
	p, err := plan.Parse("plan.yaml", []byte(text))
	if err != nil {
		return "", plan.Outcome{}, err
	}
	src, err := csv.File(filepath.Join(dir, "in.csv"), csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Open(context.Background())
	if err != nil {
		return "", plan.Outcome{}, err
	}
	columns := r.Columns()
	r.Close()
	c, err := p.Compile(columns, nil, folder(dir))
	if err != nil {
		return "", plan.Outcome{}, err
	}
	out, err := plan.Run(t.Context(), c, src, csv.Target(filepath.Join(dir, "out.csv"), csv.Options{}), o)
	b, missing := os.ReadFile(filepath.Join(dir, "out.csv"))
	if err != nil && missing == nil {
		t.Errorf("Run() error = %v, and something stands under the final name", err)
	}
	return string(b), out, err
}

const people = `name,age,zip,diagnosis
Ann,31,02139,flu
Bob,34,02138,cold
Cid,36,02139,angina
Dan,51,02141,flu
Eve,52,02142,cold
Fay,58,02141,angina
`

func TestFieldsAreChangedAndTheRestLeftOut(t *testing.T) {
	got, out, err := carry(t, people, `
version: 1
columns:
  zip: {technique: mask, keep: 1}
  diagnosis: {technique: keep}
  age: {technique: bucket, width: 10}
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "age,zip,diagnosis\n\"[30,40)\",***9,flu\n"
	if !strings.HasPrefix(got, want) || out.In != 6 || out.Out != 6 || out.Digest == "" {
		t.Errorf("Run() wrote %q (%d rows in, %d out), want it to begin %q", got, out.In, out.Out, want)
	}
}

func TestTableIsKAnonymous(t *testing.T) {
	got, out, err := carry(t, people, `
version: 1
columns:
  name: {technique: drop}
  age: {role: quasi, intervals: [10, 20]}
  zip: {role: quasi, prefix: [5, 4, 3]}
  diagnosis: {role: sensitive}
privacy:
  - {model: k-anonymity, k: 3}
  - {model: l-diversity, column: diagnosis, l: 3}
risk: {highest: 34%}
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "age,zip,diagnosis\n[30-39],0213*,flu\n[30-39],0213*,cold\n[30-39],0213*,angina\n[50-59],0214*,flu\n[50-59],0214*,cold\n[50-59],0214*,angina\n"
	if got != want {
		t.Errorf("Run() wrote\n%s\nwant\n%s", got, want)
	}
	if out.Smallest != 3 || out.Classes != 2 || out.Suppressed != 0 || out.Risk.After.Prosecutor.Highest > 0.34 {
		t.Errorf("Run() = %+v, want 2 classes of 3", out)
	}
}

func TestSuppressedRowsLeaveNoPlace(t *testing.T) {
	text := `
version: 1
columns: {age: {role: quasi, least: 0, most: 1, hierarchy: h.csv}, diagnosis: {technique: keep}}
privacy: [{model: k-anonymity, k: 2}]
suppression: 20%
uncovered: suppress
`
	dir := t.TempDir()
	write(t, dir, "h.csv", "1,a\n2,a\n3,b\n4,b\n")
	write(t, dir, "in.csv", "age,diagnosis\n1,x\noldest,secret\n2,x\n3,y\n4,y\n")
	got, out, err := carryIn(t, dir, text, plan.Options{})
	if err != nil || got != "age,diagnosis\na,x\na,x\nb,y\nb,y\n" || out.Suppressed != 1 {
		t.Errorf("Run() wrote %q, suppressed %d, %v; want the covered rows and no trace of the other", got, out.Suppressed, err)
	}
	os.Remove(filepath.Join(dir, "out.csv"))
	got, _, err = carryIn(t, dir, text+"suppressed: stars\n", plan.Options{})
	if err != nil || got != "age,diagnosis\na,x\n*,*\na,x\nb,y\nb,y\n" {
		t.Errorf("Run() wrote %q, %v; want stars in the second row", got, err)
	}
	os.Remove(filepath.Join(dir, "out.csv"))
	_, _, err = carryIn(t, dir, strings.Replace(text, "uncovered: suppress", "uncovered: error", 1), plan.Options{})
	var at *table.Error
	if !errors.As(err, &at) || at.Row != 2 || at.Column != "age" || !errors.Is(err, anonymity.ErrUncovered) || strings.Contains(err.Error(), "oldest") {
		t.Errorf("Run() error = %v, want ErrUncovered in row 2, column age", err)
	}
}

// TestSubjectsAreCountedNotRows: one patient with five visits is no crowd.
func TestSubjectsAreCountedNotRows(t *testing.T) {
	visits := "patient,zip,diagnosis\n" + strings.Repeat("p1,02139,flu\n", 5)
	for i := range 5 {
		visits += fmt.Sprintf("q%d,10115,cold\n", i)
	}
	text := `
version: 1
columns: {patient: {technique: drop}, zip: {role: quasi}, diagnosis: {technique: keep}}
privacy: [{model: k-anonymity, k: 3}]
suppression: 50%
`
	got, _, err := carry(t, visits, text, plan.Options{})
	if err != nil || !strings.Contains(got, "02139") {
		t.Fatalf("without a subject each row is a person: %q, %v", got, err)
	}
	got, out, err := carry(t, visits, text+"subject: patient\n", plan.Options{})
	if err != nil || strings.Contains(got, "02139") || out.Suppressed != 5 || out.Smallest != 5 {
		t.Errorf("Run() wrote %q, suppressed %d, %v; want the one patient's rows gone", got, out.Suppressed, err)
	}
	_, _, err = carry(t, visits, strings.Replace(text, "50%", "10%", 1)+"subject: patient\n", plan.Options{})
	if !errors.Is(err, anonymity.ErrNone) && err != nil {
		t.Errorf("Run() error = %v, want none or ErrNone", err)
	}
}

// TestRowsOfOneSubjectAreNotPutTogether: with the subject's column released, places of all visits together are a fingerprint.
func TestRowsOfOneSubjectAreNotPutTogether(t *testing.T) {
	in := "patient,zip\na,1\na,2\nb,1\nc,1\nd,2\ne,2\n"
	_, _, err := carry(t, in, `
version: 1
columns: {patient: {technique: surrogate}, zip: {role: quasi}}
privacy: [{model: k-anonymity, k: 3}]
subject: patient
`, plan.Options{})
	if err == nil || !strings.Contains(err.Error(), "put together") {
		t.Errorf("Run() error = %v, want a refusal", err)
	}
}

func TestNothingIsPublishedWithoutBefore(t *testing.T) {
	refused := errors.New("refused")
	_, _, err := carry(t, people, "version: 1\ncolumns: {age: {technique: keep}}\n", plan.Options{Before: func(o plan.Outcome) error {
		if o.Digest == "" || o.In != 6 {
			t.Errorf("Before has %+v, want digest and rows", o)
		}
		return refused
	}})
	if !errors.Is(err, refused) {
		t.Errorf("Run() error = %v, want that of Before", err)
	}
}

func TestRiskAboveTheLimitPublishesNothing(t *testing.T) {
	_, _, err := carry(t, people, `
version: 1
columns: {age: {role: quasi, intervals: [10]}}
privacy: [{model: k-anonymity, k: 2}]
risk: {highest: 0.1}
`, plan.Options{})
	if !errors.Is(err, plan.ErrRisk) {
		t.Errorf("Run() error = %v, want ErrRisk", err)
	}
}

func TestMistakesHaveAPlace(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":              {"", "plan.yaml:1:1: the plan is empty"},
		"unknown key":        {"version: 1\ncolums: {}\n", "plan.yaml:2:1: unknown key \"colums\" (did you mean columns?)"},
		"no version":         {"columns: {a: {technique: keep}}\n", "the version of the plan"},
		"technique":          {"version: 1\ncolumns:\n  a: {technique: msk}\n", "plan.yaml:3:7: there is no such technique"},
		"parameter":          {"version: 1\ncolumns:\n  a: {technique: drop, keep: 3}\n", "plan.yaml:3:24: technique drop does not take keep"},
		"missing":            {"version: 1\ncolumns:\n  a: {technique: mask}\n", "plan.yaml:3:3: technique mask needs keep"},
		"rest":               {"version: 1\ncolumns: {a: {technique: keep}}\nrest: keep\n", "plan.yaml:3:1: what a plan does not name is left out"},
		"k of 1":             {"version: 1\ncolumns: {a: {role: quasi}}\nprivacy: [{model: k-anonymity, k: 1}]\n", "k is at least 2"},
		"no model":           {"version: 1\ncolumns: {a: {role: quasi}}\n", "there are quasi-identifiers and no privacy model"},
		"no column":          {"version: 1\ncolumns: {nmae: {technique: keep}}\n", "plan.yaml:2:11: the table has no such column (did you mean name?)"},
		"twice":              {"version: 1\ncolumns:\n  a: {technique: keep}\n  a: {technique: drop}\n", "plan.yaml:4:3: key \"a\" is given twice"},
		"two generalisers":   {"version: 1\ncolumns: {a: {role: quasi, prefix: [2, 1], intervals: [1]}}\nprivacy: [{model: k-anonymity, k: 2}]\n", "one of hierarchy, intervals, prefix and dates"},
		"quasi technique":    {"version: 1\ncolumns: {a: {role: quasi, technique: keep}}\nprivacy: [{model: k-anonymity, k: 2}]\n", "has no technique"},
		"share":              {"version: 1\ncolumns: {a: {role: quasi}}\nsuppression: 120%\n", "plan.yaml:3:14: a share between 0 and 1"},
		"noise in diversity": {"version: 1\ncolumns: {a: {role: quasi}, b: {role: sensitive, technique: noise, scale: 1}}\nprivacy: [{model: l-diversity, column: b, l: 2}]\n", "draws anew"},
		"hierarchy":          {"version: 1\ncolumns: {age: {role: quasi, hierarchy: none.csv}}\nprivacy: [{model: k-anonymity, k: 2}]\n", "plan.yaml:2:11: none.csv cannot be opened"},
		"keys":               {"version: 1\ncolumns: {age: {technique: one-way, label: person/name}}\n", "needs keys"},
	} {
		_, _, err := carry(t, people, tt.text, plan.Options{})
		var all plan.Mistakes
		if !errors.As(err, &all) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte("version: 1\ncolumns:\n  age: {role: quasi, intervals: [5, 10]}\nprivacy: [{model: k-anonymity, k: 2}]\nsuppression: 5%\n"))
	f.Add([]byte("version: 1\ncolumns: {name: {technique: constant, value: 3}, zip: {technique: prefix, keep: 2, label: location/postal}}\nrisk: {}\n"))
	f.Add([]byte("version: 1\ncolumns: {name: &a {technique: keep}, zip: *a}\n"))
	columns := []table.Column{{Name: "name"}, {Name: "age"}, {Name: "zip"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := plan.Parse("p", raw)
		var all plan.Mistakes
		if err != nil {
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("Parse() error = %v, want mistakes", err)
			}
			return
		}
		c, err := p.Compile(columns, nil, nil)
		switch {
		case err == nil && (c.Hash() == "" || len(c.Columns()) == 0):
			t.Fatal("Compile() gave a plan without hash or columns")
		case err != nil && (!errors.As(err, &all) || all[0].Line == 0):
			t.Fatalf("Compile() error = %v, want mistakes with a place", err)
		}
	})
}

// TestTheHashIsOfWhatIsMeant: comments and spaces do not count, values and hierarchies do.
func TestTheHashIsOfWhatIsMeant(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "h.csv", "1,a\n")
	hash := func(text string) string {
		p, err := plan.Parse("p", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Compile([]table.Column{{Name: "age"}}, nil, folder(dir))
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	text := "version: 1\ncolumns: {age: {role: quasi, hierarchy: h.csv}}\nprivacy: [{model: k-anonymity, k: 2}]\n"
	first := hash(text)
	if hash("# why\n"+text+"recoding: global\n") != first {
		t.Error("the hash counts comments or defaults")
	}
	if hash(strings.Replace(text, "k: 2", "k: 3", 1)) == first {
		t.Error("the hash does not count k")
	}
	write(t, dir, "h.csv", "1,b\n")
	if hash(text) == first {
		t.Error("the hash does not count what the hierarchy says")
	}
}

// TestAnotherSourceIsNotResumed: half a table of one state of the source and half of another is a table of neither.
func TestAnotherSourceIsNotResumed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.csv", people)
	text := "version: 1\ncolumns: {age: {technique: keep}}\n"
	stop := errors.New("stop")
	halt := func(plan.Outcome) error { return stop }
	if _, _, err := carryIn(t, dir, text, plan.Options{State: "1", Before: halt}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, _, err := carryIn(t, dir, text, plan.Options{State: "2", Resume: true}); !errors.Is(err, table.ErrPartial) {
		t.Errorf("Run() error = %v, want ErrPartial for another source", err)
	}
	if _, _, err := carryIn(t, dir, strings.Replace(text, "age", "zip", 1), plan.Options{State: "1", Resume: true}); !errors.Is(err, table.ErrPartial) {
		t.Errorf("Run() error = %v, want ErrPartial for another plan", err)
	}
	got, _, err := carryIn(t, dir, text, plan.Options{State: "1", Resume: true})
	if err != nil || got != "age\n31\n34\n36\n51\n52\n58\n" {
		t.Errorf("Run() wrote %q, %v, want the column", got, err)
	}
}

// TestStandInsOfADeadRunAreNotMixed: what a run drew at random is gone with it.
func TestStandInsOfADeadRunAreNotMixed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.csv", people)
	text := "version: 1\ncolumns: {name: {technique: surrogate}}\n"
	stop := errors.New("stop")
	if _, _, err := carryIn(t, dir, text, plan.Options{Checkpoint: -1, Before: func(plan.Outcome) error { return stop }}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, _, err := carryIn(t, dir, text, plan.Options{Resume: true}); !errors.Is(err, plan.ErrMemory) {
		t.Errorf("Run() error = %v, want ErrMemory", err)
	}
}
