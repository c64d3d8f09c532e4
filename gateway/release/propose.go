package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// ErrNothing says that policy lets no column of the table out.
var ErrNothing = errors.New("policy lets no column of this table out to this recipient")

// mostAsked bounds the k with which policy is asked.
const mostAsked = 1000

// askedL are the l with which policy is asked, once it wants any.
var askedL = []int{2, 3, 4, 5, 8, 10, 20, 50, 100}

// Raw is a source's column, of which a plan is to be made.
type Raw struct {
	Name  string
	Found flow.Label // what detection says of it; "": nothing
	Width int        // how many characters each value has, if all that were looked at have the same; 0: they have not
}

// proposal is a plan in the making.
type proposal struct {
	snap    *gateway.Snapshot
	order   Order
	k       int // that was asked for; 0: the least that will do
	raw     []Raw
	skipped map[string]string // columns that a plan cannot name, and why
	names   []string          // of those it can
	alone   *Decision         // what policy says of each column by itself
	model   policy.Model
	rows    bool // the model is needed for rows to leave
	lines   []line
}

// line is a column of the plan.
type line struct {
	raw       *Raw
	leaf      flow.Leaf
	terms     flow.LeafTerms
	found     bool // the label is detection's
	role      Role
	says      string // what stands in braces
	note      string
	covered   bool
	shut      bool // no technique shows as little as the terms ask for
	candidate Role // what it would be to a model
}

// Propose writes a plan for a table's columns that reveals no more of any than policy allows, with a comment at each line: its label,
// where that comes from, and which policies decided. With k 0 the least k is taken with which rows may leave, and the same of l. The
// plan is read, compiled and decided before it is returned. It holds no value of the table, since none was seen.
//
// That no rows may leave is [ErrRefused], that none of the columns may is [ErrNothing].
func Propose(s *gateway.Snapshot, o Order, k int, raw []Raw) ([]byte, error) {
	p := &proposal{snap: s, order: o, k: k, raw: raw, skipped: map[string]string{}}
	p.choose()
	if len(p.lines) == 0 {
		return nil, ErrNothing
	}
	if err := p.label(); err != nil {
		return nil, err
	}
	if err := p.fit(); err != nil {
		return nil, err
	}
	for range 2*len(p.lines) + 1 { // a column of which too much would show is dropped, and the rest is asked about again
		text := p.text()
		over, err := p.verify(text)
		if err != nil {
			return nil, err
		}
		if len(over) == 0 {
			return text, nil
		}
		for _, i := range over {
			l := &p.lines[i]
			if l.role != Plain {
				l.candidate = Plain
			}
			l.shut = l.role == Plain
		}
		if err := p.fit(); err != nil {
			return nil, err
		}
	}
	return nil, ErrNothing
}

// choose keeps the columns that a plan can name.
func (p *proposal) choose() {
	times := map[string]int{}
	for _, r := range p.raw {
		times[r.Name]++
	}
	within := func(name string) bool {
		for i, c := range name {
			if c == '/' && times[name[:i]] > 0 {
				return true
			}
		}
		return false
	}
	for i := range p.raw {
		r := &p.raw[i]
		q, ok := quoted(r.Name)
		switch {
		case r.Name == "" || !ok:
			p.skipped[fmt.Sprintf("column %d", i+1)] = "has no name that can be written"
		case len(q) > 1000:
			p.skipped[fmt.Sprintf("column %d", i+1)] = "has too long a name"
		case times[r.Name] > 1:
			p.skipped[fmt.Sprintf("column %d", i+1)] = "is one of several with the same name"
		case within(r.Name):
			p.skipped[fmt.Sprintf("column %d", i+1)] = "has a name that begins with another column's and a slash"
		default:
			p.lines = append(p.lines, line{raw: r})
			p.names = append(p.names, r.Name)
		}
	}
}

// label asks what policy says of each column by itself, outside any model.
func (p *proposal) label() error {
	cols := p.columns(func(*line) Role { return Plain })
	d, err := Decide(p.snap, p.order, cols, policy.Model{})
	if err != nil {
		return err
	}
	p.alone, p.rows = d, !d.Terms.Allowed
	bare := slices.Clone(cols)
	for i := range bare {
		bare[i].Found, bare[i].Label = "", ""
	}
	without, err := Decide(p.snap, p.order, bare, policy.Model{})
	if err != nil {
		return err
	}
	for i := range p.lines {
		l := &p.lines[i]
		l.leaf, l.terms = d.Leaves[i], d.Terms.Leaves[i]
		l.found = without.Leaves[i].Label != l.leaf.Label
		class, _ := p.snap.Taxonomy.Class(l.leaf.Label)
		if class.Family != flow.Attribute || class.Tier == flow.Public {
			continue
		}
		// What is special and no date is what others want to know of somebody; all else is what somebody is known by.
		if l.candidate = Quasi; class.Special && class.Kind != flow.Date {
			l.candidate = Sensitive
		}
	}
	return nil
}

func (p *proposal) columns(role func(*line) Role) []Column {
	out := make([]Column, len(p.lines))
	for i := range p.lines {
		l := &p.lines[i]
		out[i] = Column{Name: l.raw.Name, Found: l.raw.Found, Role: role(l), Says: deidentify.Keep().Says()}
		if p.order.Dataset == "" { // then the plan's labels count, and it will have this one
			out[i].Label = l.raw.Found
		}
	}
	return out
}

// fit finds the weakest model with which rows may leave, and gives each column its role and technique.
func (p *proposal) fit() error {
	for {
		d, err := p.least()
		if err != nil {
			return err
		}
		p.model = d.Query.Model
		if !p.assign(d) {
			return nil
		}
	}
}

// count says how many columns are candidates for a role.
func (p *proposal) count(r Role) (n int) {
	for i := range p.lines {
		if p.lines[i].candidate == r {
			n++
		}
	}
	return n
}

// least returns the decision with the least l, and with it the least k, that lets rows leave.
func (p *proposal) least() (*Decision, error) {
	if p.count(Quasi) == 0 { // nothing for a model to look at
		for i := range p.lines {
			p.lines[i].candidate = Plain
		}
		d, err := p.ask(0, 0)
		if err == nil && !d.Terms.Allowed {
			err = &Refused{Reason: d.Terms.Reason}
		}
		return d, err
	}
	ls := []int{0}
	if p.count(Sensitive) > 0 {
		ls = askedL
	}
	var last *Decision
	for _, l := range ls {
		low, high := max(2, l), mostAsked
		if p.k > 1 {
			low, high = p.k, p.k
		}
		d, err := p.ask(high, l)
		if err != nil {
			return nil, err
		}
		if last = d; !d.Terms.Allowed {
			continue
		}
		for low < high { // a stronger guarantee never opens less, so that the least is found by halves
			mid := (low + high) / 2
			e, err := p.ask(mid, l)
			if err != nil {
				return nil, err
			}
			if e.Terms.Allowed {
				d, high = e, mid
			} else {
				low = mid + 1
			}
		}
		return d, nil
	}
	return nil, &Refused{Reason: last.Terms.Reason}
}

func (p *proposal) ask(k, l int) (*Decision, error) {
	m := policy.Model{K: k, L: l}
	if k > 1 {
		m.Risk = thousandths(1 / float64(k))
	}
	return Decide(p.snap, p.order, p.columns(func(l *line) Role { return l.candidate }), m)
}

// assign gives each line what policy allows it, and reports whether a candidate turned out to be none, so that another model may do.
func (p *proposal) assign(d *Decision) (again bool) {
	for i := range p.lines {
		l := &p.lines[i]
		covered, alone := d.Terms.Leaves[i], p.alone.Terms.Leaves[i]
		class, _ := p.snap.Taxonomy.Class(l.leaf.Label)
		if l.candidate != Plain && (!d.Terms.Covered[i] || covered.Level != flow.Raw && covered.Level != flow.Generalized || alone.Level == flow.Raw && !p.rows && p.k == 0) {
			l.candidate, again = Plain, true
			continue
		}
		l.role, l.terms, l.covered, l.note = l.candidate, alone, l.candidate != Plain, ""
		if l.covered {
			l.terms = covered
		}
		switch {
		case l.shut:
			l.says, l.note = "technique: drop", "no technique shows as little as the terms ask for"
		case l.role == Quasi:
			l.says = "role: quasi" + p.labelled(l) + levels(class, l.raw.Width)
			if strings.Contains(l.says, "prefix:") {
				l.note = "as long as the codes of the first rows"
			}
			if covered.Level == flow.Generalized {
				l.says += ", least: 1"
			}
		case l.role == Sensitive:
			l.says, l.note = p.technique(l, class)
			l.says = "role: sensitive, " + l.says
		default:
			l.says, l.note = p.technique(l, class)
		}
	}
	if d.Query.Model.K > 1 && p.count(Quasi) == 0 {
		again = true
	}
	return again
}

// verify reads the plan as the release will, and returns the lines of which too much would show.
func (p *proposal) verify(text []byte) ([]int, error) {
	parsed, err := plan.Parse("plan", text)
	if err != nil {
		if !slices.ContainsFunc(p.lines, func(l line) bool { return l.says != "technique: drop" }) {
			return nil, ErrNothing
		}
		return nil, err
	}
	parsed.Taxonomy = p.snap.Taxonomy
	cols := make([]table.Column, len(p.names))
	for i, n := range p.names {
		cols[i].Name = n
	}
	compiled, err := parsed.Compile(cols, noKeys{}, nil)
	if err != nil {
		return nil, err
	}
	found := map[string]flow.Label{}
	for _, r := range p.raw {
		found[r.Name] = r.Found
	}
	planned := columnsOf(compiled, found)
	d, err := Decide(p.snap, p.order, planned, Promised(parsed))
	if err != nil {
		return nil, err
	}
	if !d.Terms.Allowed {
		return nil, &Refused{Reason: d.Terms.Reason}
	}
	var over []int
	for _, x := range d.Excess {
		over = append(over, slices.Index(p.names, x.Column))
	}
	return over, nil
}

// noKeys stands for keys where techniques are only asked what they say.
type noKeys struct{}

var errNoKeys = errors.New("these keys are of nobody")

func (noKeys) Epoch() string                                { return "" }
func (noKeys) Tokens(flow.Label) (deidentify.Tokens, error) { return noKeys{}, nil }
func (noKeys) MAC(flow.Label) (deidentify.MAC, error)       { return noMAC{}, nil }
func (noKeys) PRF(flow.Label) (deidentify.PRF, error)       { return noKeys{}, nil }
func (noKeys) Cipher(_ flow.Label, radix int) (deidentify.Cipher, error) {
	return noCipher(radix), nil
}
func (noKeys) Token(_, _, _ []byte) ([]byte, error) { return nil, errNoKeys }
func (noKeys) Uint64([]byte) uint64                 { return 0 }

type noMAC struct{}

func (noMAC) MAC(dst, _ []byte) []byte { return dst }

type noCipher int

func (noCipher) Encrypt([]uint16) error { return errNoKeys }
func (noCipher) Decrypt([]uint16) error { return errNoKeys }
func (c noCipher) Radix() int           { return int(c) }

// labelled is the label as a plan gives it; nothing where a plan cannot.
func (p *proposal) labelled(l *line) string {
	if !writable(l.leaf.Label) || l.leaf.Label == flow.Unlabelled {
		return ""
	}
	if _, known := p.snap.Taxonomy.Class(l.leaf.Label); !known {
		return ""
	}
	return `, label: "` + string(l.leaf.Label) + `"`
}

// writable reports whether a plan takes the label.
func writable(l flow.Label) bool {
	parts := strings.Split(string(l), "/")
	return len(parts) <= 7 && !slices.ContainsFunc(parts, func(s string) bool {
		return s == "" || len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
	})
}
