package lineage

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// Bounds of an event that comes from outside. Its bytes are bounded by [Limits].
const (
	mostNamespace = 512  // bytes
	mostName      = 1024 // bytes of a dataset's, job's or column's name
	mostURI       = 2048 // bytes
	mostWord      = 64   // bytes of a type or subtype
	mostDatasets  = mostOfRun
	mostFields    = 10_000 // columns of one dataset
	mostInputs    = 50_000 // of columns, in one event
	mostHow       = 32     // transformations of one input
	mostLinks     = 32     // other names of one dataset
	mostNested    = 32     // structures within each other in a schema
)

// Limits are what [Decode] takes of one event. The zero value has the defaults.
type Limits struct {
	Bytes int // 0: 4 MiB
}

// Refused says where an event is not acceptable, and why. It repeats nothing of the event: a name that OpenLineage does not give is "*".
type Refused struct {
	Place  flow.Path // JSON Pointer; "": the whole event
	Reason string
	Err    error // of the JSON, where that is the reason
}

// Error implements error.
func (r *Refused) Error() string {
	at := string(r.Place)
	if at == "" {
		at = "the event"
	}
	if r.Err != nil {
		return fmt.Sprintf("lineage event refused: %s: %s", at, r.Err)
	}
	return fmt.Sprintf("lineage event refused: %s: %s", at, r.Reason)
}

// Unwrap returns what was wrong with the JSON.
func (r *Refused) Unwrap() error { return r.Err }

// Decode reads an event of OpenLineage 2-0-2, or of one of its earlier versions, which hold no more. What its schemas demand is
// demanded, and so are bounds and names without control characters; what they do not know is passed over. No name of a member may
// stand twice. It returns a [*Refused].
func Decode(raw []byte, lim Limits) (*Event, error) {
	if lim.Bytes <= 0 {
		lim.Bytes = 4 << 20
	}
	d := json.Borrow()
	defer d.Return()
	if err := d.Parse(raw, nil, json.Limits{Bytes: lim.Bytes, Depth: 256, Nodes: 400_000}); err != nil {
		return nil, &Refused{Err: err, Reason: "not acceptable as JSON"}
	}
	r := &reader{d: d}
	ev := r.event()
	if r.err != nil {
		return nil, r.err
	}
	return ev, nil
}

// reader reads one document. After an error it goes on without harm, and the first error counts.
type reader struct {
	d      *json.Doc
	err    *Refused
	inputs int // of columns, so far
}

func (r *reader) refuse(n int, format string, args ...any) {
	if r.err == nil {
		r.err = &Refused{Place: r.d.Pointer(n, r.declared), Reason: fmt.Sprintf(format, args...)}
	}
}

// declared reports whether a member's name is one of OpenLineage's. A column may be called like one, and is then named for what it is not; but it
// is no secret then either.
func (r *reader) declared(n int) bool { return words[string(r.d.Key(n))] }

var words = func() map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq(`eventType eventTime producer schemaURL run job dataset inputs outputs runId facets namespace name inputFacets
		outputFacets _producer _schemaURL _deleted parent root version datasetVersion symlinks identifiers type lifecycleStateChange
		previousIdentifier schema fields columnLineage inputFields field transformations subtype masking lineage entries`) {
		all[w] = true
	}
	return all
}()

// member returns a member of an object that must be of the kind. If it is not there, ok is false, which is a fault only where it is needed.
func (r *reader) member(obj int, name string, kind json.Kind, needed bool) (n int, ok bool) {
	n, ok = r.d.Member(obj, name)
	switch {
	case !ok && needed:
		r.refuse(obj, "%s is missing", name)
	case ok && r.d.Nodes[n].Kind != kind:
		r.refuse(n, "expected: %s", kind)
		return 0, false
	}
	return n, ok
}

func (r *reader) object(n int) bool {
	if r.d.Nodes[n].Kind != json.Object {
		r.refuse(n, "expected: %s", json.Object)
		return false
	}
	return true
}

// text returns a string member that is neither empty, nor too long, nor holds what would not be seen.
func (r *reader) text(obj int, name string, most int, needed bool) string {
	n, ok := r.member(obj, name, json.String, needed)
	if !ok {
		return ""
	}
	s := r.d.Text(n)
	r.checkText(n, s, most)
	if s == "" {
		r.refuse(n, "it is empty")
	}
	return s
}

func (r *reader) checkText(n int, s string, most int) {
	if len(s) > most {
		r.refuse(n, "longer than %d bytes", most)
	}
	if strings.ContainsFunc(s, hidden) {
		r.refuse(n, "it holds a control character")
	}
}

// hidden reports whether a character cannot be seen, or turns others round.
func hidden(c rune) bool {
	return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c == '\ufeff' || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069' || c >= 0x10fffe
}

func (r *reader) uri(obj int, name string) string {
	s := r.text(obj, name, mostURI, true)
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Scheme == "" {
		n, _ := r.d.Member(obj, name)
		r.refuse(n, "not a URI")
	}
	return s
}

// list returns the elements of an array member, each of which must be an object.
func (r *reader) list(obj int, name string, most int) (all []int) {
	n, ok := r.member(obj, name, json.Array, false)
	if !ok {
		return nil
	}
	for c := range r.d.Children(n) {
		if !r.object(c) {
			return nil
		}
		if len(all) == most {
			r.refuse(n, "more than %d elements", most)
			return nil
		}
		all = append(all, c)
	}
	return all
}

func (r *reader) event() *Event {
	ev := &Event{}
	if !r.object(0) {
		return nil
	}
	if n, ok := r.member(0, "eventTime", json.String, true); ok {
		var err error
		text := r.d.Text(n)
		if ev.Time, err = time.Parse(time.RFC3339Nano, text); err != nil || len(text) > 64 || !timeForm.MatchString(text) || ev.Time.UTC().Year() < 1 || ev.Time.UTC().Year() > 9999 {
			r.refuse(n, "not a time as RFC 3339 has it")
		}
	}
	ev.Producer = r.uri(0, "producer")
	r.version(r.uri(0, "schemaURL"))
	run, isRun := r.member(0, "run", json.Object, false)
	job, isJob := r.member(0, "job", json.Object, false)
	dataset, isDataset := r.member(0, "dataset", json.Object, false)
	switch {
	case r.err != nil:
	case isDataset && (isRun || isJob):
		r.refuse(0, "dataset stands beside run or job")
	case isDataset:
		d := r.dataset(dataset)
		ev.Dataset = &d
	case !isJob:
		r.refuse(0, "job or dataset is missing")
	default:
		if isRun {
			ev.Type = r.transition()
			ev.Run = r.run(run)
		}
		r.job(job, ev)
	}
	return ev
}

// timeForm is what time.Parse is not strict about.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// version refuses what a later version of OpenLineage may say otherwise.
func (r *reader) version(schema string) {
	rest, ok := strings.CutPrefix(schema, "https://openlineage.io/spec/")
	if !ok {
		return
	}
	if major, _, _ := strings.Cut(rest, "-"); major != "0" && major != "1" && major != "2" {
		n, _ := r.d.Member(0, "schemaURL")
		r.refuse(n, "not version 0, 1 or 2 of OpenLineage")
	}
}

func (r *reader) transition() Type {
	n, ok := r.member(0, "eventType", json.String, false)
	if !ok {
		return ""
	}
	t := Type(r.d.Text(n))
	switch t {
	case Start, Running, Complete, Abort, Fail, Other:
	default:
		r.refuse(n, "not one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER")
	}
	return t
}

// uuid reads a UUID, as RFC 9562 writes it.
func (r *reader) uuid(obj int) string {
	n, ok := r.member(obj, "runId", json.String, true)
	if !ok {
		return ""
	}
	s := r.d.Text(n)
	good := len(s) == 36
	for i := 0; good && i < len(s); i++ {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			good = c == '-'
		default:
			good = c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		}
	}
	if !good {
		r.refuse(n, "not a UUID")
		return ""
	}
	return strings.ToLower(s)
}

func (r *reader) name(obj int) Name {
	return Name{Namespace: r.text(obj, "namespace", mostNamespace, true), Name: r.text(obj, "name", mostName, true)}
}

func (r *reader) run(n int) *Run {
	out := &Run{ID: r.uuid(n)}
	all := r.facets(n, "facets")
	if parent, ok := all["parent"]; ok {
		run, haveRun := r.member(parent, "run", json.Object, true)
		job, haveJob := r.member(parent, "job", json.Object, true)
		if haveRun && haveJob {
			out.Parent = &Parent{Run: r.uuid(run), Job: r.name(job)}
		}
	}
	return out
}

// facets checks every facet of an object and returns those that are read here. Facets that are to be deleted change nothing: what was told stays told.
func (r *reader) facets(obj int, member string) map[string]int {
	n, ok := r.member(obj, member, json.Object, false)
	if !ok {
		return nil
	}
	all := map[string]int{}
	for f := range r.d.Children(n) {
		if !r.object(f) {
			return nil
		}
		r.uri(f, "_producer")
		r.uri(f, "_schemaURL")
		deleted := false
		if gone, ok := r.d.Member(f, "_deleted"); ok {
			deleted = r.truth(gone)
		}
		if name := string(r.d.Key(f)); words[name] && !deleted {
			all[name] = f
		}
	}
	return all
}

func (r *reader) truth(n int) bool {
	switch r.d.Nodes[n].Kind {
	case json.True:
		return true
	case json.False:
	default:
		r.refuse(n, "expected: true or false")
	}
	return false
}

func (r *reader) job(n int, ev *Event) {
	ev.Job = &Job{Name: r.name(n)}
	for _, c := range r.list(0, "inputs", mostDatasets) {
		r.facets(c, "inputFacets")
		ev.Inputs = append(ev.Inputs, r.dataset(c))
	}
	for _, c := range r.list(0, "outputs", mostDatasets) {
		r.facets(c, "outputFacets")
		ev.Outputs = append(ev.Outputs, r.dataset(c))
	}
	if f, ok := r.facets(n, "facets")["lineage"]; ok {
		r.entries(f, ev)
	}
}

// entries reads the lineage facet of a job: each entry is as good as an output, or an input of the job.
func (r *reader) entries(f int, ev *Event) {
	r.member(f, "entries", json.Array, true)
	for _, e := range r.list(f, "entries", mostDatasets) {
		switch r.text(e, "type", mostWord, true) {
		case "DATASET":
			ev.Outputs = append(ev.Outputs, Dataset{Name: r.name(e), Columns: r.explicit(e)})
		case "JOB":
			ev.Inputs = append(ev.Inputs, r.jobEntry(e, ev.Job.Name)...)
		default:
			r.refuse(e, "type is not DATASET or JOB")
		}
	}
	if len(ev.Outputs) > mostDatasets || len(ev.Inputs) > mostDatasets {
		r.refuse(f, "more than %d datasets", mostDatasets)
	}
}

// jobEntry reads what feeds a job. What feeds another job than the event's is that one's to tell.
func (r *reader) jobEntry(e int, own Name) (out []Dataset) {
	_, named := r.d.Member(e, "name")
	_, spaced := r.d.Member(e, "namespace")
	if (named || spaced) && r.name(e) != own {
		return nil
	}
	for _, in := range r.sources(e) {
		out = append(out, Dataset{Name: in.Dataset})
	}
	return out
}

func (r *reader) dataset(n int) Dataset {
	d := Dataset{Name: r.name(n)}
	all := r.facets(n, "facets")
	if f, ok := all["version"]; ok {
		d.Version = r.text(f, "datasetVersion", mostName, true)
	}
	if f, ok := all["symlinks"]; ok {
		for _, c := range r.list(f, "identifiers", mostLinks) {
			r.text(c, "type", mostName, true)
			d.Symlinks = append(d.Symlinks, r.name(c))
		}
	}
	if f, ok := all["lifecycleStateChange"]; ok {
		change := r.text(f, "lifecycleStateChange", mostWord, true)
		if before, ok := r.member(f, "previousIdentifier", json.Object, false); ok {
			if name := r.name(before); change == "RENAME" {
				d.Previous = &name
			}
		}
	}
	if f, ok := all["schema"]; ok {
		r.schema(f, "", 0, &d)
	}
	if f, ok := all["columnLineage"]; ok {
		d.Columns = r.columnLineage(f)
	}
	if f, ok := all["lineage"]; ok {
		d.Columns = joinColumns(d.Columns, r.explicit(f))
	}
	return d
}

func joinColumns(a, b *ColumnLineage) *ColumnLineage {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a
	}
	a.Fields, a.Dataset = append(a.Fields, b.Fields...), append(a.Dataset, b.Dataset...)
	return a
}

// schema reads the columns of a dataset, and those in their structures.
func (r *reader) schema(f int, within string, depth int, d *Dataset) {
	if depth > mostNested {
		r.refuse(f, "structures within each other more than %d deep", mostNested)
		return
	}
	for _, c := range r.list(f, "fields", mostFields) {
		name := within + r.text(c, "name", mostName, true)
		if len(name) > mostName {
			r.refuse(c, "longer than %d bytes with the structures around it", mostName)
		}
		if len(d.Schema) == mostFields {
			r.refuse(f, "more than %d columns", mostFields)
		}
		if r.err != nil {
			return
		}
		d.Schema = append(d.Schema, Field{Name: name, Type: r.columnType(c)})
		r.schema(c, name+".", depth+1, d)
	}
}

// columnType reads a column's type, which may be long where it is a structure, and is not kept.
func (r *reader) columnType(c int) string {
	r.member(c, "type", json.String, false)
	return ""
}

func (r *reader) columnLineage(f int) *ColumnLineage {
	out := &ColumnLineage{}
	fields, ok := r.member(f, "fields", json.Object, true)
	if !ok {
		return nil
	}
	for c := range r.d.Children(fields) {
		if len(out.Fields) == mostFields {
			r.refuse(fields, "more than %d columns", mostFields)
		}
		if r.err != nil || !r.object(c) {
			return nil
		}
		r.member(c, "inputFields", json.Array, true)
		one := FieldLineage{Field: r.key(c)}
		for _, in := range r.list(c, "inputFields", mostInputs) {
			one.Inputs = append(one.Inputs, r.inputField(in))
		}
		out.Fields = append(out.Fields, one)
	}
	for _, in := range r.list(f, "dataset", mostInputs) {
		out.Dataset = append(out.Dataset, r.inputField(in))
	}
	return out
}

// key returns the name of a member that is the name of a column.
func (r *reader) key(n int) string {
	s := string(r.d.Key(n))
	r.checkText(n, s, mostName)
	if s == "" {
		r.refuse(n, "a column without a name")
	}
	return s
}

func (r *reader) count(n int) {
	if r.inputs++; r.inputs > mostInputs {
		r.refuse(n, "more than %d inputs of columns", mostInputs)
	}
}

func (r *reader) inputField(n int) Input {
	r.count(n)
	return Input{Column: Column{Dataset: r.name(n), Field: r.text(n, "field", mostName, true)}, How: r.transformations(n)}
}

func (r *reader) transformations(n int) (all []Transformation) {
	for _, c := range r.list(n, "transformations", mostHow) {
		t := Transformation{Type: r.text(c, "type", mostWord, true), Subtype: r.text(c, "subtype", mostWord, false)}
		if m, ok := r.d.Member(c, "masking"); ok {
			t.Masking = r.truth(m)
		}
		all = append(all, t)
	}
	return all
}

// explicit reads the members of the lineage facet of a dataset, or of an entry of a job's.
func (r *reader) explicit(f int) *ColumnLineage {
	out := &ColumnLineage{Dataset: r.sources(f)}
	fields, ok := r.member(f, "fields", json.Object, false)
	if !ok {
		return out
	}
	for c := range r.d.Children(fields) {
		if len(out.Fields) == mostFields {
			r.refuse(fields, "more than %d columns", mostFields)
		}
		if r.err != nil || !r.object(c) {
			return nil
		}
		r.member(c, "inputs", json.Array, true)
		out.Fields = append(out.Fields, FieldLineage{Field: r.key(c), Inputs: r.sources(c)})
	}
	return out
}

// sources reads the inputs of explicit lineage that are datasets. Jobs hold no data of their own.
func (r *reader) sources(n int) (all []Input) {
	for _, in := range r.list(n, "inputs", mostInputs) {
		r.count(in)
		how := r.transformations(in)
		switch r.text(in, "type", mostWord, true) {
		case "DATASET":
			all = append(all, Input{Column: Column{Dataset: r.name(in), Field: r.text(in, "field", mostName, false)}, How: how})
		case "JOB":
		default:
			r.refuse(in, "type is not DATASET or JOB")
		}
	}
	return all
}
