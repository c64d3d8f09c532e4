package policy

import (
	"fmt"

	cedar "github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// shape is a rule in a form in which two can be compared.
type shape struct {
	*rule
	tree       *ast.Policy // of the rule's condition
	conditions []string    // that must all hold, in their order
	sig        string      // two rules of one hold, and fail, in the same requests
	sound      bool        // it can always be evaluated
}

func shapeOf(r *rule) *shape {
	sh := &shape{rule: r, tree: (*ast.Policy)(r.when.AST()), sound: true}
	for _, c := range sh.tree.Conditions {
		sh.conjuncts(c.Body, c.Condition == ast.ConditionWhen)
		sh.sound = sh.sound && cannotFail(c.Body)
	}
	head := *sh.tree
	head.Conditions = nil
	sh.sig = words(append([]string{textOf(&head)}, sh.conditions...)...)
	return sh
}

// conjuncts adds the parts that must hold where a condition is to be what is wanted.
func (sh *shape) conjuncts(n ast.IsNode, want bool) {
	switch t := n.(type) {
	case ast.NodeTypeAnd:
		if want {
			sh.conjuncts(t.Left, true)
			sh.conjuncts(t.Right, true)
			return
		}
	case ast.NodeTypeOr:
		if !want {
			sh.conjuncts(t.Left, false)
			sh.conjuncts(t.Right, false)
			return
		}
	case ast.NodeTypeNot:
		sh.conjuncts(t.Arg, !want)
		return
	}
	c := ast.ConditionType{Condition: ast.ConditionWhen, Body: n}
	if !want {
		c.Condition = ast.ConditionUnless
	}
	p := ast.Policy{
		Effect: ast.EffectPermit, Principal: ast.ScopeTypeAll{}, Action: ast.ScopeTypeAll{}, Resource: ast.ScopeTypeAll{}, Conditions: []ast.ConditionType{c},
	}
	sh.conditions = append(sh.conditions, textOf(&p))
}

// textOf writes a policy so that two are alike only if they are the same.
func textOf(p *ast.Policy) string {
	text, err := cedar.NewPolicyFromAST((*cedarast.Policy)(p)).MarshalJSON()
	if err != nil {
		return fmt.Sprintf("%p", p) // like no other
	}
	return string(text)
}

// cannotFail reports whether a condition that is valid can be evaluated in every request. It knows the operators that cannot fail, and
// attributes of what is always there.
func cannotFail(n ast.IsNode) bool {
	can := true
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch t := n.(type) {
		case ast.NodeTypeAnd, ast.NodeTypeOr, ast.NodeTypeNot, ast.NodeTypeIfThenElse, ast.NodeTypeEquals, ast.NodeTypeNotEquals,
			ast.NodeTypeLessThan, ast.NodeTypeLessThanOrEqual, ast.NodeTypeGreaterThan, ast.NodeTypeGreaterThanOrEqual, ast.NodeTypeIn,
			ast.NodeTypeHas, ast.NodeTypeLike, ast.NodeTypeIs, ast.NodeTypeIsIn, ast.NodeTypeContains, ast.NodeTypeContainsAll,
			ast.NodeTypeContainsAny, ast.NodeTypeIsEmpty, ast.NodeTypeSet, ast.NodeTypeVariable, ast.NodeValue:
		case ast.NodeTypeAccess:
			can = can && (isVariable(t.Arg) || isAttr(t.Arg, "from"))
		case nil:
		default:
			can = false
		}
		return can
	})
	return can
}

func isVariable(n ast.IsNode) bool {
	_, ok := n.(ast.NodeTypeVariable)
	return ok
}

// scopeWithin reports whether whatever lies in one scope lies in the other.
func scopeWithin(sn *snapshot, in, of ast.IsScopeNode) bool {
	switch wide := of.(type) {
	case ast.ScopeTypeAll:
		return true
	case ast.ScopeTypeEq:
		e, ok := in.(ast.ScopeTypeEq)
		return ok && e == wide
	case ast.ScopeTypeIn:
		return entityWithin(sn, in, wide.Entity)
	case ast.ScopeTypeIs:
		return scopeType(in) == wide.Type
	case ast.ScopeTypeIsIn:
		return scopeType(in) == wide.Type && entityWithin(sn, in, wide.Entity)
	}
	return false
}

// scopeType is the only type of what lies in a scope; "" if it is not known.
func scopeType(s ast.IsScopeNode) cedar.EntityType {
	switch t := s.(type) {
	case ast.ScopeTypeEq:
		return t.Entity.Type
	case ast.ScopeTypeIs:
		return t.Type
	case ast.ScopeTypeIsIn:
		return t.Type
	}
	return ""
}

// entityWithin reports whether what lies in a scope lies within an entity. In whose roles and domain an agent is, each flow says anew.
func entityWithin(sn *snapshot, in ast.IsScopeNode, of cedar.EntityUID) bool {
	named, _ := scopeEntity(in)
	switch {
	case named == (cedar.EntityUID{}):
		return false
	case named == of:
		return true
	case named.Type == typeAgent:
		return false
	}
	return sn.static[named].Parents.Contains(of)
}

// apart reports whether no resource lies in both scopes: a field and a class lie in one class and in those above it.
func apart(sn *snapshot, a, b ast.IsScopeNode) bool {
	inClass := func(s ast.IsScopeNode) (cedar.EntityUID, bool) {
		named, _ := scopeEntity(s)
		return named, named.Type == typeClass || named.Type == typeField
	}
	x, ok := inClass(a)
	y, also := inClass(b)
	return ok && also && x != y && !sn.static[x].Parents.Contains(y) && !sn.static[y].Parents.Contains(x)
}
