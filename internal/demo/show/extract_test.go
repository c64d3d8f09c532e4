package show

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/demo"
)

// cells reads a table without the code under test: rows by name of column.
func cells(t *testing.T, file string) []map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// mayBe reports whether a row can be about somebody of whom birth date, postal code and sex are known.
func mayBe(row, known map[string]string) bool {
	born, zip := row["birth_date"], row["postal_code"]
	switch {
	case born == "*", born == known["birth_date"], born == known["birth_date"][:4], born == known["birth_date"][:3]+"0s":
	default:
		return false
	}
	if zip != "*" && (len(zip) != 5 || !strings.HasPrefix(known["postal_code"], strings.TrimRight(zip, "*"))) {
		return false
	}
	return row["sex"] == "*" || row["sex"] == known["sex"]
}

// An attacker who knows the full set of quasi-identifiers of everybody finds people in the registry, and in the extract nobody's row,
// and nobody's diagnosis.
func TestALinkageAttackOnTheLabsExtractFails(t *testing.T) {
	s, f := theStory(t)
	raw := cells(t, filepath.Join(s.dir, demo.Registry))
	out := cells(t, filepath.Join(s.dir, "lab", "received", "registry.csv"))
	found := 0
	for _, known := range raw {
		n := 0
		for _, row := range raw {
			if mayBe(row, known) {
				n++
			}
		}
		if n == 1 {
			found++
		}
		n, diagnoses := 0, map[string]bool{}
		for _, row := range out {
			if mayBe(row, known) {
				n++
				diagnoses[row["diagnosis"]] = true
			}
		}
		if n > 0 && (n < 5 || len(diagnoses) < 2) {
			t.Errorf("%d rows of the extract fit somebody, with %d diagnoses; want none, or 5 and 2", n, len(diagnoses))
		}
	}
	x := f.extract
	if found < few*9/10 || x.raw.Correct != found || x.out.Claimed != 0 || x.out.Persons != len(raw) {
		t.Errorf("in the registry %d of %d are found; the story says %d, and %d of %d in the extract", found, len(raw), x.raw.Correct, x.out.Claimed, x.out.Persons)
	}
	if len(out) < few*3/4 || int64(len(out)) != x.outcome.Out || x.outcome.In != int64(len(raw)) || x.outcome.In-x.outcome.Out != x.outcome.Suppressed {
		t.Errorf("the extract has %d rows of %d; the story says %+v", len(out), len(raw), x.outcome)
	}
	for _, row := range out {
		if len(row) != 4 || len(row["diagnosis"]) > 3 {
			t.Fatalf("a row of the extract has %d columns and a diagnosis of %d characters", len(row), len(row["diagnosis"]))
		}
	}
}

// What lies beside the table is the recipient's, and whoever changes the table is found out.
func TestTheLabHoldsTheExtractWithItsEvidence(t *testing.T) {
	s, f := theStory(t)
	name := filepath.Join(s.dir, "lab", "received", "registry.csv")
	for _, suffix := range []string{release.ManifestSuffix, release.SignatureSuffix, release.LineageSuffix, release.RiskSuffix, release.RiskPageSuffix} {
		raw, err := os.ReadFile(name + suffix)
		if err != nil || bytes.Contains(raw, []byte("MRN-")) || bytes.Contains(raw, []byte(s.dir)) {
			t.Errorf("%s: %v, or it tells of the hospital", suffix, err)
		}
	}
	var report struct{ Copy string }
	if raw, _ := os.ReadFile(name + release.RiskSuffix); json.Unmarshal(raw, &report) != nil || report.Copy != "recipient" {
		t.Errorf("the risk report is for %q", report.Copy)
	}
	rows := 0
	for e, err := range s.gateways[demo.Hospital].Log.Entries(t.Context(), audit.Query{Flow: f.extract.manifest.Flow}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		if e.Event.Outcome == "closed" && e.Seq != f.extract.manifest.Receipt.Seq {
			t.Errorf("closed as row %d, the manifest says %d", e.Seq, f.extract.manifest.Receipt.Seq)
		}
	}
	if rows != 2 {
		t.Errorf("the hospital's journal has %d rows of the release, want it opened and closed", rows)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Error(err)
		}
	})
	changed := bytes.Clone(raw)
	changed[len(changed)-2] ^= 1
	if err := os.WriteFile(name, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.checkedByLab(name); !errors.Is(err, release.ErrTable) {
		t.Errorf("a changed table: error = %v, want ErrTable", err)
	}
}

// The figures are those of the run: other patients, another plan, others.
func TestTheExtractsFiguresAreOfTheRun(t *testing.T) {
	tell := func(patients int, change *strings.Replacer) string {
		s, err := start(t.Context(), t.TempDir(), patients, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.close(); err != nil {
				t.Error(err)
			}
		}()
		rewrite(t, s, change)
		var f facts
		if err := s.extracted(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		p := newPrinter(&out, false, 100)
		p.extracted(&f)
		_ = p.w.Flush()
		x := f.extract
		for _, want := range []string{
			fmt.Sprintf("%d in, %d out, %d suppressed", patients, x.outcome.Out, x.outcome.Suppressed),
			fmt.Sprintf("%.0f %% after", 100/float64(x.outcome.Smallest)), fmt.Sprintf("%d of %d found", x.raw.Correct, patients), fmt.Sprintf("0 of %d found", patients),
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not told:\n%s", want, out.String())
			}
		}
		return out.String()
	}
	same := strings.NewReplacer()
	a, b, c := tell(few, same), tell(few+100, same), tell(few, strings.NewReplacer("k: 5", "k: 12"))
	for _, line := range []string{"rows  ", "groups  ", "in the registry  "} {
		if lineOf(a, line) == lineOf(b, line) {
			t.Errorf("other patients, and still %q", lineOf(a, line))
		}
	}
	if lineOf(a, "highest risk") == lineOf(c, "highest risk") || !strings.Contains(c, "k 12, l 2") {
		t.Errorf("k 12 is told as\n%s", c)
	}
}

func lineOf(text, with string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, with) {
			return line
		}
	}
	return "no line with " + with
}

// rewrite lays the hospital's plan out anew, changed.
func rewrite(t *testing.T, s *system, change *strings.Replacer) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.file[demo.Hospital]), "plans", "lab-extract.yaml")
	files, err := demo.Files(demo.Hospital)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := fs.ReadFile(files, "plans/lab-extract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change.Replace(string(raw))), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheLabGetsNoWeakerExtract(t *testing.T) {
	s, err := start(t.Context(), t.TempDir(), few, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range [][2]string{
		{"k: 5", "k: 4"}, {"{model: l-diversity, column: diagnosis, l: 2}", "{model: t-closeness, column: diagnosis, t: 0.9}"}, {"privacy:", "  name: {technique: keep}\nprivacy:"}, {"privacy:", "  mrn: {role: quasi}\nprivacy:"},
	} {
		rewrite(t, s, strings.NewReplacer(c[0], c[1]))
		if err := s.extracted(t.Context(), &facts{}); !errors.Is(err, release.ErrRefused) {
			t.Errorf("%q for %q: error = %v, want ErrRefused", c[1], c[0], err)
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, "lab", "received", "*")); len(left) > 0 {
			t.Errorf("%q for %q: a refused release left %q", c[1], c[0], left)
		}
	}
}
