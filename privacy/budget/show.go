package budget

import (
	"context"
	"iter"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Standing is where one scope stands at one block.
type Standing struct {
	Scope   Scope
	Level   Level
	Block   int64
	Plan    *Plan          // nil: the scope has no quota
	Caps    Caps           // of the plan
	Spent   account.Vector // sums over everything charged that was not released
	Entries int64          // how many entries of the ledger changed the sums
	Fits    Menu           // filters of the plan that the sums fit
}

// More returns how many more charges of v this scope has room for, math.MaxInt64 if nothing limits them.
func (s Standing) More(v account.Vector) int64 { return 0 }

// Remaining returns the standing of the scope and of all its ancestors at each block of the range, the dataset first. The zero
// range stands for all blocks that were ever charged, and for block 0.
func (l *Ledger) Remaining(ctx context.Context, s Scope, r Range) ([]Standing, error) {
	return nil, errUnbuilt
}

// Budgets returns what was declared, with the plans of now, in the order of names.
func (l *Ledger) Budgets(ctx context.Context) ([]Budget, error) { return nil, errUnbuilt }

// Scopes returns every scope of a dataset that was charged or has a quota, parents before children.
func (l *Ledger) Scopes(ctx context.Context, dataset string) ([]Standing, error) {
	return nil, errUnbuilt
}

// Query chooses entries. The zero value chooses all.
type Query struct {
	Dataset string
	Writer  int64 // 0: of all writers
	After   int64 // entries of that writer after this number
}

// Entries returns entries in the order of writers and their numbers. It reads page by page, not one snapshot.
func (l *Ledger) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { yield(Entry{}, errUnbuilt) }
}
