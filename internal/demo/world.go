package demo

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo/hospital"
	"github.com/scrimhq/scrim/internal/demo/insurer"
	"github.com/scrimhq/scrim/internal/demo/lab"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// The domains.
const (
	Hospital flow.DomainID = "hospital"
	Insurer  flow.DomainID = "insurer"
	Lab      flow.DomainID = "lab"
)

// The agents and servers. FrontDesk is the person or program that starts the story; it serves nothing.
const (
	FrontDesk   flow.AgentID = "front-desk"
	Intake      flow.AgentID = "intake"
	Coordinator flow.AgentID = "care-coordinator"
	Records     flow.AgentID = "records"
	PriorAuth   flow.AgentID = "prior-auth"
	Coverage    flow.AgentID = "coverage"
	Cohort      flow.AgentID = "cohort"
	Trials      flow.AgentID = "trials"
)

// Member is an agent or server of the demo.
type Member struct {
	ID     flow.AgentID
	Domain flow.DomainID
	MCP    bool // an MCP server, otherwise an A2A agent
}

// Members are all that serve something.
var Members = []Member{
	{Intake, Hospital, false}, {Coordinator, Hospital, false}, {Records, Hospital, true},
	{PriorAuth, Insurer, false}, {Coverage, Insurer, true},
	{Cohort, Lab, false}, {Trials, Lab, true},
}

// Hop is one way that messages take in the story, with what the sender claims for it towards its own gateway.
type Hop struct {
	From, To    flow.AgentID
	Purpose     flow.Purpose
	Criticality flow.Criticality
}

// Hops are all the ways of the story, in its order. The two that policies refuse are PriorAuth to Cohort and Cohort to Records.
var Hops = []Hop{
	{FrontDesk, Intake, "care-coordination", flow.Critical},
	{Intake, Records, "care-coordination", flow.Critical},
	{Intake, Coordinator, "care-coordination", flow.Critical},
	{Intake, PriorAuth, "prior-authorization", flow.Critical},
	{PriorAuth, Coverage, "prior-authorization", flow.Critical},
	{PriorAuth, Cohort, "prior-authorization", flow.Critical},
	{Intake, Cohort, "research-screening", flow.Routine},
	{Cohort, Trials, "research-screening", flow.Critical},
	{Cohort, Records, "research-screening", flow.Routine},
}

// Routes says how one agent reaches another. A zero endpoint means that it does not.
type Routes func(from, to flow.AgentID) node.Endpoint

// Options are the demo's. The zero value is the demo as it ships.
type Options struct {
	Seed     uint64 // of the patients; 0: 1
	Patients int    // how many; 0: 3,000
	Open     bool   // nodes let anybody in; without it each wants a credential of its own
}

// World is the demo's agents and servers. Its methods may be called at once after Start.
type World struct {
	db          *sql.DB
	listeners   map[flow.AgentID]net.Listener
	credentials map[flow.AgentID]flow.Secret
	nodes       map[flow.AgentID]*node.Running
}

// Files that a world makes: the hospital's patients in a database, and as one table, of which extracts are released.
const (
	Database = "patients.db"
	Registry = "registry.csv"
)

// New makes the patients up, in a database and the registry's file in dir, and takes a loopback port for each member, so that their
// addresses are known before anything runs. The caller calls Close in any case.
func New(ctx context.Context, dir string, opt Options) (*World, error) {
	w := &World{listeners: map[flow.AgentID]net.Listener{}, credentials: map[flow.AgentID]flow.Secret{}, nodes: map[flow.AgentID]*node.Running{}}
	seed, n := opt.Seed, opt.Patients
	if seed == 0 {
		seed = 1
	}
	if n == 0 {
		n = 3000
	}
	all := patients.Generate(seed, n)
	var err error
	if w.db, err = patients.Create(ctx, filepath.Join(dir, Database), all); err != nil {
		return nil, err
	}
	if err := patients.WriteRegistry(filepath.Join(dir, Registry), all); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	for _, m := range Members {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("taking a port for %s: %w", m.ID, err), w.Close())
		}
		w.listeners[m.ID] = ln
		if !opt.Open {
			w.credentials[m.ID] = flow.NewSecret(rand.Text())
		}
	}
	return w, nil
}

// Direct returns the member's own address and credential: what its gateway needs, and nobody else.
func (w *World) Direct(id flow.AgentID) node.Endpoint {
	ln := w.listeners[id]
	if ln == nil {
		return node.Endpoint{}
	}
	e := node.Endpoint{URL: node.AgentURL(ln), Bearer: w.credentials[id]}
	for _, m := range Members {
		if m.ID == id && m.MCP {
			e.URL = node.ServerURL(ln)
		}
	}
	return e
}

// Start starts every member. They end with ctx, or when Close is called.
func (w *World) Start(ctx context.Context, to Routes) error {
	for _, m := range Members {
		n, err := w.start(ctx, m.ID, to)
		if err != nil {
			return fmt.Errorf("starting %s: %w", m.ID, err)
		}
		w.nodes[m.ID] = n
	}
	return nil
}

func (w *World) start(ctx context.Context, id flow.AgentID, to Routes) (*node.Running, error) {
	opt := node.Options{Listener: w.listeners[id], Bearer: w.credentials[id]}
	switch id {
	case Intake:
		return hospital.StartIntake(ctx, opt, hospital.Peers{
			Records: to(id, Records), Coordinator: to(id, Coordinator), Insurer: to(id, PriorAuth), Lab: to(id, Cohort),
		})
	case Coordinator:
		return hospital.StartCoordinator(ctx, opt)
	case Records:
		return hospital.StartRecords(ctx, opt, w.db)
	case PriorAuth:
		return insurer.StartPriorAuth(ctx, opt, insurer.Peers{Coverage: to(id, Coverage), Lab: to(id, Cohort)})
	case Coverage:
		return insurer.StartCoverage(ctx, opt)
	case Cohort:
		return lab.StartCohort(ctx, opt, lab.Peers{Trials: to(id, Trials), Records: to(id, Records)})
	case Trials:
		return lab.StartTrials(ctx, opt)
	}
	return nil, errors.New("no such member")
}

// Received returns the last messages that reached the member, oldest first, byte for byte.
func (w *World) Received(id flow.AgentID) []node.Received {
	if n := w.nodes[id]; n != nil {
		return n.Received()
	}
	return nil
}

// Close ends every member and gives up the ports. The database file stays.
func (w *World) Close() error {
	var errs []error
	for id, ln := range w.listeners {
		if n := w.nodes[id]; n != nil {
			errs = append(errs, n.Close())
		} else {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(append(errs, w.db.Close())...)
}
