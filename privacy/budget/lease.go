package budget

import (
	"fmt"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// slice is k charges of one kind that the process holds: they are in the shared rows already, so spending them needs no row that
// another process may be waiting for. It is used by the ledger's goroutine alone.
type slice struct {
	key     sliceKey
	id      ID
	nodes   []node
	blocks  Range
	expires time.Time
	left    int64
	ended   bool // no more is spent from it, and what is left is given back
}

// sliceKey is what charges have in common that may be spent from one slice.
type sliceKey struct {
	scope  Scope
	blocks Range
	cost   account.Vector
}

// leaseTick is how often leases are looked at.
const leaseTick = time.Second

func (o *reserve) sliceKey() sliceKey { return sliceKey{o.charge.Scope, o.blocks, o.charge.Cost} }

// live reports whether more may be spent from the slice, or put back into it.
func (l *Ledger) live(s *slice, now time.Time) bool {
	return s != nil && !s.ended && now.Before(s.expires) && l.slices[s.key] == s
}

// promise takes one charge from a slice that the process holds, or returns nil.
func (b *batch) promise(k sliceKey) *slice {
	s := b.l.slices[k]
	if !b.l.live(s, b.now) || s.left <= b.promised[s] {
		return nil
	}
	b.promised[s]++
	return s
}

// lease takes one charge from a slice that this transaction leases, or from the shared rows when there is little left: the last
// charges are for whoever comes, not for whoever has a slice.
func (b *batch) lease(o *reserve) (*slice, error) {
	k := o.sliceKey()
	if s := b.fresh[k]; s != nil && s.left > b.promised[s] {
		b.promised[s]++
		return s, nil
	}
	if p := b.scopes[o.nodes[0].key].plan; p == nil {
		return nil, &Error{Rule: ErrUnknown, Scope: o.nodes[0].Scope}
	}
	n := min(b.l.opt.Slice, b.room(o.nodes, o.blocks, o.charge.Cost)/leasePart)
	if n < 2 {
		return nil, o.direct(b)
	}
	if err := b.admit(o.nodes, o.blocks, o.charge.Cost, n); err != nil {
		return nil, err
	}
	if err := b.charge(o.nodes, o.blocks, o.charge.Cost, n); err != nil {
		return nil, err
	}
	s := &slice{key: k, id: newID(), nodes: o.nodes, blocks: o.blocks, expires: b.now.Add(o.charge.Lease), left: n}
	b.append(Entry{Kind: Leased, ID: s.id, Scope: o.charge.Scope, Blocks: o.blocks, Cost: o.charge.Cost, Count: n})
	b.fresh[k] = s
	b.promised[s] = 1
	return s, nil
}

// leasePart is which part of what is left a slice takes at most.
const leasePart = 4

// adopt keeps the slices that a durable transaction leased.
func (l *Ledger) adopt(b *batch) {
	for k, s := range b.fresh {
		if old := l.slices[k]; old != nil {
			l.end(old)
		}
		l.slices[k] = s
	}
}

// end stops a slice; what is left of it is given back by and by.
func (l *Ledger) end(s *slice) {
	s.ended = true
	delete(l.slices, s.key)
	l.ending = append(l.ending, s)
}

// overdue returns slices whose rest is to be given back.
func (l *Ledger) overdue() []*slice {
	now := l.opt.Clock()
	for _, s := range l.slices {
		if !now.Before(s.expires) {
			l.end(s)
		}
	}
	rest := l.ending[:0]
	for _, s := range l.ending {
		if s.left > 0 {
			rest = append(rest, s)
		}
	}
	l.ending = rest
	return rest
}

// giveBack is the op that ends a lease.
type giveBack struct {
	slice *slice
}

func (o *giveBack) key() ([32]byte, bool) { return [32]byte{}, false }

func (o *giveBack) rows(b *batch) error {
	b.want(o.slice.nodes, o.slice.blocks)
	return nil
}

func (o *giveBack) run(b *batch) error {
	s := o.slice
	if s.left == 0 { // a transaction before this one turned out to be durable
		return nil
	}
	b.append(Entry{Kind: Returned, ID: s.id, Scope: s.key.scope, Count: s.left})
	return b.charge(s.nodes, s.blocks, s.key.cost, -s.left)
}

func (o *giveBack) settle(*Ledger) { o.slice.left = 0 }

// endLeases gives everything back that no charge took, when the ledger is closed.
func (l *Ledger) endLeases() error {
	for _, s := range l.slices {
		l.end(s)
	}
	var group []*request
	for _, s := range l.overdue() {
		group = append(group, &request{op: &giveBack{slice: s}, done: make(chan error, 1)})
	}
	if len(group) == 0 {
		return nil
	}
	l.transact(group)
	if err := <-group[0].done; err != nil {
		return fmt.Errorf("giving leases back, which stay charged: %w", err)
	}
	return nil
}
