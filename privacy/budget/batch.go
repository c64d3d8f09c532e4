package budget

import (
	"bytes"
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
)

// rowKey names one row of sums.
type rowKey struct {
	scope scopeKey
	block int64
}

func compareRows(a, b rowKey) int {
	if c := bytes.Compare(a.scope[:], b.scope[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.block, b.block)
}

// row is one row of sums, held by the transaction.
type row struct {
	total   total
	entries int64
	changed bool
}

// scopeRow is what is known of a scope.
type scopeRow struct {
	node node
	plan *Entry // the entry that set its plan; nil: none
	made bool   // it is in the database
}

// keyRow is a charge with an idempotency key.
type keyRow struct {
	key, request [32]byte
	charge       ID
	writer       int64
	sealed       []byte // nil: no answer
}

// batch is one transaction of many ops.
type batch struct {
	l     *Ledger
	tx    store.Tx
	group []*request
	errs  []error // of the ops of group, each its own
	now   time.Time

	keys   map[[32]byte]*keyRow
	nodes  map[scopeKey]node
	rows   map[rowKey]*row
	scopes map[scopeKey]*scopeRow
	latest map[scopeKey]time.Time // clocks as they were read
	seen   map[scopeKey]time.Time // clocks that move on

	promised map[*slice]int64    // how many charges of this transaction each slice has given
	fresh    map[sliceKey]*slice // leased in this transaction

	entries []Entry
	bodies  [][]byte
	hash    [32]byte

	newScopes []node
	newKeys   []*keyRow
	oldKeys   [][32]byte
	answers   []answerRow
}

type answerRow struct {
	charge ID
	sealed []byte
}

func newBatch(l *Ledger, group []*request) *batch {
	return &batch{
		l: l, group: slices.Clone(group), errs: make([]error, len(group)), now: l.opt.Clock().UTC().Truncate(time.Microsecond), hash: l.hash,
		keys: map[[32]byte]*keyRow{}, nodes: map[scopeKey]node{}, rows: map[rowKey]*row{}, scopes: map[scopeKey]*scopeRow{}, latest: map[scopeKey]time.Time{}, seen: map[scopeKey]time.Time{},
		promised: map[*slice]int64{}, fresh: map[sliceKey]*slice{},
	}
}

func (b *batch) last() int64 {
	if n := len(b.entries); n > 0 {
		return b.entries[n-1].Seq
	}
	return b.l.seq
}

// run is the transaction. Rows are locked in one order by everybody; plans are read after that, so that a plan that was changed before
// this transaction got its rows is in force in it.
func (b *batch) run(tx store.Tx) error {
	b.tx = tx
	if err := b.loadKeys(); err != nil {
		return err
	}
	for i, r := range b.group {
		if b.errs[i] = r.op.rows(b); fatal(b.errs[i]) {
			return b.errs[i]
		}
	}
	if err := b.loadRows(); err != nil {
		return err
	}
	if err := b.loadScopes(); err != nil {
		return err
	}
	for i, r := range b.group {
		if b.errs[i] == nil {
			if b.errs[i] = r.op.run(b); fatal(b.errs[i]) {
				return b.errs[i]
			}
		}
	}
	if err := b.flush(); err != nil {
		return err
	}
	if b.l.opt.Journal != nil && len(b.entries) > 0 {
		return b.l.opt.Journal(tx, b.entries)
	}
	return nil
}

// fatal reports whether an error is about more than one op: whatever is not a rule of this package, or is about the ledger itself.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		return true
	}
	for _, rule := range []error{ErrChain, ErrNewer, ErrSums} {
		if errors.Is(err, rule) {
			return true
		}
	}
	return false
}

// want asks for the rows of all nodes at all blocks.
func (b *batch) want(nodes []node, r Range) {
	for _, n := range nodes {
		b.nodes[n.key] = n
		for at := r.From; at < r.To; at++ {
			b.rows[rowKey{n.key, at}] = nil
		}
	}
}

// append adds an entry to the chain.
func (b *batch) append(e Entry) {
	e.Writer, e.Seq, e.At = b.l.id, b.last()+1, b.now
	body := e.body(nil)
	b.hash = link(b.hash, body)
	e.Hash = b.hash
	b.entries, b.bodies = append(b.entries, e), append(b.bodies, body)
}

// admit refuses n times the cost if it does not fit a scope at some block. The dataset is asked first, so that the refusal
// names what is nearest to the claim.
func (b *batch) admit(nodes []node, r Range, cost account.Vector, n int64) error {
	for _, node := range nodes {
		plan := b.scopes[node.key].plan
		for at := r.From; at < r.To; at++ {
			t := b.rows[rowKey{node.key, at}].total
			switch {
			case !t.add(cost, n):
				return &Error{Rule: ErrExhausted, Scope: node.Scope, Block: at, What: node.level.String() + ", a sum would overflow"}
			case plan != nil && plan.Plan.Fits(plan.Caps, t.vector()) == 0:
				return &Error{Rule: ErrExhausted, Scope: node.Scope, Block: at, What: node.level.String()}
			}
		}
	}
	return nil
}

// room returns how many times the cost fits everywhere.
func (b *batch) room(nodes []node, r Range, cost account.Vector) int64 {
	n := b.l.opt.Slice * 1024
	for _, node := range nodes {
		if plan := b.scopes[node.key].plan; plan != nil {
			for at := r.From; at < r.To; at++ {
				n = min(n, plan.Plan.more(plan.Caps, b.rows[rowKey{node.key, at}].total.vector(), cost))
			}
		}
	}
	return n
}

// charge adds n times the cost everywhere, after admit; a negative n takes it away.
func (b *batch) charge(nodes []node, r Range, cost account.Vector, n int64) error {
	for _, node := range nodes {
		for at := r.From; at < r.To; at++ {
			row := b.rows[rowKey{node.key, at}]
			ok := false
			if n >= 0 {
				ok = row.total.add(cost, n)
			} else {
				ok = row.total.sub(cost, -n)
			}
			if !ok {
				return &Error{Rule: ErrSums, Scope: node.Scope, Block: at, What: "what was charged is not in them"}
			}
			row.entries++
			row.changed = true
		}
		if s := b.scopes[node.key]; !s.made {
			s.made = true
			b.newScopes = append(b.newScopes, node)
		}
	}
	return nil
}

// flush writes what the ops changed.
func (b *batch) flush() error {
	for _, write := range []func() error{b.saveHead, b.saveRows, b.saveScopes, b.saveEntries, b.saveKeys, b.saveAnswers, b.saveClocks} {
		if err := write(); err != nil {
			return fmt.Errorf("writing the ledger: %w", err)
		}
	}
	return nil
}

func (b *batch) saveRows() error {
	var keys, unused []rowKey
	for k, r := range b.rows {
		switch {
		case r.changed:
			keys = append(keys, k)
		case r.entries == 0:
			unused = append(unused, k)
		}
	}
	if err := b.dropRows(unused); err != nil {
		return err
	}
	slices.SortFunc(keys, compareRows)
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		r := b.rows[k]
		args = append(args, k.scope[:], k.block, r.entries, r.total.bytes())
	}
	return insert(b.tx, 4, args, "INSERT INTO budget_sums (scope, block, entries, sums) VALUES ",
		" ON CONFLICT (scope, block) DO UPDATE SET entries = excluded.entries, sums = excluded.sums", nil)
}

// dropRows takes away the rows that were made for charges which were then refused: whoever asks by ever new names leaves nothing behind.
func (b *batch) dropRows(keys []rowKey) error {
	slices.SortFunc(keys, compareRows)
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n].scope == keys[0].scope && keys[n].block == keys[n-1].block+1 {
			n++
		}
		const drop = "DELETE FROM budget_sums WHERE scope = ? AND block >= ? AND block <= ? AND entries = 0"
		if _, err := b.tx.Exec(drop, keys[0].scope[:], keys[0].block, keys[n-1].block); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func (b *batch) saveScopes() error {
	args := make([]any, 0, 8*len(b.newScopes))
	for _, n := range b.newScopes {
		args = append(args, n.key[:], n.Dataset, int64(n.level), string(n.Domain), n.Workflow, n.Agent, n.Contract, []byte{})
	}
	return insert(b.tx, 8, args, "INSERT INTO budget_scopes (scope, dataset, level, domain, workflow, agent, contract, plan) VALUES ",
		" ON CONFLICT (scope) DO NOTHING", nil)
}

func (b *batch) saveEntries() error {
	args := make([]any, 0, 3*len(b.entries))
	for i := range b.entries {
		e := &b.entries[i]
		args = append(args, e.Writer<<writerShift|e.Seq, b.bodies[i], e.Hash[:])
	}
	return insert(b.tx, 3, args, "INSERT INTO budget_entries (n, body, hash) VALUES ", "", nil)
}

func (b *batch) saveKeys() error {
	for _, k := range b.oldKeys {
		if _, err := b.tx.Exec("DELETE FROM budget_keys WHERE idem = ?", k[:]); err != nil {
			return err
		}
	}
	slices.SortFunc(b.newKeys, func(x, y *keyRow) int { return bytes.Compare(x.key[:], y.key[:]) })
	args := make([]any, 0, 4*len(b.newKeys))
	for _, k := range b.newKeys {
		args = append(args, k.key[:], k.charge[:], k.request[:], k.writer)
	}
	var n int64
	err := insert(b.tx, 4, args, "INSERT INTO budget_keys (idem, charge, request, writer) VALUES ", " ON CONFLICT (idem) DO NOTHING", &n)
	if err == nil && n != int64(len(b.newKeys)) {
		return errRace // another process took the key since it was looked up
	}
	return err
}

func (b *batch) saveAnswers() error {
	args := make([]any, 0, 2*len(b.answers))
	for i := range b.answers {
		args = append(args, b.answers[i].charge[:], b.answers[i].sealed)
	}
	return insert(b.tx, 2, args, "INSERT INTO budget_answers (charge, sealed) VALUES ", "", nil)
}

func (b *batch) saveClocks() error {
	for k, t := range b.seen {
		const later = `INSERT INTO budget_clocks (scope, seen) VALUES (?, ?)
			ON CONFLICT (scope) DO UPDATE SET seen = excluded.seen WHERE budget_clocks.seen < excluded.seen`
		if _, err := b.tx.Exec(later, k[:], t.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// saveHead moves the writer's head on, signed, unless somebody else did.
func (b *batch) saveHead() error {
	if len(b.entries) == 0 {
		return nil
	}
	sig, err := b.l.opt.Signer.Sign(nil, headText(b.l.id, b.last(), b.hash), crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("signing the head: %w", err)
	}
	n, err := b.tx.Exec("UPDATE budget_writers SET seq = ?, hash = ?, signer = ?, signature = ? WHERE id = ? AND seq = ? AND hash = ?",
		b.last(), b.hash[:], []byte(b.l.public), sig, b.l.id, b.l.seq, b.l.hash[:])
	if err == nil && n != 1 {
		return &Error{Rule: ErrChain, What: "another process writes by this one's name"}
	}
	return err
}
