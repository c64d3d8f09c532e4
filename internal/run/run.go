// Package run puts a gateway together from its configuration and keeps it running: state, keys, journal, doors, reload.
package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/api"
	evidence "github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/gateway/grants"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/interceptor"
	"github.com/scrimhq/scrim/gateway/lineage"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/observe/telemetry"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
)

// Options of a running gateway; the zero value is fine.
type Options struct {
	Logger     *slog.Logger // nil: nothing is logged
	Hooks      gateway.Hooks
	Store      store.Options
	Listen     net.Listener // nil: the configured address
	Admin      net.Listener // likewise
	Peering    net.Listener // likewise, where gateways of peers are listened for
	Models     Models
	Version    string            // of the program, as the console shows it
	Watcher    bool              // reload when files change
	Attestor   identity.Attestor // verifies evidence about callers' runtimes; nil: nobody is attested
	Unrecorded bool              // for benchmarks only: no decision is put on record, and so no retry is answered from it
	Learn      bool              // learn mode, whatever the file says; refused where agents of other domains are configured, or rules change by proposal
	Governed   bool              // run by a version of the rules that is in force already, or not at all
	// Release does what the admin API is asked for at /api/v1/release: it writes a table, tells how far it is line by line, and last how
	// it ended. Nil: this program releases none.
	Release func(ctx context.Context, g *Gateway, request json.RawMessage, tell func(line any)) error
}

// Gateway is a gateway with its state and its doors.
type Gateway struct {
	*State
	Gateway   *gateway.Gateway
	Learner   *Learner // nil unless in learn mode
	log       *slog.Logger
	opt       Options
	build     func(*config.Config) (*gateway.Snapshot, error)
	bridges   *bridges // nil where no program is fronted
	tools     *mcp.Tools
	terms     *offer.Terms
	sources   sources
	asks      *ask.Service
	published *stream.Publisher
	trace     *Lineage
	cert      certificate
	trust     *trust
	pushes    *a2a.Pushes
	handler   http.Handler
	proven    *proofs.Handler // serves the log and receipts
	metrics   *api.Metrics
	telemetry *telemetry.Exporter
	began     time.Time // when both ports listened; set before serving
	wall      func() time.Time
	serving   atomic.Bool // both ports listen, and the end was not asked for

	revocations *revocations.Exchange
	late        atomic.Pointer[error]           // why something that was told of lineage is not in force; nil: all is
	console     atomic.Pointer[console.Console] // the last that was asked for; nil: none was
	adminCert   certificate
	later       later // what pages began
	alarms      *alarm.Watch
	useful      *usefulness.Service
	alarmed     alarmed
	ring        *activity.Ring // of the latest flows
	sums        *activity.Sums // of all flows, by time
	backups     *Backups
	replaying   atomic.Bool

	ruling ruling // how the rules change that it decides by

	unheld atomic.Pointer[error] // why bundles are not in force; nil: they are

	mu        sync.Mutex // one reload at a time; guards the fields below
	carried   carried
	heldWords string   // which bundles are in force
	heldTried struct { // and which were to be put in force last, and when
		words string
		at    time.Time
	}
	config atomic.Pointer[config.Config]
}

// Open opens the state and builds the gateway. Nothing listens yet.
func Open(ctx context.Context, c *config.Config, opt Options) (*Gateway, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	quietLogger()
	c, ruled, err := InForce(ctx, c, opt)
	if err == nil && opt.Governed && !ruled {
		err = ErrUngoverned
	}
	if err != nil {
		return nil, err
	}
	t, err := newTrust(c, opt)
	if err != nil {
		return nil, err
	}
	b := newBridges(opt.Logger)
	r, err := open(ctx, c, opt, t, func(c *config.Config) (*gateway.Snapshot, error) {
		return snapshot(c, opt.Models, t, true, reachable(c, b.program(c), b.facades.inner, &b.pool))
	})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	r.bridges = b
	b.peers.Store(r.Peers)
	return r, nil
}

// quietLogger silences the standard logger of the process: net/http writes to it what a peer sent that it cannot place.
func quietLogger() { log.SetOutput(io.Discard) }

func open(ctx context.Context, c *config.Config, opt Options, t *trust, build func(*config.Config) (*gateway.Snapshot, error)) (*Gateway, error) {
	c, err := inMode(c, opt.Learn)
	if err != nil {
		return nil, err
	}
	snap, err := build(c)
	if err != nil {
		return nil, err
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	st, err := openState(ctx, c, opt.Store, func(err error) { opt.Logger.Error("fault", "error", err) })
	if err != nil {
		return nil, err
	}
	r := &Gateway{State: st, log: opt.Logger, opt: opt, build: build, metrics: api.NewMetrics(), tools: &mcp.Tools{}, trust: t, wall: time.Now, ruling: ruling{ends: make(chan error, 1)}}
	r.tools.Contracts = st.contracts()
	r.backups = &Backups{State: st, Config: r.Config, Program: cmp.Or(opt.Version, "devel")}
	if c, snap, err = r.held(c, snap); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.config.Store(c)
	r.know(c)
	r.telemetry = telemetry.New(r.metrics.Gatherer(), r.fault)
	r.revocations = r.exchange()
	if err := r.openAlarms(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := r.openActivity(ctx, c); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.join(snap)
	retire := r.sources.attach(c, snap, r.seed)
	snap, now, err := st.labelled(ctx, c, snap)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.carried = now
	r.keepRules(ctx, snap)
	t.believe(st.Peers)
	if c.Mode == config.Learn {
		r.Learner = NewLearner(c.Path(c.Data))
	}
	r.Gateway, err = gateway.New(gateway.Options{
		Store: recorded(st.DB, opt.Unrecorded), Journal: st.Log, Vault: st.Vault, Keys: st.Keys, Hooks: r.hooks(),
		Capabilities: st.Capabilities,
		Retention: gateway.Retention{
			Answers: time.Duration(c.Retention.Answers), AnswerBytes: int64(c.Retention.AnswersBytes), Tasks: time.Duration(c.Retention.Tasks),
			Pushes: time.Duration(c.Retention.Pushes),
		},
		Describe: r.tools.Schemas, Contracts: st.Contracts, Freezes: st.Freezes, Budgets: st.Budgets.gateway(), Nonces: t.given(), Exposure: st.Exposure, Lost: st.lostUntil(),
	}, snap)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := errors.Join(retire(), st.Budgets.declare(ctx, c, r.fault)); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := r.openRules(ctx, c, snap); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.metrics.Gauge("scrim_open_flows", "Calls at this time, open streams not counted.", func() float64 { n, _ := r.Gateway.Load(); return float64(n) })
	r.metrics.Gauge("scrim_open_streams", "Open streams.", func() float64 { _, n := r.Gateway.Load(); return float64(n) })
	r.metrics.Gauge("scrim_log_rows", "Rows of the journal that are in the transparency log.", func() float64 { return float64(st.Log.Sequenced()) })
	r.metrics.Gauge("scrim_log_stopped", "1 while nothing is released because rows do not reach the transparency log.", func() float64 {
		if st.Log.Healthy() != nil {
			return 1
		}
		return 0
	})
	r.measureLog()
	r.measureState()
	r.metrics.Gauge("scrim_frozen", "Agents, domains and datasets that are frozen.", func() float64 { return float64(st.Freezes.Count()) })
	r.metrics.Gauge("scrim_handles", "Parts that went by reference and can be redeemed.", func() float64 { n, _ := r.kept(); return float64(n) })
	r.metrics.Gauge("scrim_handle_bytes", "Bytes of these parts, and of what was redeemed of them.", func() float64 { _, n := r.kept(); return float64(n) })
	r.metrics.GaugeBy("scrim_exposure_subjects", "Subjects of whom an audience holds something, tasks about somebody unknown included.", "audience", func() map[string]float64 { return st.exposed(context.Background(), r.fault) })
	r.metrics.GaugeBy("scrim_budget_epsilon_left", "ε that a dataset has left, of its block with least, by the rule of composition that has most room.", "dataset", func() map[string]float64 { return r.Budgets.left(context.Background()) })
	r.metrics.Gauge("scrim_certificate_end_seconds", "When the certificate of the address for agents ends, in seconds since 1970; 0 without one.", func() float64 {
		if end := r.shownUntil(); !end.IsZero() {
			return float64(end.Unix())
		}
		return 0
	})
	r.watchWitness()
	r.pushes = &a2a.Pushes{
		Gateway: r.Gateway, URL: c.Push.URL, Keep: time.Duration(c.Push.Keep), Tries: c.Push.Tries, Queue: c.Push.Queue,
	}
	if err := r.pushes.Load(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.terms = &offer.Terms{Gateway: r.Gateway, Limits: func() offer.Limits {
		t := r.Config().Terms
		return offer.Limits{Rate: t.Rate, Variants: t.Variants}
	}}
	if r.published, err = st.Streams(c, r.publishing, r.fault); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	st.Freezes.Listen(r.published.Wake)
	r.asks = &ask.Service{Gateway: r.Gateway, Ledger: st.Budgets.Ledger, Language: ask.SQL{}, Streams: r.published}
	if r.trace, err = st.Trace(c, r.fault); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r.trace.Rules = func() evidence.Rules { return r.Config().LineageRules() }
	r.metrics.Gauge("scrim_lineage_entry", "Entry of the journal up to which lineage was followed.", func() float64 { return r.trace.followed(context.Background()) })
	r.beginBundles()
	r.useful = usefulness.New(usefulness.Options{Gateway: r.Gateway, DB: st.DB, Keys: st.Keys})
	r.handler = r.guard(r.health(r.Gateway.Door(r.doors())))
	return r, nil
}

// ErrLearn is the error of learn mode where flows would leave the domain.
var ErrLearn = errors.New("learn mode enforces nothing, so it is for one domain only; take agents of other domains out of the configuration")

// ErrLearnHeld is the error of learn mode where bundles of peers are subscribed to.
var ErrLearnHeld = errors.New("learn mode enforces nothing, so no bundle of a peer would be kept to; take subscriptions out of the configuration")

// ErrLearnGoverned is the error of learn mode that nobody agreed to.
var ErrLearnGoverned = errors.New("learn mode enforces nothing, and by the rules in force the mode is changed by proposal; propose mode: learn")

// inMode returns the configuration in learn mode if that is asked for.
func inMode(c *config.Config, learn bool) (*config.Config, error) {
	if !learn || c.Mode == config.Learn {
		return c, nil
	}
	if c.Governance.On() {
		return nil, ErrLearnGoverned
	}
	for _, a := range c.Agents {
		if !c.Own(a) {
			return nil, fmt.Errorf("agent %s belongs to %s: %w", a.ID, a.Domain, ErrLearn)
		}
	}
	if len(c.Subscribe) > 0 {
		return nil, ErrLearnHeld
	}
	next := *c
	next.Mode = config.Learn
	return &next, nil
}

// hooks joins those of the options with our own.
func (r *Gateway) hooks() gateway.Hooks {
	given := r.opt.Hooks
	h := gateway.Hooks{
		Exposed: r.metrics.Exposed,
		Event: func(ev flow.Event) {
			r.metrics.Event(ev)
			if given.Event != nil {
				given.Event(ev)
			}
		},
		Act: func(a gateway.Act) {
			r.ring.Add(a.Event, !a.Unrecorded)
			r.alarms.Act(alarm.Act{Event: a.Event, Proven: a.Proven, Unknown: a.Unknown})
			if given.Act != nil {
				given.Act(a)
			}
		},
		Error: func(err error) {
			r.fault(err)
			if given.Error != nil {
				given.Error(err)
			}
		},
		Watch: given.Watch,
	}
	r.measuring(&h)
	if r.Learner != nil {
		h.Watch = func(f flow.Flow, o gateway.Observation) {
			r.Learner.Watch(f, o)
			if given.Watch != nil {
				given.Watch(f, o)
			}
		}
	}
	return h
}

// doors are the addresses of the data port.
func (r *Gateway) doors() http.Handler {
	cards := &a2a.Cards{
		Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID(), Push: true,
		Fronts: []a2a.Front{{Binding: card.JSONRPC, Version: "1.0"}, {Binding: card.HTTPJSON, Version: "1.0"}, {Binding: card.GRPC, Version: "1.0"}, {Binding: card.JSONRPC, Version: "0.3"}},
	}
	tools, own := r.tools, r.own()
	mux := http.NewServeMux()
	mux.HandleFunc(a2a.KeysPath, cards.ServeKeys)
	mux.Handle(domain.Path, r.Peers)
	mux.Handle(offer.ContractsPath, r.contractDoor())
	mux.Handle(bundle.Path, r.bundleDoor())
	mux.Handle(revocations.ListPath, r.revocations)
	mux.Handle(revocations.PushPath, r.revocations)
	mux.Handle(WitnessPath, r.Witness.Handler())
	in := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards, Pushes: r.pushes, Own: own}
	out := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards, Pushes: r.pushes, Own: own}
	mux.Handle(in.Prefix, in)
	mux.Handle(out.Prefix, out)
	mux.Handle(a2a.PushPath, r.pushes)
	mux.Handle(a2a.GRPCPath, a2a.NewGRPC(in, out))
	servers := &mcp.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: tools}
	mux.Handle(servers.Prefix, servers)
	r.facadesOverREST(mux, servers)
	mux.Handle("/out/mcp/", &mcp.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/mcp/", Tools: tools})
	mux.Handle("/mcp/"+string(offer.Server), &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: own})
	mux.Handle("/out/mcp/"+string(offer.Server), &mcp.Own{Gateway: r.Gateway, Face: gateway.Outbound, Tools: own})
	mux.Handle("/interceptors", &interceptor.Server{Gateway: r.Gateway, Checker: &mcp.Checker{Gateway: r.Gateway, Tools: tools}})
	if r.trust != nil {
		mux.Handle(gateway.NoncePath, gateway.ServeNonce(r.trust.nonces))
	}
	mux.Handle(gateway.HandlePath, r.handles())
	questions := &ask.API{Service: r.asks}
	mux.Handle(ask.Path, questions)
	mux.Handle(ask.Path+"/", questions)
	mux.Handle(ask.StreamsPath, questions)
	mux.Handle(ask.StreamsPath+"/", questions)
	mux.HandleFunc(trace.FacetsPath, trace.ServeFacets)
	mux.Handle(grants.Path, r.grants())
	mux.Handle(usefulness.Path, r.useful)
	told := r.tellers()
	mux.Handle(lineage.Path, told)
	mux.Handle(lineage.APIPath, told)
	mux.Handle(gateway.MetadataPath+"/", &gateway.Metadata{Gateway: r.Gateway})
	r.proven = r.proofs()
	mux.Handle("/log/", r.proven)
	mux.Handle("/receipts/", r.proven)
	return gateway.Resources(r.Gateway, mux)
}

// Close ends the programs that the gateway started, signs the journal and closes everything.
func (r *Gateway) Close() error {
	r.later.close()
	if con := r.console.Load(); con != nil {
		con.Close()
	}
	var err error
	if r.bridges != nil {
		err = r.bridges.Close()
	}
	r.telemetry.Close()
	return errors.Join(err, r.sources.close(), r.State.Close())
}

// Handler is the data port.
func (r *Gateway) Handler() http.Handler { return r.handler }

// Config is the configuration in force.
func (r *Gateway) Config() *config.Config { return r.config.Load() }

// fault logs what no caller is told of. Refusals are a normal outcome.
func (r *Gateway) fault(err error) {
	if ref, ok := errors.AsType[*gateway.Refusal](err); ok {
		r.log.Info("flow refused", "rule", string(ref.Rule), "place", string(ref.Place), "reference", string(ref.Ref), "cause", cause(ref))
		return
	}
	r.log.Error("fault", "error", err)
}

func cause(r *gateway.Refusal) string {
	if r.Cause == nil {
		return ""
	}
	return r.Cause.Error()
}

// Reload reads the configuration again, checks it, builds a new snapshot and puts it in force. On any mistake the old one stays. With governance the
// rules in force are read again, with secrets and what else is no rule; see [Gateway.ApplyRules] for others.
func (r *Gateway) Reload(ctx context.Context, why string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.config.Load()
	next, done, err := r.next(ctx, old)
	if err == nil {
		next, err = inMode(next, r.opt.Learn)
	}
	if err == nil {
		err = fixed(old, next)
	}
	if err == nil {
		err = r.adopt(ctx, next, "reloaded: "+why, nil)
	}
	if err != nil {
		return fmt.Errorf("reloading: the old configuration stays in force: %w", err)
	}
	done()
	return nil
}

// adopt puts a configuration in force, held to what bundles ask for now, and with it the version that comes, if one does. After a mistake the old one stays and
// nothing of the version was written. It is called with r.mu held.
func (r *Gateway) adopt(ctx context.Context, next *config.Config, why string, coming *governance.Coming) error {
	set := bundleSettings(next)
	all := r.Bundles.HeldBy(set)
	next = next.HeldTo(heldBy(all, r.Gateway.Snapshot().Policy))
	snap, err := r.build(next)
	if err != nil {
		return wrongRules{err}
	}
	plans, err := streamPlans(next)
	if err != nil {
		return wrongRules{err}
	}
	r.join(snap)
	retire := r.sources.attach(next, snap, r.seed)
	snap, now, err := r.labelled(ctx, next, snap)
	if err != nil {
		return err
	}
	r.keepRules(ctx, snap)
	if held := "held to bundles: " + told(all); bundles.Words(all) != r.heldWords && why != held { // a subscription that is gone, too, is on record
		why += "; " + held
	}
	if err := r.swap(ctx, next, snap, why, coming); err != nil {
		return err
	}
	r.carried = now
	r.Bundles.Configure(set)
	r.Bundles.Running(all)
	r.heldWords = bundles.Words(all)
	if err := retire(); err != nil {
		r.log.Error("closing sources of the configuration before", "error", err)
	}
	if err := r.Peers.Configure(ctx, peerSettings(next)); err != nil {
		r.log.Error("peers are not as the new configuration has them; reload again", "error", err)
	}
	r.published.Set(plans)
	r.bounds.Store(&next.Terms)
	r.Capabilities.Believe(believed(next))
	r.Witness.Follow(next.Witnessed())
	if err := r.cosigners.set(next); err != nil {
		r.log.Error("witnesses are not as the new configuration has them", "error", err)
	}
	r.config.Store(next)
	r.know(next)
	if con := r.console.Load(); con != nil {
		con.Recheck()
	}
	if err := r.sendTelemetry(next); err != nil {
		r.log.Error("telemetry is sent as before", "error", err)
	}
	if r.bridges != nil {
		r.bridges.retire(next)
	}
	r.renewCertificate()
	r.log.Info("configuration reloaded", "why", why, "config", next.Hash(), "policy", snap.Policy.Hash())
	return nil
}

// swap puts budgets and the snapshot of a configuration in force. The ledger has transactions of its own, so if the rest fails it gets back what it was told
// before, as far as that gives back nothing that was spent.
func (r *Gateway) swap(ctx context.Context, next *config.Config, snap *gateway.Snapshot, why string, coming *governance.Coming) error {
	err := wrongBudgets(r.Budgets.declare(ctx, next, r.fault))
	switch {
	case err != nil:
	case coming != nil:
		coming.Event.PolicyHash, coming.Event.ConfigHash = snap.Policy.Hash(), snap.ConfigHash
		err = r.Gateway.SwapWith(ctx, snap, coming.Event, coming.Put)
	default:
		err = r.Gateway.Swap(ctx, snap, why)
	}
	if err != nil {
		err = errors.Join(err, r.Budgets.declare(context.WithoutCancel(ctx), r.config.Load(), r.fault))
	}
	return err
}

// fixed refuses changes that need a restart.
func fixed(old, next *config.Config) error {
	var bad []error
	check := func(name string, same bool) {
		if !same {
			bad = append(bad, fmt.Errorf("%s cannot change while the gateway runs; restart it", name))
		}
	}
	check("domain", old.Domain == next.Domain)
	check("data", old.Data == next.Data)
	check("store", sameSecret(old.Store.Postgres, next.Store.Postgres) && old.Store.Schema == next.Store.Schema)
	check("listen", old.Listen == next.Listen)
	check("tls", old.TLS.On() == next.TLS.On())
	check("tls.svid", old.TLS.SVID == next.TLS.SVID)
	check("identity.spiffe.workload_api", old.Identity.SPIFFE.WorkloadAPI == next.Identity.SPIFFE.WorkloadAPI)
	check("tls.min", old.TLS.Min == next.TLS.Min)
	check("admin", old.Admin == next.Admin)
	check("console.disabled", old.HasConsole() == next.HasConsole())
	check("console.tls", old.Console.TLS.On() == next.Console.TLS.On())
	check("console.public_url", strings.HasPrefix(old.Console.PublicURL, "https://") == strings.HasPrefix(next.Console.PublicURL, "https://"))
	check("keys", old.Keys == next.Keys)
	check("mode", old.Mode == next.Mode)
	check("witness.name", old.WitnessName() == next.WitnessName())
	check("metrics", old.Metrics == next.Metrics)
	check("hooks.extmcp.listen", extMCPAddress(old) == extMCPAddress(next))
	check("push", old.Push == next.Push)
	check("budgets.shared", sameSecret(old.Budgets.Shared, next.Budgets.Shared))
	check("lineage.nodes", old.Lineage.Nodes == next.Lineage.Nodes)
	check("lineage.edges", old.Lineage.Edges == next.Lineage.Edges)
	check("lineage.emit", slices.EqualFunc(old.Lineage.Emit, next.Lineage.Emit, func(a, b config.LineageTarget) bool { return a.Same(&b) }))
	check("peering.listen", old.Peering.Listen == next.Peering.Listen)
	return errors.Join(bad...)
}

// sameSecret reports whether both are read from the same place; where in the file that is written does not matter.
func sameSecret(a, b *config.SecretText) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Env == b.Env && a.File == b.File
}

// recorded returns the database, or one that writes nothing.
func recorded(db store.DB, not bool) store.DB {
	if not {
		return unrecorded{db}
	}
	return db
}

type unrecorded struct{ store.DB }

// Update implements [store.DB] by doing nothing.
func (unrecorded) Update(context.Context, func(store.Tx) error) error { return nil }
