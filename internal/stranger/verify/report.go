package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Figures is the kind of failure of a report whose figures are not those of the log.
const Figures = "figures"

const (
	reportLine = "scrim.dev/report@v1"
	reportForm = "report/1"
	// MaxReport is how large a report may be.
	MaxReport = 256 << 20
	maxCounts = 64
)

// Report is a signed report on a log (docs/spec/reports.md), as far as a checker looks into it.
type Report struct {
	Origin string // of the log
	Kind   string
	Time   time.Time // when it says that it was made
	body   reportBody
	note   string
	html   tlog.Hash
	csv    tlog.Hash
	trees  []Checkpoint
}

// The members of a report, in their order.
type reportBody struct {
	Scrim    string          `json:"scrim"`
	Kind     string          `json:"kind"`
	Title    string          `json:"title"`
	Law      string          `json:"law,omitempty"`
	Domain   string          `json:"domain"`
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Made     time.Time       `json:"made"`
	Rules    reportRules     `json:"rules"`
	Log      reportLog       `json:"log"`
	Sections []reportSection `json:"sections"`
	Missing  []reportMissing `json:"missing"`
	Counts   []reportCount   `json:"counts"`
}

type reportRules struct {
	Config string `json:"config"`
	Policy string `json:"policy"`
}

type reportMissing struct {
	Law  string `json:"law"`
	What string `json:"what"`
}

type reportSection struct {
	ID      string         `json:"id"`
	Title   string         `json:"title"`
	Law     string         `json:"law,omitempty"`
	Text    []string       `json:"text,omitempty"`
	Columns []string       `json:"columns"`
	Rows    [][]reportCell `json:"rows"`
}

type reportCell struct {
	Text   string `json:"text"`
	Figure string `json:"figure,omitempty"`
	Entry  int64  `json:"entry,omitempty"`
	At     string `json:"at,omitempty"`
}

type reportCount struct {
	ID      string         `json:"id"`
	Where   []reportWhere  `json:"where"`
	By      []string       `json:"by"`
	Sum     string         `json:"sum"`
	Keys    bool           `json:"keys,omitempty"`
	Figures []reportFigure `json:"figures"`
}

type reportWhere struct {
	At  string   `json:"at"`
	Is  []string `json:"is,omitempty"`
	Not []string `json:"not,omitempty"`
}

type reportFigure struct {
	Key     []string      `json:"key"`
	Value   int64         `json:"value"`
	Entries reportEntries `json:"entries"`
}

type reportEntries struct {
	Number int64      `json:"number"`
	First  int64      `json:"first"`
	Last   int64      `json:"last"`
	Ranges [][2]int64 `json:"ranges,omitempty"`
	Digest []byte     `json:"digest"`
}

type reportLog struct {
	Origin string       `json:"origin"`
	First  int64        `json:"first"`
	Last   int64        `json:"last"`
	Trees  []reportTree `json:"trees"`
}

type reportTree struct {
	Origin     string      `json:"origin"`
	Start      int64       `json:"start"`
	First      int64       `json:"first"`
	Last       int64       `json:"last"`
	Checkpoint string      `json:"checkpoint"`
	Proofs     []reportEnd `json:"proofs"`
}

type reportEnd struct {
	Entry int64    `json:"entry"`
	Index int64    `json:"index"`
	Leaf  []byte   `json:"leaf"`
	Path  [][]byte `json:"path"`
}

// OpenReport checks what a report shows of itself: that the log's key signed it, that each figure in its tables is one of its counts, that its
// checkpoints are the log's, with a quorum where one is demanded, that entries are in those trees, and that none is left out in between.
// Whether the figures are those of the log [Report.Recount] finds out. It returns a [Failure] of kind [Form], [Signature], [Quorum], [Absent] or [Figures].
func (p *Policy) OpenReport(file []byte) (*Report, error) {
	if len(file) > MaxReport {
		return nil, failed(Form, "", "report is too large")
	}
	var outer struct {
		Report json.RawMessage `json:"report"`
		Note   string          `json:"note"`
	}
	if err := json.Unmarshal(file, &outer); err != nil {
		return nil, failed(Form, "", "report is no JSON")
	}
	quoted, err := compact(outer.Note)
	if err != nil || !bytes.Equal(file, slices.Concat([]byte(`{"report":`), outer.Report, []byte(`,"note":`), quoted, []byte("}\n"))) {
		return nil, failed(Form, "", "report is not in the form that is written")
	}
	r := &Report{note: outer.Note}
	digest, err := r.open(p, outer.Note)
	if err != nil {
		return nil, err
	}
	if digest != tlog.Hash(sha256.Sum256(outer.Report)) {
		return nil, failed(Signature, "", "report is not the one that was signed")
	}
	dec := json.NewDecoder(bytes.NewReader(outer.Report))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r.body); err != nil {
		return nil, failed(Form, "", "report has members that this program does not know")
	}
	if again, err := compact(&r.body); err != nil || !bytes.Equal(again, outer.Report) {
		return nil, failed(Form, "", "report is not in its one form")
	}
	if b := &r.body; b.Scrim != reportForm || b.Kind != r.Kind || b.Log.Origin != r.Origin || !b.Made.Equal(r.Time) {
		return nil, failed(Form, "", "report is not what its signature says that it is")
	}
	if b := &r.body; b.To.Before(b.From) || b.To.After(b.Made.Add(time.Second)) {
		return nil, failed(Form, "", "report is about a time that was not over when it was made")
	}
	if err := r.prescribed(); err != nil {
		return nil, err
	}
	if err := r.laidOut(); err != nil {
		return nil, err
	}
	if err := r.consistent(); err != nil {
		return nil, err
	}
	return r, r.rooted(p)
}

func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// open checks the note, which names the digests of all forms.
func (r *Report) open(p *Policy, signed string) (body tlog.Hash, err error) {
	lines := strings.SplitN(signed, "\n", 3)
	if len(lines) < 3 || lines[0] != reportLine {
		return body, failed(Form, "", "it is no report of version %s", reportLine)
	}
	own := Policy{Keys: p.Keys} // witnesses sign no reports
	_, verifiers := own.verifiers(lines[1])
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil {
		_, unverified := errors.AsType[*note.UnverifiedNoteError](err)
		_, invalid := errors.AsType[*note.InvalidSignatureError](err)
		if unverified || invalid {
			return body, failed(Signature, "", "report is not signed by the log's key")
		}
		return body, failed(Form, "", "report has no signed note")
	}
	lines = strings.Split(n.Text, "\n")
	if len(lines) != 8 || lines[7] != "" {
		return body, failed(Form, "", "the report's note has not seven lines")
	}
	r.Origin = lines[1]
	for i, name := range []string{"kind", "time", "json", "html", "csv"} {
		value, ok := strings.CutPrefix(lines[i+2], name+" ")
		var err error
		switch name {
		case "kind":
			r.Kind = value
		case "time":
			r.Time, err = time.Parse(time.RFC3339, value)
		case "json":
			body, err = parseHash(value)
		case "html":
			r.html, err = parseHash(value)
		case "csv":
			r.csv, err = parseHash(value)
		}
		if !ok || err != nil {
			return body, failed(Form, "", "the note's %s is not in its form", name)
		}
	}
	return body, nil
}

// consistent checks that tables show what was counted.
func (r *Report) consistent() error {
	counts := map[string]*reportCount{}
	if len(r.body.Counts) > maxCounts {
		return failed(Form, "", "report has more than %d counts", maxCounts)
	}
	for i := range r.body.Counts {
		c := &r.body.Counts[i]
		if counts[c.ID] != nil || strings.Contains(c.ID, "/") {
			return failed(Form, c.ID, "a count is named twice, or oddly")
		}
		counts[c.ID] = c
		if err := c.wellFormed(); err != nil {
			return at(c.ID, err)
		}
	}
	shown := map[string]bool{}
	tables, _ := tablesOf(r.Kind, r.Person())
	for _, s := range r.body.Sections {
		t := tables[s.ID]
		for i, row := range s.Rows {
			for _, cell := range row {
				if cell.Figure == "" {
					continue
				}
				if err := shows(counts, cell, row, &t); err != nil {
					return at(fmt.Sprintf("row %d of %s", i, short(s.ID)), err)
				}
				shown[cell.Figure] = true
			}
		}
	}
	for _, c := range r.body.Counts {
		for i := range c.Figures {
			if id := fmt.Sprintf("%s/%d", c.ID, i); !shown[id] && !slices.Contains(hidden, c.ID) {
				return failed(Figures, id, "it stands in no table")
			}
		}
	}
	return nil
}

// shows checks that a cell is its figure, and that its row names what the figure is of.
func shows(counts map[string]*reportCount, cell reportCell, row []reportCell, t *table) error {
	id, place, _ := strings.Cut(cell.Figure, "/")
	n, err := strconv.Atoi(place)
	c := counts[id]
	if err != nil || c == nil || n < 0 || n >= len(c.Figures) || place != strconv.Itoa(n) {
		return failed(Form, "", "it shows the figure %q, which is not there", short(cell.Figure))
	}
	if want := c.shown(c.Figures[n].Value); want != cell.Text {
		return failed(Figures, "", "it shows %q where %s was counted (%s)", short(cell.Text), want, cell.Figure)
	}
	for i, part := range c.Figures[n].Key {
		named := func(other reportCell) bool {
			return other.Figure == "" && (titled(other.Text, part) || t.prose && names(other.Text, part))
		}
		if part != "" && !slices.ContainsFunc(t.named(row, id, i), named) {
			return failed(Figures, "", "its figure %s is of %q, which the row does not name", cell.Figure, short(part))
		}
	}
	return nil
}

// titled reports whether a text is a name, alone or in parentheses behind a title.
func titled(text, name string) bool { return text == name || strings.HasSuffix(text, " ("+name+")") }

// names reports whether a text is a name, or has it as a word of its own or in parentheses.
func names(text, name string) bool {
	return text == name || strings.Contains(text, "("+name+")") || strings.HasSuffix(text, " "+name) || strings.Contains(text, " "+name+" ")
}

// rooted checks checkpoints and inclusion.
func (r *Report) rooted(p *Policy) error {
	log := &r.body.Log
	next := log.First
	for i := range log.Trees {
		t := &log.Trees[i]
		if t.Origin != log.Origin && !strings.HasPrefix(t.Origin, log.Origin+"/") {
			return failed(Form, t.Origin, "the tree is of another log")
		}
		c, err := p.Open([]byte(t.Checkpoint))
		if err != nil {
			return at(t.Origin, err)
		}
		switch {
		case c.Origin != t.Origin:
			return failed(Form, t.Origin, "the checkpoint is that of another tree")
		case t.Start < 1 || t.First != next || t.First < t.Start || i > 0 && t.First != t.Start:
			return failed(Absent, t.Origin, "entries before %d are left out", t.First)
		case t.Last != t.Start+c.Size-2 || t.Last < t.First:
			return failed(Absent, t.Origin, "the tree has %d entries, and the report ends with number %d", c.Size, t.Last)
		}
		next = t.Last + 1
		r.trees = append(r.trees, c)
		if err := t.included(c); err != nil {
			return err
		}
	}
	if log.First > 0 && next != log.Last+1 || log.First == 0 && (len(log.Trees) > 0 || log.Last != 0) {
		return failed(Absent, "", "the report's trees do not hold its entries %d to %d", log.First, log.Last)
	}
	return nil
}

func (t *reportTree) included(c Checkpoint) error {
	ends := map[int64]bool{}
	for _, e := range t.Proofs {
		where := fmt.Sprintf("entry %d", e.Entry)
		if e.Index != e.Entry-t.Start+1 || e.Index < 1 || e.Index >= c.Size || len(e.Leaf) != tlog.HashSize || len(e.Path) > maxPath {
			return failed(Form, where, "its proof is not in its form")
		}
		path := make(tlog.RecordProof, len(e.Path))
		for i, h := range e.Path {
			if copy(path[i][:], h) != tlog.HashSize || len(h) != tlog.HashSize {
				return failed(Form, where, "its proof is not in its form")
			}
		}
		if tlog.CheckRecord(path, c.Size, c.Root, e.Index, tlog.Hash(e.Leaf)) != nil {
			return failed(Absent, where, "its proof does not lead to the signed root")
		}
		ends[e.Entry] = true
	}
	if !ends[t.First] || !ends[t.Last] {
		return failed(Absent, t.Origin, "the first or the last entry is not proven")
	}
	return nil
}

// Form checks that a file is the HTML or the CSV that was signed together with the report. Whether it shows what the report says,
// the signature alone does not tell.
func (r *Report) Form(file []byte) error {
	if body, tail, ok := cutLast(file, "<pre id=\"note\">"); ok {
		signed, ok := strings.CutSuffix(string(tail), "</pre>\n</main>\n</body>\n</html>\n")
		if !ok || strings.Contains(signed, "<") {
			return failed(Form, "", "the page goes on after its signature")
		}
		return r.form(body, html.UnescapeString(signed), r.html)
	}
	if body, tail, ok := cutLast(file, "\nnote,\""); ok {
		signed, ok := strings.CutSuffix(string(tail), "\"\n")
		if !ok || strings.Contains(strings.ReplaceAll(signed, `""`, ""), `"`) {
			return failed(Form, "", "the file goes on after its signature")
		}
		return r.form(append(bytes.Clone(body), '\n'), strings.ReplaceAll(signed, `""`, `"`), r.csv)
	}
	return failed(Form, "", "it is neither the HTML nor the CSV of a report")
}

func (r *Report) form(body []byte, signed string, want tlog.Hash) error {
	if tlog.Hash(sha256.Sum256(body)) != want || signed != r.note {
		return failed(Signature, "", "it is not the one that was signed with this report")
	}
	return nil
}

func cutLast(b []byte, mark string) (before, after []byte, ok bool) {
	i := bytes.LastIndex(b, []byte(mark))
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+len(mark):], true
}
