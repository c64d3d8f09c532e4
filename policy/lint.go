package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// linter collects what is wrong with one policy.
type linter struct {
	sn       *snapshot
	st       statement
	rule     *rule
	tree     *ast.Policy
	mistakes Mistakes
}

// lint checks every policy: annotations, the action chains, every name it uses, and its types against the schema.
func (sn *snapshot) lint(sts []statement, rules []*rule) (mistakes Mistakes) {
	first := make(map[flow.PolicyID]statement, len(sts))
	for i, st := range sts {
		l := &linter{sn: sn, st: st, rule: rules[i], tree: (*ast.Policy)(st.policy.AST())}
		if other, twice := first[l.rule.id]; twice {
			p := other.policy.Position()
			l.at("@id", fmt.Sprintf("the name %q is taken by the policy at %s:%d", l.rule.id, other.file.name, p.Line), "each policy has a name of its own")
		}
		first[l.rule.id] = st
		l.annotations()
		scopeOK := l.actions()
		l.names()
		l.literals()
		l.scores()
		l.tables()
		l.formal()
		l.types(scopeOK)
		mistakes = append(mistakes, l.mistakes...)
	}
	return mistakes
}

// at adds a mistake at the first place where the text stands in the policy, or at its beginning.
func (l *linter) at(text, message, hint string) { l.atOffset(l.find(text), message, hint) }

func (l *linter) atOffset(offset int, message, hint string) {
	line, column := advance(1, 1, l.st.file.text[:offset])
	m := Mistake{File: l.st.file.name, Line: line, Column: column, Message: message, Hint: hint}
	if !slices.Contains(l.mistakes, m) {
		l.mistakes = append(l.mistakes, m)
	}
}

// find returns the offset of the text in the policy, outside comments, or where the policy begins.
func (l *linter) find(text string) int {
	if text != "" {
		if at := strings.Index(blankComments(l.st.file.text[l.st.start:l.st.end]), text); at >= 0 {
			return l.st.start + at
		}
	}
	return l.st.policy.Position().Offset
}

// blankComments replaces comments by blanks of the same length.
func blankComments(text string) string {
	if !strings.Contains(text, "//") && !strings.Contains(text, "/*") {
		return text
	}
	b := []byte(text)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			b[i] = ' '
		}
	}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case strings.HasPrefix(text[i:], "//"):
			end := skipTo(text, i, "\n")
			blank(i, end)
			i = end
		case strings.HasPrefix(text[i:], "/*"):
			end := min(skipTo(text, i+2, "*/")+2, len(text))
			blank(i, end)
			i = end - 1
		}
	}
	return string(b)
}

// actions checks the chains: permits name upto_, forbids atleast_, so that what is added to a set moves it one way only.
func (l *linter) actions() (ok bool) {
	before := len(l.mistakes)
	_, named, eq := scopeActions(l.tree.Action)
	if named == nil && !l.rule.forbid {
		if sc, set := l.tree.Action.(ast.ScopeTypeInSet); !set || len(sc.Entities) > 0 {
			l.at("action", "a permit must name its actions", `write action in Action::"upto_LEVEL"`)
		}
	}
	for _, id := range named {
		l.action(id, eq)
	}
	for _, c := range l.tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, isVar := n.(ast.NodeTypeVariable); isVar && v.Name == "action" {
				l.at("{", "a condition may not speak of the action", "name actions in the scope, and write one policy each")
			}
			return true
		})
	}
	return len(l.mistakes) == before
}

func (l *linter) action(id cedar.EntityUID, eq bool) {
	name := string(id.ID)
	covers, known := actionNames[id.ID]
	if !known || id.Type != typeAction {
		l.at(string(id.String()), fmt.Sprintf("%s is not an action", id), didYouMean(name, actionWords()))
		return
	}
	chain, other, who := "upto_", "atleast_", "permit"
	if l.rule.forbid {
		chain, other, who = other, chain, "forbid"
	}
	level, isOther := strings.CutPrefix(name, other)
	switch {
	case isOther:
		l.at(id.String(), fmt.Sprintf("a %s names %sLEVEL", who, chain), fmt.Sprintf("write Action::%q", chain+level))
	case covers&actLevels != 0 && !strings.HasPrefix(name, chain):
		l.at(id.String(), fmt.Sprintf("a %s names %sLEVEL, not the level itself", who, chain), fmt.Sprintf("write action in Action::%q", chain+name))
	case eq && strings.HasPrefix(name, chain):
		l.at(id.String(), fmt.Sprintf("no flow's action equals %s, which is a group", id), "write `action in` instead of `action ==`")
	}
}

func actionWords() (words []string) {
	for w := range actionNames {
		words = append(words, string(w))
	}
	slices.Sort(words)
	return words
}

// names checks that every entity the policy names is known: Cedar itself checks only types.
func (l *linter) names() {
	check := func(id cedar.EntityUID) {
		if id.Type == typeAction || id == (cedar.EntityUID{}) || l.sn.knows(id) {
			return
		}
		if _, isType := typeNouns[id.Type]; !isType {
			l.at(string(id.Type)+"::", fmt.Sprintf("%s is not an entity type", id.Type), didYouMean(string(id.Type), typeWords()))
			return
		}
		l.atOffset(l.findEntity(id), fmt.Sprintf("%s %q is not known", typeNouns[id.Type], id.ID), didYouMean(string(id.ID), l.sn.known[id.Type]))
	}
	for _, scope := range []ast.IsScopeNode{l.tree.Principal, l.tree.Resource} {
		named, _ := scopeEntity(scope)
		check(named)
	}
	for _, c := range l.tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, isValue := n.(ast.NodeValue); isValue {
				if id, isEntity := v.Value.(cedar.EntityUID); isEntity {
					check(id)
				}
			}
			return true
		})
	}
}

var typeNouns = map[cedar.EntityType]string{
	typeAgent: "agent", typeRole: "role", typeDomain: "domain", typePurpose: "purpose", typeTask: "task",
	typeClass: "data class", typeField: "field", typeDataset: "dataset",
}

func typeWords() (words []string) {
	for t := range typeNouns {
		words = append(words, string(t))
	}
	slices.Sort(words)
	return words
}

// findEntity returns the offset of an entity's name, however the policy spaces it.
func (l *linter) findEntity(id cedar.EntityUID) int {
	form := regexp.MustCompile(regexp.QuoteMeta(string(id.Type)) + `\s*::\s*` + regexp.QuoteMeta(fmt.Sprintf("%q", string(id.ID))))
	if loc := form.FindStringIndex(blankComments(l.st.file.text[l.st.start:l.st.end])); loc != nil {
		return l.st.start + loc[0]
	}
	return l.find(fmt.Sprintf("%q", string(id.ID)))
}

// literalSets are the attributes whose values are a short list of words.
var literalSets = map[string][]string{
	"tier":        {"public", "internal", "confidential", "restricted"},
	"family":      {"identifier", "attribute"},
	"kind":        {"text", "date", "number", "postal", "network", "code", "digits", "truth"},
	"criticality": {"low", "routine", "critical"},
	"direction":   {"request", "response"},
}

// literals checks words that are compared with an attribute of few values: a misspelt one would never match.
func (l *linter) literals() {
	compare := func(attr, word ast.IsNode) {
		a, isAccess := attr.(ast.NodeTypeAccess)
		v, isValue := word.(ast.NodeValue)
		if !isAccess || !isValue {
			return
		}
		s, isString := v.Value.(cedar.String)
		allowed, closed := literalSets[string(a.Value)]
		if isString && closed && !slices.Contains(allowed, string(s)) {
			l.at(fmt.Sprintf("%q", string(s)), fmt.Sprintf("%s is never %q", a.Value, string(s)), oneOf(string(s), allowed))
		}
	}
	for _, c := range l.tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch t := n.(type) {
			case ast.NodeTypeEquals:
				compare(t.Left, t.Right)
				compare(t.Right, t.Left)
			case ast.NodeTypeNotEquals:
				compare(t.Left, t.Right)
				compare(t.Right, t.Left)
			case ast.NodeTypeContains:
				if set, isSet := t.Left.(ast.NodeTypeSet); isSet {
					for _, e := range set.Elements {
						compare(t.Right, e)
					}
				}
			}
			return true
		})
	}
}

var (
	quotedWord = regexp.MustCompile("`([^`]+)`")
	inContext  = regexp.MustCompile(` in context for Action::"[a-z_]+" not found| in context for Action::"[a-z_]+"`)
)

// types validates the policy against the schema. Where the action scope is wrong, conditions are still checked, as those
// of a policy about levels.
func (l *linter) types(scopeOK bool) {
	tree := l.tree
	if !scopeOK {
		levels := *tree
		levels.Action = ast.ScopeTypeIn{Entity: uid(typeAction, "upto_raw")}
		tree = &levels
	}
	err := l.sn.validator.Policy("", tree)
	if err == nil {
		return
	}
	before := len(l.mistakes)
	for _, e := range flatten(err) {
		text := e.Error()
		if strings.HasPrefix(text, "unrecognized") || before > 0 && strings.HasPrefix(text, "unable to find an applicable action") {
			continue // told already, by name
		}
		var hint, where string
		if m := quotedWord.FindStringSubmatch(text); m != nil && strings.HasPrefix(text, "attribute") {
			where = m[1]
			hint = didYouMean(m[1], attributeWords(strings.Contains(text, "in context")))
		}
		text = inContext.ReplaceAllStringFunc(text, func(s string) string {
			if strings.HasSuffix(s, "not found") {
				return " is not in the context"
			}
			return " in the context"
		})
		l.at(where, strings.ReplaceAll(text, "`", "'"), hint)
	}
}

func attributeWords(context bool) (words []string) {
	if !context {
		return []string{"attested", "dataset", "domain", "family", "formal", "kind", "special", "tier"}
	}
	for _, a := range slices.Concat(contextAttributes, leafAttributes, openAttributes) {
		words = append(words, a.name)
	}
	for _, a := range tableAttributes {
		words = append(words, a.name)
	}
	return words
}

func flatten(err error) (out []error) {
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}
