package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// rule is one policy, made ready for the ladder.
type rule struct {
	id     flow.PolicyID
	forbid bool
	shadow bool
	covers action // the concrete actions its action scope covers

	principal, resource cedar.EntityUID // of the scope; zero: any
	exactResource       cedar.EntityUID // the class or field that an exception names

	params    [flow.Raw + 1]flow.Param // by level; empty: not annotated
	reason    string
	exception bool
	below     uint8 // the permit is for findings that are less sure, in percent; 0: for all
	retain    time.Duration
	handle    time.Duration // how long a reference lasts that goes in the data's place; 0: none does
	notify    []string
	basis     []string

	// when is the policy as a permit of every action: it says whether scope and conditions hold. A condition cannot
	// speak of the action (the lint forbids it), so one evaluation serves the whole ladder.
	when *cedar.Policy
	text string // as it was written, with its annotations
	used contextUse
	cuts []uint8 // see [Set.scoreClass]
}

// The annotations that a policy may carry.
const (
	noteID         = "id"
	noteGeneralize = "generalize"
	noteToken      = "token"
	noteMask       = "mask"
	noteReason     = "reason"
	noteBasis      = "legal_basis"
	noteRetain     = "retain"
	noteNotify     = "notify"
	noteException  = "exception"
	noteShadow     = "shadow"
	noteBelow      = "below_score"
	noteHandle     = "handle"
)

var noteNames = []string{
	noteID, noteGeneralize, noteToken, noteMask, noteReason, noteBasis, noteRetain, noteNotify, noteException, noteShadow, noteBelow, noteHandle,
	"doc", "owner", "see", // for readers
}

// newRule compiles a policy whose file has been parsed. Annotations that are wrong are reported by the lint.
func newRule(st statement) *rule {
	tree := (*ast.Policy)(st.policy.AST())
	r := &rule{forbid: !bool(tree.Effect), shadow: strings.HasSuffix(st.file.name, shadowSuffix)}
	r.text = strings.Join(strings.Fields(blankComments(st.file.text[st.start:st.end])), " ")
	r.id = flow.PolicyID(fmt.Sprintf("%s:%d", st.file.name, tree.Position.Line))
	r.covers, _, _ = scopeActions(tree.Action)
	r.principal, _ = scopeEntity(tree.Principal)
	r.resource, r.exactResource = scopeEntity(tree.Resource)
	for _, note := range tree.Annotations {
		r.annotate(string(note.Key), string(note.Value))
	}
	twin := *tree
	twin.Effect, twin.Action, twin.Annotations = ast.EffectPermit, ast.ScopeTypeAll{}, nil
	if r.below > 0 {
		twin.Conditions = append(slices.Clone(tree.Conditions), lessSure(r.below))
	}
	r.when = cedar.NewPolicyFromAST((*cedarast.Policy)(&twin))
	r.used = usedContext(&twin)
	r.cuts = cutsOf(&twin)
	return r
}

// nameByColumn gives a policy without an @id a longer name, for it shares its line with the one before.
func (r *rule) nameByColumn(st statement) {
	p := st.policy.Position()
	if line := fmt.Sprintf("%s:%d", st.file.name, p.Line); string(r.id) == line {
		r.id = flow.PolicyID(fmt.Sprintf("%s:%d", line, p.Column))
	}
}

func (r *rule) annotate(key, value string) {
	switch key {
	case noteID:
		if value != "" {
			r.id = flow.PolicyID(value)
		}
	case noteGeneralize:
		r.params[flow.Generalized] = flow.Param(value)
	case noteToken:
		r.params[flow.Tokenized] = flow.Param(value)
	case noteMask:
		r.params[flow.Masked] = flow.Param(value)
	case noteReason:
		r.reason = value
	case noteBasis:
		r.basis = splitList(value)
	case noteNotify:
		r.notify = splitList(value)
	case noteRetain:
		r.retain, _ = parseDuration(value)
	case noteHandle:
		if r.handle, _ = parseDuration(value); r.handle <= 0 {
			r.handle = 1 // a reference that ends at once
		}
	case noteException:
		r.exception = value != ""
	case noteBelow:
		if r.below, _ = parseScore(value); r.below == 0 {
			r.below = 1 // nothing is less sure
		}
	case noteShadow:
		r.shadow = r.shadow || value != "false"
	}
}

// scopeEntity returns the entity that a scope names, zero for any, and the one it names by itself: by == or by `in`.
func scopeEntity(scope ast.IsScopeNode) (named, exact cedar.EntityUID) {
	switch sc := scope.(type) {
	case ast.ScopeTypeEq:
		return sc.Entity, sc.Entity
	case ast.ScopeTypeIn:
		return sc.Entity, sc.Entity
	case ast.ScopeTypeIsIn:
		return sc.Entity, sc.Entity
	}
	return cedar.EntityUID{}, cedar.EntityUID{}
}

// param returns the rule's parameter for a level of a family, and false where the rule says nothing: an unannotated permit
// that covers a more revealing level as well has no wish for this one. One whose highest level this is means the label's default.
func (r *rule) param(f flow.Family, l flow.Level) (flow.Param, bool) {
	if p := r.params[l]; p != "" {
		return p, true
	}
	for _, higher := range f.Levels() {
		if higher.Reveals(l) && r.covers&levelAction(higher) != 0 {
			return "", false
		}
	}
	return "", true
}

// lifts reports whether the permit lifts the tier's cap for the leaf.
func (r *rule) lifts(leaf flow.Leaf) bool {
	if !r.exception {
		return false
	}
	switch r.exactResource.Type {
	case typeClass:
		return string(r.exactResource.ID) == string(leaf.Label)
	case typeField:
		return leaf.Field != "" && string(r.exactResource.ID) == leaf.Field
	}
	return false
}

// splitList returns the words between commas, ordered.
func splitList(s string) (out []string) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var durationForm = regexp.MustCompile(`^P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,7})S)?)?$`)

// parseDuration reads an ISO 8601 duration of weeks, days, hours, minutes and seconds.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	var d time.Duration
	if m != nil {
		for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
			n, _ := strconv.ParseInt("0"+m[i+1], 10, 64)
			d += time.Duration(n) * unit
		}
	}
	if d == 0 {
		return 0, fmt.Errorf("%q is not a duration of weeks, days, hours, minutes or seconds after ISO 8601, such as P30D or PT12H", s)
	}
	return d, nil
}

// contextUse says which attributes of the context some policies read.
type contextUse struct {
	all   bool // the context is used as a whole
	names []string
}

func (u contextUse) has(name string) bool { return u.all || slices.Contains(u.names, name) }

func (u contextUse) plus(v contextUse) contextUse {
	return contextUse{u.all || v.all, slices.Compact(slices.Sorted(slices.Values(slices.Concat(u.names, v.names))))}
}

// usedContext finds the attributes of the context that a policy's conditions read.
func usedContext(p *ast.Policy) (use contextUse) {
	isContext := func(n ast.IsNode) bool {
		v, ok := n.(ast.NodeTypeVariable)
		return ok && v.Name == "context"
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch t := n.(type) {
			case ast.NodeTypeAccess:
				if isContext(t.Arg) {
					use.names = append(use.names, string(t.Value))
					return false
				}
			case ast.NodeTypeHas:
				if isContext(t.Arg) {
					use.names = append(use.names, string(t.Value))
					return false
				}
			case ast.NodeTypeVariable:
				use.all = use.all || isContext(t)
			}
			return true
		})
	}
	return use
}
