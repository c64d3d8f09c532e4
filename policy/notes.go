package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// annotations checks keys and values: a misspelt parameter would silently mean the default.
func (l *linter) annotations() {
	for _, note := range l.tree.Annotations {
		key, value := string(note.Key), string(note.Value)
		wrong := func(message, hint string) { l.at("@"+key, message, hint) }
		if !slices.Contains(noteNames, key) {
			wrong(fmt.Sprintf("@%s is not an annotation of policies", key), didYouMean(key, noteNames))
			continue
		}
		switch key {
		case noteGeneralize:
			l.parameter(key, flow.Generalized, value)
		case noteToken:
			l.parameter(key, flow.Tokenized, value)
		case noteMask:
			l.parameter(key, flow.Masked, value)
		case noteRetain:
			if _, err := parseDuration(value); err != nil {
				wrong(err.Error(), "months and years have no fixed length; write days")
			}
		case noteHandle:
			if _, err := parseDuration(value); err != nil {
				wrong(err.Error(), `write how long the reference lasts, such as @handle("PT15M")`)
			}
		case noteException:
			l.exception(value)
		case noteBelow:
			l.below(value)
		case noteShadow:
			if value != "" && value != "true" && value != "false" {
				wrong("@shadow is true or false", "")
			}
		case noteID, noteReason, noteBasis, noteNotify:
			if strings.TrimSpace(value) == "" {
				wrong(fmt.Sprintf("@%s is empty", key), "")
			}
		}
		if l.rule.forbid && slices.Contains([]string{noteRetain, noteNotify, noteBasis, noteHandle}, key) {
			wrong(fmt.Sprintf("@%s says nothing on a forbid", key), "duties come with permits")
		}
	}
}

func (l *linter) parameter(key string, level flow.Level, value string) {
	wrong := func(message, hint string) { l.at("@"+key, message, hint) }
	p, err := flow.ParseParam(level, value)
	switch {
	case value == "":
		wrong(fmt.Sprintf("@%s is empty", key), "leave it out to get the label's own default")
		return
	case err != nil:
		wrong(err.Error(), "")
		return
	case l.rule.forbid:
		wrong(fmt.Sprintf("@%s says nothing on a forbid", key), "parameters come with permits")
		return
	case l.rule.covers&levelAction(level) == 0:
		wrong(fmt.Sprintf("@%s says nothing here: the permit does not reach %s", key, level), fmt.Sprintf("write action in Action::%q", "upto_"+level.String()))
		return
	}
	if label := l.scopeLabel(); label != "" && level == flow.Generalized && !l.someGeneralizes(label, p) {
		c, _ := l.sn.tax.Class(label)
		wrong(fmt.Sprintf("nothing in %s can be generalised by %s", label, p), fmt.Sprintf("%s is of kind %s", label, c.Kind))
	}
}

// scopeLabel returns the label that the resource scope names, by class or by field; empty if it names none that is known.
func (l *linter) scopeLabel() flow.Label {
	switch id := l.rule.exactResource; id.Type {
	case typeClass:
		if l.sn.knows(id) {
			return flow.Label(id.ID)
		}
	case typeField:
		return l.sn.fields[string(id.ID)].Label
	}
	return ""
}

func (l *linter) someGeneralizes(within flow.Label, p flow.Param) bool {
	for _, c := range l.sn.tax.All() {
		if c.Label.Within(within) && c.Family == flow.Attribute && c.Generalizes(p) {
			return true
		}
	}
	return false
}

func (l *linter) exception(why string) {
	switch {
	case strings.TrimSpace(why) == "":
		l.at("@"+noteException, "@exception must say why", "")
	case l.rule.forbid:
		l.at("@"+noteException, "@exception says nothing on a forbid", "exceptions come with permits")
	case l.rule.exactResource.Type == typeDataset && l.rule.covers == actExtract:
	case l.rule.exactResource.Type != typeClass && l.rule.exactResource.Type != typeField:
		l.at("@"+noteException, "an exception must name its data class or field in the scope", `write resource in DataClass::"LABEL"`)
	}
}

// formal checks that no permit lets rows of a formal dataset out by name: their way out is the ledger.
func (l *linter) formal() {
	id := l.rule.exactResource
	if !l.rule.forbid && l.rule.covers&actExtract != 0 && id.Type == typeDataset && l.sn.formal[string(id.ID)] {
		l.atOffset(l.findEntity(id), fmt.Sprintf("dataset %q is formal: its rows leave only through the ledger", id.ID), "leave extract to datasets without the mark")
	}
}

// didYouMean returns a hint at the nearest of the words, or "" if none is near.
func didYouMean(word string, words []string) string {
	if at, ok := flow.Nearest(word, words); ok {
		return fmt.Sprintf("did you mean %q?", at)
	}
	return ""
}

// oneOf hints at the nearest of a few words, or else lists them.
func oneOf(word string, words []string) string {
	return cmp.Or(didYouMean(word, words), "one of "+strings.Join(words, ", "))
}

// sort orders mistakes by place.
func (ms Mistakes) sort() {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
