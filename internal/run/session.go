package run

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Bounds of a bridge.
const (
	maxChildren  = 64               // processes of one server
	childIdle    = 15 * time.Minute // after which a process without a call is ended
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 30 * time.Second
	healthy      = 10 * time.Second // a process that lived so long had not failed to start
)

// bridge serves one program as a streamable HTTP endpoint of MCP.
type bridge struct {
	all   *bridges
	agent flow.AgentID
	path  string

	mu       sync.Mutex // guards the fields below
	limit    int
	start    func(context.Context) (*Program, error)
	sessions map[string]*child // by session id; "" is the one that messages without a session share
	wait     time.Duration     // before the next start, after failures
	notUntil time.Time
	retired  bool
}

func (b *bridge) configure(limit int, start func(context.Context) (*Program, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit, b.start, b.retired = limit, start, false
}

// retire takes no new sessions; open ones go on until they are idle.
func (b *bridge) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = true
}

func (b *bridge) close() {
	b.mu.Lock()
	var all []*child
	for _, c := range b.sessions {
		all = append(all, c)
	}
	b.mu.Unlock()
	for _, c := range all {
		c.end()
		<-c.ended
	}
}

// Why a process cannot be had.
var (
	errBusy    = errors.New("the server has as many sessions as it may have; try again later")
	errBackoff = errors.New("the server's program ended; it is started again in a moment")
	errRetired = errors.New("the server is not configured any more")
	errNone    = errors.New("there is no such session")
)

// get returns the process of a session. A process is started for a new session, and where none has one. Ctx says what goes along with
// the start; the process outlives it.
func (b *bridge) get(ctx context.Context, session string, anew bool) (*child, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.sessions[session]; c != nil && !anew {
		return c, nil
	}
	switch {
	case session != "" && !anew:
		return nil, errNone
	case b.retired:
		return nil, errRetired
	case len(b.sessions) >= maxChildren:
		return nil, errBusy
	case time.Now().Before(b.notUntil):
		return nil, errBackoff
	}
	life, cancel := context.WithCancel(b.all.ctx)
	p, err := b.start(gateway.Along(life, ctx))
	if err != nil {
		cancel()
		b.failed()
		return nil, err
	}
	c := &child{program: p, cancel: cancel, session: session, pending: map[string]*waiting{}, ended: make(chan struct{})}
	if anew {
		c.session = rand.Text()
	}
	b.sessions[c.session] = c
	c.idle = time.AfterFunc(childIdle, c.end)
	go b.watch(c, b.limit, time.Now())
	return c, nil
}

// failed makes the next start wait longer. The caller holds the lock.
func (b *bridge) failed() {
	b.wait = min(max(2*b.wait, firstBackoff), maxBackoff)
	b.notUntil = time.Now().Add(b.wait)
}

// watch reads what the program writes until it ends, and clears up after it.
func (b *bridge) watch(c *child, limit int, began time.Time) {
	defer close(c.ended)
	c.readAll(limit)
	asked := c.stopping()
	err := c.program.Stop()
	c.cancel()
	b.mu.Lock()
	delete(b.sessions, c.session)
	switch {
	case asked:
	case time.Since(began) < healthy:
		b.failed()
	default:
		b.wait = 0
	}
	b.mu.Unlock()
	c.abandon()
	if !asked {
		b.all.log.Warn("a server's program ended by itself", "agent", string(b.agent), "error", err)
	}
}

// serve answers one HTTP request of the gateway.
func (b *bridge) serve(w http.ResponseWriter, r *http.Request) {
	session := r.Header.Get("Mcp-Session-Id")
	switch r.Method {
	case http.MethodPost:
		b.post(w, r, session)
	case http.MethodGet:
		c, err := b.get(r.Context(), session, false)
		if session == "" || err != nil {
			refuseHTTP(w, errNone)
			return
		}
		c.listen(w, r)
	case http.MethodDelete:
		c, err := b.get(r.Context(), session, false)
		if session == "" || err != nil {
			refuseHTTP(w, errNone)
			return
		}
		c.end()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (b *bridge) post(w http.ResponseWriter, r *http.Request, session string) {
	b.mu.Lock()
	limit := b.limit
	b.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err != nil {
		http.Error(w, "the message is too large or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, json.Limits{Bytes: limit}); err != nil {
		http.Error(w, "the message is not acceptable JSON", http.StatusBadRequest)
		return
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		http.Error(w, "the message is not JSON-RPC 2.0", http.StatusBadRequest)
		return
	}
	if session == "" && (rpc.Kind == wire.Success || rpc.Kind == wire.Failure) {
		refuseHTTP(w, errNone) // without a session nothing was asked
		return
	}
	ctx := b.all.hands.Take(r.Context(), r)
	c, err := b.get(ctx, session, rpc.Kind == wire.Call && rpc.Method == "initialize")
	if err != nil {
		refuseHTTP(w, err)
		return
	}
	if c.session != "" {
		w.Header().Set("Mcp-Session-Id", c.session)
	}
	if rpc.Kind != wire.Call {
		if err := c.tell(ctx, doc, rpc); err != nil {
			http.Error(w, "the server's program does not take messages", http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	c.call(w, r.WithContext(ctx), doc, rpc)
}

func refuseHTTP(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, errNone):
		status = http.StatusNotFound
	case errors.Is(err, errBusy), errors.Is(err, errBackoff):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, "the server cannot be reached", status)
}
