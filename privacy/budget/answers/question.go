package answers

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// ErrQuestion says that a question lacks something that its identity needs.
var ErrQuestion = errors.New("question is not complete")

// Question is what is asked, in a form that is the same whenever the same is asked. Who asks, for whom and why is no
// part of it: nobody gets a second draw by naming another purpose.
type Question struct {
	Dataset  string
	Schedule Schedule
	Plan     []byte         // what is computed, in canonical form: see [Canonical]
	Bounds   []byte         // how much a privacy unit can contribute to it, likewise; nil if the plan says it
	Catalog  [32]byte       // hash of the catalog in force: another one gives the same words another meaning
	Cost     account.Vector // what its mechanism costs: more noise is another answer
	Blocks   budget.Range
}

// key identifies the question on a version of its data: SHA-256 over all members, each with its length or in fixed width.
func (q *Question) key(v Version) (key [32]byte, err error) {
	if q.Dataset == "" || len(q.Plan) == 0 {
		return key, fmt.Errorf("%w: it has no dataset or no plan", ErrQuestion)
	}
	h := sha256.New()
	text(h, "scrim.dev/question/1")
	text(h, q.Dataset)
	numbers(h, q.Schedule.From.UnixNano(), int64(q.Schedule.Every), v.Number)
	text(h, string(q.Plan))
	text(h, string(q.Bounds))
	h.Write(q.Catalog[:])
	numbers(h, q.Cost.Epsilon, q.Cost.Delta, q.Cost.Rho, q.Cost.Mu2, q.Cost.Slack)
	numbers(h, q.Cost.RDP[:]...)
	numbers(h, q.Blocks.From, q.Blocks.To)
	h.Sum(key[:0])
	return key, nil
}

func text(h hash.Hash, s string) {
	numbers(h, int64(len(s)))
	h.Write([]byte(s))
}

func numbers(h hash.Hash, all ...int64) {
	for _, n := range all {
		_ = binary.Write(h, binary.BigEndian, n) // a hash takes everything
	}
}
