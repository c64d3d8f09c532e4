// Package vault keeps what lets a value be replaced by a stand-in and found again: keys, tokens, and the memory of a task.
package vault

import (
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Errors that callers act on.
var (
	ErrNoToken  = errors.New("no such token")                                              // unknown, forged, foreign, erased, expired: all alike
	ErrTokenCap = errors.New("too many distinct tokens for this recipient, label and day") // mask instead, and alarm
	ErrTaskFull = errors.New("memory of the task is full")                                 // mask instead
	ErrTooLong  = errors.New("value is too long for a stand-in")                           // mask instead
	ErrScope    = errors.New("scope of the token is not complete")                         // a recipient, a class or a task is missing
	ErrConflict = errors.New("vault changed underneath the message")                       // discard the batch and change the message anew
)

// Options of a vault. The zero value of every field is a safe default.
type Options struct {
	Domain      flow.DomainID    // the domain that mints; enters every key. Empty: ""
	Clock       func() time.Time // nil: time.Now
	DailyTokens int              // distinct tokens per recipient, label and day; 0: 10,000
	TaskValues  int              // surrogates and known values of one task; 0: 4,096
	TaskLife    time.Duration    // how long a task is remembered after its last change; 0: 24 hours
}

// Schema is the vault's part of the store.
func Schema() store.Schema { return store.Schema{Name: "vault"} }

// Vault mints and opens stand-ins. It is safe for concurrent use.
type Vault struct{}

// New returns a vault that keeps its state in db under the keys of k.
func New(db store.DB, k *Keyring, opt Options) (*Vault, error) { return &Vault{}, nil }

// Subject returns the reference of the subject that a unit column or pointer names.
func (v *Vault) Subject(unit, value string) flow.SubjectRef { return flow.SubjectRef{} }

// Scope says for whom, why and as what a stand-in is minted. Two values get joinable tokens only in one scope.
type Scope struct {
	Recipient flow.DomainID
	Group     string // purpose group
	Class     flow.Class
	Origin    flow.Origin     // only Catalogued can have a token derived from the value; the zero value gets a surrogate
	Subject   flow.SubjectRef // unknown: the token can be erased by epoch only
	Param     flow.Param      // reversible, oneway or surrogate; empty: surrogate
	Task      flow.TaskID     // for surrogates
	Supplier  flow.AgentID    // who sent the value: remembered with a surrogate
}

// Begin returns an empty batch: the writes of one message.
func (v *Vault) Begin() *Batch { return &Batch{} }

// Batch stages the writes of one message, to be flushed in the transaction that records it:
//
//	b := v.Begin(); defer b.Discard()
//	... b.Token, b.Task ...
//	err := db.Update(ctx, func(tx store.Tx) error { ...; return b.Flush(tx) })
//	if err == nil { b.Keep() }
//
// A batch is used by one goroutine; any number of batches may be open at once, also on one task.
type Batch struct{}

// Token returns the stand-in of the value in the scope: a token, or a surrogate of the task where the scope's
// origin or parameter allows no token.
func (b *Batch) Token(ctx context.Context, s Scope, value string) (string, error) {
	return "", ErrScope
}

// Task returns the memory of a task, loading it if need be.
func (b *Batch) Task(ctx context.Context, key TaskKey) (*Task, error) { return &Task{}, nil }

// Flush writes what is staged. It may be called again if the transaction is tried again. It returns [ErrConflict].
func (b *Batch) Flush(tx store.Tx) error { return nil }

// Keep says that the flushed transaction is durable. Without it nothing is lost; later batches write the same rows again.
func (b *Batch) Keep() {}

// Discard forgets what is staged. After Keep it does nothing.
func (b *Batch) Discard() {}

// TaskKey names a task.
type TaskKey struct{ Task flow.TaskID }

// Task is the memory of one task as one batch sees it.
type Task struct{}

// Original is what a surrogate stands for.
type Original struct {
	Value    flow.Secret
	Label    flow.Label
	Supplier flow.AgentID
}

// KnownValue is a value that must not leave the task unchanged.
type KnownValue struct {
	Text  string
	Label flow.Label
}

// Surrogate returns the stand-in of a value for a recipient domain, such as "[person 3]" or "[email k7q2]".
func (t *Task) Surrogate(recipient flow.DomainID, c flow.Class, value string, supplier flow.AgentID) (string, error) {
	return "", ErrTaskFull
}

// Original returns what a surrogate, given to the recipient domain in this task, stands for.
func (t *Task) Original(recipient flow.DomainID, surrogate string) (Original, bool) {
	return Original{}, false
}

// Remember adds a value that must be found again by exact match in everything that leaves the task.
func (t *Task) Remember(value string, l flow.Label, supplier flow.AgentID) error { return nil }

// Known returns the values remembered. The slice is not to be changed.
func (t *Task) Known() []KnownValue { return nil }

// Version changes whenever Known does, and never comes back to an earlier value within a process.
func (t *Task) Version() uint64 { return 0 }

// Opened is what a token stands for.
type Opened struct {
	Value     flow.Secret
	Label     flow.Label
	Recipient flow.DomainID // the domain it was minted for
	Group     string
	Subject   flow.SubjectRef
	Epoch     string // of the keyring; erasing a token whose subject is unknown means retiring this epoch
}

// Resolve opens a token. It returns [ErrNoToken] alike for every token it cannot open.
func (v *Vault) Resolve(ctx context.Context, token string) (Opened, error) {
	return Opened{}, ErrNoToken
}

// Erase destroys the subject's keys, handles and vaulted values: its tokens stop resolving, and no new one equals an old one.
func (v *Vault) Erase(ctx context.Context, s flow.SubjectRef) error { return nil }

// Sweep deletes the memory of expired tasks and the counts of past days.
func (v *Vault) Sweep(ctx context.Context, now time.Time) error { return nil }

// Forget deletes the memory of a task that has ended.
func (v *Vault) Forget(ctx context.Context, key TaskKey) error { return nil }

// Span is a stand-in found in text: bytes Start to End.
type Span struct {
	Start, End int
	Token      bool   // a token for Resolve; else a surrogate for Task.Original
	Text       string // in canonical form
}

// FindTokens returns the tokens and surrogates in a text, in order, in linear time.
func FindTokens(text string) []Span { return nil }
