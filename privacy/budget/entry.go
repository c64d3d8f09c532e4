package budget

import (
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
	Writer  int64 // whose chain it is in
	Seq     int64 // its number there, from 1
	Kind    Kind
	At      time.Time // UTC, to the microsecond
	ID      ID        // of the charge or lease
	Lease   ID        // the lease that a charge was spent from; zero: none
	Scope   Scope
	Blocks  Range
	Cost    account.Vector
	Count   int64    // of leases: how many times the cost
	Key     [32]byte // digest of dataset, domain, agent and key; zero: no key
	Request [32]byte
	Answer  [32]byte // digest of the sealed answer
	Label   string
	Free    bool
	Budget  *Budget // of declarations, and Plan of quotas; Caps as they were computed then
	Plan    *Plan
	Caps    Caps
	Hash    [32]byte // of the entry before and of all of the above
}
