package plan_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// released reads what was written with another reader than the one that the plan's tables have, and puts rows together that are alike in
// the first n columns.
func released(t *testing.T, text string, n int) map[string][][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("what was released cannot be read: %v", err)
	}
	classes := map[string][][]string{}
	for _, row := range rows[1:] {
		key := strings.Join(row[:n], "\x00")
		classes[key] = append(classes[key], row)
	}
	return classes
}

// TestSpellingsAreNoDiversity: values that a reader takes for one value do not make a class diverse.
func TestSpellingsAreNoDiversity(t *testing.T) {
	for name, spellings := range map[string][3]string{
		"numbers":  {"30", "30.0", "030"},
		"exponent": {"300", "3e2", "30.0E+1"},
		"spaces":   {"flu", " flu", "flu\u00a0"},
		"case":     {"flu", "Flu", "FLU"},
		"unicode":  {"caf\u00e9", "cafe\u0301", "Cafe\u0301"},
		"empty":    {"", `""`, `" "`},
	} {
		t.Run(name, func(t *testing.T) {
			in := "age,diagnosis\n"
			for _, s := range spellings {
				in += "30," + s + "\n"
			}
			_, _, err := carry(t, in, `
version: 1
columns:
  age: {role: quasi}
  diagnosis: {role: sensitive}
privacy:
  - {model: k-anonymity, k: 3}
  - {model: l-diversity, column: diagnosis, l: 3}
`, plan.Options{})
			if !errors.Is(err, anonymity.ErrNone) {
				t.Errorf("Run() error = %v, want %v: all three have the same", err, anonymity.ErrNone)
			}
		})
	}
}

// TestOrderedClosenessIsOfNumbers: 9 lies beside 10, and not behind 89.
func TestOrderedClosenessIsOfNumbers(t *testing.T) {
	in, all := "age,pay\n", []float64{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 240 {
		pay := r.IntN(120) + i%4*(i%7)
		in += fmt.Sprintf("%d,%d\n", 20+i%40, pay)
		all = append(all, float64(pay))
	}
	const most = 0.2
	text, out, err := carry(t, in, `
version: 1
columns:
  age: {role: quasi, intervals: [5, 10, 20]}
  pay: {role: sensitive}
privacy:
  - {model: k-anonymity, k: 3}
  - {model: t-closeness, column: pay, t: 0.2, distance: ordered}
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Levels[0].Level == 0 {
		t.Fatal("the table is too easy")
	}
	for _, class := range released(t, text, 1) {
		var pays []float64
		for _, row := range class {
			pay, err := strconv.ParseFloat(row[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			pays = append(pays, pay)
		}
		if d := orderedDistance(pays, all); d > most+1e-9 {
			t.Errorf("a class of %d rows is %.3f from the table, and may be %.1f", len(class), d, most)
		}
	}

	// Half of the numbers have one digit. By their first digit, both classes are as the table is.
	in = "age,pay\n"
	for i := range 9 {
		in += fmt.Sprintf("30,%d\n40,%d\n", i+1, (i+1)*10)
	}
	_, out, err = carry(t, in, `
version: 1
columns:
  age: {role: quasi}
  pay: {role: sensitive}
privacy: [{model: t-closeness, column: pay, t: 0.2, distance: ordered}]
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Classes != 1 {
		t.Errorf("%d classes are released, of which one earns less than everybody in the other", out.Classes)
	}
}

// orderedDistance is the earth mover's between a class and a table, from the definition.
func orderedDistance(class, table []float64) float64 {
	values := slices.Clone(table)
	slices.Sort(values)
	values = slices.Compact(values)
	share := func(of []float64, v float64) float64 {
		n := 0
		for _, x := range of {
			if x == v {
				n++
			}
		}
		return float64(n) / float64(len(of))
	}
	sum, all := 0.0, 0.0
	for _, v := range values {
		sum += share(class, v) - share(table, v)
		all += math.Abs(sum)
	}
	return all / float64(len(values)-1)
}

// TestOneSubjectIsNotDiverse: where the plan says whom rows are about, one person with many diagnoses does not make a class that is safe.
func TestOneSubjectIsNotDiverse(t *testing.T) {
	const in = `id,age,diagnosis
a,30,flu
a,30,cold
a,30,angina
b,40,flu
c,40,cold
d,40,angina
`
	text, _, err := carry(t, in, `
version: 1
columns:
  id: {technique: drop}
  age: {role: quasi}
  diagnosis: {role: sensitive}
subject: id
privacy: [{model: l-diversity, column: diagnosis, l: 3}]
suppression: 50%
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if classes := released(t, text, 1); classes["30"] != nil || len(classes["40"]) != 3 {
		t.Errorf("released %v, and all rows of age 30 are one person's", classes)
	}
}

// TestSpellingsOfSubjectsAreOne: a person does not become several by being spelled in several ways.
func TestSpellingsOfSubjectsAreOne(t *testing.T) {
	text, _, err := carry(t, "id,age\n7,30\n07,30\n\" 7\",30\n1,40\n2,40\n3,40\n", `
version: 1
columns:
  id: {technique: drop}
  age: {role: quasi}
subject: id
privacy: [{model: k-anonymity, k: 3}]
suppression: 50%
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if classes := released(t, text, 1); classes["30"] != nil || len(classes["40"]) != 3 {
		t.Errorf("released %v, and all rows of age 30 are one person's", classes)
	}
}

// TestOneSubjectIsNotClose: nor do values that are spread as in the table.
func TestOneSubjectIsNotClose(t *testing.T) {
	text, _, err := carry(t, "id,age,diagnosis\na,30,flu\na,30,cold\nb,40,flu\nc,40,cold\n", `
version: 1
columns:
  id: {technique: drop}
  age: {role: quasi}
  diagnosis: {role: sensitive}
subject: id
privacy: [{model: t-closeness, column: diagnosis, t: 0}]
suppression: 50%
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if classes := released(t, text, 1); classes["30"] != nil || len(classes["40"]) != 2 {
		t.Errorf("released %v, and all rows of age 30 are one person's", classes)
	}
}

// TestColumnsThatNoModelLooksAtAreNamed: a class of three is none to somebody who knows the column that was kept.
func TestColumnsThatNoModelLooksAtAreNamed(t *testing.T) {
	_, out, err := carry(t, people, `
version: 1
columns:
  name: {technique: keep}
  age: {role: quasi, intervals: [10, 20]}
  zip: {technique: constant, value: x}
  diagnosis: {role: sensitive}
privacy: [{model: k-anonymity, k: 3}, {model: l-diversity, column: diagnosis, l: 2}]
`, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Unseen, []string{"name"}) {
		t.Errorf("Unseen = %v, want the name alone", out.Unseen)
	}
}
