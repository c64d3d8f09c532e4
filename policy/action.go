package policy

import (
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/scrimhq/scrim/flow"
)

// action is a concrete action of the schema, as a bit, so that a scope over actions is a set of bits.
type action uint16

const (
	actMasked action = 1 << iota
	actTokenized
	actGeneralized
	actRaw
	actDetect
	actOpen
	actAggregate
	actSynthesize
	actMatch
	actCompute
	actScore
	actTrain
	actExtract
)

const (
	actLevels = actMasked | actTokenized | actGeneralized | actRaw
	actAll    = actExtract<<1 - 1
)

// actionNames maps each action and each group of actions to the concrete actions in it. It says the same as the schema
// does (TestActionsMatchTheSchema).
var actionNames = map[cedar.String]action{
	"raw": actRaw, "tokenized": actTokenized, "generalized": actGeneralized, "masked": actMasked,

	"upto_raw":         actLevels,
	"upto_tokenized":   actTokenized | actMasked,
	"upto_generalized": actGeneralized | actMasked,
	"upto_masked":      actMasked,

	"atleast_masked":      actLevels,
	"atleast_tokenized":   actTokenized | actRaw,
	"atleast_generalized": actGeneralized | actRaw,
	"atleast_raw":         actRaw,

	"detect": actDetect, "open": actOpen, "aggregate": actAggregate, "synthesize": actSynthesize,
	"match": actMatch, "compute": actCompute, "score": actScore, "train": actTrain,
	"extract": actExtract,
}

// levelAction returns the action that asks for a level; dropping needs no permission.
func levelAction(l flow.Level) action {
	switch l {
	case flow.Raw:
		return actRaw
	case flow.Generalized:
		return actGeneralized
	case flow.Tokenized:
		return actTokenized
	case flow.Masked:
		return actMasked
	}
	return 0
}

// scopeActions returns the concrete actions that an action scope covers, and the actions that it names.
func scopeActions(scope ast.IsActionScopeNode) (covers action, named []cedar.EntityUID, eq bool) {
	switch sc := scope.(type) {
	case ast.ScopeTypeAll:
		return actAll, nil, false
	case ast.ScopeTypeEq:
		if covers = actionNames[sc.Entity.ID]; covers&(covers-1) != 0 {
			covers = 0 // a group equals none of its members
		}
		return covers, []cedar.EntityUID{sc.Entity}, true
	case ast.ScopeTypeIn:
		named = []cedar.EntityUID{sc.Entity}
	case ast.ScopeTypeInSet:
		named = slices.Clone(sc.Entities)
	}
	for _, id := range named {
		covers |= actionNames[id.ID]
	}
	return covers, named, false
}
