package vault

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// TaskKey names a task.
type TaskKey struct{ Task flow.TaskID }

// Task is the memory of one task as one batch sees it: what other batches added is seen, too.
// It is used by the goroutine that uses the batch, until the batch is kept or discarded.
type Task struct {
	opaque
	b          *Batch
	s          *taskState
	used       bool                // so that it lives on
	surrogates map[*surrogate]bool // used, and not known to be durable; true once flushed
	known      map[*known]bool
	flushed    bool
	expires    int64 // as Flush wrote it
}

// taskState is a task's memory, shared by all batches.
type taskState struct {
	id   digest
	kid  [8]byte
	keys func() (*taskKeys, error) // of a new task, made when something is first kept

	durable atomic.Bool
	touched atomic.Bool // it holds something that is not yet known to be in the store
	expires atomic.Int64

	mu         sync.Mutex // guards the fields below
	surrogates map[valueKey]*surrogate
	byName     map[nameKey]*surrogate
	counts     map[nameKey]int // by recipient and word
	reserved   map[string]bool // surrogates that others gave out, in lower case
	known      map[KnownValue]*known
	list       []KnownValue // only ever appended to
	version    uint64
	bytes      int
}

// taskKeys are a task's own key and what is derived from it.
type taskKeys struct {
	sealed []byte // the key
	cipher *subtle.XChaCha20Poly1305
	digest []byte // key of digests of values and surrogates
}

func keysOf(key, sealed []byte) *taskKeys {
	return &taskKeys{sealed: sealed, cipher: secretCipher(key, "scrim task 1"), digest: fromSecret(key, 32, "scrim task digest 1")}
}

// settled also holds for a memory that was only looked into: it can be made again.
func (s *taskState) settled() bool { return s.durable.Load() || !s.touched.Load() }

// known is one remembered value.
type known struct {
	KnownValue
	supplier flow.AgentID
	durable  bool
}

// KnownValue is a value that must not leave the task unchanged.
type KnownValue struct {
	Text  string
	Label flow.Label
}

// Task returns the memory of a task, loading it if need be. A task that is not there, or has expired, begins empty. It returns [ErrScope] for
// the empty id.
func (b *Batch) Task(ctx context.Context, key TaskKey) (*Task, error) {
	if b.done {
		return nil, ErrDone
	}
	if key.Task == "" {
		return nil, ErrScope
	}
	s, err := b.v.task(ctx, keyedDigest(b.v.nameKey, "task", string(key.Task)))
	if err != nil {
		return nil, fmt.Errorf("loading the memory of a task: %w", err)
	}
	t, ok := b.tasks[s]
	if !ok {
		t = &Task{b: b, s: s, surrogates: map[*surrogate]bool{}, known: map[*known]bool{}}
		b.tasks[s] = t
	}
	return t, nil
}

func (v *Vault) task(ctx context.Context, id digest) (*taskState, error) {
	for {
		now := v.now().Unix()
		v.mu.Lock()
		s, ok := v.memory.entries[id]
		if ok && s.expires.Load() <= now {
			delete(v.memory.entries, id)
			ok = false
		}
		gen := v.gen
		_, stored := v.stored[id]
		stored = stored || v.stored == nil
		v.mu.Unlock()
		if ok {
			return s, nil
		}
		var err error
		if stored {
			s, err = v.loadTask(ctx, id, now)
		} else {
			s = v.newTask(id, now)
		}
		if err != nil {
			return nil, err
		}
		v.mu.Lock()
		if v.gen == gen {
			s = v.memory.add(id, s)
			v.mu.Unlock()
			return s, nil
		}
		v.mu.Unlock()
	}
}

// maxStored is how many tasks' names are known by heart, so that a new task need not be looked up.
const maxStored = 1 << 18

func storedTasks(tx store.Tx) (map[digest]struct{}, error) {
	rows, err := tx.Query("SELECT task FROM vault_tasks LIMIT ?", maxStored)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[digest]struct{})
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all[digest(id)] = struct{}{}
	}
	if len(all) == maxStored {
		all = nil
	}
	return all, rows.Err()
}

// mayBeStored notes, before it is, that a task will be in the store. What is deleted there stays noted until the next start.
func (v *Vault) mayBeStored(id digest) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.stored) >= maxStored {
		v.stored = nil
	}
	if v.stored != nil {
		v.stored[id] = struct{}{}
	}
}

func (v *Vault) loadTask(ctx context.Context, id digest, now int64) (*taskState, error) {
	var s *taskState
	err := v.db.View(ctx, func(tx store.Tx) (err error) {
		s, err = v.readTask(tx, id)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	case s.expires.Load() > now:
		return s, nil
	default: // its number would be given to others while the old rows lie there
		if err := v.db.Update(ctx, func(tx store.Tx) error { return deleteTasks(tx, "task = ? AND expires <= ?", id[:], now) }); err != nil {
			return nil, err
		}
	}
	return v.newTask(id, now), nil
}

func (v *Vault) newTask(id digest, now int64) *taskState {
	var kid [8]byte
	_, _ = rand.Read(kid[:]) // never fails
	s := v.emptyTask(id, kid)
	s.keys = sync.OnceValues(func() (*taskKeys, error) {
		key := newSecret()
		sealed, err := v.tasks.Seal(key, id[:])
		if err != nil {
			return nil, err
		}
		return keysOf(key, sealed), nil
	})
	s.expires.Store(now + int64(v.opt.TaskLife/time.Second))
	return s
}

func (v *Vault) emptyTask(id digest, kid [8]byte) *taskState {
	return &taskState{
		id: id, kid: kid,
		surrogates: map[valueKey]*surrogate{}, byName: map[nameKey]*surrogate{}, counts: map[nameKey]int{},
		known: map[KnownValue]*known{}, version: v.versions.Add(1),
	}
}

func (v *Vault) readTask(tx store.Tx, id digest) (*taskState, error) {
	var kid, sealed []byte
	var expires int64
	if err := tx.QueryRow("SELECT kid, sealed, expires FROM vault_tasks WHERE task = ?", id[:]).Scan(&kid, &sealed, &expires); err != nil {
		return nil, err
	}
	key, err := v.tasks.Open(sealed, id[:])
	if err != nil || len(kid) != 8 {
		return nil, ErrSealed
	}
	s := v.emptyTask(id, [8]byte(kid))
	keys := keysOf(key, sealed)
	s.keys = func() (*taskKeys, error) { return keys, nil }
	s.expires.Store(expires)
	s.durable.Store(true)
	err = eachSealed(tx, s, keys, "surrogate", "SELECT digest, sealed FROM vault_surrogates WHERE task = ?", func(r taskRecord) {
		s.add(&surrogate{
			valueKey: valueKey{r.Recipient, r.Kind, normalKind(r.Kind, string(r.Value))}, text: r.Text, word: r.Word, durable: true,
			Original: Original{Value: flow.NewSecret(string(r.Value)), Label: flow.Label(r.Label), Supplier: flow.AgentID(r.Supplier)},
		})
	})
	if err != nil {
		return nil, err
	}
	return s, eachSealed(tx, s, keys, "known", "SELECT digest, sealed FROM vault_known WHERE task = ?", func(r taskRecord) {
		if k := (KnownValue{string(r.Value), flow.Label(r.Label)}); s.known[k] == nil {
			s.remember(&known{k, flow.AgentID(r.Supplier), true})
		}
	})
}

// taskRecord is what is sealed in a row of a task.
type taskRecord struct {
	Value     []byte `json:"value"`
	Label     string `json:"label"`
	Supplier  string `json:"supplier,omitempty"`
	Recipient string `json:"recipient,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Word      string `json:"word,omitempty"`
	Text      string `json:"text,omitempty"`
}

func (k *taskKeys) seal(s *taskState, table string, row digest, r taskRecord) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return k.cipher.Encrypt(plain, info(table, string(s.id[:]), string(row[:])))
}

func eachSealed(tx store.Tx, s *taskState, keys *taskKeys, table, query string, add func(taskRecord)) error {
	rows, err := tx.Query(query, s.id[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row, sealed []byte
		if err := rows.Scan(&row, &sealed); err != nil {
			return err
		}
		plain, err := keys.cipher.Decrypt(sealed, info(table, string(s.id[:]), string(row)))
		if err != nil {
			return ErrSealed
		}
		if len(plain) > 0 && plain[0] == '[' {
			var list []taskRecord
			if json.Unmarshal(plain, &list) != nil {
				return ErrSealed
			}
			for _, r := range list {
				add(r)
			}
			continue
		}
		var r taskRecord
		if json.Unmarshal(plain, &r) != nil {
			return ErrSealed
		}
		add(r)
	}
	return rows.Err()
}

// room returns [ErrTaskFull] unless one more value of the size fits. The caller holds s.mu.
func (s *taskState) room(size, limit int) error {
	if len(s.surrogates)+len(s.known) >= limit || s.bytes+size > maxTaskBytes {
		return ErrTaskFull
	}
	return nil
}

// remember adds the value. The caller holds s.mu, or the only reference to s.
func (s *taskState) remember(k *known) {
	s.touched.Store(true)
	s.known[k.KnownValue] = k
	s.list = append(s.list, k.KnownValue)
	s.bytes += len(k.Text)
}

// Remember adds a value that must be found again by exact match in everything that leaves the task: a name that was found, a value that was opened.
// Surrogates do not do this by themselves. With [ErrTaskFull], [ErrTooLong] or [ErrDone] the value is not remembered, and must not be passed on.
func (t *Task) Remember(value string, l flow.Label, supplier flow.AgentID) error {
	switch {
	case t.b.done:
		return ErrDone
	case len(value) > maxValue:
		return ErrTooLong
	case value == "":
		return nil
	}
	key := KnownValue{value, l}
	t.used = true
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	k, ok := t.s.known[key]
	if !ok {
		if err := t.s.room(len(value), t.b.v.opt.TaskValues); err != nil {
			return err
		}
		k = &known{KnownValue: key, supplier: supplier}
		t.s.remember(k)
		t.s.version = t.b.v.versions.Add(1)
	}
	if !k.durable {
		use(t.known, k)
	}
	return nil
}

// Known returns the values remembered, by this batch and by others. The slice is not to be changed.
func (t *Task) Known() []KnownValue {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.list[:len(t.s.list):len(t.s.list)]
}

// Version changes whenever Known does, and never comes back to an earlier value within a process, whatever the task.
func (t *Task) Version() uint64 {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.version
}

// kept marks as durable what was flushed.
func (t *Task) kept() {
	if !t.flushed {
		return
	}
	t.s.durable.Store(true)
	t.s.expires.Store(t.expires)
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for g, flushed := range t.surrogates {
		g.durable = g.durable || flushed
	}
	for k, flushed := range t.known {
		k.durable = k.durable || flushed
	}
}

func (b *Batch) flushTasks(tx store.Tx) error {
	for _, t := range b.tasks {
		if !t.used {
			continue
		}
		if err := t.flush(tx); err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) flush(tx store.Tx) error {
	if err := t.flushRow(tx); err != nil {
		return err
	}
	t.flushed = true
	for g := range t.surrogates {
		t.surrogates[g] = true
		if err := t.flushSurrogate(tx, g); err != nil {
			return err
		}
	}
	return t.flushKnown(tx)
}

// flushKnown writes all values that were newly remembered in one row: a message of twenty would be twenty rows. A value
// that another batch writes at the same time is there twice, and is read once.
func (t *Task) flushKnown(tx store.Tx) error {
	if len(t.known) == 0 {
		return nil
	}
	list := make([]taskRecord, 0, len(t.known))
	for k := range t.known {
		t.known[k] = true
		list = append(list, taskRecord{Value: []byte(k.Text), Label: string(k.Label), Supplier: string(k.supplier)})
	}
	var row digest
	_, _ = rand.Read(row[:]) // never fails
	plain, err := json.Marshal(list)
	if err != nil {
		return err
	}
	keys, err := t.s.keys()
	if err != nil {
		return err
	}
	sealed, err := keys.cipher.Encrypt(plain, info("known", string(t.s.id[:]), string(row[:])))
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO vault_known (task, digest, sealed) VALUES (?, ?, ?)", t.s.id[:], row[:], sealed)
	return err
}

// flushRow writes the task's own row, and prolongs its life once an eighth of it is over.
func (t *Task) flushRow(tx store.Tx) error {
	life := int64(t.b.v.opt.TaskLife / time.Second)
	t.expires = t.b.v.now().Unix() + life
	if !t.s.durable.Load() {
		keys, err := t.s.keys()
		if err != nil {
			return err
		}
		t.b.v.mayBeStored(t.s.id)
		rows, err := tx.Exec("INSERT INTO vault_tasks (task, kid, sealed, expires) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", t.s.id[:], t.s.kid[:], keys.sealed, t.expires)
		if err != nil || rows == 1 {
			return err
		}
	}
	if err := sameBlob(tx, t.s.kid[:], "SELECT kid FROM vault_tasks WHERE task = ?", t.s.id[:]); err != nil {
		return err
	}
	if t.expires-t.s.expires.Load() <= life/8 {
		t.expires = t.s.expires.Load()
		return nil
	}
	_, err := tx.Exec("UPDATE vault_tasks SET expires = ? WHERE task = ?", t.expires, t.s.id[:])
	return err
}

func (t *Task) flushSurrogate(tx store.Tx, g *surrogate) error {
	keys, err := t.s.keys()
	if err != nil {
		return err
	}
	row := keyedDigest(keys.digest, "value", g.kind, g.value)
	name := keyedDigest(keys.digest, "name", g.text)
	sealed, err := keys.seal(t.s, "surrogate", row, taskRecord{
		Value: []byte(g.Value.Expose()), Label: string(g.Label), Supplier: string(g.Supplier),
		Recipient: g.recipient, Kind: g.kind, Word: g.word, Text: g.text,
	})
	if err != nil {
		return err
	}
	rows, err := tx.Exec("INSERT INTO vault_surrogates (task, recipient, digest, name, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		t.s.id[:], g.recipient, row[:], name[:], sealed)
	if err != nil || rows == 1 {
		return err
	}
	return sameBlob(tx, name[:], "SELECT name FROM vault_surrogates WHERE task = ? AND recipient = ? AND digest = ?", t.s.id[:], g.recipient, row[:])
}
