package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// Outside is what another domain asks this one to keep to. All of it only takes away: with it no set shows more than without
// (TestWhatIsFromOutsideNeverRevealsMore).
//
// Its policies forbid and do nothing else, see [Set.CheckOutside]. What names an agent, role, domain, purpose, class, field or dataset that is not
// known here is kept and has no effect until it is.
type Outside struct {
	From     string // who asks for what, "domain/bundle": ids of its policies begin with it
	Forbid   string // Cedar
	Labels   []OutsideLabel
	Datasets []OutsideDataset
}

// OutsideLabel limits a class and everything below it.
type OutsideLabel struct {
	Label  flow.Label
	Tier   *flow.Tier    // shows no more than the tier's cap, and no exception lifts that; nil: no limit
	Level  *flow.Level   // shows no more than this; one that a class's family does not have counts as masked. nil: no limit
	Retain time.Duration // may be kept no longer; 0: no limit
}

// OutsideDataset limits a dataset and its fields.
type OutsideDataset struct {
	Name       string
	Columns    map[string][]flow.Label // that fields have beside their own
	Purposes   []flow.Purpose          // for others nothing shows and nothing is answered; none: no limit
	Techniques []string                // other questions are not answered, and without extract no rows leave as a table; none: no limit
	Retain     time.Duration           // may be kept no longer; 0: no limit
}

// Bounds of policies from outside: parsing, checking and deciding take little more for them.
const (
	maxOutside      = 128 << 10 // bytes of one text
	maxOutsideRules = 500
	maxOutsideRule  = 8 << 10 // bytes
	maxOutsideDepth = 64      // of brackets
)

// outer is what all domains together ask for, compiled. Nil is nothing.
type outer struct {
	labels   map[flow.Label][]limit
	datasets map[string][]limit
	beside   map[string][]flow.Label // by field
}

type limit struct {
	OutsideLabel
	from string
}

func newOuter(all []Outside) *outer {
	if len(all) == 0 {
		return nil
	}
	o := &outer{labels: map[flow.Label][]limit{}, datasets: map[string][]limit{}, beside: map[string][]flow.Label{}}
	for _, out := range all {
		for _, l := range out.Labels {
			o.labels[l.Label] = append(o.labels[l.Label], limit{l, out.From})
		}
		for _, d := range out.Datasets {
			if d.Retain > 0 {
				o.datasets[d.Name] = append(o.datasets[d.Name], limit{OutsideLabel{Retain: d.Retain}, out.From})
			}
			for column, labels := range d.Columns {
				field := d.Name + "/" + column
				o.beside[field] = slices.Compact(slices.Sorted(slices.Values(append(o.beside[field], labels...))))
			}
		}
	}
	return o
}

// ceiling is the most that others let be shown, and who says so first.
type ceiling struct {
	level flow.Level
	by    flow.PolicyID // "": nobody says anything
}

// above reports whether a level shows more than the ceiling.
func (c ceiling) above(l flow.Level) bool { return c.by != "" && l.Reveals(c.level) }

func (c ceiling) meet(l flow.Level, by flow.PolicyID) ceiling {
	if c.by == "" || c.level.Reveals(l) {
		return ceiling{l, by}
	}
	return c
}

// ceiling returns what shows of a class at most: a limit of a label is one of everything below it.
func (o *outer) ceiling(class flow.Class, q *Query) (c ceiling) {
	if o == nil || len(o.labels) == 0 {
		return c
	}
	for l := class.Label; l != ""; l = parentOf(l) {
		for _, lim := range o.labels[l] {
			by := flow.PolicyID(lim.from + "#" + string(l))
			if lim.Level != nil {
				level := *lim.Level
				if !class.Family.Has(level) {
					level = flow.Masked
				}
				c = c.meet(level, by)
			}
			if lim.Tier != nil && *lim.Tier < class.Tier { // the lower is the stricter
				stricter := class
				stricter.Tier = *lim.Tier
				c = c.meet(tierCap(stricter, q), by)
			}
		}
	}
	return c
}

// retain shortens the time for which something may be kept; 0 is for the task only.
func (o *outer) retain(d flow.Duties, label flow.Label, dataset string) flow.Duties {
	if o == nil {
		return d
	}
	shorten := func(all []limit) {
		for _, lim := range all {
			if lim.Retain > 0 {
				d.Retain = min(d.Retain, lim.Retain)
			}
		}
	}
	for l := label; l != ""; l = parentOf(l) {
		shorten(o.labels[l])
	}
	if dataset != "" {
		shorten(o.datasets[dataset])
	}
	return d
}

func parentOf(l flow.Label) flow.Label {
	i := strings.LastIndexByte(string(l), '/')
	if i < 0 {
		return ""
	}
	return l[:i]
}

// reached returns the labels that a field has beside its own, by lineage or because others say so.
func (s *Set) reached(field string) []flow.Label {
	all := s.carried[field]
	if o := s.snap.outer; o != nil && field != "" {
		if more := o.beside[field]; len(more) > 0 {
			all = slices.Concat(all, more)
		}
	}
	return all
}

// ceiling is that of a leaf seen as a resource: of the leaf's label, and of the field's own.
func (s *Set) ceiling(class flow.Class, q *Query, resource cedar.Entity) ceiling {
	o := s.snap.outer
	c := o.ceiling(class, q)
	if o == nil || resource.UID.Type != typeField {
		return c
	}
	if f := s.snap.fields[string(resource.UID.ID)]; f.Label != class.Label {
		own, _ := s.snap.tax.Class(f.Label)
		if more := o.ceiling(own, q); more.by != "" {
			if !class.Family.Has(more.level) {
				more.level = flow.Masked
			}
			c = c.meet(more.level, more.by)
		}
	}
	return c
}

// retain is the shortening of the duties of a leaf seen as a resource.
func (s *Set) retain(d flow.Duties, label flow.Label, resource cedar.Entity) flow.Duties {
	o := s.snap.outer
	if o == nil {
		return d
	}
	d = o.retain(d, label, "")
	if resource.UID.Type == typeField {
		f := s.snap.fields[string(resource.UID.ID)]
		d = o.retain(d, f.Label, f.Dataset)
	}
	return d
}

// rules returns the rules of what another domain asks for, those that name what is not known here, and mistakes.
func (sn *snapshot) outsideRules(o Outside) (rules []*rule, idle, mistakes Mistakes) {
	file := source{name: o.From + ".cedar", text: o.Forbid}
	wrong := func(format string, args ...any) (_ []*rule, _, _ Mistakes) {
		return nil, nil, Mistakes{{File: file.name, Message: fmt.Sprintf(format, args...)}}
	}
	if len(o.Forbid) > maxOutside {
		return wrong("policies from outside are larger than %d KiB", maxOutside>>10)
	}
	if strings.Contains(o.Forbid, "\\\n") {
		return wrong("a text in policies from outside ends with its line")
	}
	if depthOf(o.Forbid) > maxOutsideDepth {
		return wrong("policies from outside nest brackets more than %d deep", maxOutsideDepth)
	}
	sts, mistakes := file.parse()
	if len(mistakes) > 0 {
		return nil, nil, mistakes
	}
	if len(sts) > maxOutsideRules {
		return wrong("there are more than %d policies from outside", maxOutsideRules)
	}
	seen := map[flow.PolicyID]bool{}
	for _, st := range sts {
		r := newRule(st)
		l := &linter{sn: sn, st: st, rule: r, tree: (*ast.Policy)(st.policy.AST())}
		unknown := l.outside(seen)
		mistakes = append(mistakes, l.mistakes...)
		idle = append(idle, unknown...)
		r.covers &^= actDetect
		r.id, r.reason = flow.PolicyID(o.From+"#"+string(r.id)), "" // words of others are not told to recipients
		rules = append(rules, r)
	}
	if len(mistakes) > 0 {
		mistakes.sort()
		return nil, nil, mistakes
	}
	for _, d := range o.Datasets {
		made, err := sn.datasetRules(o.From, d)
		if err != nil {
			return wrong("limits of a dataset from outside cannot be kept to")
		}
		rules = append(rules, made...)
		if len(made) == 0 && !sn.knows(uid(typeDataset, d.Name)) {
			idle = append(idle, Mistake{File: file.name, Message: fmt.Sprintf("dataset %q is not known", d.Name)})
		}
		for _, column := range slices.Sorted(maps.Keys(d.Columns)) {
			if field := d.Name + "/" + column; !sn.knows(uid(typeField, field)) {
				idle = append(idle, Mistake{File: file.name, Message: fmt.Sprintf("field %q is not known", field)})
			}
		}
	}
	for _, lim := range o.Labels {
		if !sn.tax.Known(lim.Label) {
			idle = append(idle, Mistake{File: file.name, Message: fmt.Sprintf("data class %q is not known", lim.Label)})
		}
	}
	return rules, idle, nil
}

// distinct gives each rule a name of its own: what holds is told by name, and of two that share one the first would be taken for the last. Names
// that were there before stay.
func distinct(rules []*rule) {
	taken := make(map[flow.PolicyID]bool, len(rules))
	for _, r := range rules {
		id := r.id
		for n := 2; taken[r.id]; n++ {
			r.id = flow.PolicyID(fmt.Sprintf("%s~%d", id, n))
		}
		taken[r.id] = true
	}
}

var outsideID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}$`)

// outside checks one policy of another domain. What it names that is not known here is returned, and is no mistake.
func (l *linter) outside(seen map[flow.PolicyID]bool) (idle Mistakes) {
	if l.st.end-l.st.start > maxOutsideRule {
		l.at("", fmt.Sprintf("a policy from outside is longer than %d KiB", maxOutsideRule>>10), "")
		return nil
	}
	if !l.rule.forbid {
		l.at("permit", "a policy from outside only forbids", "")
		return nil
	}
	for _, note := range l.tree.Annotations {
		switch key := string(note.Key); key {
		case "doc", "owner", "see", noteReason:
		case noteID:
			if !outsideID.MatchString(string(note.Value)) {
				l.at("@id", "the name of a policy from outside is of letters, digits, dots, dashes, colons and slashes", "")
			}
		default:
			l.at("@"+key, fmt.Sprintf("@%s says nothing on a policy from outside", key), "")
		}
	}
	if seen[l.rule.id] {
		l.at("@id", fmt.Sprintf("the name %q is taken", l.rule.id), "each policy has a name of its own")
	}
	seen[l.rule.id] = true
	scopeOK := l.actions()
	if _, named, _ := scopeActions(l.tree.Action); slices.Contains(named, uid(typeAction, "detect")) {
		l.at("detect", "a policy from outside does not keep anything from being looked for", "")
	}
	before := len(l.mistakes)
	l.names()
	for _, m := range slices.Clone(l.mistakes[before:]) {
		if strings.HasSuffix(m.Message, " is not known") { // see names: the entity, and not its type
			idle = append(idle, m)
		}
	}
	l.mistakes = slices.DeleteFunc(l.mistakes, func(m Mistake) bool { return slices.Contains(idle, m) })
	l.literals()
	l.scores()
	l.tables()
	l.types(scopeOK)
	return idle
}

// datasetRules are the limits of a dataset that is known here, as policies.
func (sn *snapshot) datasetRules(from string, d OutsideDataset) (rules []*rule, err error) {
	resource := uid(typeDataset, d.Name)
	if !sn.knows(resource) {
		return nil, nil
	}
	add := func(id, text string) error {
		list, err := cedar.NewPolicyListFromBytes(from, []byte(text))
		if err != nil || len(list) != 1 {
			return fmt.Errorf("limits of a dataset: %w", err)
		}
		r := newRule(statement{file: source{name: from, text: text}, policy: list[0], end: len(text)})
		r.id = flow.PolicyID(from + "#" + id + ":" + d.Name)
		rules = append(rules, r)
		return nil
	}
	if len(d.Purposes) > 0 {
		var any []string
		for _, p := range d.Purposes {
			any = append(any, "context.purpose in "+uid(typePurpose, p).String())
		}
		unless := " unless { " + strings.Join(any, " || ") + " };"
		if err := add("purposes", "forbid (principal, action in Action::\"atleast_masked\", resource in "+resource.String()+")"+unless); err != nil {
			return nil, err
		}
		if err := add("purposes-asked", "forbid (principal, action in ["+actionList(slices.Sorted(maps.Keys(techniqueActions)))+"], resource == "+resource.String()+")"+unless); err != nil {
			return nil, err
		}
	}
	if len(d.Techniques) > 0 {
		var others []string
		for _, t := range slices.Sorted(maps.Keys(techniqueActions)) {
			if !slices.Contains(d.Techniques, t) {
				others = append(others, t)
			}
		}
		if len(others) > 0 {
			if err := add("techniques", "forbid (principal, action in ["+actionList(others)+"], resource == "+resource.String()+");"); err != nil {
				return nil, err
			}
		}
	}
	return rules, nil
}

// techniqueActions are the actions on datasets.
var techniqueActions = func() map[string]action {
	all := maps.Clone(techniques)
	all["extract"] = actExtract
	return all
}()

func actionList(names []string) string {
	var all []string
	for _, n := range names {
		all = append(all, uid(typeAction, n).String())
	}
	return strings.Join(all, ", ")
}

// depthOf is how deep brackets nest outside of texts and comments, at most. A text ends with its line, as it does in Cedar.
func depthOf(text string) (most int) {
	text = blankComments(text)
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '(', '[', '{':
			depth++
			most = max(most, depth)
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return most
}

// CheckOutside returns what a domain's limits name that is not known here, which has no effect. An error is of type [Mistakes], and says why
// they cannot be kept to.
func (s *Set) CheckOutside(o Outside) (idle Mistakes, err error) {
	_, idle, mistakes := s.snap.outsideRules(o)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return idle, nil
}

// Idle returns what the limits of others that the set was loaded with name that is not known here.
func (s *Set) Idle() Mistakes { return s.idle }

// outsideDigest is what the hash of a set has of others' limits.
func outsideDigest(all []Outside) []byte {
	all = slices.SortedFunc(slices.Values(all), func(a, b Outside) int { return cmp.Compare(a.From, b.From) })
	raw, err := json.Marshal(all)
	if err != nil { // texts and numbers always encode
		panic(err)
	}
	return raw
}
