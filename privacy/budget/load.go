package budget

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/store"
)

// writerShift is where the writer's number begins in an entry's own.
const writerShift = 40

// steps are how many rows one statement names: few texts, so that all of them stay prepared.
var steps = [...]int{64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1}

// values writes the placeholders of so many rows.
func values(width, rows int) string {
	one := "(" + strings.Repeat("?, ", width-1) + "?)"
	return strings.Repeat(one+", ", rows-1) + one
}

// insert runs a statement with many rows of values, a few at a time and in their order. n counts the rows that were written, if it is not nil.
func insert(tx store.Tx, width int, args []any, before, after string, n *int64) error {
	for _, step := range steps {
		for len(args) >= step*width {
			did, err := tx.Exec(before+values(width, step)+after, args[:step*width]...)
			if err != nil {
				return err
			}
			if n != nil {
				*n += did
			}
			args = args[step*width:]
		}
	}
	return nil
}

// loadKeys looks up the idempotency keys of all ops.
func (b *batch) loadKeys() error {
	var want [][32]byte
	for _, r := range b.group {
		if k, ok := r.op.key(); ok {
			want = append(want, k)
		}
	}
	const before = `SELECT k.idem, k.charge, k.request, k.writer, a.sealed FROM budget_keys k
		LEFT JOIN budget_answers a ON a.charge = k.charge WHERE k.idem IN (`
	return in(want, func(query string, args []any) error {
		rows, err := b.tx.Query(before+query+")", args...)
		if err != nil {
			return fmt.Errorf("looking up keys: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var key, charge, request, sealed []byte
			k := &keyRow{}
			if err := rows.Scan(&key, &charge, &request, &k.writer, &sealed); err != nil {
				return fmt.Errorf("looking up keys: %w", err)
			}
			if len(key) != 32 || len(charge) != 16 || len(request) != 32 {
				return &Error{Rule: ErrChain, What: "a key is not readable"}
			}
			k.key, k.charge, k.request, k.sealed = [32]byte(key), ID(charge), [32]byte(request), sealed
			b.keys[k.key] = k
		}
		return rows.Err()
	})
}

// in calls f with lists of placeholders for all digests. A list that is not full is filled with its last one.
func in[K ~[32]byte](want []K, f func(marks string, args []any) error) error {
	for len(want) > 0 {
		size := 1
		for size < len(want) && size < 64 {
			size *= 4
		}
		args := make([]any, 0, size)
		for len(args) < size {
			k := want[min(len(args), len(want)-1)]
			args = append(args, k[:])
		}
		if err := f(strings.Repeat("?, ", size-1)+"?", args); err != nil {
			return err
		}
		want = want[min(size, len(want)):]
	}
	return nil
}

// loadRows locks and reads the rows of sums that are wanted, in one order, and makes those that are not there yet.
func (b *batch) loadRows() error {
	keys := make([]rowKey, 0, len(b.rows))
	for k := range b.rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareRows)
	nothing := new(total).bytes()
	const before = "INSERT INTO budget_sums (scope, block, entries, sums) VALUES "
	const after = " ON CONFLICT (scope, block) DO UPDATE SET entries = budget_sums.entries RETURNING scope, block, entries, sums"
	for _, step := range steps {
		for len(keys) >= step {
			args := make([]any, 0, 4*step)
			for _, k := range keys[:step] {
				args = append(args, k.scope[:], k.block, int64(0), nothing)
			}
			if err := b.readRows(before+values(4, step)+after, args); err != nil {
				return fmt.Errorf("reading sums: %w", err)
			}
			keys = keys[step:]
		}
	}
	return nil
}

func (b *batch) readRows(query string, args []any) error {
	rows, err := b.tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var scope, sums []byte
		var block int64
		r := &row{}
		if err := rows.Scan(&scope, &block, &r.entries, &sums); err != nil {
			return err
		}
		if len(scope) != len(scopeKey{}) {
			return &Error{Rule: ErrSums, What: "a sum is not readable"}
		}
		if r.total, err = parseTotal(sums); err != nil {
			return err
		}
		b.rows[rowKey{scopeKey(scope), block}] = r
	}
	return rows.Err()
}

// loadScopes reads the plans of all scopes whose rows are wanted.
func (b *batch) loadScopes() error {
	want := make([]scopeKey, 0, len(b.nodes))
	for k, n := range b.nodes {
		want = append(want, k)
		b.scopes[k] = &scopeRow{node: n}
	}
	return in(want, func(marks string, args []any) error {
		rows, err := b.tx.Query("SELECT scope, plan FROM budget_scopes WHERE scope IN ("+marks+")", args...)
		if err != nil {
			return fmt.Errorf("reading plans: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var scope, plan []byte
			if err := rows.Scan(&scope, &plan); err != nil {
				return fmt.Errorf("reading plans: %w", err)
			}
			s := b.scopes[scopeKey(scope)]
			if s.plan, err = b.l.parsePlan(scopeKey(scope), plan); err != nil {
				return err
			}
			s.made = true
		}
		return rows.Err()
	})
}

// parsePlan reads the entry that set a scope's plan, or remembers having read it.
func (l *Ledger) parsePlan(k scopeKey, body []byte) (*Entry, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if p, ok := l.plans[k]; ok && p.body == string(body) {
		return p.entry, nil
	}
	e, err := parseEntry(body)
	if err != nil {
		return nil, err
	}
	if e.Plan == nil {
		e = nil // a quota that was taken away
	}
	if len(l.plans) >= mostPlans {
		clear(l.plans)
	}
	l.plans[k] = parsed{string(body), e}
	return e, nil
}

type parsed struct {
	body  string
	entry *Entry
}

const mostPlans = 4096

// budgetOf returns what was declared of a dataset. What does not change of it is remembered.
func (b *batch) budgetOf(dataset string) (*Budget, error) {
	if known, ok := b.l.known[dataset]; ok {
		return known, nil
	}
	k := Scope{Dataset: dataset}.node(Global).key
	e, _, err := b.l.planRow(b.tx, k)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Budget == nil {
		return nil, &Error{Rule: ErrUnknown, Scope: Scope{Dataset: dataset}}
	}
	b.l.known[dataset] = e.Budget
	return e.Budget, nil
}

// clock returns the latest time that there was for a dataset in blocks by time, and refuses one that went back. Elsewhere time
// does not matter.
func (b *batch) clock(d *Budget) (time.Time, error) {
	if d.Blocks.Kind != BlocksTime {
		return b.now, nil
	}
	k := Scope{Dataset: d.Dataset}.node(Global).key
	seen, ok := b.l.seen[k]
	if t, is := b.latest[k]; is {
		seen = t
	} else if !ok || b.l.opt.Shared {
		var micro int64
		found, err := optional(b.tx.QueryRow("SELECT seen FROM budget_clocks WHERE scope = ?", k[:]).Scan(&micro))
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the clock: %w", err)
		}
		if found {
			seen = time.UnixMicro(micro).UTC()
		}
	}
	b.latest[k] = seen
	switch {
	case b.now.Before(seen.Add(-b.l.opt.Skew)):
		return time.Time{}, &Error{Rule: ErrClock, Scope: Scope{Dataset: d.Dataset}}
	case b.now.After(seen.Add(clockStep)):
		b.seen[k] = b.now
	}
	if b.now.After(seen) {
		return b.now, nil
	}
	return seen, nil
}

// clockStep is how finely the latest time is kept: a clock that goes back less than that while no process runs is not noticed. It
// only closes blocks.
const clockStep = time.Minute
