package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/detect/column"
)

// classified scans with the classifier itself, and fails if what comes out holds one of the words.
func classified(t *testing.T, src Source, never ...string) Asset {
	t.Helper()
	c, err := column.New(column.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := Scan(t.Context(), src, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	contract, err := inv.Contract(Proposal{ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%+v", inv.Assets) + string(contract.AppendYAML(nil))
	for _, w := range never {
		if strings.Contains(out, w) {
			t.Errorf("what was found holds %q", w)
		}
	}
	return inv.Assets[0]
}

var (
	givenNames  = strings.Fields("Peter Maria Fatima Lukas Sofia Mehmet Olga Pierre Laura Ahmed Karin Miguel Hanna Paolo Ingrid Viktor Elena Thomas Sarah Johannes")
	familyNames = strings.Fields("Weber Rossi Yilmaz Novak Garcia Dubois Kowalski Jensen Fischer Moretti Nguyen Bauer Silva Larsen Hoffmann Murphy Lopez Becker Schulz Haddad")
)

// TestMembersCalledByPeopleInEveryRow are a map's keys although they are the same in each row.
func TestMembersCalledByPeopleInEveryRow(t *testing.T) {
	for name, row := range map[string]string{
		"full names":     `{"Anna Schmidt":1,"Ben Okafor":2}`,
		"one":            `{"Anna Schmidt":1}`,
		"family first":   `{"Schmidt, Anna":1,"Okafor, Ben":2}`,
		"given names":    `{"Anna":1,"Ben":2,"Okafor":3}`,
		"as identifiers": `{"anna_schmidt":1,"ben_okafor":2}`,
		"capitals":       `{"ANNA SCHMIDT":1,"BEN OKAFOR":2}`,
		"among others":   `{"id":7,"total":3,"Anna Schmidt":1,"Ben Okafor":2}`,
		"objects":        `{"Anna Schmidt":{"visits":1},"Ben Okafor":{"visits":2}}`,
	} {
		never := []string{"Anna", "Schmidt", "Okafor", "anna", "okafor", "ANNA", "OKAFOR"}
		t.Run(name, func(t *testing.T) {
			a := classified(t, linesFile(written(t, "x.jsonl", strings.Repeat(row+"\n", 40))), never...)
			if !slices.Equal(columnNames(a), []string{"*"}) {
				t.Errorf("%d columns, want one that names nothing", len(a.Columns))
			}
			a = classified(t, linesFile(written(t, "x.jsonl", strings.Repeat(`{"id":1,"scores":`+row+"}\n", 40))), never...)
			if !slices.Equal(columnNames(a), []string{"id", "scores"}) {
				t.Errorf("within: %d columns, want id and scores", len(a.Columns))
			}
			if a := classified(t, linesFile(written(t, "x.jsonl", strings.Repeat(row+"\n", 40)+"{\"")), never...); !a.Failed {
				t.Error("a file that ends within a row was read")
			}
		})
	}
}

// TestAFileOfPeopleNoneOfWhomComesTwice has no cell that is called like its column, and no header all the same.
func TestAFileOfPeopleNoneOfWhomComesTwice(t *testing.T) {
	var parts, whole, snake strings.Builder
	parts.WriteString("Anna,Schmidt,12\n")
	whole.WriteString("Anna Schmidt\n")
	snake.WriteString("anna,schmidt,12\n")
	for i, g := range givenNames {
		fmt.Fprintf(&parts, "%s,%s,%d\n", g, familyNames[i], i)
		fmt.Fprintf(&whole, "%s %s\n", g, familyNames[i])
		fmt.Fprintf(&snake, "%s,%s,%d\n", strings.ToLower(g), strings.ToLower(familyNames[i]), i)
	}
	for name, content := range map[string]string{
		"given and family": parts.String(), "full": whole.String(),
		"across": "Anna Schmidt,Ben Okafor,Clara Weiss\n1,2,3\n", "first names across": "Anna,Ben,Okafor\n1,2,3\n",
		"small": snake.String(), "capitals": strings.ToUpper(parts.String()),
		"broken below": parts.String() + "\"x", "nothing below": "Anna,Schmidt\n", "twice": "Anna,Anna\n1,2\n",
	} {
		a := classified(t, csvFile(written(t, "x.csv", content)), "Anna", "Schmidt", "Okafor", "anna", "schmidt", "ANNA")
		if !a.Failed || len(a.Columns) > 0 {
			t.Errorf("%s: it is listed with %d columns", name, len(a.Columns))
		}
	}
}

// TestOrdinaryNamesStayColumns holds the names of all labelled columns, as they are and as people write them above a table, against
// what takes names for values.
func TestOrdinaryNamesStayColumns(t *testing.T) {
	c, err := column.New(column.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../privacy/detect/column/testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		in := ""
		for line := range strings.Lines(string(b)) {
			if p := strings.Split(line, " | "); strings.HasPrefix(line, "[") {
				in = filepath.Base(f) + " " + line
			} else if len(p) >= 4 {
				tables[in] = append(tables[in], p[0])
			}
		}
	}
	scripts, err := filepath.Glob("../../internal/cli/testdata/*/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts (%v)", len(scripts), err)
	}
	for _, f := range scripts {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(b), "\n-- ")[1:] {
			name, content, _ := strings.Cut(part, " --\n")
			if head, _, _ := strings.Cut(content, "\n"); strings.HasSuffix(name, ".csv") && !strings.Contains(name, "bare") {
				tables[filepath.Base(f)+" "+name] = strings.Split(head, ",")
			}
		}
	}
	tables["by hand"] = []string{"first_name", "Vorname", "Date of birth", "Patient Name", "Straße und Hausnummer", "Apellido Materno", "Nom de naissance", "Data di nascita"}
	tables["months"] = strings.Fields("January February March April May June July August September October November December")
	tables["a quarter"] = strings.Fields("April May June")
	tables["places"] = []string{"year", "New York", "San Francisco", "Los Angeles"}
	tables["countries"] = strings.Fields("Germany France Italy Spain Chad Jordan Georgia")
	tables["days"] = strings.Fields("Monday Tuesday Wednesday Thursday Friday")
	tables["colours"] = strings.Fields("Black White Brown Green")
	tables["kinds"] = []string{"Product Line", "Net Income", "Gross Margin", "First Quarter", "Small", "Male", "Female"}
	tables["roles"] = strings.Fields("Judge Pastor Bishop Dean Cook Driver Author Captain")
	full := make([]string, len(givenNames))
	for i := range full {
		full[i] = givenNames[i] + " " + familyNames[i]
	}
	names := 0
	for in, plain := range tables {
		for how, write := range map[string]func(string) string{"as they are": func(s string) string { return s }, "as people write": spoken, "in capitals": strings.ToUpper} {
			j := &judge{ctx: t.Context(), c: c, left: maxJudged}
			all := make([]string, len(plain))
			for i, s := range plain {
				all[i] = write(s)
			}
			names += len(all)
			if j.members(all) {
				t.Errorf("%s, %s: taken for a map of people", in, how)
			}
			if j.header(all, func(int) []string { return nil }) {
				t.Errorf("%s, %s: taken for people across", in, how)
			}
			for _, s := range all {
				if how != "as people write" || !strings.Contains(in, ".txt") {
					break
				}
				if spoken(s) == "Genero" || spoken(s) == "Emi" || spoken(s) == "Checked In At" {
					continue // a gender, an instalment and a time, which no names of people stand below
				}
				if j.alike(s, givenNames[:8]) || j.alike(s, full[:8]) {
					t.Errorf("%s, %s: a column %s of people's names is taken for one of values", in, how, s)
				}
			}
		}
	}
	if names < 3000 {
		t.Errorf("%d names were looked at, want some thousand", names)
	}
	t.Logf("%d names in %d tables", names, len(tables))
}
