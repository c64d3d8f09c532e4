// Package exposure remembers what each recipient domain was shown about each subject, and makes coarser what would single
// the subject out together with it: also when the pieces come over weeks, in any order, and through different agents.
//
// A [Memory] keeps facts: that an audience was shown a value of a label at a level. Of the value it has a digest under the
// subject's own key, which dies with the subject ([vault.Vault.Erase]). [Rules] say which combinations single a person out, and
// how coarse each piece must be where the others are held. One message is one [Look]: it makes terms coarser, never finer and
// never a refusal, and writes what was shown in the transaction that records the message. Of two halves that are sent at once one gets
// [vault.ErrConflict] there, and is changed anew, knowing of the other.
//
// What it claims and what not is in docs/spec/exposure.md.
package exposure

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the memory's tables.
func Schema() store.Schema { return store.Schema{Name: "privacy/exposure", FS: migrations} }

// Bounds that are not options.
const (
	maxFacts   = 1024 // of one subject and audience; what would be one more is masked
	maxMembers = 8    // of a task, and of a message: what is about somebody unknown counts for each
	maxHeld    = 256 << 10
	cached     = 16 << 10
)

// Options of a memory. The zero value of every field is a safe default.
type Options struct {
	Clock func() time.Time // nil: time.Now
}

// Memory is what audiences hold. It is safe for concurrent use.
type Memory struct {
	db    store.DB
	vault *vault.Vault
	tasks *vault.MAC // of what is about somebody unknown
	now   func() time.Time

	mu       sync.Mutex // guards the fields below; never held over the store
	removals int64      // as last known
	entries  map[entryKey]*entry
	added    map[addedKey]int64
	known    *known // of whom something is held; nil: not known
	next     *known // that takes its place once it is filled; nil: none
	recalled time.Time
}

type entryKey struct {
	audience Audience
	subject  flow.SubjectRef
}

type addedKey struct {
	audience Audience
	agent    flow.AgentID
	day      int64
}

// Audience is who counts as one: a recipient domain, or several that put together what they are shown.
type Audience string

// Settings are what configuration says. They are not changed once they are used.
type Settings struct {
	Rules     *Rules
	Taxonomy  *flow.Taxonomy
	Audiences map[flow.DomainID]Audience // of domains that are one; absent: each is its own
	Keep      time.Duration              // how long after it was shown last; 0: two years
	TaskLife  time.Duration              // how long what is about somebody unknown is kept; 0: 24 hours
	Daily     int                        // facts that one agent may add a day; 0: 20,000
	Observe   bool                       // remember, and make nothing coarser
}

// Audience returns whom a domain belongs to.
func (s *Settings) Audience(d flow.DomainID) Audience {
	if a, ok := s.Audiences[d]; ok {
		return a
	}
	return Audience(d)
}

func (s *Settings) keep() time.Duration {
	if s.Keep <= 0 {
		return 2 * 365 * 24 * time.Hour
	}
	return s.Keep
}

func (s *Settings) taskLife() time.Duration {
	if s.TaskLife <= 0 {
		return 24 * time.Hour
	}
	return s.TaskLife
}

func (s *Settings) daily() int64 {
	if s.Daily <= 0 {
		return 20_000
	}
	return int64(s.Daily)
}

// Open returns the memory that is kept in db, which has the tables of [Schema].
func Open(ctx context.Context, db store.DB, v *vault.Vault, k *vault.Keyring, opt Options) (*Memory, error) {
	m := &Memory{db: db, vault: v, now: opt.Clock, entries: map[entryKey]*entry{}, added: map[addedKey]int64{}}
	if m.now == nil {
		m.now = time.Now
	}
	var err error
	if m.tasks, err = k.MAC("exposure task"); err != nil {
		return nil, fmt.Errorf("opening the exposure memory: %w", err)
	}
	err = db.View(ctx, func(tx store.Tx) error {
		m.removals, err = removals(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the exposure memory: %w", err)
	}
	return m, m.recall(ctx, readAhead)
}

func removals(tx store.Tx) (n int64, err error) {
	err = tx.QueryRow("SELECT removals FROM exposure_state WHERE id = 1").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// removed says, within the transaction that forgets something, that whoever looked before must look again.
func removed(tx store.Tx) error {
	_, err := tx.Exec("INSERT INTO exposure_state (id, removals) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET removals = exposure_state.removals + 1")
	return err
}

// taskRef stands for whoever a task is about without saying so.
func (m *Memory) taskRef(t flow.TaskID) flow.SubjectRef { return TaskRef(m.vault, t) }

// TaskRef is the reference under which is kept what a task showed about somebody unknown.
func TaskRef(v *vault.Vault, t flow.TaskID) flow.SubjectRef {
	return v.Subject("scrim/exposure-task", string(t))
}

// catchUp drops what was read before something was forgotten. The caller holds m.mu.
func (m *Memory) catchUp(n int64) {
	if n > m.removals {
		m.removals = n
		clear(m.entries)
		clear(m.added)
	}
}
