package budget

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// ID names a charge.
type ID [16]byte

// String returns the id in hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

func newID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// Charge is what a question is going to cost, and who asks.
type Charge struct {
	Scope   Scope
	Blocks  Range
	Cost    account.Vector
	Free    bool          // a cost of nothing is meant: without it one is refused, and with it any other
	Key     string        // the caller's idempotency key, its own within dataset, domain and agent; empty: none, and no answer is kept
	Request [32]byte      // digest of what is asked; the same key with another one is a conflict
	Lease   time.Duration // how long this process may hold a slice for charges like this one; 0: each is made in the shared rows
	Label   string        // what for, in the owner's words, at most 128 bytes; it is stored as it is
}

const (
	longestLabel = 128
	longestKey   = 1024
	longestLease = time.Hour
)

// check refuses what no ledger would take.
func (c *Charge) check(l *Ledger) error {
	if err := c.Scope.Check(); err != nil {
		return err
	}
	if err := checkCost(c.Cost, c.Free); err != nil {
		return err
	}
	refuse := func(rule error, what string) error { return &Error{Rule: rule, Scope: c.Scope, What: what} }
	switch {
	case c.Lease < 0 || c.Lease > longestLease:
		return refuse(ErrAmount, "the lease is negative or longer than an hour")
	case len(c.Label) > longestLabel || !utf8.ValidString(c.Label) || strings.ContainsFunc(c.Label, func(r rune) bool { return r < ' ' }):
		return refuse(ErrScope, "the label is too long or no text")
	case len(c.Key) > longestKey:
		return refuse(ErrScope, "the key is too long")
	case c.Key != "" && l.opt.Seal == nil:
		return refuse(ErrSeal, "the ledger has nothing to seal answers with")
	}
	return nil
}

// Reserve charges the cost to every scope of c, durably, and returns the right to compute one answer for it; or the stored answer,
// when the key was committed before.
//
// Errors to act on: [ErrExhausted], whose [*Error] names the scope; [ErrConflict]; [ErrPending], while another request with the
// key is under way; [ErrLost], when one never came to an end, and never will: ask again by another key. The rest are mistakes of
// the caller.
func (l *Ledger) Reserve(ctx context.Context, c Charge) (*Reservation, error) {
	if err := c.check(l); err != nil {
		return nil, err
	}
	o := &reserve{charge: c, nodes: c.Scope.path(), id: newID()}
	if c.Key != "" {
		o.digest = c.Scope.keyDigest(c.Key)
	}
	if err := l.do(ctx, o); err != nil {
		return nil, err
	}
	if o.found == nil {
		return o.made, nil
	}
	answer, err := l.opt.Seal.Open(o.found.sealed, sealedFor(o.found.charge, o.digest))
	if err != nil {
		return nil, &Error{Rule: ErrSeal, Scope: c.Scope, What: "the stored answer does not open"}
	}
	return &Reservation{id: o.found.charge, answer: answer, stored: true, state: committed}, nil
}

// sealedFor is what a sealed answer is bound to: its charge and the key.
func sealedFor(id ID, key [32]byte) []byte {
	return append(append([]byte("scrim budget answer v1\x00"), id[:]...), key[:]...)
}

// Reservation is a charge whose answer is not yet committed, or was before. It is safe for concurrent use.
type Reservation struct {
	l      *Ledger // these are fixed when it is made
	id     ID
	charge Charge
	nodes  []node
	blocks Range
	digest [32]byte
	slice  *slice // that it was spent from; nil: none
	answer []byte
	stored bool

	mu      sync.Mutex // guards the fields below
	state   state
	busy    bool      // a Commit or Release is under way
	offered *[32]byte // digest of the answer of the first Commit
}

type state int

const (
	reserved state = iota
	begun
	committed
	released
)

// ID names the charge.
func (r *Reservation) ID() ID { return r.id }

// Answer returns the answer that was committed for the key before. There is nothing more to do then, and nothing was charged.
func (r *Reservation) Answer() ([]byte, bool) { return r.answer, r.stored }

// Begin says that data is about to be read: from here on the cost stays charged. It returns [ErrState] if the reservation is
// over, and then nothing may be read.
func (r *Reservation) Begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy || r.state != reserved && r.state != begun {
		return &Error{Rule: ErrState, Scope: r.charge.Scope}
	}
	r.state = begun
	return nil
}

// Commit keeps the answer, sealed; without a key it may be nil, and is not kept. Only when Commit returned nil may the answer
// leave. It may be tried again with the same answer if it failed; another answer is refused with [ErrConflict].
func (r *Reservation) Commit(ctx context.Context, answer []byte) error {
	sum := sha256.Sum256(answer)
	if r.done(sum) {
		return nil
	}
	if err := r.enter(func() error {
		switch {
		case r.busy || r.state == committed || r.state == released:
			return &Error{Rule: ErrState, Scope: r.charge.Scope}
		case r.offered != nil && *r.offered != sum:
			return &Error{Rule: ErrConflict, Scope: r.charge.Scope, What: "another answer was to be committed before"}
		case len(answer) > r.l.opt.MaxAnswer:
			return &Error{Rule: ErrSeal, Scope: r.charge.Scope, What: "the answer is too long to be kept"}
		}
		r.state, r.offered = begun, &sum
		return nil
	}); err != nil {
		return err
	}
	defer r.leave()
	o := &commit{r: r}
	if r.charge.Key != "" {
		sealed, err := r.l.opt.Seal.Seal(answer, sealedFor(r.id, r.digest))
		if err != nil {
			return &Error{Rule: ErrSeal, Scope: r.charge.Scope, Cause: err}
		}
		o.sealed = sealed
	}
	err := r.l.do(ctx, o)
	if err != nil && r.is(committed) {
		return nil // it was durable after all
	}
	return err
}

// Release takes the charge back. It returns [ErrBegun] after [Reservation.Begin].
func (r *Reservation) Release(ctx context.Context) error {
	if err := r.enter(func() error {
		switch {
		case r.state == begun:
			return &Error{Rule: ErrBegun, Scope: r.charge.Scope}
		case r.busy || r.state != reserved:
			return &Error{Rule: ErrState, Scope: r.charge.Scope}
		}
		return nil
	}); err != nil {
		return err
	}
	defer r.leave()
	err := r.l.do(ctx, &release{r: r})
	if err != nil && r.is(released) {
		return nil
	}
	return err
}

// enter checks and, if nothing stands against it, claims the reservation for a Commit or Release.
func (r *Reservation) enter(check func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := check(); err != nil {
		return err
	}
	r.busy = true
	return nil
}

// done reports whether this answer was committed.
func (r *Reservation) done(answer [32]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == committed && r.offered != nil && *r.offered == answer
}

func (r *Reservation) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}

func (r *Reservation) is(s state) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == s
}

func (r *Reservation) become(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
}

// reserve is the op of Reserve.
type reserve struct {
	charge Charge
	nodes  []node
	digest [32]byte
	id     ID

	blocks Range
	slice  *slice       // that the process has, with one for this charge
	found  *keyRow      // the key's answer
	made   *Reservation // otherwise
}

func (o *reserve) key() ([32]byte, bool) { return o.digest, o.charge.Key != "" }

// earlier says what became of the key before, if there was anything.
func (o *reserve) earlier(b *batch) error {
	k := b.keys[o.digest]
	switch {
	case o.charge.Key == "" || k == nil:
		return nil
	case k.request != o.charge.Request:
		return &Error{Rule: ErrConflict, Scope: o.charge.Scope}
	case k.sealed != nil:
		o.found = k
		return nil
	case b.l.waits(k):
		return &Error{Rule: ErrPending, Scope: o.charge.Scope}
	}
	return &Error{Rule: ErrLost, Scope: o.charge.Scope}
}

func (o *reserve) rows(b *batch) error {
	o.found, o.made, o.slice = nil, nil, nil
	if err := o.earlier(b); err != nil || o.found != nil {
		return err
	}
	d, err := b.budgetOf(o.charge.Scope.Dataset)
	if err != nil {
		return err
	}
	now, err := b.clock(d)
	if err != nil {
		return err
	}
	if o.blocks, err = d.resolve(o.charge.Blocks, b.l.opt.MaxBlocks, now); err != nil {
		return err
	}
	if o.charge.Lease > 0 {
		if o.slice = b.promise(o.sliceKey()); o.slice != nil {
			return nil
		}
	}
	b.want(o.nodes, o.blocks)
	return nil
}

func (o *reserve) run(b *batch) error {
	if o.found != nil {
		return nil
	}
	if err := o.earlier(b); err != nil || o.found != nil { // an op before this one in the batch
		return err
	}
	if o.slice == nil {
		var err error
		if o.charge.Lease > 0 {
			o.slice, err = b.lease(o)
		} else {
			err = o.direct(b)
		}
		if err != nil {
			return err
		}
	}
	e := Entry{
		Kind: Reserved, ID: o.id, Scope: o.charge.Scope, Blocks: o.blocks, Cost: o.charge.Cost, Free: o.charge.Free,
		Key: o.digest, Request: o.charge.Request, Label: o.charge.Label,
	}
	if o.slice != nil {
		e.Lease = o.slice.id
	}
	b.append(e)
	if o.charge.Key != "" {
		k := &keyRow{key: o.digest, request: o.charge.Request, charge: o.id, writer: b.l.id}
		b.keys[k.key] = k
		b.newKeys = append(b.newKeys, k)
	}
	o.made = &Reservation{l: b.l, id: o.id, charge: o.charge, nodes: o.nodes, blocks: o.blocks, digest: o.digest, slice: o.slice}
	return nil
}

// direct charges the shared rows.
func (o *reserve) direct(b *batch) error {
	if p := b.scopes[o.nodes[0].key].plan; p == nil {
		return &Error{Rule: ErrUnknown, Scope: o.nodes[0].Scope}
	}
	if err := b.admit(o.nodes, o.blocks, o.charge.Cost, 1); err != nil {
		return err
	}
	return b.charge(o.nodes, o.blocks, o.charge.Cost, 1)
}

func (o *reserve) settle(l *Ledger) {
	if o.made == nil {
		return
	}
	if o.slice != nil {
		o.slice.left--
	}
	l.open.Store(o.id, true)
	runtime.AddCleanup(o.made, func(id ID) { l.open.Delete(id) }, o.id) // if its holder forgot it, it is lost
}

// waits reports whether the charge of a key may still get its answer.
func (l *Ledger) waits(k *keyRow) bool {
	if k.writer != l.id {
		return l.opt.Shared
	}
	_, open := l.open.Load(k.charge)
	return open
}

// commit is the op of Commit.
type commit struct {
	r      *Reservation
	sealed []byte
}

func (o *commit) key() ([32]byte, bool) { return [32]byte{}, false }

func (o *commit) rows(*batch) error { return nil }

func (o *commit) run(b *batch) error {
	switch { // a transaction before this one may have turned out to be durable
	case o.r.is(committed):
		return nil
	case o.r.is(released):
		return &Error{Rule: ErrState, Scope: o.r.charge.Scope}
	}
	e := Entry{Kind: Committed, ID: o.r.id, Scope: o.r.charge.Scope}
	if o.sealed != nil {
		e.Answer = sha256.Sum256(o.sealed)
		b.answers = append(b.answers, answerRow{o.r.id, o.sealed})
		if k := b.keys[o.r.digest]; k != nil && k.charge == o.r.id {
			k.sealed = o.sealed
		}
	}
	b.append(e)
	return nil
}

func (o *commit) settle(l *Ledger) {
	o.r.become(committed)
	l.open.Delete(o.r.id)
}

// release is the op of Release.
type release struct {
	r       *Reservation
	toSlice bool // another charge of this process may have it
}

func (o *release) key() ([32]byte, bool) { return [32]byte{}, false }

func (o *release) rows(b *batch) error {
	if !b.l.live(o.r.slice, b.now) {
		b.want(o.r.nodes, o.r.blocks)
	}
	return nil
}

func (o *release) run(b *batch) error {
	r := o.r
	if r.is(released) {
		return nil
	}
	b.append(Entry{Kind: Released, ID: r.id, Scope: r.charge.Scope})
	if r.charge.Key != "" {
		b.oldKeys = append(b.oldKeys, r.digest)
		delete(b.keys, r.digest)
	}
	if o.toSlice = b.l.live(r.slice, b.now); o.toSlice {
		return nil
	}
	if r.slice != nil {
		b.append(Entry{Kind: Returned, ID: r.slice.id, Scope: r.charge.Scope, Count: 1})
	}
	return b.charge(r.nodes, r.blocks, r.charge.Cost, -1)
}

func (o *release) settle(l *Ledger) {
	o.r.become(released)
	l.open.Delete(o.r.id)
	if o.toSlice {
		o.r.slice.left++
	}
}
