package api

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/scrimhq/scrim/privacy/budget"
)

// Replay asks whether the ledger of budgets holds.
type Replay struct {
	Seen []HeadView `json:"seen,omitempty"` // ends of chains from an earlier replay, which the ledger must have come by
}

// HeadView is the end of a chain of entries.
type HeadView struct {
	Writer int64  `json:"writer"`
	Seq    int64  `json:"seq"`
	Hash   string `json:"hash"` // in hexadecimal digits
}

// ReplayView is what a replay found.
type ReplayView struct {
	Entries  int64      `json:"entries"`
	Scopes   int        `json:"scopes"` // sums that were recomputed
	Open     int64      `json:"open"`   // charges that are neither committed nor released
	Leased   int64      `json:"leased"` // charges in slices that were neither spent nor given back
	Heads    []HeadView `json:"heads"`
	Findings []string   `json:"findings"`
}

// ReplayBudgets recomputes every hash, sum and cap of the ledger from its entries.
func ReplayBudgets(ctx context.Context, s *Spending, q Replay) (ReplayView, error) {
	r, err := s.Ledger.Replay(ctx)
	if err != nil {
		return ReplayView{}, err
	}
	v := ReplayView{Entries: r.Entries, Scopes: r.Scopes, Open: r.Open, Leased: r.Leased, Heads: []HeadView{}, Findings: []string{}}
	for _, h := range r.Heads {
		v.Heads = append(v.Heads, HeadView{h.Writer, h.Seq, hex.EncodeToString(h.Hash[:])})
	}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, f.Error())
	}
	for _, h := range q.Seen {
		found, err := s.came(ctx, h)
		if err != nil {
			return ReplayView{}, err
		}
		if !found {
			v.Findings = append(v.Findings, fmt.Sprintf("%v: entry %d of chain %d is not the one that was seen before", budget.ErrRollback, h.Seq, h.Writer))
		}
	}
	return v, nil
}

// came is whether the ledger has the entry at which a chain once ended.
func (s *Spending) came(ctx context.Context, h HeadView) (bool, error) {
	if h.Seq == 0 {
		return true, nil // nothing was written then
	}
	if h.Writer < 1 || h.Seq < 0 {
		return false, nil
	}
	for e, err := range s.Ledger.Entries(ctx, budget.Query{Writer: h.Writer, After: h.Seq - 1}) {
		if err != nil {
			return false, err
		}
		return e.Seq == h.Seq && hex.EncodeToString(e.Hash[:]) == h.Hash, nil
	}
	return false, nil
}
