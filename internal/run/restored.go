package run

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

// ErrLost is the error of a state that was restored from a backup, where something of the time since may be lost and nobody has answered for it.
var ErrLost = errors.New("this state was restored from a backup, and what happened since may be lost")

// Restore is the last restore of a state, and what became of it.
type Restore struct {
	ID      int64
	Archive string
	At      time.Time // when it was restored
	Made    time.Time // when the backup was
	Rows    int64     // of the journal in the backup
	Until   int64     // rows after a newer log was taken up
	People  int64     // rows of the journal when subject keys were copied; -1: there are none
	Reason  string    // of whoever answers for what was lost
	State   int64
	Anew    time.Time // the log began a tree anew; zero: it goes on
	Told    string
}

// States of a restore.
const (
	restoreNew      = iota // the gateway has not looked yet
	restoreDone            // what was lost is accounted for,
	restoreRecorded        // and that is on record
)

// Waits reports whether no gateway has looked yet what was lost.
func (r *Restore) Waits() bool { return r.State == restoreNew }

// LastRestore returns the last restore of a state; nil: it was never restored.
func LastRestore(ctx context.Context, db store.DB) (*Restore, error) {
	var r Restore
	var at, made, anew int64
	err := db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT id, archive, restored, made, entries, upto, people, reason, state, anew, told FROM run_restores ORDER BY id DESC LIMIT 1").
			Scan(&r.ID, &r.Archive, &at, &made, &r.Rows, &r.Until, &r.People, &r.Reason, &r.State, &anew, &r.Told)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading whether the state was restored: %w", err)
	}
	r.At, r.Made = time.Unix(at, 0).UTC(), time.Unix(made, 0).UTC()
	if anew != 0 {
		r.Anew = time.Unix(anew, 0).UTC()
	}
	return &r, nil
}

// AnswerFor says why a gateway may go on although something is lost. It is for whoever answers for that, and goes on record.
func AnswerFor(ctx context.Context, db store.DB, reason string) error {
	if !plainReason(reason) {
		return freeze.ErrReason
	}
	return db.Update(ctx, func(tx store.Tx) error {
		n, err := tx.Exec("UPDATE run_restores SET reason = ? WHERE state = ? AND id = (SELECT MAX(id) FROM run_restores)", reason, restoreNew)
		if err == nil && n == 0 {
			err = errors.New("no restore waits for a reason")
		}
		return err
	})
}

func plainReason(s string) bool {
	t := freeze.Target{Kind: freeze.Dataset, Name: s}
	return s != "" && len(s) <= 250 && t.Check() == nil
}

// lost is what happened after a backup, as far as anybody knows.
type lost struct {
	unknown []string        // why there may be more than is known; empty: nothing is missing
	rows    int64           // that a newer log has beyond the backup
	charged map[string]bool // datasets, by what is known
	erased  int64           // people, after the subject keys were copied
	frozen  map[freeze.Target]bool
	changed map[string]int // the operator's changes that nothing makes again, by method
}

// complete reports whether nothing is lost that would have to be answered for.
func (l *lost) complete() bool { return len(l.unknown) == 0 && len(l.changed) == 0 }

// backed finds out what was lost since the backup that a state was restored from, before anything of it is opened, and closes what may have been used up: budgets,
// capabilities, proofs, streams, subject keys. Without a witness who says that nothing is missing somebody has to answer for it: [ErrLost]. It returns the time at
// which the log begins a tree anew; zero: it goes on.
func (st *State) backed(ctx context.Context, c *config.Config) (anew time.Time, err error) {
	r, err := LastRestore(ctx, st.DB)
	if err != nil || r == nil {
		return time.Time{}, err
	}
	st.restored = r
	if r.State != restoreNew {
		return r.Anew, nil
	}
	l, err := st.missing(ctx, c, r)
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for what was lost since the backup: %w", err)
	}
	if !l.complete() && r.Reason == "" {
		return time.Time{}, fmt.Errorf("%w: %s. If there is a newer copy of the log (%s) than the backup's, restore again with --log. "+
			"Otherwise look at the rules, freezes, contracts and peers of this state, and let it start by scrim restore --settle --reason TEXT, which goes on record", ErrLost, l, LogDir(c))
	}
	if err := st.close(ctx, c, r, l); err != nil {
		return time.Time{}, err
	}
	return r.Anew, nil
}

// missing compares the state with what witnesses saw, and reads what a newer log says of the time since.
func (st *State) missing(ctx context.Context, c *config.Config, r *Restore) (*lost, error) {
	l := &lost{charged: map[string]bool{}, frozen: map[freeze.Target]bool{}, changed: map[string]int{}, rows: max(r.Until-r.Rows, 0)}
	var err error
	if l.unknown, err = st.unseen(ctx, c); err != nil {
		return nil, err
	}
	from := r.Rows
	if r.People >= 0 {
		from = min(from, r.People)
	}
	for e, err := range audit.EntriesIn(ctx, st.DB, LogDir(c), audit.Query{From: from + 1, To: r.Until}) {
		if err != nil {
			return nil, err
		}
		if e.Event.Outcome == flow.Erased && e.Seq > r.People {
			l.erased++
		}
		if e.Seq > r.Rows {
			l.take(&e.Event)
		}
	}
	return l, nil
}

// take notes what an event of the lost time did that the restored state does not know.
func (l *lost) take(ev *flow.Event) {
	f := &ev.Flow
	switch {
	case ev.Outcome == flow.Budgeted && f.Subject != "":
		l.charged[f.Subject] = true
	case ev.Outcome != flow.Changed:
	case f.Method == "freeze", f.Method == "thaw":
		_, name, _ := strings.Cut(ev.Reason, ": ")
		if t, err := freeze.Parse(name); err == nil {
			if f.Method == "freeze" {
				l.frozen[t] = true
			} // a thaw is not made again: whoever thawed it can do so once more
			return
		}
		l.changed[f.Method]++
	case f.Method == "erase", f.Method == "cap/revoke", f.Method == "restore", strings.HasPrefix(f.Method, "report/"): // closed for all, or nothing that a state keeps
	default:
		what := f.Method
		if what == "" {
			what = "peers"
		}
		l.changed[what]++
	}
}

// unseen asks all witnesses whether they saw more of the log than there is. It returns why that is not known, or what they saw.
func (st *State) unseen(ctx context.Context, c *config.Config) (why []string, err error) {
	peers := c.Cosigners()
	if len(peers) == 0 {
		return []string{"no witness is configured that could say whether the log went on"}, nil
	}
	place, err := audit.PlaceOf(ctx, st.DB)
	if err != nil {
		return nil, err
	}
	asked, err := st.asked(ctx, c, place)
	if err != nil {
		return nil, err
	}
	if asked == nil {
		return []string{"the backup is so old that the log may have begun more periods since than witnesses can be asked for"}, nil
	}
	cosigner, err := witness.NewCosigner(peers, witness.CosignerOptions{})
	if err != nil {
		return nil, err
	}
	for i, cp := range asked {
		for _, s := range cosigner.Sights(ctx, cp) {
			switch {
			case s.Err != nil:
				why = append(why, fmt.Sprintf("witness %s, of %s: %v", s.Name, cp.Origin, s.Err))
			case i == 0 && s.Size == 0:
				why = append(why, fmt.Sprintf("witness %s knows nothing of %s", s.Name, cp.Origin))
			}
		}
	}
	return why, nil
}

// asked are the checkpoints that witnesses are asked about: that of the newest tree, and empty ones of the trees that may have begun since.
func (st *State) asked(ctx context.Context, c *config.Config, at audit.Place) (all []tile.Checkpoint, err error) {
	origin, period, now := Origin(c.Domain), audit.Period(c.Log.Period), time.Now()
	var later []string
	if at.Tree == "" {
		later = []string{period.Origin(origin, now)}
	} else {
		newest, err := audit.NewestIn(ctx, LogDir(c), origin, at.Tree, st.LogKey())
		if err != nil {
			return nil, err
		}
		all = append(all, newest)
		more, ok := period.Later(origin, at.Tree, at.Began, now)
		if !ok {
			return nil, nil
		}
		later = more
	}
	for _, name := range later {
		s, err := tile.NewSigner(name, st.Keys.Signer("log"))
		if err != nil {
			return nil, err
		}
		empty, err := tile.Checkpoint{Origin: name, Root: tile.EmptyRoot}.Sign(s)
		if err != nil {
			return nil, err
		}
		all = append(all, empty)
	}
	return all, nil
}

// close makes sure that nothing is had twice, in one transaction. What the log does not tell is closed for all.
func (st *State) close(ctx context.Context, c *config.Config, r *Restore, l *lost) error {
	now := time.Now().UTC().Truncate(time.Second)
	if len(l.unknown) > 0 || len(l.changed) > 0 {
		r.Anew = now
		if len(l.unknown) == 0 {
			r.Anew = time.Time{} // witnesses saw this log, to its end
		}
	}
	anything := len(l.unknown) > 0 || l.rows > 0
	purge := len(l.unknown) > 0 || l.erased > 0
	targets := l.frozen
	datasets, err := st.datasets(ctx, c)
	if err != nil {
		return err
	}
	for name := range datasets {
		if len(l.unknown) > 0 || l.charged[name] {
			targets[freeze.Target{Kind: freeze.Dataset, Name: name}] = true
		}
	}
	r.Told = tellRestore(r, l, targets, purge)
	err = st.DB.Update(ctx, func(tx store.Tx) error {
		for t := range targets {
			if err := freeze.FreezeIn(tx, t, freeze.Restore, "restored from the backup of "+r.Made.Format(time.DateTime), now); err != nil {
				return err
			}
		}
		if anything {
			if err := ledger.SetBack(tx, now, time.Duration(c.Capabilities.Skew)); err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE dataset_streams SET params = ? WHERE step >= 0", "set back"); err != nil { // none goes on: docs/spec/dp-streams.md
				return err
			}
		}
		if purge {
			if err := backup.Purge(tx); err != nil {
				return err
			}
		}
		anew := int64(0)
		if !r.Anew.IsZero() {
			anew = r.Anew.Unix()
		}
		n, err := tx.Exec("UPDATE run_restores SET state = ?, anew = ?, told = ? WHERE id = ? AND state = ?", restoreDone, anew, r.Told, r.ID, restoreNew)
		if err == nil && n != 1 {
			err = errors.New("the restore is not as it was")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("closing what may have been used since the backup: %w", err)
	}
	r.State = restoreDone
	return nil
}

// datasets are those that have a budget in this state, or by the configuration; none where the ledger is shared and kept elsewhere.
func (st *State) datasets(ctx context.Context, c *config.Config) (map[string]bool, error) {
	all := map[string]bool{}
	if c.Budgets.Shared != nil {
		return all, nil
	}
	for name := range c.Datasets {
		all[name] = true
	}
	err := st.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT DISTINCT dataset FROM budget_scopes WHERE level = ?", int64(budget.Global))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			all[name] = true
		}
		return rows.Err()
	})
	return all, err
}

// String says what may be lost.
func (l *lost) String() string {
	var all []string
	all = append(all, l.unknown...)
	for _, m := range slices.Sorted(maps.Keys(l.changed)) {
		all = append(all, fmt.Sprintf("the log has %d changes (%s) that nothing makes again", l.changed[m], m))
	}
	return strings.Join(all, "; ")
}

// tellRestore is what goes on record.
func tellRestore(r *Restore, l *lost, frozen map[freeze.Target]bool, purged bool) string {
	parts := []string{fmt.Sprintf("state restored from backup %s of %s, which ends at entry %d", r.Archive, r.Made.Format(time.RFC3339), r.Rows)}
	if l.rows > 0 {
		parts = append(parts, fmt.Sprintf("entries %d to %d were taken up from a newer log", r.Rows+1, r.Until))
	}
	if len(l.unknown) == 0 {
		parts = append(parts, "all witnesses say that the log did not go on")
	} else {
		parts = append(parts, "what came after is not known to be all")
	}
	if s := l.String(); s != "" {
		parts = append(parts, s)
	}
	if n := len(frozen); n > 0 {
		parts = append(parts, fmt.Sprintf("%d frozen, since budgets count as spent or were frozen before", n))
	}
	if purged {
		parts = append(parts, "all that was kept of people is erased")
	}
	if r.Reason != "" {
		parts = append(parts, "answered for with: "+r.Reason)
	}
	return strings.Join(parts, "; ")
}

// record puts a restore on record: the first row that is written after it, and the first of a tree that begins anew.
func (st *State) recordRestore(ctx context.Context, c *config.Config) error {
	r := st.restored
	if r == nil || r.State != restoreDone {
		return nil
	}
	own := flow.Party{Domain: c.Domain}
	err := st.DB.Update(ctx, func(tx store.Tx) error {
		_, err := st.Log.Append(tx, flow.Event{
			Time: time.Now().UTC(), Outcome: flow.Changed, Reason: r.Told,
			Flow: flow.Flow{ID: gateway.NewFlowID(), From: own, To: own, Protocol: "admin", Method: "restore"},
		}, audit.Private{})
		if err == nil {
			_, err = tx.Exec("UPDATE run_restores SET state = ? WHERE id = ?", restoreRecorded, r.ID)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("putting the restore on record: %w", err)
	}
	r.State = restoreRecorded
	return nil
}

// lostUntil is by when what was seen once may have been forgotten; zero: nothing was.
func (st *State) lostUntil() time.Time {
	if st.restored == nil {
		return time.Time{}
	}
	return st.restored.At.Add(hop.MaxLifetime)
}

// BackupSource is what a backup of this state is taken of.
func (st *State) BackupSource(c *config.Config, program string) backup.Source {
	return backup.Source{DB: st.DB, Log: st.Log, Keys: st.Keys, Config: c, LogDir: LogDir(c), Archive: Archive(c), Program: program}
}
