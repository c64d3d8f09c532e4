package policy

import (
	"io/fs"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/scrimhq/scrim/flow"
)

// Set is an immutable set of validated policies. It is safe for concurrent use.
type Set struct {
	snap     *snapshot
	enforced *index
	shadowed *index // the enforced and the shadow policies together; nil: there are no shadow policies
	used     contextUse
	cuts     []uint8 // see [Set.scoreClass]
	hash     string
	files    []source
	handles  bool   // some policy has @handle
	cache    *cache // nil: none

	bare    *Set                    // the set without what its fields carry; nil: they carry nothing
	carried map[string][]flow.Label // by field, see [Set.Carrying]
	idle    Mistakes                // see [Set.Idle]
}

// Load reads every *.cedar file under fsys, validates the policies strictly and returns the set.
//
// A set with mistakes is not returned; the error is then of type [Mistakes] and lists every one of them.
// A set without any policy is valid and forbids everything.
func Load(fsys fs.FS, opt Options) (*Set, error) {
	snap, err := newSnapshot(opt)
	if err != nil {
		return nil, err
	}
	return snap.load(fsys, opt.CacheSize)
}

func (sn *snapshot) load(fsys fs.FS, cacheSize int) (*Set, error) {
	files, mistakes, err := readSources(fsys)
	if err != nil {
		return nil, err
	}
	return sn.loadFiles(files, mistakes, cacheSize)
}

// loadFiles is load with files that were read, ordered by name, and what was wrong with others.
func (sn *snapshot) loadFiles(files []source, mistakes Mistakes, cacheSize int) (*Set, error) {
	var statements []statement
	for _, f := range files {
		sts, wrong := f.parse()
		statements = append(statements, sts...)
		mistakes = append(mistakes, wrong...)
	}
	rules := make([]*rule, len(statements))
	for i, st := range statements {
		rules[i] = newRule(st)
		if i > 0 && rules[i].id == rules[i-1].id { // two on one line; a name given twice stays a mistake
			rules[i].nameByColumn(st)
		}
	}
	mistakes = append(mistakes, sn.lint(statements, rules)...)
	var idle Mistakes
	for _, o := range sn.outside {
		more, unknown, wrong := sn.outsideRules(o)
		rules, idle, mistakes = append(rules, more...), append(idle, unknown...), append(mistakes, wrong...)
	}
	distinct(rules)
	if len(mistakes) > 0 {
		mistakes.sort()
		return nil, mistakes
	}
	s := &Set{snap: sn, hash: sn.hash(files), files: files, cache: newCache(cacheSize), idle: idle}
	s.handles = slices.ContainsFunc(rules, func(r *rule) bool { return r.handle > 0 && !r.shadow })
	s.enforced = newIndex(slices.DeleteFunc(slices.Clone(rules), func(r *rule) bool { return r.shadow }))
	s.used, s.cuts = s.enforced.used, s.enforced.cuts
	if s.enforced.size < len(rules) {
		s.shadowed = newIndex(rules)
		s.used, s.cuts = s.shadowed.used, s.shadowed.cuts
	}
	return s, nil
}

// Hash identifies the policies, the taxonomy and the entities together, in hexadecimal.
func (s *Set) Hash() string { return s.hash }

// Handles reports whether any policy lets data be sent by reference only.
func (s *Set) Handles() bool { return s.handles }

// Schema returns the Cedar schema that the policies were validated against, as text.
func (s *Set) Schema() string { return s.snap.schema }

// Decide returns the terms on which the leaves may be shown to the recipient of the flow, one per leaf, in order.
//
// What the flow says of its parties holds (domain, roles, attestation), whatever the entities say. The terms' slices of
// policies and duties are shared with other calls and must not be changed. Terms.Shadow is filled only if there are shadow
// policies: it says what would hold if they were enforced beside the others. With an error come zero terms, which forbid
// everything.
func (s *Set) Decide(q Query, leaves []flow.Leaf) (flow.Terms, error) {
	terms := flow.Terms{PolicyHash: s.hash, Leaves: make([]flow.LeafTerms, len(leaves))}
	if s.shadowed != nil {
		terms.Shadow = make([]flow.LeafTerms, len(leaves))
	}
	var (
		key    string
		v      *view // made at the first leaf that the cache does not know
		duties dutySum
	)
	if s.cache != nil {
		key = s.flowKey(&q)
	}
	var seen [16]alike
	known := 0
	for i := range leaves {
		score := s.scoreClass(leaves[i].Certainty())
		if at := likeBefore(seen[:known], leaves, &leaves[i], score); at != nil {
			terms.Leaves[i] = terms.Leaves[at.leaf]
			duties.add(&at.decision.enforced, terms.Leaves[i].Treatment)
			if terms.Shadow != nil {
				terms.Shadow[i] = terms.Shadow[at.leaf]
			}
			continue
		}
		leaf := leaves[i]
		leaf.Label = labelOf(leaf)
		d := s.cache.get(key, leaf, score)
		if d == nil {
			if v == nil {
				v = s.view(&q)
			}
			d = s.decideLeaf(v, &q, leaf)
			s.cache.put(key, leaf, score, d)
		}
		terms.Leaves[i] = d.enforced.terms(&q, leaf.Need)
		duties.add(&d.enforced, terms.Leaves[i].Treatment)
		if d.shadow != nil {
			terms.Shadow[i] = d.shadow.terms(&q, leaf.Need)
		}
		if known < len(seen) {
			seen[known] = alike{leaf: i, score: score, decision: d}
			known++
		}
	}
	terms.Duties = duties.duties()
	return terms, nil
}

// alike is what was decided of a leaf of this message, for those that no policy can tell from it: a table has many of them.
type alike struct {
	leaf     int   // the first of them
	score    uint8 // class
	decision *decision
}

func likeBefore(seen []alike, leaves []flow.Leaf, leaf *flow.Leaf, score uint8) *alike {
	for i := range seen {
		a := &seen[i]
		if l := &leaves[a.leaf]; l.Label == leaf.Label && l.Need == leaf.Need && l.Field == leaf.Field && a.score == score {
			return a
		}
	}
	return nil
}

// decision is what the cache keeps of one leaf in one flow.
type decision struct {
	enforced verdict
	shadow   *verdict
}

func (s *Set) decideLeaf(v *view, q *Query, leaf flow.Leaf) *decision {
	s.ofScore(v, leaf.Certainty())
	d := &decision{enforced: s.decideWith(s.enforced, v, q, leaf)}
	if s.shadowed != nil {
		shadow := s.decideWith(s.shadowed, v, q, leaf)
		d.shadow = &shadow
	}
	return d
}

// decideWith judges a leaf as the field that the catalog knows, or else as its class. Where the label is not the one that
// the catalog gives the field (detection found something stricter), both must allow what shows.
func (s *Set) decideWith(x *index, v *view, q *Query, leaf flow.Leaf) verdict {
	f, ok := s.snap.fields[leaf.Field]
	if !ok {
		return s.judge(x, v, q, leaf, s.snap.class(leaf.Label))
	}
	out := s.judge(x, v, q, leaf, s.snap.static[uid(typeField, f.Name)])
	if f.Label != leaf.Label {
		out = out.meet(s.judge(x, v, q, leaf, s.snap.class(leaf.Label)))
	}
	return s.meetCarried(out, x, v, q, leaf)
}

func labelOf(leaf flow.Leaf) flow.Label {
	if leaf.Label == "" {
		return flow.Unlabelled
	}
	return leaf.Label
}

// view returns the request's entities and context.
func (s *Set) view(q *Query) *view {
	v := &view{
		static: s.snap.static, principal: s.snap.party(q.Flow.To), from: s.snap.party(q.Flow.From), asked: s.context(q),
	}
	if s.used.has(attrScore) {
		v.asked[attrScore], v.score = cedar.Long(flow.Certain), flow.Certain
	}
	v.context = cedar.NewRecord(v.asked)
	return v
}

// context returns the attributes of the context that some policy reads.
func (s *Set) context(q *Query) cedar.RecordMap {
	m := make(cedar.RecordMap, len(contextAttributes)+len(openAttributes))
	for _, a := range contextAttributes {
		if s.used.has(a.name) {
			m[cedar.String(a.name)] = contextValue(a.name, q)
		}
	}
	return m
}

func contextValue(name string, q *Query) cedar.Value {
	f := &q.Flow
	switch name {
	case "purpose":
		return uid(typePurpose, f.Purpose)
	case "from":
		return uid(typeAgent, f.From.Agent)
	case "task":
		return uid(typeTask, f.Task.ID)
	case "criticality":
		return cedar.String(f.Task.Criticality.String())
	case "attested":
		return cedar.Boolean(f.To.Attested)
	case "hop":
		return cedar.Long(f.Hop)
	case "consent":
		return cedar.Boolean(q.Consent)
	case "approved":
		return cedar.Boolean(q.Approved)
	case "same_domain":
		return cedar.Boolean(sameDomain(f))
	case "direction":
		return cedar.String(f.Direction.String())
	case "capabilities":
		return setOf(q.Capabilities)
	case "contract":
		return setOf(q.Contracts)
	case "protocol":
		return cedar.String(f.Protocol)
	default: // "skill"; TestContextHasEveryAttribute
		return cedar.String(f.Subject)
	}
}

func setOf(names []string) cedar.Value {
	values := make([]cedar.Value, len(names))
	for i, n := range names {
		values[i] = cedar.String(n)
	}
	return cedar.NewSet(values...)
}

// sameDomain reports whether sender and recipient are known to live in one domain.
func sameDomain(f *flow.Flow) bool { return f.To.Domain != "" && !f.CrossesDomain() }
