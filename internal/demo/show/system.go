package show

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/vault"
)

const database = "scrim.db"

// domains in the order of the story.
var domains = []flow.DomainID{demo.Hospital, demo.Insurer, demo.Lab}

// foreign says through whose name an own agent reaches an agent of another domain: what the other gateway knows the caller by.
var foreign = map[[2]string]flow.AgentID{
	{string(demo.Hospital), string(demo.Cohort)}: demo.Intake,
	{string(demo.Insurer), string(demo.Cohort)}:  demo.PriorAuth,
	{string(demo.Lab), string(demo.Records)}:     demo.Cohort,
}

// exchange is one HTTP exchange as the caller saw it.
type exchange struct {
	from, to     flow.AgentID
	sent, answer []byte
}

// system is the world with a gateway round each domain. Close ends it and waits.
type system struct {
	dir       string
	world     *demo.World
	gateways  map[flow.DomainID]*run.Gateway
	consoles  map[flow.DomainID]*console.Console
	consoleAt map[flow.DomainID]string                       // their addresses
	base      map[flow.DomainID]string                       // of the gateways' URLs
	peering   map[flow.DomainID]string                       // addresses at which gateways meet
	file      map[flow.DomainID]string                       // scrim.yaml
	keys      map[flow.DomainID]map[flow.AgentID]flow.Secret // of callers, by gateway
	secrets   map[flow.DomainID]map[string]flow.Secret       // upstream credentials, by gateway
	served    map[flow.DomainID]served
	doors     map[flow.DomainID]ports // what each gateway listens on
	logger    *slog.Logger
	ctx       context.Context // of all gateways
	stop      context.CancelFunc
	serving   sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	seen   []exchange // oldest first
	errs   []error
	closed bool
}

// served is one gateway's running.
type served struct {
	stop  context.CancelFunc
	ended <-chan struct{}
}

// start lays everything out below dir and starts it.
func start(ctx context.Context, dir string, patients int, logger *slog.Logger) (_ *system, err error) {
	ctx, stop := context.WithCancel(ctx)
	s := &system{
		dir: dir, logger: logger, ctx: ctx, stop: stop, served: map[flow.DomainID]served{}, doors: map[flow.DomainID]ports{}, gateways: map[flow.DomainID]*run.Gateway{}, consoles: map[flow.DomainID]*console.Console{}, consoleAt: map[flow.DomainID]string{}, base: map[flow.DomainID]string{}, peering: map[flow.DomainID]string{}, file: map[flow.DomainID]string{},
		keys: map[flow.DomainID]map[flow.AgentID]flow.Secret{}, secrets: map[flow.DomainID]map[string]flow.Secret{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.world, err = demo.New(ctx, dir, demo.Options{Patients: patients}); err != nil {
		return nil, err
	}
	ports, err := s.listen()
	defer ports.close()
	if err != nil {
		return nil, err
	}
	s.makeKeys()
	for _, d := range domains {
		err := s.lay(d, ports[d].admin.Addr())
		if err == nil {
			err = s.open(d, ports[d])
		}
		if err != nil {
			return nil, fmt.Errorf("starting the gateway of %s: %w", d, err)
		}
	}
	if err := s.meet(ctx, demo.Hospital, demo.Insurer); err != nil {
		return nil, err
	}
	if err := s.world.Start(ctx, s.route); err != nil {
		return nil, err
	}
	return s, nil
}

// meet has two domains pin each other: each makes an authority for its certificates, and is told the other's fingerprint.
func (s *system) meet(ctx context.Context, one, other flow.DomainID) error {
	for _, d := range []flow.DomainID{one, other} {
		if _, err := s.gateways[d].Peers.InitAuthority(ctx, 0, false, vault.Rotation{}); err != nil {
			return fmt.Errorf("making the authority of %s: %w", d, err)
		}
	}
	for _, pair := range [][2]flow.DomainID{{one, other}, {other, one}} {
		fingerprint, _, ok := s.gateways[pair[1]].Peers.Identity()
		if !ok {
			return fmt.Errorf("%s has no identity", pair[1])
		}
		if _, err := s.gateways[pair[0]].Peers.Add(ctx, s.base[pair[1]], fingerprint); err != nil {
			return fmt.Errorf("%s pins %s: %w", pair[0], pair[1], err)
		}
	}
	return nil
}

// ports are a gateway's listeners. They are taken before anything is laid out, so that everybody's address is known.
type ports struct{ data, admin, peering net.Listener }

type allPorts map[flow.DomainID]*ports

// copy returns listeners on the same sockets. One that cannot be copied, as on Windows, is nil: the gateway takes its address again.
func (p ports) copy() *ports {
	again := func(ln net.Listener) net.Listener {
		tcp, ok := ln.(*net.TCPListener)
		if !ok {
			return nil
		}
		f, err := tcp.File()
		if err != nil {
			return nil
		}
		defer func() { _ = f.Close() }() // the listener has a descriptor of its own
		l, err := net.FileListener(f)
		if err != nil {
			return nil
		}
		return l
	}
	return &ports{again(p.data), again(p.admin), again(p.peering)}
}

// close closes the listeners that no gateway took.
func (all allPorts) close() {
	for _, p := range all {
		for _, ln := range []net.Listener{p.data, p.admin, p.peering} {
			if ln != nil {
				_ = ln.Close()
			}
		}
	}
}

func (s *system) listen() (allPorts, error) {
	all := allPorts{}
	for _, d := range domains {
		p := &ports{}
		all[d] = p
		for _, to := range []*net.Listener{&p.data, &p.admin, &p.peering} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return all, fmt.Errorf("taking a port for the gateway of %s: %w", d, err)
			}
			*to = ln
		}
		s.base[d] = "http://" + p.data.Addr().String()
		s.peering[d] = p.peering.Addr().String()
	}
	return all, nil
}

// makeKeys gives every caller a key of its own at every gateway.
func (s *system) makeKeys() {
	for _, d := range domains {
		s.keys[d] = map[flow.AgentID]flow.Secret{}
		for _, id := range []flow.AgentID{demo.FrontDesk, demo.Intake, demo.PriorAuth, demo.Cohort} {
			s.keys[d][id], _ = identity.NewKey()
		}
	}
}

// lay writes a domain's files: where everybody is, who may call with which key, and what the gateway itself presents.
func (s *system) lay(d flow.DomainID, admin net.Addr) error {
	vars := map[string]string{"DATABASE": filepath.Join(s.dir, demo.Database), "LISTEN": strings.TrimPrefix(s.base[d], "http://"), "ADMIN": admin.String(), "PEERING": s.peering[d]}
	secrets := map[string]flow.Secret{}
	for _, m := range demo.Members {
		up := s.world.Direct(m.ID)
		if m.Domain != d {
			door := "/a2a/"
			if m.MCP {
				door = "/mcp/"
			}
			up = node.Endpoint{URL: s.base[m.Domain] + door + string(m.ID), Bearer: s.keys[m.Domain][foreign[[2]string{string(d), string(m.ID)}]]}
			if d == demo.Hospital && m.Domain == demo.Insurer {
				up = node.Endpoint{URL: "https://" + s.peering[m.Domain] + door + string(m.ID)} // peers need no key
			}
		}
		vars[variable(m.ID)+"_URL"] = up.URL
		if !up.Bearer.IsZero() {
			secrets[string(m.ID)] = up.Bearer
		}
	}
	for id, key := range s.keys[d] {
		vars[variable(id)+"_KEY"] = identity.Digest(key.Expose())
	}
	var err error
	s.secrets[d] = secrets
	s.file[d], err = demo.Lay(filepath.Join(s.dir, string(d)), d, vars, secrets)
	return err
}

func variable(id flow.AgentID) string {
	return strings.ToUpper(strings.ReplaceAll(string(id), "-", "_"))
}

func (s *system) open(d flow.DomainID, p *ports) error {
	c, err := config.Load(s.file[d])
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(s.ctx)
	g, err := run.Open(ctx, c, run.Options{Logger: s.logger.With("domain", string(d)), Listen: p.data, Admin: p.admin, Peering: p.peering})
	if err != nil {
		stop()
		return err
	}
	admin, err := g.Console()
	if err != nil {
		stop()
		return errors.Join(err, g.Close())
	}
	s.gateways[d], s.consoles[d], s.consoleAt[d] = g, admin, c.Admin
	s.doors[d] = *p
	*p = ports{}
	ready, ended := make(chan struct{}), make(chan struct{})
	s.served[d] = served{stop, ended}
	s.serving.Go(func() {
		defer close(ended)
		defer stop()
		if err := g.Serve(ctx, admin, func(net.Addr, net.Addr) { close(ready) }); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errs = append(s.errs, fmt.Errorf("the gateway of %s: %w", d, err))
		}
	})
	select {
	case <-ready:
		return nil
	case <-ended: // the error is told when everything ends
		return errors.New("it did not start")
	}
}

// restart ends a gateway and starts it again, at the same addresses and with the same data.
func (s *system) restart(d flow.DomainID) error {
	idle()
	again := allPorts{d: s.doors[d].copy()} // before the gateway closes them, so that nobody else is given its ports meanwhile
	defer again.close()
	s.served[d].stop()
	<-s.served[d].ended
	if err := s.open(d, again[d]); err != nil {
		return fmt.Errorf("starting the gateway of %s again: %w", d, err)
	}
	return nil
}

// home is the domain of an agent.
func home(id flow.AgentID) flow.DomainID {
	for _, m := range demo.Members {
		if m.ID == id {
			return m.Domain
		}
	}
	return demo.Hospital // the front desk
}

// route is how one agent reaches another: always through its own domain's gateway, and from there, if need be, through
// the other's.
func (s *system) route(from, to flow.AgentID) node.Endpoint {
	for _, h := range demo.Hops {
		if h.From == from && h.To == to {
			e := node.Endpoint{
				URL: s.door(from, to), Bearer: s.keys[home(from)][from],
				Header: map[string]string{identity.HeaderPurpose: string(h.Purpose), identity.HeaderCriticality: h.Criticality.String()},
			}
			e.Seen = func(sent, answer []byte) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.seen = append(s.seen, exchange{from, to, sent, answer})
			}
			return e
		}
	}
	return node.Endpoint{}
}

// door is the address at the sender's own gateway.
func (s *system) door(from, to flow.AgentID) string {
	path := "/a2a/"
	for _, m := range demo.Members {
		if m.ID == to && m.MCP {
			path = "/mcp/"
		}
	}
	if home(from) != home(to) {
		path = "/out" + path
	}
	return s.base[home(from)] + path + string(to)
}

// exchanges are those between two, oldest first.
func (s *system) exchanges(from, to flow.AgentID) []exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []exchange
	for _, e := range s.seen {
		if e.from == from && e.to == to {
			all = append(all, e)
		}
	}
	return all
}

// close ends everything, waits for it, and returns what went wrong on the way. Closing again does nothing.
func (s *system) close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if s.world != nil {
		err = s.world.Close() // first, so that the gateways have nobody left to wait for
	}
	idle()
	s.stop()
	s.serving.Wait()
	idle()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(append(s.errs, err)...)
}
