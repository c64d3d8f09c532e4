package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Also is what else belongs into the transaction that erases a subject. Nil fields do nothing.
type Also struct {
	Tasks  func(store.Tx) ([]flow.TaskID, error) // whose memory is forgotten, since it may hold what was said about the subject
	Record func(store.Tx) error                  // called last
}

// Erase destroys the subject's own key, handles and vaulted values, and returns when that is durable: its tokens stop resolving, none can be joined with another,
// and none minted later equals an old one. A batch that used the key and is not yet flushed gets [ErrConflict].
//
// Stand-ins that do not know their subject are not touched: surrogates die with their task, tokens for an unknown subject with their epoch.
// It returns [ErrScope] for the unknown subject. After an error nothing is erased, or all of it: it may be called again.
func (v *Vault) Erase(ctx context.Context, s flow.SubjectRef, also ...Also) error {
	if !s.Known() {
		return fmt.Errorf("erasing a subject: %w", ErrScope)
	}
	var n int64
	var tasks []digest
	err := v.db.Update(ctx, func(tx store.Tx) (err error) {
		if tasks, err = v.eraseIn(tx, s, also); err != nil {
			return err
		}
		n, err = erasures(tx)
		return err
	})
	// Also after an error: what is in the store is then unknown, and is read again.
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gen++
	v.evictSubject(s)
	for _, id := range tasks {
		delete(v.memory.entries, id)
	}
	if err != nil {
		return fmt.Errorf("erasing a subject: %w", err)
	}
	v.erasures = max(v.erasures, n)
	return nil
}

func (v *Vault) eraseIn(tx store.Tx, s flow.SubjectRef, also []Also) (forgotten []digest, err error) {
	for _, a := range also { // first: it may look for what is deleted below
		if a.Tasks == nil {
			continue
		}
		tasks, err := a.Tasks(tx)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			id := keyedDigest(v.nameKey, "task", string(t))
			if err := deleteTasks(tx, "task = ?", id[:]); err != nil {
				return nil, err
			}
			forgotten = append(forgotten, id)
		}
	}
	for _, q := range []string{
		"DELETE FROM vault_values WHERE subject = ?",
		"DELETE FROM vault_handles WHERE subject = ?",
		"DELETE FROM vault_subjects WHERE subject = ?",
	} {
		if _, err := tx.Exec(q, s[:]); err != nil {
			return nil, err
		}
	}
	if v.opt.Erased != nil {
		if err := v.opt.Erased(tx, s); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec("INSERT INTO vault_state (id, erasures) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET erasures = vault_state.erasures + 1"); err != nil {
		return nil, err
	}
	for _, a := range also {
		if a.Record == nil {
			continue
		}
		if err := a.Record(tx); err != nil {
			return nil, err
		}
	}
	return forgotten, nil
}

// Erasures returns how many subjects were erased, within a transaction. What began before the number changed must not be kept as if nothing had happened.
func Erasures(tx store.Tx) (int64, error) { return erasures(tx) }

// Erasures returns how many subjects were erased as far as this process knows.
func (v *Vault) Erasures() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.erasures
}

// Held is how much the vault keeps of a subject.
type Held struct {
	Key    bool  // it has a key of its own
	Scopes int64 // recipients, purposes and labels for which reversible tokens were minted
	Values int64 // vaulted
}

// Held counts what would be erased with a subject.
func (v *Vault) Held(tx store.Tx, s flow.SubjectRef) (h Held, err error) {
	var keys int64
	for _, c := range []struct {
		n     *int64
		table string
	}{{&keys, "vault_subjects"}, {&h.Scopes, "vault_handles"}, {&h.Values, "vault_values"}} {
		if err := tx.QueryRow("SELECT count(*) FROM "+c.table+" WHERE subject = ?", s[:]).Scan(c.n); err != nil {
			return Held{}, err
		}
	}
	h.Key = keys > 0
	return h, nil
}

// Forget deletes the memory of a task that has ended. A batch that added to it and is not yet flushed gets [ErrConflict].
func (v *Vault) Forget(ctx context.Context, key TaskKey) error {
	id := keyedDigest(v.nameKey, "task", string(key.Task))
	err := v.db.Update(ctx, func(tx store.Tx) error {
		if v.opt.Forgot != nil {
			if err := v.opt.Forgot(tx, key.Task); err != nil {
				return err
			}
		}
		return deleteTasks(tx, "task = ?", id[:])
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gen++
	delete(v.memory.entries, id)
	if err != nil {
		return fmt.Errorf("forgetting a task: %w", err)
	}
	return nil
}

// Sweep deletes the memory of tasks that had expired by now, the counts of past days, and what retired epochs left behind.
func (v *Vault) Sweep(ctx context.Context, now time.Time) error {
	at := now.Unix()
	err := v.db.Update(ctx, func(tx store.Tx) error {
		if err := deleteTasks(tx, "expires <= ?", at); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM vault_issued WHERE day < ?", at/86400-1)
		return err
	})
	if err == nil {
		err = v.sweepEpochs(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gen++
	for id, s := range v.memory.entries {
		if s.expires.Load() <= at {
			delete(v.memory.entries, id)
		}
	}
	if err != nil {
		return fmt.Errorf("sweeping the vault: %w", err)
	}
	return nil
}

// sweepEpochs deletes rows of unknown subjects that no key opens any more.
func (v *Vault) sweepEpochs(ctx context.Context) error {
	var none flow.SubjectRef
	return v.db.Update(ctx, func(tx store.Tx) error {
		for _, table := range []string{"vault_values", "vault_handles"} {
			rows, err := tx.Query("SELECT DISTINCT epoch FROM "+table+" WHERE subject = ?", none[:])
			if err != nil {
				return err
			}
			var gone []int64
			for rows.Next() {
				var epoch int64
				if err := rows.Scan(&epoch); err != nil {
					return err
				}
				if !v.keys.has(uint32(epoch)) {
					gone = append(gone, epoch)
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
			for _, epoch := range gone {
				if _, err := tx.Exec("DELETE FROM "+table+" WHERE subject = ? AND epoch = ?", none[:], epoch); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func deleteTasks(tx store.Tx, where string, args ...any) error {
	for _, q := range []string{
		"DELETE FROM vault_surrogates WHERE task IN (SELECT task FROM vault_tasks WHERE " + where + ")",
		"DELETE FROM vault_known WHERE task IN (SELECT task FROM vault_tasks WHERE " + where + ")",
		"DELETE FROM vault_tasks WHERE " + where,
	} {
		if _, err := tx.Exec(q, args...); err != nil {
			return err
		}
	}
	return nil
}

// Reseal seals every subject's and task's key under the present epoch, some at a time. Call it after [Keyring.Rotate] and before [Keyring.Retire],
// so that only tokens of unknown subjects die with an epoch.
func (v *Vault) Reseal(ctx context.Context) error {
	for _, table := range []struct {
		name, key string
		aead      *AEAD
	}{{"vault_subjects", "subject", v.subjects}, {"vault_tasks", "task", v.tasks}} {
		for after, more := []byte{}, true; more; {
			err := v.db.Update(ctx, func(tx store.Tx) (err error) {
				after, err = reseal(tx, table.name, table.key, table.aead, after)
				more = after != nil
				return err
			})
			if err != nil {
				return fmt.Errorf("sealing keys anew: %w", err)
			}
		}
	}
	return nil
}

// reseal does up to 500 rows after a key and returns the last one's, or nil at the end.
func reseal(tx store.Tx, table, key string, aead *AEAD, after []byte) ([]byte, error) {
	rows, err := tx.Query("SELECT "+key+", sealed FROM "+table+" WHERE "+key+" > ? ORDER BY "+key+" LIMIT 500", after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type row struct{ id, sealed []byte }
	var all []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.sealed); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		return nil, err
	}
	for _, r := range all {
		plain, err := aead.Open(r.sealed, r.id)
		if err != nil {
			return nil, err
		}
		sealed, err := aead.Seal(plain, r.id)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec("UPDATE "+table+" SET sealed = ? WHERE "+key+" = ?", sealed, r.id); err != nil {
			return nil, err
		}
	}
	return all[len(all)-1].id, nil
}
