package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/scrimhq/scrim/flow"
)

// The entity types of the generated schema.
const (
	typeAgent   cedar.EntityType = "Agent"
	typeRole    cedar.EntityType = "Role"
	typeDomain  cedar.EntityType = "Domain"
	typePurpose cedar.EntityType = "Purpose"
	typeTask    cedar.EntityType = "Task"
	typeClass   cedar.EntityType = "DataClass"
	typeField   cedar.EntityType = "Field"
	typeDataset cedar.EntityType = "Dataset"
	typeAction  cedar.EntityType = "Action"
)

// snapshot is the taxonomy and the entities in the form that Cedar evaluates against. It is immutable.
//
// Parents are flattened: each entity's parents are all of its ancestors, so that `in` is one look-up.
type snapshot struct {
	tax       *flow.Taxonomy
	fields    map[string]Field
	uses      map[string]Use  // by dataset
	formal    map[string]bool // datasets whose rows leave only through the ledger
	agents    map[flow.AgentID]knownParty
	roles     map[flow.Role][]flow.Role // all ancestors
	known     map[cedar.EntityType][]string
	static    cedar.EntityMap
	schema    string
	validator *validate.Validator
	digest    [sha256.Size]byte
	outside   []Outside
	outer     *outer   // outside, compiled; nil: nothing
	entities  Entities // that it was made of
}

type knownParty struct {
	party  flow.Party
	entity cedar.Entity
}

func newSnapshot(opt Options) (*snapshot, error) {
	tax := opt.Taxonomy
	if tax == nil {
		tax = flow.DefaultTaxonomy()
	}
	roles, roleMistakes := ancestors("role", rolesOf(opt.Entities))
	purposes, purposeMistakes := ancestors("purpose", opt.Entities.Purposes)
	mistakes := slices.Concat(roleMistakes, purposeMistakes)
	sn := &snapshot{
		tax: tax, roles: roles, static: cedar.EntityMap{},
		fields: make(map[string]Field), agents: make(map[flow.AgentID]knownParty), entities: opt.Entities.copied(),
		outside: opt.Outside, outer: newOuter(opt.Outside),
	}
	for _, c := range tax.All() {
		sn.add(sn.classEntity(c.Label))
	}
	for r, up := range roles {
		sn.add(entity(uid(typeRole, r), uids(typeRole, up), nil))
	}
	for p, up := range purposes {
		sn.add(entity(uid(typePurpose, p), uids(typePurpose, up), nil))
	}
	mistakes = append(mistakes, sn.addAgents(opt.Entities.Agents)...)
	mistakes = append(mistakes, sn.addFields(opt.Entities)...)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	sn.index()
	if err := sn.compileSchema(); err != nil {
		return nil, err
	}
	sn.digest = digestOf(sn, opt.Entities)
	return sn, nil
}

func (sn *snapshot) add(e cedar.Entity) { sn.static[e.UID] = e }

// rolesOf returns every role that the entities name, with its parents.
func rolesOf(e Entities) map[flow.Role][]flow.Role {
	all := maps.Clone(e.RoleParents)
	if all == nil {
		all = make(map[flow.Role][]flow.Role)
	}
	for _, a := range e.Agents {
		for _, r := range a.Roles {
			if _, ok := all[r]; !ok {
				all[r] = nil
			}
		}
	}
	return all
}

// ancestors returns all ancestors of every name in the hierarchy, and a mistake for each that is its own ancestor.
func ancestors[N ~string](what string, parents map[N][]N) (map[N][]N, Mistakes) {
	all := make(map[N][]N)
	for _, ps := range parents {
		for _, p := range ps {
			all[p] = nil
		}
	}
	var mistakes Mistakes
	for _, n := range slices.Sorted(maps.Keys(parents)) {
		seen := map[N]bool{}
		todo := slices.Clone(parents[n])
		for len(todo) > 0 {
			p := todo[0]
			todo = todo[1:]
			if !seen[p] {
				seen[p] = true
				todo = append(todo, parents[p]...)
			}
		}
		if seen[n] {
			mistakes = append(mistakes, Mistake{Message: fmt.Sprintf("%s %q is its own ancestor", what, n)})
		}
		all[n] = slices.Sorted(maps.Keys(seen))
	}
	return all, mistakes
}

func (sn *snapshot) addAgents(agents []flow.Party) (mistakes Mistakes) {
	for _, p := range agents {
		if _, twice := sn.agents[p.Agent]; twice || p.Agent == "" {
			mistakes = append(mistakes, Mistake{Message: fmt.Sprintf("agent %q is given twice or has no name", p.Agent)})
			continue
		}
		p.Roles = slices.Clone(p.Roles)
		e := sn.buildParty(p)
		sn.agents[p.Agent] = knownParty{p, e}
		sn.add(e)
		if p.Domain != "" {
			sn.add(entity(uid(typeDomain, p.Domain), nil, nil))
		}
	}
	return mistakes
}

func (sn *snapshot) addFields(e Entities) (mistakes Mistakes) {
	formal, uses := make(map[string]bool), make(map[string]Use)
	for _, d := range e.Datasets {
		if d.Name == "" {
			mistakes = append(mistakes, Mistake{Message: "a dataset has no name"})
		}
		formal[d.Name] = formal[d.Name] || d.Formal
		uses[d.Name] = d.Use
	}
	for _, f := range e.Fields {
		if _, twice := sn.fields[f.Name]; twice || f.Name == "" {
			mistakes = append(mistakes, Mistake{Message: fmt.Sprintf("field %q is given twice or has no name", f.Name)})
			continue
		}
		if _, ok := sn.tax.Class(f.Label); !ok {
			mistakes = append(mistakes, Mistake{
				Message: fmt.Sprintf("field %q has the unknown label %q", f.Name, f.Label),
				Hint:    didYouMean(string(f.Label), labelNames(sn.tax)),
			})
			continue
		}
		if _, ok := formal[f.Dataset]; !ok && f.Dataset != "" {
			formal[f.Dataset] = false
		}
		sn.fields[f.Name] = f
		sn.add(sn.fieldEntity(f))
	}
	sn.formal, sn.uses = formal, uses
	for name, mark := range formal {
		sn.add(datasetEntity(Dataset{Name: name, Formal: mark, Use: uses[name]}))
	}
	return mistakes
}

// index lists the names that policies may use, by type.
func (sn *snapshot) index() {
	sn.known = make(map[cedar.EntityType][]string)
	for id := range sn.static {
		sn.known[id.Type] = append(sn.known[id.Type], string(id.ID))
	}
	for _, names := range sn.known {
		slices.Sort(names)
	}
}

func (sn *snapshot) knows(id cedar.EntityUID) bool {
	_, ok := sn.static[id]
	return ok || id.Type == typeTask // tasks come and go
}

// party returns the entity of one end of a flow. What the flow says of the party holds, not what the snapshot does.
func (sn *snapshot) party(p flow.Party) cedar.Entity {
	k, ok := sn.agents[p.Agent]
	if ok && k.party.Domain == p.Domain && k.party.Attested == p.Attested && slices.Equal(k.party.Roles, p.Roles) {
		return k.entity
	}
	return sn.buildParty(p)
}

func (sn *snapshot) buildParty(p flow.Party) cedar.Entity {
	up := make([]cedar.EntityUID, 0, 8)
	if p.Domain != "" {
		up = append(up, uid(typeDomain, p.Domain))
	}
	for _, r := range p.Roles {
		up = append(up, uid(typeRole, r))
		up = append(up, uids(typeRole, sn.roles[r])...)
	}
	return entity(uid(typeAgent, p.Agent), up, cedar.RecordMap{
		"domain": uid(typeDomain, p.Domain), "attested": cedar.Boolean(p.Attested),
	})
}

// class returns the entity of a label. A label that the taxonomy knows nothing of lies within [flow.Unlabelled].
func (sn *snapshot) class(l flow.Label) cedar.Entity {
	if e, ok := sn.static[uid(typeClass, l)]; ok {
		return e
	}
	return sn.classEntity(l)
}

func (sn *snapshot) classEntity(l flow.Label) cedar.Entity {
	return entity(uid(typeClass, l), sn.labelsAbove(l), cedar.RecordMap(sn.classAttributes(l)))
}

func (sn *snapshot) labelsAbove(l flow.Label) (up []cedar.EntityUID) {
	for a := range l.Ancestors() {
		if a != l {
			up = append(up, uid(typeClass, a))
		}
	}
	if _, ok := sn.tax.Class(l); !ok && l != flow.Unlabelled {
		up = append(up, uid(typeClass, flow.Unlabelled))
	}
	return up
}

func (sn *snapshot) fieldEntity(f Field) cedar.Entity {
	up := append(sn.labelsAbove(f.Label), uid(typeClass, f.Label))
	if f.Dataset != "" {
		up = append(up, uid(typeDataset, f.Dataset))
	}
	attrs := sn.classAttributes(f.Label)
	attrs["dataset"] = uid(typeDataset, f.Dataset)
	attrs = f.Use.attributes(attrs)
	return entity(uid(typeField, f.Name), up, attrs)
}

func datasetEntity(d Dataset) cedar.Entity {
	return entity(uid(typeDataset, d.Name), nil, d.Use.attributes(cedar.RecordMap{"formal": cedar.Boolean(d.Formal)}))
}

// attributes adds what policies may ask of the use of data.
func (u Use) attributes(attrs cedar.RecordMap) cedar.RecordMap {
	purposes := make([]cedar.Value, len(u.Purposes))
	for i, p := range u.Purposes {
		purposes[i] = uid(typePurpose, p)
	}
	attrs["purposes"], attrs["techniques"] = cedar.NewSet(purposes...), setOf(u.Techniques)
	attrs["retain"] = cedar.Long(u.Retain / time.Second)
	return attrs
}

func (sn *snapshot) classAttributes(l flow.Label) cedar.RecordMap {
	c, _ := sn.tax.Class(l)
	return cedar.RecordMap{
		"tier": cedar.String(c.Tier.String()), "special": cedar.Boolean(c.Special),
		"family": cedar.String(c.Family.String()), "kind": cedar.String(c.Kind.String()),
	}
}

// digestOf covers everything besides the policies that a decision depends on.
func digestOf(sn *snapshot, e Entities) (sum [sha256.Size]byte) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	byName := func(a, b Field) int { return cmp.Compare(a.Name, b.Name) }
	agents := slices.SortedFunc(slices.Values(e.Agents), func(a, b flow.Party) int { return cmp.Compare(a.Agent, b.Agent) })
	for _, part := range []any{
		sn.tax.All(), agents, sn.roles, e.Purposes, slices.SortedFunc(slices.Values(e.Fields), byName), e.Datasets, sn.schema,
	} {
		if err := enc.Encode(part); err != nil { // plain structs and maps always encode
			panic(err)
		}
	}
	h.Sum(sum[:0])
	return sum
}

// digest returns the hash of the snapshot and of the files, in hexadecimal.
func (sn *snapshot) hash(files []source) string {
	h := sha256.New()
	h.Write(sn.digest[:])
	if len(sn.outside) > 0 {
		h.Write(outsideDigest(sn.outside))
	}
	for _, f := range files {
		fmt.Fprintf(h, "%d %s %d ", len(f.name), f.name, len(f.text))
		_, _ = io.WriteString(h, f.text)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func entity(id cedar.EntityUID, up []cedar.EntityUID, attrs cedar.RecordMap) cedar.Entity {
	return cedar.Entity{UID: id, Parents: cedar.NewEntityUIDSet(up...), Attributes: cedar.NewRecord(attrs)}
}

func uid[N ~string](t cedar.EntityType, name N) cedar.EntityUID {
	return cedar.EntityUID{Type: t, ID: cedar.String(name)}
}

func uids[N ~string](t cedar.EntityType, names []N) []cedar.EntityUID {
	out := make([]cedar.EntityUID, len(names))
	for i, n := range names {
		out[i] = uid(t, n)
	}
	return out
}

func labelNames(t *flow.Taxonomy) (names []string) {
	for _, c := range t.All() {
		names = append(names, string(c.Label))
	}
	return names
}
