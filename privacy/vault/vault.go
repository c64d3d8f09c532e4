// Package vault keeps what lets a value be replaced by a stand-in and found again: keys, tokens, and the memory of a task.
//
// There are two kinds of stand-in. A token, "stk1_…", stands in a structured field of catalogued origin; one value has one token within
// a [Scope] (recipient domain, purpose group, label, subject, epoch), and tokens of two scopes have nothing in common that
// anybody without the keyring can see. A surrogate, "[person 3]" or "[email k7q2]", stands in text; it is drawn at random,
// never derived from the value, and holds for one task and recipient domain. Whatever is found in text or supplied
// by an agent gets surrogates only, so that nobody can build a dictionary by asking.
//
// Everything minted for one message is staged in a [Batch] and written by the transaction that records the message, so that
// no stand-in leaves that the store does not know. Formats are in docs/spec/tokens.md.
//
// What is claimed for one process on one database: same value, same stand-in, whatever the interleaving, and the daily cap.
// Several processes on one database never mint two stand-ins for one value either (they get [ErrConflict] instead), but each counts the cap for itself.
package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Errors that callers act on.
var (
	ErrNoToken  = errors.New("no such token")                                              // unknown, forged, foreign, erased, one-way: all alike
	ErrTokenCap = errors.New("too many distinct tokens for this recipient, label and day") // mask instead, and alarm
	ErrTaskFull = errors.New("memory of the task is full")                                 // mask instead
	ErrTooLong  = errors.New("value is too long for a stand-in")                           // mask instead
	ErrScope    = errors.New("scope of the stand-in is not complete")                      // a recipient, label or task is missing
	ErrConflict = errors.New("vault changed underneath the message")                       // discard the batch and change the message anew
	ErrDone     = errors.New("batch was kept or discarded")
)

// Options of a vault. The zero value of every field is a safe default.
type Options struct {
	Domain      flow.DomainID    // the domain that mints; enters every key
	Clock       func() time.Time // nil: time.Now
	DailyTokens int              // distinct tokens per recipient, label and day (UTC); 0: 10,000
	TaskValues  int              // surrogates and known values of one task, at most 100,000; 0: 4,096
	Shared      bool             // other processes use the same database, as replicas do: every task is looked up in it
	Locale      string           // of realistic stand-ins; "": en-US
	TaskLife    time.Duration    // how long a task is remembered after its last change; 0: 24 hours

	// Erased and Forgot do what else belongs into the transaction that erases a subject, or forgets a task: others keep data of
	// theirs, too. Nil: nothing does.
	Erased func(store.Tx, flow.SubjectRef) error
	Forgot func(store.Tx, flow.TaskID) error
}

// Bounds that are not options.
const (
	maxValue     = 64 << 10 // bytes of a value that gets a stand-in
	maxDerived   = 255      // bytes of a value inside a token; longer ones are vaulted
	minBits      = 32       // below it a token is vaulted, not derived
	maxTaskBytes = 4 << 20  // of values in one task's memory
	cachedTasks  = 512
	cachedScopes = 16 << 10

	maxTaskValues = 100_000 // so that numbers of surrogates have at most six digits
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the vault's part of the store.
func Schema() store.Schema { return store.Schema{Name: "privacy/vault", FS: migrations} }

// Vault mints and opens stand-ins. It is safe for concurrent use, and prints as [secret].
type Vault struct {
	opaque
	db       store.DB
	keys     *Keyring
	opt      Options
	subjects *AEAD // seals subjects' keys
	tasks    *AEAD // seals tasks' keys
	mask     *MAC
	nameKey  []byte
	refKey   []byte
	versions atomic.Uint64 // of tasks' known values
	mayHold  atomic.Bool   // the store may have vaulted values

	mu       sync.Mutex // guards the fields below; never held over the store
	gen      uint64     // goes up when entries are evicted because the store changed: what was read before is not cached
	erasures int64      // as last known
	keyOf    cache[flow.SubjectRef, *subject]
	scopes   cache[scopeKey, *scope]
	values   cache[digest, *vaulted]
	issued   map[issueKey]*issueSet
	memory   cache[digest, *taskState]
	stored   map[digest]struct{} // tasks that may be in the store; nil: any may
}

// digest is a truncated HMAC-SHA256.
type digest [16]byte

// New returns a vault that keeps its state in db, which has the tables of [Schema], under the keys of k.
func New(db store.DB, k *Keyring, opt Options) (*Vault, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.DailyTokens <= 0 {
		opt.DailyTokens = 10_000
	}
	if opt.TaskValues <= 0 {
		opt.TaskValues = 4096
	}
	opt.TaskValues = min(opt.TaskValues, maxTaskValues)
	if opt.TaskLife < time.Second {
		opt.TaskLife = 24 * time.Hour
	}
	if opt.Locale == "" {
		opt.Locale = "en-US"
	}
	domain := string(opt.Domain)
	v := &Vault{
		db: db, keys: k, opt: opt,
		subjects: k.AEAD("vault subjects"), tasks: k.AEAD("vault tasks"),
		mask:    newMAC(k.forever(32, "scrim token mask 1", domain)),
		nameKey: k.forever(32, "scrim token name 1", domain),
		refKey:  k.forever(32, "scrim reference 1", domain),
		keyOf:   newCache[flow.SubjectRef, *subject](cachedScopes), scopes: newCache[scopeKey, *scope](cachedScopes),
		values: newCache[digest, *vaulted](cachedScopes), memory: newCache[digest, *taskState](cachedTasks),
		issued: make(map[issueKey]*issueSet),
	}
	err := db.View(context.Background(), func(tx store.Tx) (err error) {
		if v.erasures, err = erasures(tx); err != nil {
			return err
		}
		held, err := holds(tx)
		if v.mayHold.Store(held || opt.Shared); err != nil || opt.Shared {
			return err
		}
		v.stored, err = storedTasks(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	return v, nil
}

// Subject returns the reference of the subject that a unit column or pointer names: the same for the life of the keyring. White space around a person's
// name or number is none of it, so that nobody is two: many databases find a number with spaces behind it, and give it back as it was asked for.
func (v *Vault) Subject(unit, value string) flow.SubjectRef {
	if !strings.HasPrefix(unit, "scrim/") { // units of our own are exact
		value = strings.TrimSpace(value)
	}
	return flow.SubjectRef(keyedDigest(v.refKey, "subject", unit, value))
}

func (v *Vault) now() time.Time { return v.opt.Clock().UTC() }

func keyedDigest(key []byte, parts ...string) digest {
	m := hmac.New(sha256.New, key)
	m.Write(info(parts...))
	return digest(m.Sum(nil))
}

// Opened is what a token stands for.
type Opened struct {
	Value     flow.Secret
	Label     flow.Label
	Recipient flow.DomainID // the domain it was minted for
	Group     string
	Subject   flow.SubjectRef // unknown: the token can be erased only by retiring its epoch
	Epoch     string
}

// cache is a bounded map. What is not settled, that is not yet known to be in the store, is kept as long as there is room for twice as many.
type cache[K comparable, V interface{ settled() bool }] struct {
	max     int
	entries map[K]V
}

func newCache[K comparable, V interface{ settled() bool }](n int) cache[K, V] {
	return cache[K, V]{max: n, entries: make(map[K]V)}
}

// add returns the entry that is there already, or puts this one in.
func (c *cache[K, V]) add(k K, v V) V {
	if old, ok := c.entries[k]; ok {
		return old
	}
	if len(c.entries) >= c.max {
		c.shrink()
	}
	c.entries[k] = v
	return v
}

// shrink drops an eighth, in the map's random order.
func (c *cache[K, V]) shrink() {
	drop := c.max/8 + 1
	for k, v := range c.entries {
		if drop == 0 {
			return
		}
		if v.settled() || len(c.entries) >= 2*c.max {
			delete(c.entries, k)
			drop--
		}
	}
}
