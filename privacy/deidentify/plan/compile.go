package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/stream"
)

// Compiled is a plan that fits a source's columns. It is for one run: a memory of stand-ins, where a technique has one, is in it.
type Compiled struct {
	plan    *Plan
	hash    string
	epoch   string
	files   Files
	needed  []string // columns to be read, the source's order
	cols    []column // of needed
	out     []int    // of needed, those that are released
	changed []int    // of needed, those that a technique changes
}

// column is one column that is read.
type column struct {
	spec      *Column // nil: only read as a subject
	source    table.Column
	technique deidentify.Technique // nil for quasi-identifiers
	says      deidentify.Says
	keep      bool             // the technique changes nothing
	subject   int              // of needed; -1: none
	quasi     int              // number among the quasi-identifiers; -1
	sensitive int              // number among the sensitive columns; -1
	streamed  stream.Hierarchy // of a quasi-identifier of a stream; nil: values as they are
}

// Files opens what a plan refers to. Names are as the plan writes them.
type Files interface {
	// Open opens a hierarchy.
	Open(name string) (io.ReadCloser, error)
	// Table opens a population.
	Table(name string) (table.Source, error)
}

// Hash returns the hash of the plan, of all files it refers to, in hexadecimal.
func (c *Compiled) Hash() string { return c.hash }

// Plan returns the plan.
func (c *Compiled) Plan() *Plan { return c.plan }

// Treated is what becomes of one column that is released.
type Treated struct {
	Name string
	Spec Column
	Says deidentify.Says // of a quasi-identifier: at its least level
}

// Columns returns the columns that are released, in the order in which they stand.
func (c *Compiled) Columns() []Treated {
	var out []Treated
	for _, i := range c.out {
		out = append(out, Treated{c.cols[i].spec.Name, *c.cols[i].spec, c.cols[i].says})
	}
	return out
}

// Unseen names the columns that are released and that no privacy model looks at, but those that are the same in all rows that have a value:
// whoever knows what stands there can tell rows of one class apart. Nil without models.
func (c *Compiled) Unseen() []string {
	if len(c.plan.Privacy) == 0 {
		return nil
	}
	var out []string
	for _, i := range c.out {
		if spec := c.cols[i].spec; spec.Role == "" && spec.Technique != "constant" && spec.Technique != "placeholder" {
			out = append(out, spec.Name)
		}
	}
	return out
}

const maxHierarchy = 64 << 20 // bytes

// compiler notes what does not fit.
type compiler struct {
	p        *Plan
	c        *Compiled
	mistakes Mistakes
	contents map[string][]byte // of files, by name
	classes  *flow.Taxonomy
	maker    maker
}

func (k *compiler) wrong(path, hint, format string, args ...any) {
	k.mistakes = append(k.mistakes, mistakeAt(k.p.Name, k.p.places, path, hint, fmt.Sprintf(format, args...)))
}

// Compile fits the plan to columns. Keys may be nil if no technique needs one. The error is [Mistakes].
func (p *Plan) Compile(columns []table.Column, keys Keys, files Files) (*Compiled, error) {
	k := &compiler{p: p, c: &Compiled{plan: p, files: files}, contents: map[string][]byte{}, classes: p.Taxonomy}
	if k.classes == nil {
		k.classes = flow.DefaultTaxonomy()
	}
	k.maker = maker{keys: keys, memory: &deidentify.Memory{}, open: k.open}
	if keys != nil {
		k.c.epoch = keys.Epoch()
	}
	k.choose(columns)
	if len(k.mistakes) == 0 {
		k.build()
	}
	if len(k.mistakes) == 0 && p.Population.File != "" {
		k.population()
	}
	if len(k.mistakes) > 0 {
		return nil, k.mistakes.sorted()
	}
	k.c.hash = k.hash()
	for _, i := range k.c.out {
		if k.c.cols[i].technique != nil && !k.c.cols[i].keep {
			k.c.changed = append(k.c.changed, i)
		}
	}
	return k.c, nil
}

// open reads a file once, and gives its content every time.
func (k *compiler) open(name string) (io.ReadCloser, error) {
	b, ok := k.contents[name]
	if !ok {
		if k.c.files == nil {
			return nil, fmt.Errorf("no files can be opened here")
		}
		f, err := k.c.files.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be opened", name)
		}
		defer f.Close()
		if b, err = io.ReadAll(io.LimitReader(f, maxHierarchy+1)); err != nil {
			return nil, fmt.Errorf("%s cannot be read", name)
		}
		if len(b) > maxHierarchy {
			return nil, fmt.Errorf("%s is larger than 64 MiB", name)
		}
		k.contents[name] = b
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// population takes the digest of the population's file in place of its content: it may be large.
func (k *compiler) population() {
	if k.c.files == nil {
		k.wrong("population/file", "", "no files can be opened here")
		return
	}
	f, err := k.c.files.Open(k.p.Population.File)
	if err != nil {
		k.wrong("population/file", "", "%s cannot be opened", k.p.Population.File)
		return
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		k.wrong("population/file", "", "%s cannot be read", k.p.Population.File)
	}
	k.contents["population "+k.p.Population.File] = h.Sum(nil)
}

// choose finds the plan's columns among the source's.
func (k *compiler) choose(columns []table.Column) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	exists := func(name, path string) {
		if !slices.Contains(names, name) {
			k.wrong(path, nearHint(name, names), "the table has no such column")
		}
	}
	need := map[string]bool{}
	for i := range k.p.Columns {
		c := &k.p.Columns[i]
		exists(c.Name, "columns/"+c.Name)
		need[c.Name] = c.Technique != "drop"
	}
	if k.p.Subject != "" {
		exists(k.p.Subject, "subject")
		need[k.p.Subject] = true
	}
	for _, c := range k.p.Columns {
		if c.Subject != "" {
			exists(c.Subject, "columns/"+c.Name+"/subject")
			need[c.Subject] = true
		}
	}
	for _, sc := range columns {
		if !need[sc.Name] {
			continue
		}
		spec := k.p.Column(sc.Name)
		if spec != nil && spec.Technique != "drop" {
			k.c.out = append(k.c.out, len(k.c.needed))
		}
		k.c.cols = append(k.c.cols, column{spec: spec, source: sc, subject: -1, quasi: -1, sensitive: -1})
		k.c.needed = append(k.c.needed, sc.Name)
	}
}

func (k *compiler) build() {
	quasi, sensitive := 0, 0
	for i := range k.c.cols {
		col := &k.c.cols[i]
		if col.spec == nil || col.spec.Technique == "drop" {
			continue
		}
		at := "columns/" + col.spec.Name
		k.maker.class = flow.Class{}
		if l := col.spec.Label; l != "" {
			class, ok := k.classes.Class(l)
			if !ok {
				k.wrong(at+"/label", "", "the taxonomy has no such label")
				continue
			}
			k.maker.class = class
		}
		if col.spec.Role == "quasi" {
			col.quasi = quasi
			quasi++
			k.quasi(col, at)
			continue
		}
		if col.spec.Role == "sensitive" {
			col.sensitive = sensitive
			sensitive++
		}
		k.technique(col, at)
	}
	for i, m := range k.p.Privacy {
		if m.Hierarchy == "" {
			continue
		}
		if f, err := k.open(m.Hierarchy); err != nil {
			k.wrong(fmt.Sprintf("privacy/%d/hierarchy", i), "", "%s", err)
		} else if _, err := anonymity.ReadListed(f); err != nil {
			k.wrong(fmt.Sprintf("privacy/%d/hierarchy", i), "", "%s: %s", m.Hierarchy, err)
		}
	}
}

func (k *compiler) technique(col *column, at string) {
	t := techniques[col.spec.Technique]
	if t.keyed && k.maker.keys == nil {
		k.wrong(at+"/technique", "scrim key makes a keyring", "technique %s needs keys and there are none here", col.spec.Technique)
		return
	}
	made, err := t.make(col.spec, k.maker)
	if err != nil {
		k.wrong(at, "", "%s", strings.TrimPrefix(err.Error(), deidentify.ErrOptions.Error()+": "))
		return
	}
	col.technique, col.says, col.keep = made, made.Says(), col.spec.Technique == "keep"
	subject := col.spec.Subject
	if subject == "" && (col.says.Subject || col.spec.Technique == "token") {
		subject = k.p.Subject
	}
	col.subject = slices.Index(k.c.needed, subject)
	if col.says.Subject && col.subject < 0 {
		k.wrong(at, "subject: names the column that says whom a row is about", "technique %s needs a subject", col.spec.Technique)
	}
}

func (k *compiler) quasi(col *column, at string) {
	coding, err := col.spec.coding(k.open)
	if err != nil {
		k.wrong(at, "", "%s", err)
		return
	}
	if last := coding.Levels() - 1; col.spec.Least > last || col.spec.Most > last {
		k.wrong(at, "", "the levels are 0 to %d", last)
	}
	if w := col.spec.Weight; w != "" && (w.Float() <= 0 || math.IsInf(w.Float(), 0)) {
		k.wrong(at+"/weight", "", "a weight is above 0")
	}
	if k.p.Stream.Model != "" && len(k.mistakes) == 0 {
		k.streamed(col, coding, at)
	}
	says := deidentify.Says{Name: "generalize", Does: fmt.Sprintf("one of %d levels, as the privacy models need", coding.Levels())}
	says.Treatment = flow.Treatment{Level: flow.Raw}
	if col.spec.Least > 0 {
		says.Treatment = flow.Treatment{Level: flow.Generalized, Param: leastParam(col.spec)}
	}
	says.Preserves = []string{"the value, as far as the models let it stand"}
	says.Reveals = []string{"of whom is known to be in the table: one of at least so many rows as the models ask for"}
	if k.p.Stream.Model == "z-anonymity" {
		says.Reveals = []string{"the combination, while so many subjects showed it within the window; other records with it may all be suppressed"}
	}
	says.Threat = "stops a look-up by all quasi-identifiers together; not what follows from columns that are none"
	col.says = says
}

// leastParam says what the least level that is allowed amounts to, as levels of messages are written; "" where there is no such word.
func leastParam(c *Column) flow.Param {
	switch {
	case c.Hierarchy != "":
		return flow.Param(fmt.Sprintf("up:%d", c.Least))
	case c.Intervals != nil && c.Least <= len(c.Intervals):
		return flow.Param("bucket:" + string(c.Intervals[c.Least-1]))
	case c.Prefix != nil && c.Least < len(c.Prefix):
		return flow.Param(fmt.Sprintf("prefix:%d", c.Prefix[c.Least]))
	case c.Dates != nil && c.Least <= len(c.Dates):
		return flow.Param(c.Dates[c.Least-1])
	}
	return ""
}

// hash covers the plan with its defaults filled in, and every file that it names: changed spaces and comments do not count.
func (k *compiler) hash() string {
	h := sha256.New()
	canonical := *k.p
	canonical.Name, canonical.places = "", nil
	b, _ := json.Marshal(canonical) // fields of basic types only
	fmt.Fprintf(h, "scrim plan 1\n%d\n%s", len(b), b)
	for _, name := range slices.Sorted(maps.Keys(k.contents)) {
		fmt.Fprintf(h, "%d %d\n%s%s", len(name), len(k.contents[name]), name, k.contents[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
