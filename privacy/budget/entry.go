package budget

import (
	"crypto/sha256"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Kind is what an entry records.
type Kind int

// The kinds. The numbers are stored.
const (
	Declared  Kind = iota + 1 // a budget, or another plan for it
	Quota                     // a quota was set, changed or taken away
	Reserved                  // a charge
	Committed                 // its answer is kept
	Released                  // it was taken back, and never began
	Leased                    // Count times the cost, at once
	Returned                  // Count of a lease that were not used
)

// String returns the kind's name.
func (k Kind) String() string {
	names := [...]string{"", "declared", "quota", "reserved", "committed", "released", "leased", "returned"}
	if k < 1 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Entry is one line of the ledger. Entries are never changed.
type Entry struct {
	Writer  int64     // whose chain it is in
	Seq     int64     // its number there, from 1
	Kind    Kind      // of what is recorded; it says which members below are set
	At      time.Time // UTC, to the microsecond
	ID      ID        // of the charge or lease
	Lease   ID        // the lease that a charge was spent from; zero: none
	Scope   Scope
	Blocks  Range
	Cost    account.Vector
	Count   int64    // of leases: how many times the cost; of declarations and quotas: which one it is for the scope, from 1
	Key     [32]byte // digest of dataset, domain, agent and key; zero: no key
	Request [32]byte
	Answer  [32]byte // digest of the sealed answer; zero: none is kept
	Label   string
	Free    bool
	Budget  *Budget // of declarations
	Plan    *Plan   // of declarations and quotas; nil: the quota was taken away
	Caps    Caps    // of the plan, as they were computed then
	Most    Split   // of declarations: the greatest share that each had in any plan so far
	Hash    [32]byte
}

// what decides which members of an entry are written, one bit each.
const (
	hasLease = 1 << iota
	hasBlocks
	hasCost
	hasCount
	hasKey
	hasAnswer
	hasLabel
	isFree
	hasBudget
	hasPlan
)

func (e *Entry) flags() (f uint64) {
	for i, is := range [...]bool{ // in the order of the bits
		e.Lease != ID{}, e.Blocks != Range{}, e.Cost != account.Vector{}, e.Count != 0, e.Key != [32]byte{} || e.Request != [32]byte{},
		e.Answer != [32]byte{}, e.Label != "", e.Free, e.Budget != nil, e.Plan != nil,
	} {
		if is {
			f |= 1 << i
		}
	}
	return f
}

// entryVersion is the first byte of every body.
const entryVersion = 1

// body writes the entry as it is hashed: everything but its place in the chain. See docs/spec/budget-ledger.md.
func (e *Entry) body(room []byte) []byte {
	f := e.flags()
	w := writer{append(room[:0], entryVersion, byte(e.Kind))}
	w.uint(f)
	w.int(e.At.UnixMicro())
	w.raw(e.ID[:])
	for _, t := range e.Scope.members() {
		w.text(t)
	}
	if f&hasLease != 0 {
		w.raw(e.Lease[:])
	}
	if f&hasBlocks != 0 {
		w.ints(e.Blocks.From, e.Blocks.To)
	}
	if f&hasCost != 0 {
		w.vector(e.Cost)
	}
	if f&hasCount != 0 {
		w.int(e.Count)
	}
	if f&hasKey != 0 {
		w.raw(e.Key[:])
		w.raw(e.Request[:])
	}
	if f&hasAnswer != 0 {
		w.raw(e.Answer[:])
	}
	if f&hasLabel != 0 {
		w.text(e.Label)
	}
	if f&hasBudget != 0 {
		w.budget(e.Budget)
		w.split(e.Most)
	}
	if f&hasPlan != 0 {
		w.plan(e.Plan)
		w.caps(&e.Caps)
	}
	return w.b
}

// parseEntry reads a body. It accepts only what body writes, byte for byte.
func parseEntry(body []byte) (*Entry, error) {
	if len(body) == 0 || body[0] > entryVersion {
		return nil, &Error{Rule: ErrNewer, What: "version of an entry"}
	}
	if len(body) < 2 || body[0] != entryVersion {
		return nil, &Error{Rule: ErrChain, What: "an entry is not readable"}
	}
	r := reader{b: body[2:]}
	e := &Entry{Kind: Kind(body[1])}
	f := r.uint()
	e.At = time.UnixMicro(r.int()).UTC()
	r.raw(e.ID[:])
	r.scope(&e.Scope)
	if f&hasLease != 0 {
		r.raw(e.Lease[:])
	}
	if f&hasBlocks != 0 {
		e.Blocks = Range{r.int(), r.int()}
	}
	if f&hasCost != 0 {
		e.Cost = r.vector()
	}
	if f&hasCount != 0 {
		e.Count = r.int()
	}
	if f&hasKey != 0 {
		r.raw(e.Key[:])
		r.raw(e.Request[:])
	}
	if f&hasAnswer != 0 {
		r.raw(e.Answer[:])
	}
	if f&hasLabel != 0 {
		e.Label = r.text()
	}
	e.Free = f&isFree != 0
	if f&hasBudget != 0 {
		e.Budget = r.budget()
		e.Most = r.split()
	}
	if f&hasPlan != 0 {
		e.Plan = r.plan()
		e.Caps = r.caps()
	}
	if e.Budget != nil && e.Plan != nil {
		e.Budget.Dataset, e.Budget.Plan = e.Scope.Dataset, *e.Plan
	}
	if r.bad || len(r.b) != 0 || e.Kind.String() == "unknown" || string(e.body(nil)) != string(body) {
		return nil, &Error{Rule: ErrChain, What: "an entry is not readable"}
	}
	return e, nil
}

func (s *Scope) members() [5]string {
	return [5]string{s.Dataset, string(s.Domain), s.Workflow, s.Agent, s.Contract}
}

// link is the hash of an entry: of the one before it and its body.
func link(before [32]byte, body []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("scrim budget entry v1\x00"))
	h.Write(before[:])
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// genesis is what the first entry of a writer follows.
func genesis(id int64, name string) [32]byte {
	w := writer{[]byte("scrim budget writer v1\x00")}
	w.int(id)
	w.text(name)
	return sha256.Sum256(w.b)
}

// headText is what is signed when an entry was the last of its writer.
func headText(id, seq int64, hash [32]byte) []byte {
	w := writer{[]byte("scrim budget head v1\x00")}
	w.ints(id, seq)
	w.raw(hash[:])
	return w.b
}
