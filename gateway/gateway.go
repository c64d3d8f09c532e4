package gateway

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base32"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the gateway's own tables: stored answers and the names of tasks.
func Schema() store.Schema { return store.Schema{Name: "gateway", FS: migrations} }

// Journal is the part of the evidence that the gateway writes. An entry is durable when the transaction is.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

// Hooks report what happens, for metrics. They get no value and must be quick; nil ones are left out.
type Hooks struct {
	Event func(flow.Event)             // recorded
	Act   func(Act)                    // the same, as far as it is about who brought it about
	Watch func(flow.Flow, Observation) // learn mode: one message that was only looked at
	Error func(error)                  // for the operator's log

	Exposed func(leaves int, over bool) // made coarser for what was shown before; over: the agent had added all that it may in a day

	Step   func(Step)            // one stretch of a message's way
	Call   func(Called)          // a call that came by the door and ended
	Sample func(asked bool) bool // whether a call is followed in a trace; asked: its caller, of this domain, wants it. Nil: none is
}

// Act is an event, with what is known of whoever brought it about.
type Act struct {
	Event   flow.Event
	Proven  bool // the caller that the event names did it: its credential, or the proof of its capability, came with the call
	Unknown int  // stand-ins in the message that stand for nothing

	Unrecorded bool // there is no row of it: one of too many refusals that anybody can bring about, or the journal could not be written
}

// Observation is what learn mode sees of a message: places and labels.
type Observation struct {
	Owner      flow.AgentID
	Leaves     []flow.Leaf
	Undeclared []Guess
}

// Guess is a place that no schema declares, with the label that it seems to have. A member's name is in the path only if
// it is a well-known word; any other is "*".
type Guess struct {
	Path   flow.Path
	Label  flow.Label // "" if nothing suggests one
	InText bool       // the value suggests it, not the member's name
}

// Options of a gateway. All fields without a default named are needed.
type Options struct {
	Store        store.DB
	Journal      Journal
	Vault        *vault.Vault
	Keys         *vault.Keyring
	Detector     *detect.Engine   // nil: the default one
	Capabilities *ledger.Ledger   // nil: no capability is taken
	Nonces       *identity.Nonces // for proofs; nil: of its own
	Hooks        Hooks
	Clock        func() time.Time // nil: time.Now
	Retention    Retention
	Contracts    Contracts // nil: there are none
	Freezes      Freezes   // nil: nothing is ever frozen
	Budgets      *Budgets  // nil: no question to a dataset is answered

	// Lost is a time up to which what was seen once may have been forgotten, since state was restored from a backup: no hop statement that was issued by then is
	// taken in. Zero: nothing was forgotten.
	Lost time.Time

	Exposure *exposure.Memory // nil: nothing is remembered of what was shown

	// Describe returns what may describe the arguments or results of an MCP server's tool, which only the MCP door knows. Nil: nothing
	// does, and of structured results that were sent by reference nothing is shown.
	Describe func(s *Snapshot, server flow.AgentID, tool string, dir flow.Direction) []*catalog.Schema
}

// Retention says how long things are kept; zero fields have the defaults named.
type Retention struct {
	Answers     time.Duration // answers to requests with an id; 24 h
	AnswerBytes int64         // of all answers kept; 64 MiB
	Tasks       time.Duration // names of tasks; 24 h
	Pushes      time.Duration // push notification configs; 7 days
}

// Gateway decides, changes and records flows. It is safe for concurrent use.
type Gateway struct {
	db          store.DB
	journal     Journal
	vault       *vault.Vault
	keys        *vault.Keyring
	contracts   Contracts
	freezes     Freezes  // nil: nothing is ever frozen
	open        sync.Map // *lasting, of the streams that a freeze may end
	budgets     *Budgets // nil: no question is answered
	lost        time.Time
	exposure    *exposure.Memory
	quotas      quotas
	detector    *detect.Engine
	ledger      *ledger.Ledger // nil: no capability is taken
	nonces      *identity.Nonces
	rights      rights
	sealInputs  *vault.AEAD
	sealAnswers *vault.AEAD
	sealPushes  *vault.AEAD
	sealHandles *vault.AEAD
	hooks       Hooks
	now         func() time.Time
	retention   Retention
	snap        atomic.Pointer[Snapshot]
	answers     heldAnswers
	tasks       taskNames
	strangers   strangers
	load        load
	borders     sync.Map // of the domain and another → *borderKeys
	readiness   readiness
	describe    func(*Snapshot, flow.AgentID, string, flow.Direction) []*catalog.Schema

	noHandle, noHandlePlain []byte // fixed by New

	kept       atomic.Int64 // bytes; see [Kept]
	traceNames sync.Map     // of the domain → permuter
	hops       hopMemory
	sealHops   *vault.AEAD
}

// New returns a gateway that serves the snapshot.
func New(opt Options, snap *Snapshot) (*Gateway, error) {
	if opt.Store == nil || opt.Journal == nil || opt.Vault == nil || opt.Keys == nil || snap == nil {
		return nil, errors.New("gateway needs a store, a journal, a vault, keys and a snapshot")
	}
	g := &Gateway{
		lost: opt.Lost, contracts: opt.Contracts, budgets: opt.Budgets, exposure: opt.Exposure,
		db: opt.Store, journal: opt.Journal, vault: opt.Vault, keys: opt.Keys, detector: opt.Detector, ledger: opt.Capabilities, hooks: opt.Hooks, now: opt.Clock,
		sealInputs: opt.Keys.AEAD("journal"), sealAnswers: opt.Keys.AEAD("answers"), sealPushes: opt.Keys.AEAD("pushes"), sealHops: opt.Keys.AEAD("hops"), sealHandles: opt.Keys.AEAD("handles"), describe: opt.Describe,
		retention: Retention{
			Answers:     orDefault(opt.Retention.Answers, 24*time.Hour),
			AnswerBytes: orDefault(opt.Retention.AnswerBytes, 64<<20),
			Tasks:       orDefault(opt.Retention.Tasks, 24*time.Hour),
			Pushes:      orDefault(opt.Retention.Pushes, 7*24*time.Hour),
		},
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.nonces = opt.Nonces; g.nonces == nil {
		g.nonces = identity.NewNonces(0, g.now)
	}
	if g.detector == nil {
		d, err := detect.New(detect.Options{Taxonomy: snap.Taxonomy})
		if err != nil {
			return nil, err
		}
		g.detector = d
	}
	if err := g.noHead(); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	if err := g.loadAnswers(context.Background()); err != nil {
		return nil, fmt.Errorf("reading the stored answers: %w", err)
	}
	if err := g.loadHops(context.Background()); err != nil {
		return nil, fmt.Errorf("reading what is known of hops: %w", err)
	}
	if opt.Freezes != nil {
		g.freezes, g.journal = opt.Freezes, &heldJournal{opt.Journal, opt.Freezes}
		opt.Freezes.Listen(g.endFrozen)
	}
	g.snap.Store(snap)
	return g, nil
}

// Snapshot returns the configuration in force. A message is decided by one snapshot from beginning to end.
func (g *Gateway) Snapshot() *Snapshot { return g.snap.Load() }

// Swap puts another configuration in force, after the change is on record.
func (g *Gateway) Swap(ctx context.Context, snap *Snapshot, reason string) error {
	ev := flow.Event{
		Time: g.now(), Outcome: flow.Changed, Reason: reason, ConfigHash: snap.ConfigHash, PolicyHash: snap.Policy.Hash(),
		Flow: flow.Flow{ID: NewFlowID(), From: flow.Party{Domain: snap.Domain}, To: flow.Party{Domain: snap.Domain}},
	}
	return g.SwapWith(ctx, snap, ev, nil)
}

// SwapWith is Swap with an event of its own and more in its transaction, which is done after the event is on record; nil: no more. Whatever fails, the
// configuration before stays in force and nothing was written.
func (g *Gateway) SwapWith(ctx context.Context, snap *Snapshot, ev flow.Event, also func(store.Tx, flow.Receipt) error) error {
	err := g.update(ctx, func(tx store.Tx) error {
		rc, err := g.journal.Append(tx, ev, audit.Private{})
		if err == nil && also != nil {
			err = also(tx, rc)
		}
		return err
	})
	if err != nil {
		return err
	}
	g.snap.Store(snap)
	g.told(ev)
	return nil
}

// NewFlowID returns a flow id: the millisecond, so that an index of ids grows at its end, and 80 random bits.
func NewFlowID() flow.ID {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	ms := uint64(time.Now().UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	return flow.ID(flowIDs.EncodeToString(b[:]))
}

// flowIDs is base32hex in lower case, whose order is that of the bytes.
var flowIDs = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func (g *Gateway) update(ctx context.Context, fn func(store.Tx) error) error {
	return g.db.Update(ctx, fn)
}

func (g *Gateway) told(ev flow.Event) { g.did(Act{Event: ev, Proven: true}) }

func (g *Gateway) did(a Act) {
	if g.hooks.Event != nil {
		g.hooks.Event(a.Event)
	}
	if g.hooks.Act != nil {
		g.hooks.Act(a)
	}
}

// Fault reports an error that no caller is told of.
func (g *Gateway) Fault(err error) {
	if g.hooks.Error != nil && err != nil {
		g.hooks.Error(err)
	}
}

// Refused puts a refusal on record and returns it with its reference. If even that cannot be written, the refusal says so. One that has
// a reference is on record already.
func (g *Gateway) Refused(ctx context.Context, s *Snapshot, f flow.Flow, err error) *Refusal {
	r := *refusalOf(err)
	if r.Ref != "" {
		return &r
	}
	r.Ref = f.ID
	ev := flow.Event{
		Time: g.now(), Flow: f, Outcome: flow.Refused, Reason: r.reason(),
		PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
	}
	if r.Rule == RuleConflict {
		ev.Outcome = flow.Conflict
	}
	act := Act{Event: ev, Proven: provenBy(ctx, &r)}
	entryOf(ctx).refused(s, &f, r.Rule)
	if bound := g.bounded(ctx, s, &r); bound != nil {
		more, ok := bound.admit(ev.Time)
		if !ok {
			act.Unrecorded = true
			g.did(act)
			return &r
		}
		if more > 0 {
			ev.Reason += fmt.Sprintf("and %d more before it", more)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // the refusal is on record even if the caller left
	defer cancel()
	werr := g.update(ctx, func(tx store.Tx) error {
		_, err := g.journal.Append(tx, ev, audit.Private{})
		return err
	})
	if werr != nil {
		g.Fault(werr)
		if r.Rule != RuleRecord {
			r.Cause = errors.Join(r.Cause, werr)
		}
		r.Rule, act.Unrecorded = RuleRecord, true
	}
	act.Event = ev
	g.did(act)
	g.Fault(&r)
	return &r
}

// bounded returns what counts refusals that anybody can bring about as often as they like; nil where a refusal is none
// of these. A credential that is refused counts against the address that it came from.
func (g *Gateway) bounded(ctx context.Context, s *Snapshot, r *Refusal) *strangers {
	switch {
	case r.Rule == RuleIdentity, r.unproven:
		if e := entryOf(ctx); e != nil && !errors.Is(r.Cause, identity.ErrUnavailable) && !errors.Is(r.Cause, capability.RuleNonce) {
			g.load.strikes.add(e.from, g.now(), s.Load.complete().Refusals)
		}
		return &g.strangers
	case r.Rule == RuleHop: // a peer that is wrong all the time must not fill the journal
		return &g.hops.refused
	case r.Rule == RuleRate, r.Rule == RuleBusy:
		return &g.load.refused
	}
	return nil
}

// Sweep deletes what has expired. It is to be called now and then, say once a minute.
func (g *Gateway) Sweep(ctx context.Context) error {
	now := g.now()
	err := g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM gateway_tasks WHERE expires < ?", now.Unix())
		return err
	})
	return errors.Join(err, g.sweepAnswers(ctx), g.sweepPushes(ctx), g.sweepHandles(ctx), g.sweepHops(ctx), g.vault.Sweep(ctx, now), g.sweepExposure(ctx, now))
}
