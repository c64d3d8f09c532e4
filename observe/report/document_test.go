package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/observe/report"
)

func (w *ward) house() report.House {
	s := w.Snapshot()
	return report.House{
		Source: w.source(), Log: w.Log, Signer: w.Keys.Signer("log"), Policy: s.Policy, Catalog: s.Catalog, Taxonomy: s.Taxonomy,
		Rules: report.Rules{Config: "c", Policy: s.Policy.Hash()}, Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
	}
}

func (w *ward) document(q report.Query) *report.Document {
	w.t.Helper()
	d, err := report.Make(w.t.Context(), w.house(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *ward) encoded(d *report.Document) report.Files {
	w.t.Helper()
	f, err := report.Encode(d, w.Keys.Signer("log"))
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// stranger counts a report again with scrim-verify, and returns what kind of thing does not fit, "" if all does.
func (w *ward) stranger(file []byte, more ...string) string {
	w.t.Helper()
	name := filepath.Join(w.t.TempDir(), "report.json")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		w.t.Fatal(err)
	}
	key, err := tile.VerifierKey(w.Log.Origin(), w.Log.Key())
	if err != nil {
		w.t.Fatal(err)
	}
	var out, bad bytes.Buffer
	args := append([]string{"report", "--json", "--key", key, name, filepath.Join(w.Dir, "log")}, more...)
	code := program.Main(args, strings.NewReader(""), &out, &bad)
	var said struct {
		Failure struct{ Kind, Where, What string }
		Report  struct{ Counted bool }
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		w.t.Fatalf("%v: %s %s", err, out.String(), bad.String())
	}
	if (code == 0) != (said.Failure.Kind == "") || said.Report.Counted != (code == 0) {
		w.t.Fatalf("status %d: %s", code, out.String())
	}
	if code != 0 {
		w.t.Logf("%+v", said.Failure)
	}
	return said.Failure.Kind
}

// busy is a ward in which some things were shown: before, in and after the time.
func busy(t *testing.T) (*ward, report.Query) {
	w := openWard(t)
	w.send("payer", "p-0")
	w.sleep(24 * time.Hour)
	from := w.now
	w.send("payer", "p-1", "p-2")
	w.send("lab", "p-1")
	w.sleep(time.Hour)
	w.send("payer", "p-2", "p-3-")
	w.sleep(time.Hour)
	to := w.now
	w.send("lab", "p-4")
	w.sleep(time.Hour)
	return w, report.Query{Kind: report.ROPA, From: from, To: to}
}

func section(d *report.Document, id string) *report.Section {
	for i := range d.Sections {
		if d.Sections[i].ID == id {
			return &d.Sections[i]
		}
	}
	return &report.Section{}
}

func told(s *report.Section) (all []string) {
	for _, row := range s.Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, c.Text)
		}
		all = append(all, strings.Join(cells, " | "))
	}
	return all
}

// Records of processing count what the time's entries show, and a stranger counts the same.
func TestRecordsOfProcessing(t *testing.T) {
	w, q := busy(t)
	d := w.document(q)
	same(t, "recipients", told(section(d, "recipients")),
		"other | lab | payment | Date of a visit (health/visit-date) | generalized | 1",
		"other | payer | payment | Diagnosis (health/diagnosis) | raw | 3",
		"other | payer | payment | Date of a visit (health/visit-date) | generalized | 4")
	got := told(section(d, "activities"))
	if len(got) != 1 || !strings.HasSuffix(got[0], " | 3 | 8 | 3") {
		t.Errorf("activities: %q, want one about 3 messages, 8 values, 3 people", got)
	}
	for _, want := range []string{"legal basis of purpose \"payment\"", "country that domain \"other\"", "controller"} {
		if !strings.Contains(string(w.encoded(d).HTML), strings.ReplaceAll(want, `"`, "&#34;")) {
			t.Errorf("the page does not say that %s is missing", want)
		}
	}
	f := w.encoded(d)
	if kind := w.stranger(f.JSON); kind != "" {
		t.Errorf("a stranger finds the report wrong: %s", kind)
	}
	again, err := report.Decode(f.JSON)
	if err != nil || !again.Shows(f.HTML) || !again.Shows(f.CSV) {
		t.Errorf("Decode() = %v; its HTML and CSV are not those that were signed", err)
	}
	for _, value := range []string{"p-1", "E11.9", "2026-02-11"} {
		if bytes.Contains(f.JSON, []byte(value)) {
			t.Errorf("a value is in the report: %s", value)
		}
	}
}

// Whoever has the log's key can sign anything; a stranger still finds out what is not so.
func TestAStrangerFindsWhatIsNotSo(t *testing.T) {
	w, q := busy(t)
	good := w.encoded(w.document(q))
	figure := func(d *report.Document, id string) *report.Figure {
		for i := range d.Counts {
			if d.Counts[i].ID == id {
				return &d.Counts[i].Figures[0]
			}
		}
		t.Fatal("no count " + id)
		return nil
	}
	show := func(d *report.Document) { // tables say what the counts say
		for _, s := range d.Sections {
			for _, row := range s.Rows {
				for i, c := range row {
					if id, _, ok := strings.Cut(c.Figure, "/"); ok && id == "values" && strings.HasSuffix(c.Figure, "/0") {
						row[i].Text = "7"
					}
				}
			}
		}
	}
	for name, change := range map[string]struct {
		kind string
		do   func(d *report.Document)
	}{
		"a figure and its table":    {"figures", func(d *report.Document) { figure(d, "values").Value = 7; show(d) }},
		"a figure alone":            {"figures", func(d *report.Document) { figure(d, "values").Value = 7 }},
		"a table alone":             {"figures", show},
		"a range":                   {"figures", func(d *report.Document) { figure(d, "values").Entries.Ranges[0][0]-- }},
		"first entry":               {"figures", func(d *report.Document) { figure(d, "values").Entries.First-- }},
		"number of entries":         {"figures", func(d *report.Document) { figure(d, "values").Entries.Number++ }},
		"a digest":                  {"figures", func(d *report.Document) { figure(d, "values").Entries.Digest[5] ^= 1 }},
		"a recipient's name":        {"figures", func(d *report.Document) { figure(d, "values").Key[1] = "labs" }},
		"more people than possible": {"figures", func(d *report.Document) { figure(d, "people").Value = 6 }},
		"a recipient left out": {"figures", func(d *report.Document) {
			for i := range d.Counts {
				if c := &d.Counts[i]; c.ID == "values" {
					c.Figures = c.Figures[1:]
				}
			}
			section(d, "recipients").Rows = nil
		}},
		"a condition": {"figures", func(d *report.Document) {
			for i := range d.Counts {
				if c := &d.Counts[i]; c.ID == "values" {
					c.Where[2].Not = []string{"raw"}
				}
			}
		}},
		"a domain that a condition hides": {"figures", func(d *report.Document) {
			for i := range d.Counts {
				c := &d.Counts[i]
				c.Where, c.Figures = append(c.Where, report.Where{At: "flow.to.domain", Not: []string{"other"}}), []report.Figure{}
			}
			for i := range d.Sections {
				d.Sections[i].Rows = [][]report.Cell{}
			}
		}},
		"a count left out": {"figures", func(d *report.Document) {
			d.Counts = d.Counts[:len(d.Counts)-1]
			section(d, "transfers").Rows = [][]report.Cell{}
		}},
		"a row left out":           {"figures", func(d *report.Document) { s := section(d, "recipients"); s.Rows = s.Rows[1:] }},
		"a row under a false name": {"figures", func(d *report.Document) { s := section(d, "recipients"); s.Rows[0][1].Text = "payer" }},
		"figures under each other's headings": {"figures", func(d *report.Document) {
			row := section(d, "activities").Rows[0]
			row[6], row[7] = row[7], row[6]
		}},
		"other headings": {"figures", func(d *report.Document) { section(d, "recipients").Columns[5] = "Values that were kept back" }},
		"another title":  {"figures", func(d *report.Document) { section(d, "recipients").Title = "What was shown to nobody" }},
		"a number that nothing counts": {"figures", func(d *report.Document) {
			s := section(d, "activities")
			s.Rows[0][7] = report.Cell{Text: "1"}
			s.Rows = append(s.Rows, slices.Clone(s.Rows[0]))
		}},
		"a row that nothing counts": {"figures", func(d *report.Document) {
			s := section(d, "recipients")
			row := slices.Clone(s.Rows[0])
			row[4].Text, row[5] = "raw", report.Cell{Text: "0"}
			s.Rows = append(s.Rows, row)
		}},
		"a table of its own": {"figures", func(d *report.Document) {
			d.Sections = append(d.Sections, report.Section{ID: "sum", Title: "Sum", Columns: []string{"Values shown"}, Rows: [][]report.Cell{{{Text: "0"}}}})
		}},
		"a table twice": {"figures", func(d *report.Document) { d.Sections = append(d.Sections, *section(d, "controller")) }},
		"names in other columns": {"figures", func(d *report.Document) {
			row := section(d, "recipients").Rows[0]
			row[0], row[1] = row[1], row[0]
		}},
		"a level that is denied":       {"figures", func(d *report.Document) { section(d, "recipients").Rows[0][4].Text = "not raw" }},
		"a time that was not over yet": {"form", func(d *report.Document) { d.Made = d.To.Add(-time.Minute) }},
		"a false level":                {"figures", func(d *report.Document) { s := section(d, "recipients"); s.Rows[1][4].Text = "masked" }},
		"another domain's":             {"form", func(d *report.Document) { d.Domain = "elsewhere" }},
		"another kind":                 {"figures", func(d *report.Document) { d.Kind = report.DPIA }},
		"a kind of its own":            {"form", func(d *report.Document) { d.Kind = "sox" }},
		"a later beginning":            {"figures", func(d *report.Document) { d.From = d.From.Add(30 * time.Minute) }},
		"a later end":                  {"figures", func(d *report.Document) { d.To = d.To.Add(30 * time.Minute) }},
		"entries at the beginning":     {"absent", func(d *report.Document) { d.Log.First++; d.Log.Trees[0].First++ }},
		"entries at the end":           {"absent", func(d *report.Document) { d.Log.Last--; d.Log.Trees[0].Last-- }},
		"the whole time":               {"absent", func(d *report.Document) { d.Log.First, d.Log.Last, d.Log.Trees = 0, 0, []report.TreeRange{} }},
		"a leaf that is in no tree":    {"absent", func(d *report.Document) { d.Log.Trees[0].Proofs[0].Leaf[0] ^= 1 }},
		"a path":                       {"absent", func(d *report.Document) { d.Log.Trees[0].Proofs[1].Path[0][0] ^= 1 }},
		"a proof taken away":           {"absent", func(d *report.Document) { d.Log.Trees[0].Proofs = d.Log.Trees[0].Proofs[:1] }},
		"a checkpoint's size": {"signature", func(d *report.Document) {
			d.Log.Trees[0].Checkpoint = regexp.MustCompile(`\n(\d+)\n`).ReplaceAllString(d.Log.Trees[0].Checkpoint, "\n9$1\n")
		}},
		"what an entry says": {"figures", func(d *report.Document) {
			section(d, "recipients").Rows[0][1] = report.Cell{Text: "lab", Entry: d.Log.Last - 1, At: "flow.to.domain"}
		}},
		"an entry that there is not": {"absent", func(d *report.Document) {
			section(d, "recipients").Rows[0][1] = report.Cell{Text: "lab", Entry: d.Log.Last + 9, At: "flow.to.agent"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := report.Decode(good.JSON)
			if err != nil {
				t.Fatal(err)
			}
			change.do(d)
			w.t = t
			if kind := w.stranger(w.encoded(d).JSON); kind != change.kind {
				t.Errorf("scrim-verify says %q, want %q", kind, change.kind)
			}
		})
	}
	w.t = t
	w.sleep(time.Hour)
	late := w.document(report.Query{Kind: report.ROPA, From: w.now.Add(-time.Hour), To: w.now})
	w.send("lab", "p-9") // after the report was made
	if _, err := w.Log.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kind := w.stranger(w.encoded(late).JSON); kind != "" {
		t.Errorf("what came after the report: scrim-verify says %q", kind)
	}
	late.Made = late.Made.Add(time.Hour)
	late.To = late.Made
	if kind := w.stranger(w.encoded(late).JSON); kind != "absent" {
		t.Errorf("an old checkpoint leaves out what came since: scrim-verify says %q", kind)
	}
	other := bytes.Replace(good.JSON, []byte(`"value":3`), []byte(`"value":2`), 1)
	if kind := w.stranger(other); kind != "signature" {
		t.Errorf("changed and not signed anew: scrim-verify says %q", kind)
	}
	twice := bytes.Replace(good.JSON, []byte(`{"report":`), []byte(`{"report":{},"report":`), 1)
	if kind := w.stranger(twice); kind != "form" {
		t.Errorf("two reports in one: scrim-verify says %q", kind)
	}
	forged := regexp.MustCompile(`csv [A-Za-z0-9+/=]+`).ReplaceAll(good.JSON, []byte("csv "+strings.Repeat("A", 43)+"="))
	if kind := w.stranger(forged); kind != "signature" {
		t.Errorf("another note: scrim-verify says %q", kind)
	}
}

// HTML and CSV are signed together with the JSON, and show what it says.
func TestFormsOfAReport(t *testing.T) {
	w, q := busy(t)
	h := w.house()
	h.Settings.Controller.Name = `<b>"House" & Sons</b>`
	h.Settings.Controller.Address = "1 Elm Street;=cmd()"
	h.Settings.Domains = map[flow.DomainID]report.Domain{gatewaytest.Other: {Contact: report.Contact{Name: "=cmd()"}, Country: "CH", Safeguard: "＝cmd()"}}
	d, err := report.Make(t.Context(), h, q)
	if err != nil {
		t.Fatal(err)
	}
	f := w.encoded(d)
	if strings.Contains(string(f.HTML), "<b>") || strings.Contains(string(f.HTML), "<script") || strings.Contains(string(f.HTML), "http") && strings.Contains(string(f.HTML), "src=") {
		t.Error("the page has what was to be escaped, a script or something from elsewhere")
	}
	if strings.Contains(string(f.CSV), "\n=") || strings.Contains(string(f.CSV), ",=") || strings.Contains(string(f.CSV), ";=") || strings.Contains(string(f.CSV), ",＝") {
		t.Error("a cell of the CSV is a formula")
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"r.html": f.HTML, "r.csv": f.CSV} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if kind := w.stranger(f.JSON, "--form", file); kind != "" {
			t.Errorf("%s: scrim-verify says %q", name, kind)
		}
		end := max(bytes.LastIndex(b, []byte("<pre id=\"note\">")), bytes.LastIndex(b, []byte("note,\"")))
		if d.Shows(slices.Concat(b[:end], []byte("<p>text,none of this is true\n"), b[end:])) {
			t.Errorf("%s goes on before its signature, and is said to show the report", name)
		}
		changed := bytes.Replace(b, []byte("payment"), []byte("advert."), 1)
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if kind := w.stranger(f.JSON, "--form", file); kind != "signature" || d.Shows(changed) {
			t.Errorf("%s was changed: scrim-verify says %q", name, kind)
		}
		at := bytes.LastIndex(b, []byte("\ntime 2026"))
		if err := os.WriteFile(file, slices.Concat(b[:at], []byte("\ntime 2036"), b[at+len("\ntime 2026"):]), 0o600); err != nil {
			t.Fatal(err)
		}
		if kind := w.stranger(f.JSON, "--form", file); kind != "signature" {
			t.Errorf("the note in %s was changed: scrim-verify says %q", name, kind)
		}
		if err := os.WriteFile(file, append(bytes.Clone(b), "<p>more</p>"...), 0o600); err != nil {
			t.Fatal(err)
		}
		if kind := w.stranger(f.JSON, "--form", file); kind != "form" {
			t.Errorf("%s goes on: scrim-verify says %q", name, kind)
		}
	}
}
