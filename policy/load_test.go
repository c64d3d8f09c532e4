package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/schema"

	"github.com/scrimhq/scrim/flow"
)

func TestMistakes(t *testing.T) {
	const permit = `permit (principal, action in Action::"upto_raw", resource)`
	for _, c := range []struct{ name, policy, want string }{
		{"an unknown role", `permit (principal in Role::"nurze", action in Action::"upto_raw", resource);`, `t.cedar:1:22: role "nurze" is not known (did you mean "nurse"?)`},
		{"an unknown agent", `permit (principal == Agent::"clams", action in Action::"upto_raw", resource);`, `t.cedar:1:22: agent "clams" is not known (did you mean "claims"?)`},
		{"an unknown purpose", permit + ` when { context.purpose in Purpose::"biling" };`, `t.cedar:1:86: purpose "biling" is not known (did you mean "billing"?)`},
		{"an unknown class", `permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/mail");`, `t.cedar:1:62: data class "person/contact/mail" is not known (did you mean "person/contact/email"?)`},
		{"an unknown field", `permit (principal, action in Action::"upto_raw", resource == Field::"patients/phones");`, `field "patients/phones" is not known (did you mean "patients/phone"?)`},
		{"an unknown domain in a set", permit + ` when { [Domain::"labb"].contains(principal.domain) };`, `domain "labb" is not known (did you mean "lab"?)`},
		{"an unknown type", `permit (principal in Rolle::"nurse", action in Action::"upto_raw", resource);`, `t.cedar:1:22: Rolle is not an entity type (did you mean "Role"?)`},
		{"an unknown action", `permit (principal, action in Action::"upto_rar", resource);`, `t.cedar:1:30: Action::"upto_rar" is not an action (did you mean "upto_raw"?)`},
		{"a permit that names a level", `permit (principal, action == Action::"raw", resource);`, `a permit names upto_LEVEL, not the level itself (write action in Action::"upto_raw")`},
		{"a permit of the other chain", `permit (principal, action in Action::"atleast_masked", resource);`, `a permit names upto_LEVEL (write Action::"upto_masked")`},
		{"a forbid of the other chain", `forbid (principal, action in Action::"upto_raw", resource);`, `a forbid names atleast_LEVEL (write Action::"atleast_raw")`},
		{"a forbid that names a level", `forbid (principal, action == Action::"masked", resource);`, `a forbid names atleast_LEVEL, not the level itself`},
		{"an action equal to a group", `permit (principal, action == Action::"upto_raw", resource);`, "write `action in` instead of `action ==`"},
		{"a permit of everything", `permit (principal, action, resource);`, `t.cedar:1:20: a permit must name its actions`},
		{"the action in a condition", permit + ` when { action == Action::"raw" };`, `a condition may not speak of the action`},
		{"an unknown attribute of the context", permit + ` when { context.consentt };`, `t.cedar:1:75: attribute 'consentt' is not in the context (did you mean "consent"?)`},
		{"an unknown attribute of the resource", permit + ` when { resource.teer == "public" };`, `attribute 'teer' on entity type`},
		{"a type that does not fit", permit + ` when { context.hop == "two" };`, `types`},
		{"a tier that does not exist", permit + ` when { resource.tier == "secret" };`, `tier is never "secret" (one of public, internal, confidential, restricted)`},
		{"a misspelt criticality in a set", permit + ` when { ["crytical"].contains(context.criticality) };`, `criticality is never "crytical" (did you mean "critical"?)`},
		{"an unknown annotation", `@generalise("year") ` + permit + `;`, `t.cedar:1:1: @generalise is not an annotation of policies (did you mean "generalize"?)`},
		{"a parameter of another level", `@generalize("keep:4") ` + permit + `;`, `"keep:4" is not a parameter of generalized`},
		{"an unreached parameter", `@token("oneway") permit (principal, action in Action::"upto_masked", resource);`, `the permit does not reach tokenized`},
		{"a parameter that nothing in the class can have", `@generalize("year") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/age");`, `nothing in person/age can be generalised by year (person/age is of kind number)`},
		{"a parameter on a forbid", `@mask("keep:4") forbid (principal, action in Action::"atleast_raw", resource);`, `@mask says nothing on a forbid`},
		{"a duration of months", `@retain("P1M") ` + permit + `;`, `is not a duration`},
		{"a handle that lasts for months", `@handle("P1M") ` + permit + `;`, `is not a duration`},
		{"a handle that ends at once", `@handle("PT0S") ` + permit + `;`, `is not a duration`},
		{"a handle on a forbid", `@handle("PT15M") forbid (principal, action in Action::"atleast_raw", resource);`, `@handle says nothing on a forbid`},
		{"an exception that says nothing", `@exception("") permit (principal, action in Action::"upto_raw", resource in DataClass::"person");`, `@exception must say why`},
		{"an exception without a name", `@exception("agreed") ` + permit + `;`, `an exception must name its data class or field in the scope`},
		{"a name used twice", `@id("a") ` + permit + `; @id("a") ` + permit + `;`, `the name "a" is taken by the policy at t.cedar:1`},
		{"syntax", `permit (principal, action in Action::"upto_raw" resource);`, `t.cedar:1:49: found "resource" where "," must stand`},
		{"an unfinished text", "permit (principal, action in Action::\"upto_raw, resource);", `t.cedar:1:`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"t.cedar": {Data: []byte(c.policy)}}, Options{Entities: clinic()})
			if _, ok := errors.AsType[Mistakes](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load() error = %v\nwant one that contains %s", err, c.want)
			}
		})
	}
}

func TestEveryMistakeIsListed(t *testing.T) {
	files := fstest.MapFS{
		"a.cedar": {Data: []byte("// fine; \"quoted\n" + `permit (principal in Role::"nobody", action in Action::"upto_raw", resource)
when { context.porpose == Purpose::"none" && resource.tier == "hidden" };
permit (principal action in Action::"upto_raw", resource);
/* permit (oops; */ permit (principal, action in Action::"upto_raw" resource);
@reson("x; y") permit (principal, action in Action::"upto_raw", resource);
`)},
		"b/c.shadow.cedar": {Data: []byte(`permit (principal, action, resource);`)},
		"notes.txt":        {Data: []byte(`not a policy`)},
	}
	_, err := Load(files, Options{Entities: clinic()})
	mistakes, _ := errors.AsType[Mistakes](err)
	var got []string
	for _, m := range mistakes {
		got = append(got, fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column))
	}
	want := []string{"a.cedar:2:22", "a.cedar:3:16", "a.cedar:3:27", "a.cedar:3:63", "a.cedar:4:19", "a.cedar:5:69", "a.cedar:6:1", "b/c.shadow.cedar:1:20"}
	if !slices.Equal(got, want) {
		t.Errorf("mistakes at %v\nwant %v\n%v", got, want, err)
	}
}

func TestMistakesOfEntities(t *testing.T) {
	_, err := Load(fstest.MapFS{}, Options{Entities: Entities{
		Agents:   []flow.Party{{Agent: "a"}, {Agent: "a"}},
		Purposes: map[flow.Purpose][]flow.Purpose{"x": {"y"}, "y": {"x"}},
		Fields:   []Field{{Name: "d/c", Dataset: "d", Label: "nobody/knows"}},
	}})
	mistakes, _ := errors.AsType[Mistakes](err)
	if len(mistakes) != 4 {
		t.Errorf("Load() error = %v, want four mistakes: an agent twice, two purposes in a circle, a field with an unknown label", err)
	}
}

func TestAnEmptySetForbids(t *testing.T) {
	s, err := Load(fstest.MapFS{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := decideOne(t, s, toClaims(), flow.Leaf{Label: flow.PublicData}); got.Level != flow.Dropped {
		t.Errorf("public data shows as %s without any policy, want dropped", got.Treatment)
	}
}

func TestActionsMatchTheSchema(t *testing.T) {
	snap, err := newSnapshot(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sch schema.Schema
	if err := sch.UnmarshalCedar([]byte(snap.schema)); err != nil {
		t.Fatal(err)
	}
	resolved, err := sch.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	entities := cedar.EntityMap{}
	for _, a := range resolved.Actions {
		entities[a.Entity.UID] = a.Entity
	}
	if len(entities) != len(actionNames) {
		t.Errorf("the schema has %d actions, the table %d", len(entities), len(actionNames))
	}
	for group, covers := range actionNames {
		for concrete, bits := range actionNames {
			if bits&(bits-1) != 0 || resolved.Actions[uid("Action", concrete)].AppliesTo == nil {
				continue
			}
			set, err := cedar.NewPolicySetFromBytes("", fmt.Appendf(nil, "permit (principal, action in Action::%q, resource);", string(group)))
			if err != nil {
				t.Fatal(err)
			}
			allowed, _ := cedar.Authorize(set, entities, cedar.Request{Action: uid("Action", concrete)})
			if bool(allowed) != (covers&bits != 0) {
				t.Errorf("%s in %s is %t by the schema and %t by the table", concrete, group, allowed, covers&bits != 0)
			}
		}
	}
}

func TestContextHasEveryAttribute(t *testing.T) {
	w := newWorld(t, 30)
	s := &Set{snap: w.snap, used: contextUse{all: true}}
	for range 50 {
		q := w.query()
		req := cedar.Request{
			Principal: uid(typeAgent, q.Flow.To.Agent), Action: uid(typeAction, "raw"), Resource: uid(typeClass, "person"), Context: s.view(&q).context,
		}
		if err := w.snap.validator.Request(req); err != nil {
			t.Fatalf("the context does not fit the schema: %v", err)
		}
	}
	for id, e := range w.snap.static {
		e.Parents = cedar.NewEntityUIDSet() // flattened parents are more than the schema's one step
		if err := w.snap.validator.Entity(e); err != nil {
			t.Errorf("entity %s does not fit the schema: %v", id, err)
		}
	}
}

func TestPoliciesOfLaterTechniquesValidate(t *testing.T) {
	mustLoad(t, `
		permit (principal in Role::"researcher", action in [Action::"aggregate", Action::"synthesize"], resource == Dataset::"patients") when { resource.formal };
		permit (principal, action == Action::"match", resource) when { context.purpose in Purpose::"research" };
		permit (principal, action in [Action::"compute", Action::"score", Action::"train"], resource);
		permit (principal, action == Action::"detect", resource in DataClass::"person");
		forbid (principal, action, resource) unless { context.approved };`)
}

func TestHashCoversEverything(t *testing.T) {
	load := func(text string, change func(*Entities)) string {
		e := clinic()
		if change != nil {
			change(&e)
		}
		s, err := Load(fstest.MapFS{"a.cedar": {Data: []byte(text)}}, Options{Entities: e})
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	const text = `permit (principal, action in Action::"upto_raw", resource);`
	base := load(text, nil)
	if again := load(text, nil); again != base || len(base) != 64 {
		t.Errorf("hash = %s and then %s, want the same 64 digits", base, again)
	}
	for name, other := range map[string]string{
		"policies":  load(text+" ", nil),
		"roles":     load(text, func(e *Entities) { e.Agents[0].Roles = []flow.Role{"doctor"} }),
		"hierarchy": load(text, func(e *Entities) { e.RoleParents["nurse"] = nil }),
		"purposes":  load(text, func(e *Entities) { e.Purposes["care"] = []flow.Purpose{"billing"} }),
		"fields":    load(text, func(e *Entities) { e.Fields[0].Label = "person/name" }),
		"formal":    load(text, func(e *Entities) { e.Datasets[0].Formal = false }),
	} {
		if other == base {
			t.Errorf("another value of %s has the same hash", name)
		}
	}
}
