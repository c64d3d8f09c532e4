package live

import (
	"context"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
)

// Verified says what was checked of a flow's receipts.
type Verified struct {
	Reference flow.ID `json:"reference"`
	Log       string  `json:"log"`
	Good      bool    `json:"good"` // nothing that was checked failed, and something was
	Proven    int     `json:"proven"`
	Promised  int     `json:"promised"`       // and not in the published tree yet
	Rest      int     `json:"rest,omitempty"` // entries of the flow that were not checked, of the first 500
	Checks    []Check `json:"checks"`
}

// Check is one thing that was checked.
type Check struct {
	Entry int64  `json:"entry"`
	What  string `json:"what"`
	Good  bool   `json:"good"`
	Why   string `json:"why,omitempty"`
}

// verify checks the promises and proofs as a stranger would, with the log's public key alone, and that they are about the rows of the journal.
func (p *pages) verify(ctx context.Context, r *page.Request, _ struct{}) (Verified, error) {
	v := Verified{Reference: flow.ID(r.PathValue("ref")), Good: true}
	if p.Stories == nil || p.Stories.Receipts == nil {
		return v, page.ErrNotFound
	}
	a, err := p.Stories.Receipts(ctx, v.Reference)
	if errors.Is(err, proofs.ErrUnknown) {
		return v, page.ErrNotFound
	}
	if err != nil {
		return v, err
	}
	leaves := map[int64][32]byte{}
	for e, err := range p.Stories.Entries(ctx, audit.Query{Flow: v.Reference, Limit: mostChecked}) {
		if err != nil {
			return v, err
		}
		leaves[e.Seq] = e.Hash
	}
	if len(leaves) == 0 { // the number of an entry has receipts too, and is no flow
		return v, page.ErrNotFound
	}
	v.Log = a.Log
	for i := range a.Records {
		v.record(p, a.Log, &a.Records[i], leaves)
	}
	v.Good = v.Good && len(v.Checks) > 0
	v.Rest = len(leaves)
	return v, nil
}

// mostChecked bounds the entries of a flow that receipts are held against.
const mostChecked = 500

func (v *Verified) check(entry int64, what string, err error) bool {
	c := Check{Entry: entry, What: what, Good: err == nil}
	if err != nil {
		c.Why, v.Good = err.Error(), false
	}
	v.Checks = append(v.Checks, c)
	return c.Good
}

// record checks one receipt, and takes its row out of leaves.
func (v *Verified) record(p *pages, log string, r *proofs.Record, leaves map[int64][32]byte) {
	promise, err := receipt.ParsePromise([]byte(r.Promise), log, p.LogKey)
	if !v.check(promise.Seq, "the promise is signed by the log's key", err) {
		return
	}
	seq := promise.Seq
	leaf, ok := leaves[seq]
	switch {
	case !ok:
		err = errors.New("it is about no row of this flow, or about one that was checked already")
	case leaf != promise.Leaf:
		err = errors.New("the hash of the journal's row is another")
	}
	if !v.check(seq, "the promise is about the row that the journal has now", err) {
		return
	}
	delete(leaves, seq)
	if r.Proof == "" {
		v.Promised++
		return
	}
	proof, err := receipt.ParseProof([]byte(r.Proof), log, p.LogKey)
	if !v.check(seq, "the checkpoint of the proof is signed by the log's key", err) {
		return
	}
	ok = v.check(seq, fmt.Sprintf("the entry is leaf %d of the tree of %d under that checkpoint", proof.Index, proof.Checkpoint.Size), proof.Verify(promise.Leaf))
	if v.check(seq, "the proof keeps the promise", promise.Kept(proof)) && ok {
		v.Proven++
	}
}
