package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/schema"

	"github.com/scrimhq/scrim/flow"
)

// world draws random policies and requests over the clinic.
type world struct {
	*rand.Rand
	snap *snapshot
}

func newWorld(t testing.TB, seed uint64) world {
	t.Helper()
	snap, err := newSnapshot(Options{Entities: clinic()})
	if err != nil {
		t.Fatal(err)
	}
	return world{rand.New(rand.NewPCG(seed, 1)), snap}
}

func pick[T any](w world, xs ...T) T { return xs[w.IntN(len(xs))] }

var worldLabels = []string{
	"person", "person/contact", "person/contact/email", "person/contact/phone", "person/birth-date", "person/age",
	"health", "health/diagnosis", "health/visit-date", "finance/iban", "text/free", "public", "unlabelled",
}

const overflow = `context.hop + 9223372036854775807 > 0`

func (w world) scopes() string {
	principal := pick(w, "principal", "principal", `principal in Role::"staff"`, `principal in Role::"adjuster"`, `principal == Agent::"claims"`,
		`principal in Domain::"lab"`, "principal is Agent", `principal is Agent in Role::"clinician"`)
	resource := pick(w, "resource", "resource is Field", `resource == Field::"patients/phone"`, `resource in Dataset::"patients"`,
		fmt.Sprintf("resource in DataClass::%q", pick(w, worldLabels...)), fmt.Sprintf("resource in DataClass::%q", pick(w, worldLabels...)),
		fmt.Sprintf("resource is DataClass in DataClass::%q", pick(w, worldLabels...)), fmt.Sprintf("resource == DataClass::%q", pick(w, worldLabels...)))
	return principal + ", action in %s, " + resource
}

func (w world) condition() string {
	clause := pick(w, "context.consent", "!context.same_domain", "principal.attested", "context.attested", `context.purpose in Purpose::"billing"`,
		`context.from in Role::"clinician"`, `resource.tier == "confidential"`, "resource.special", `context.criticality == "critical"`, "context.hop < 2",
		`context.capabilities.contains("read")`, `context.direction == "request"`, `principal.domain == Domain::"insurer"`, overflow, overflow, overflow, `context.task == Task::"t1"`)
	return pick(w, "", "", " when { "+clause+" }", " unless { "+clause+" }")
}

// policy draws one policy; annotated ones carry parameters that can have any meet.
func (w world) policy(forbid, annotated bool) string {
	level := pick(w, "raw", "tokenized", "generalized", "masked")
	if forbid {
		return "forbid (" + fmt.Sprintf(w.scopes(), fmt.Sprintf("Action::%q", "atleast_"+level)) + ")" + w.condition() + ";\n"
	}
	var notes string
	if annotated && level == "raw" {
		notes = pick(w, "", `@generalize("month") `, `@generalize("bucket:5") `, `@generalize("round:7") `, `@token("oneway") `, `@mask("keep:3") `, `@mask("keep:1") @token("surrogate") `)
	}
	if w.IntN(6) == 0 {
		n := w.IntN(101)
		return fmt.Sprintf(`%spermit (%s) when { %s };
`, notes, fmt.Sprintf(w.scopes(), fmt.Sprintf("Action::%q", "upto_"+level)), fmt.Sprintf(pick(w, "context.score < %d", "%d > context.score", "!(context.score >= %d)",
			"context.consent || context.score <= %d", "if context.consent then context.score < %d else context.same_domain", "context.score < %d && "+overflow), n))
	}
	scopes := w.scopes()
	if strings.Contains(scopes, "resource in DataClass") || strings.Contains(scopes, "resource == ") {
		notes += pick(w, "", "", `@exception("agreed") `)
	}
	return notes + "permit (" + fmt.Sprintf(scopes, fmt.Sprintf("Action::%q", "upto_"+level)) + ")" + w.condition() + ";\n"
}

func (w world) policies(n int, annotated bool) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.policy(w.IntN(4) == 0, annotated)
	}
	return out
}

// load loads the policies; a draw that the lint refuses (a parameter that nothing in the scope can have) is false.
func (w world) load(policies []string) (*Set, bool) {
	s, err := w.snap.load(fstest.MapFS{"p.cedar": {Data: []byte(strings.Join(policies, ""))}}, -1)
	return s, err == nil
}

func (w world) query() Query {
	agents := clinic().Agents
	to := pick(w, agents...)
	if w.IntN(4) == 0 {
		to = flow.Party{Agent: "stranger", Domain: pick(w, flow.DomainID("lab"), "elsewhere"), Roles: []flow.Role{pick(w, flow.Role("adjuster"), "doctor", "unheard-of")}}
	}
	return Query{
		Flow: flow.Flow{
			From: pick(w, agents...), To: to, Hop: w.IntN(3), Purpose: pick(w, flow.Purpose("care"), "billing", "prior-authorisation", "unheard-of", ""),
			Task: flow.Task{ID: pick(w, flow.TaskID("t1"), "t2"), Criticality: pick(w, flow.Low, flow.Routine, flow.Critical)}, Direction: pick(w, flow.Request, flow.Response),
		},
		Consent: w.IntN(2) == 0, Approved: w.IntN(4) == 0, Capabilities: pick(w, nil, []string{"read"}, []string{"read", "write"}),
	}
}

func (w world) leaf() flow.Leaf {
	leaf := flow.Leaf{Label: flow.Label(pick(w, worldLabels...)), Field: pick(w, "", "", "patients/phone", "patients/note", "unheard/of")}
	if w.IntN(2) == 0 {
		leaf.Origin, leaf.Score = pick(w, flow.Detected, flow.Detected, flow.Detected, flow.Supplied, flow.Catalogued), uint8(w.IntN(103))
	}
	switch w.IntN(4) {
	case 0:
		leaf.Label = "person/contact/phone"
		leaf.Field = "patients/phone"
	case 1:
		leaf.Need = &flow.Treatment{Level: pick(w, flow.Raw, flow.Masked, flow.Tokenized, flow.Generalized)}
	}
	return leaf
}

// cedarWorld asks Cedar itself, without an index, with entities and actions built from scratch.
type cedarWorld struct {
	static cedar.EntityMap
}

func newCedarWorld(t *testing.T, snap *snapshot) cedarWorld {
	t.Helper()
	var sch schema.Schema
	if err := sch.UnmarshalCedar([]byte(snap.schema)); err != nil {
		t.Fatal(err)
	}
	resolved, err := sch.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	c := cedarWorld{static: cedar.EntityMap{}}
	for _, a := range resolved.Actions {
		c.static[a.Entity.UID] = a.Entity
	}
	put := func(t cedar.EntityType, name string, attrs cedar.RecordMap, up ...cedar.EntityUID) {
		id := cedar.NewEntityUID(t, cedar.String(name))
		c.static[id] = cedar.Entity{UID: id, Parents: cedar.NewEntityUIDSet(up...), Attributes: cedar.NewRecord(attrs)}
	}
	e := clinic()
	for r, up := range e.RoleParents {
		put("Role", string(r), nil, uids("Role", up)...)
	}
	for p, up := range e.Purposes {
		put("Purpose", string(p), nil, uids("Purpose", up)...)
	}
	for _, l := range snap.tax.All() {
		put("DataClass", string(l.Label), classAttrs(l), direct(l.Label)...)
	}
	for _, f := range e.Fields {
		class, _ := snap.tax.Class(f.Label)
		attrs := classAttrs(class)
		attrs["dataset"] = cedar.NewEntityUID("Dataset", cedar.String(f.Dataset))
		put("Field", f.Name, attrs, uid("DataClass", f.Label), uid("Dataset", f.Dataset))
	}
	return c
}

func classAttrs(c flow.Class) cedar.RecordMap {
	return cedar.RecordMap{
		"tier": cedar.String(c.Tier.String()), "special": cedar.Boolean(c.Special),
		"family": cedar.String(c.Family.String()), "kind": cedar.String(c.Kind.String()),
	}
}

func direct(l flow.Label) []cedar.EntityUID {
	i := strings.LastIndexByte(string(l), '/')
	if i < 0 {
		return nil
	}
	return []cedar.EntityUID{uid("DataClass", l[:i])}
}

func (c cedarWorld) request(q Query, leaf flow.Leaf, level flow.Level, resource cedar.EntityUID) (cedar.EntityMap, cedar.Request) {
	entities := c.static.Clone()
	for _, p := range []flow.Party{q.Flow.From, q.Flow.To} {
		id := uid("Agent", p.Agent)
		entities[id] = cedar.Entity{
			UID: id, Parents: cedar.NewEntityUIDSet(append(uids("Role", p.Roles), uid("Domain", p.Domain))...),
			Attributes: cedar.NewRecord(cedar.RecordMap{"domain": uid("Domain", p.Domain), "attested": cedar.Boolean(p.Attested)}),
		}
	}
	caps := make([]cedar.Value, len(q.Capabilities))
	for i, name := range q.Capabilities {
		caps[i] = cedar.String(name)
	}
	return entities, cedar.Request{
		Principal: uid("Agent", q.Flow.To.Agent), Action: cedar.NewEntityUID("Action", cedar.String(level.String())), Resource: resource,
		Context: cedar.NewRecord(cedar.RecordMap{
			"purpose": uid("Purpose", q.Flow.Purpose), "from": uid("Agent", q.Flow.From.Agent), "task": uid("Task", q.Flow.Task.ID),
			"criticality": cedar.String(q.Flow.Task.Criticality.String()), "attested": cedar.Boolean(q.Flow.To.Attested), "hop": cedar.Long(q.Flow.Hop),
			"consent": cedar.Boolean(q.Consent), "approved": cedar.Boolean(q.Approved), "same_domain": cedar.Boolean(q.Flow.From.Domain == q.Flow.To.Domain),
			"score": cedar.Long(leaf.Certainty()), "direction": cedar.String(q.Flow.Direction.String()), "capabilities": cedar.NewSet(caps...), "contract": setOf(q.Contracts), "protocol": cedar.String(""), "skill": cedar.String(""),
		}),
	}
}

// TestLadderAgreesWithCedar compares each rung with what Cedar's own authorizer says to that level, over every policy.
func TestLadderAgreesWithCedar(t *testing.T) {
	w := newWorld(t, 20)
	plain := newCedarWorld(t, w.snap)
	requests, allowed, failed := 0, 0, 0
	for range 120 {
		policies := w.policies(1+w.IntN(12), true)
		s, ok := w.load(policies)
		if !ok {
			continue
		}
		list, err := cedar.NewPolicySetFromBytes("p.cedar", []byte(strings.Join(policies, "")))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			q, leaf := w.query(), w.leaf()
			if f, known := w.snap.fields[leaf.Field]; known && f.Label != leaf.Label {
				leaf.Field = "" // two resources are asked then; each is compared by itself
			}
			e, err := s.Explain(q, leaf)
			if err != nil {
				t.Fatal(err)
			}
			resource := uid("DataClass", leaf.Label)
			if _, known := w.snap.fields[leaf.Field]; known {
				resource = uid("Field", leaf.Field)
			}
			for _, rung := range e.Asked {
				entities, req := plain.request(q, leaf, rung.Level, resource)
				decision, diag := cedar.Authorize(list, entities, req)
				want := decision == cedar.Allow && len(diag.Errors) == 0
				if rung.Allowed != want || len(rung.Errors) != len(diag.Errors) {
					t.Fatalf("%s of %s: allowed %t with %d errors, Cedar says %t with %d\n%+v\n%s", rung.Level, resource, rung.Allowed, len(rung.Errors), want, len(diag.Errors), q, strings.Join(policies, ""))
				}
				requests++
				if want {
					allowed++
				}
				failed += len(diag.Errors)
			}
		}
	}
	if requests < 5000 || allowed < requests/20 || failed < 30 {
		t.Errorf("compared %d requests, %d allowed, %d errors: too few to say anything", requests, allowed, failed)
	}
}

// change is how the terms of random requests move when policies are added to a random set.
func (w world) change(t *testing.T, annotated bool, extra func() string, check func(q Query, leaf flow.Leaf, with, without Explanation) string) {
	t.Helper()
	compared := 0
	for range 120 {
		base := w.policies(1+w.IntN(8), annotated)
		with, ok := w.load(append(slices.Clone(base), extra()))
		without, ok2 := w.load(base)
		if !ok || !ok2 {
			continue
		}
		for range 20 {
			q, leaf := w.query(), w.leaf()
			a, err := with.Explain(q, leaf)
			if err != nil {
				t.Fatal(err)
			}
			b, err := without.Explain(q, leaf)
			if err != nil {
				t.Fatal(err)
			}
			if why := check(q, leaf, a, b); why != "" {
				t.Fatalf("%s: with %s, without %s\n%s\n%s", why, a.Result.Treatment, b.Result.Treatment, a, b)
			}
			compared++
		}
	}
	if compared < 1000 {
		t.Errorf("compared %d requests, too few to say anything", compared)
	}
}

func TestAddingAForbidNeverRevealsMore(t *testing.T) {
	w := newWorld(t, 21)
	w.change(t, true, func() string { return w.policy(true, false) }, func(_ Query, _ flow.Leaf, with, without Explanation) string {
		if with.Class.Family.Reveals(with.Result.Treatment, without.Result.Treatment) {
			return "a forbid reveals"
		}
		return ""
	})
}

// Without parameters, removing a permit never reveals more. Parameters are wishes of permits, and of several the
// strictest holds, so there a removed permit may take its wish along; no level is opened by that.
func TestRemovingAPermitNeverRevealsMore(t *testing.T) {
	w := newWorld(t, 22)
	w.change(t, false, func() string { return w.policy(false, false) }, func(_ Query, _ flow.Leaf, with, without Explanation) string {
		failed := func(a Asked) bool { return len(a.Errors) > 0 }
		if slices.ContainsFunc(with.Asked, failed) {
			return "" // the permit, or another policy, could not be evaluated: that closes
		}
		if with.Class.Family.Reveals(without.Result.Treatment, with.Result.Treatment) {
			return "removing a permit reveals"
		}
		return ""
	})
	w.change(t, true, func() string { return w.policy(false, true) }, func(_ Query, _ flow.Leaf, with, without Explanation) string {
		for i, a := range with.Asked {
			if b := without.Asked[i]; b.Allowed && !b.Capped && (!a.Allowed || a.Capped) && len(a.Errors) == 0 {
				return "removing a permit opens " + a.Level.String()
			}
		}
		return ""
	})
}

func TestAPolicyThatErrsNeverOpens(t *testing.T) {
	w := newWorld(t, 23)
	erring := func() string {
		text := w.policy(w.IntN(2) == 0, false)
		if i := strings.IndexByte(text, '{'); i >= 0 {
			text = text[:i]
			text = strings.TrimSuffix(strings.TrimSuffix(text, " when "), " unless ")
		}
		return strings.TrimSuffix(text, ";\n") + " when { context.hop * 9223372036854775807 + 9223372036854775807 > 0 };\n"
	}
	w.change(t, true, erring, func(q Query, _ flow.Leaf, with, without Explanation) string {
		if q.Flow.Hop > 0 && with.Class.Family.Reveals(with.Result.Treatment, without.Result.Treatment) {
			return "a policy that errs reveals"
		}
		for i, a := range with.Asked {
			if len(a.Errors) > 0 && a.Allowed {
				return "an error was skipped at " + with.Asked[i].Level.String()
			}
		}
		return ""
	})
}

func TestDecisionsAreTheSameFromTheCache(t *testing.T) {
	w := newWorld(t, 24)
	for range 40 {
		policies := w.policies(1+w.IntN(10), true)
		plain, ok := w.load(policies)
		if !ok {
			continue
		}
		cached, err := w.snap.load(fstest.MapFS{"p.cedar": {Data: []byte(strings.Join(policies, ""))}}, 64)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			q := w.query()
			leaves := []flow.Leaf{w.leaf(), w.leaf(), w.leaf()}
			want, err := plain.Decide(q, leaves)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cached.Decide(q, leaves)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Fatalf("from the cache:\n%+v\nafresh:\n%+v\n%s", got, want, strings.Join(policies, ""))
			}
		}
		for i := range cached.cache.shards {
			if n := len(cached.cache.shards[i].m); n > cached.cache.most {
				t.Fatalf("a shard holds %d decisions, want at most %d", n, cached.cache.most)
			}
		}
	}
}
