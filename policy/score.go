package policy

import (
	"fmt"
	"slices"
	"strconv"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// A score says how sure the detector is of a finding. Policies may let less sure findings show more, and nothing else: the lint
// lets permits ask whether the score is below a number, where that opens, and forbids not at all. So a surer finding never
// shows more than a less sure one (TestASurerFindingNeverShowsMore).

// attrScore is the attribute of the context.
const attrScore = "score"

// parseScore reads whole percent, from 1 to 100.
func parseScore(text string) (uint8, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > flow.Certain || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("a score is a whole number of percent from 1 to 100")
	}
	return uint8(n), nil
}

// lessSure is the condition that a score is below a number. It comes last, so that a policy that cannot be evaluated denies
// whatever the score.
func lessSure(than uint8) ast.ConditionType {
	score := ast.NodeTypeAccess{StrOpNode: ast.StrOpNode{Arg: ast.NodeTypeVariable{Name: "context"}, Value: attrScore}}
	return ast.ConditionType{Condition: ast.ConditionWhen, Body: ast.NodeTypeLessThan{
		BinaryNode: ast.BinaryNode{Left: score, Right: ast.NodeValue{Value: cedar.Long(than)}},
	}}
}

// scoreClass returns the class of a score: scores of one class are the same to every policy of the set, since the number of
// policies' bounds that are not above them is. Few bounds are few classes, and so few decisions in the cache.
func (s *Set) scoreClass(score uint8) uint8 {
	if s.used.all {
		return score // not to be told from the conditions
	}
	n := uint8(0)
	for _, cut := range s.cuts {
		if score < cut {
			break
		}
		n++
	}
	return n
}

// ofScore makes the view's context that of a score, if any policy asks for it.
func (s *Set) ofScore(v *view, score uint8) {
	if v.score == score || !s.used.has(attrScore) {
		return
	}
	v.asked[attrScore], v.score = cedar.Long(score), score
	v.context = cedar.NewRecord(v.asked)
}

// bound is a comparison of the score with a number.
type bound struct {
	cut   int64 // the comparison is one thing below it, and the other from it on
	below bool  // it holds below
}

// boundOf reads context.score < 60, 60 > context.score and the like.
func boundOf(n ast.IsNode) (b bound, ok bool) { return boundOn(n, attrScore, flow.Certain) }

// boundOn reads such a comparison of any attribute of the context with a number from 0 to most.
func boundOn(n ast.IsNode, attr string, most int64) (b bound, ok bool) {
	var sides ast.BinaryNode
	var less, orEqual bool
	switch t := n.(type) {
	case ast.NodeTypeLessThan:
		sides, less = t.BinaryNode, true
	case ast.NodeTypeLessThanOrEqual:
		sides, less, orEqual = t.BinaryNode, true, true
	case ast.NodeTypeGreaterThan:
		sides = t.BinaryNode
	case ast.NodeTypeGreaterThanOrEqual:
		sides, orEqual = t.BinaryNode, true
	default:
		return b, false
	}
	score, number := sides.Left, sides.Right
	if !isAttr(score, attr) {
		score, number, less = number, score, !less
	}
	v, isValue := number.(ast.NodeValue)
	if !isAttr(score, attr) || !isValue {
		return b, false
	}
	long, isLong := v.Value.(cedar.Long)
	if !isLong || long < 0 || int64(long) > most {
		return b, false
	}
	b = bound{cut: int64(long), below: less}
	if less == orEqual { // <= 60 and > 60 part at 61
		b.cut++
	}
	return b, true
}

// isAttr reports whether a node is context.NAME.
func isAttr(n ast.IsNode, name string) bool {
	a, ok := n.(ast.NodeTypeAccess)
	if !ok || string(a.Value) != name {
		return false
	}
	v, ok := a.Arg.(ast.NodeTypeVariable)
	return ok && v.Name == "context"
}

// cutsOf returns where the answers of a policy may change with the score.
func cutsOf(p *ast.Policy) (cuts []uint8) {
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if b, ok := boundOf(n); ok && b.cut <= flow.Certain {
				cuts = append(cuts, uint8(b.cut))
			}
			return true
		})
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// scores checks that conditions ask for the score only to let less sure findings show more.
func (l *linter) scores() {
	for _, c := range l.tree.Conditions {
		opens := c.Condition == ast.ConditionWhen
		l.score(c.Body, &opens)
	}
	if l.rule.used.all {
		l.at("context", "the context is no value by itself", "name the attributes that are meant, such as context.purpose")
	}
}

// score checks one part of a condition. Opens says whether the permit holds for more where the part is true; nil: it cannot be said.
func (l *linter) score(n ast.IsNode, opens *bool) {
	if parts, done := inner(n, opens); done {
		for _, p := range parts {
			l.score(p.node, p.opens)
		}
		return
	}
	const where = "context.score"
	b, isBound := boundOf(n)
	switch {
	case !asksAttr(n, attrScore):
	case l.rule.forbid:
		l.at(where, "a forbid holds whatever the score", "leave context.score to permits")
	case !isBound || opens == nil:
		l.at(where, "a score is compared with a whole number from 0 to 100, by itself", `write context.score < 60, or @below_score("60")`)
	case b.below != *opens:
		l.at(where, "a surer finding may not show more than a less sure one", "write context.score < 60: the permit is then for findings below 60 percent")
	}
}

// part is a part of a condition, and whether more is permitted where it is true; nil: it cannot be said.
type part struct {
	node  ast.IsNode
	opens *bool
}

// inner returns the parts that a condition is put together of, and false for one that is no such.
func inner(n ast.IsNode, opens *bool) ([]part, bool) {
	switch t := n.(type) {
	case ast.NodeTypeAnd:
		return []part{{t.Left, opens}, {t.Right, opens}}, true
	case ast.NodeTypeOr:
		return []part{{t.Left, opens}, {t.Right, opens}}, true
	case ast.NodeTypeNot:
		if opens != nil {
			not := !*opens
			opens = &not
		}
		return []part{{t.Arg, opens}}, true
	case ast.NodeTypeIfThenElse:
		return []part{{t.If, nil}, {t.Then, opens}, {t.Else, opens}}, true
	}
	return nil, false
}

// asksAttr reports whether a part of a condition reads an attribute of the name. Nothing but the context has one.
func asksAttr(n ast.IsNode, name string) (asks bool) {
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		a, ok := n.(ast.NodeTypeAccess)
		asks = asks || ok && string(a.Value) == name
		return true
	})
	return asks
}

// below checks the annotation.
func (l *linter) below(value string) {
	wrong := func(message, hint string) { l.at("@"+noteBelow, message, hint) }
	_, err := parseScore(value)
	switch {
	case err != nil:
		wrong(err.Error(), `@below_score("60") is for findings below 60 percent`)
	case l.rule.forbid:
		wrong("@"+noteBelow+" says nothing on a forbid", "a forbid holds whatever the score")
	case l.rule.covers&^actLevels != 0 || l.rule.covers == 0:
		wrong("@"+noteBelow+" is for levels", `write action in Action::"upto_LEVEL"`)
	}
}
