package run

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/wire"
)

// child is a process that speaks MCP in lines. Calls of several clients may be under way at once, so each gets an id of
// ours on its way in and its own again on its way out; everything else stays byte for byte.
type child struct {
	program *Program
	cancel  context.CancelFunc
	session string
	idle    *time.Timer
	wait    time.Duration // how long a line may take to write; 0: writeTime
	ended   chan struct{} // closed when the process has ended and nothing of it is left

	writing sync.Mutex // one line at a time

	mu      sync.Mutex // guards the fields below
	next    int64
	pending map[string]*waiting // by our id
	notices chan []byte         // of whoever listens to what nobody asked for; nil: nobody
	asked   bool                // to end
	gone    bool
}

// waiting is a call that the process has not answered.
type waiting struct {
	id    []byte // the caller's own, raw
	long  bool   // it is a subscription, whose notices bear its id
	token []byte // the caller's own progress token, raw; nil: none
	lines chan line
}

type line struct {
	body  []byte
	final bool
}

// writeTime is how long a process has to take a line.
const writeTime = 30 * time.Second

// backlog is how many notices of a call wait to be sent; more are left out. An answer always has a place.
const backlog = 64

// end closes the program's input, and kills it if that does not make it end.
func (c *child) end() {
	c.mu.Lock()
	c.asked = true
	c.mu.Unlock()
	_ = c.program.In.Close() // it may be closed already
	time.AfterFunc(stopTime, c.cancel)
}

// kill ends a process that does not listen.
func (c *child) kill() {
	_ = c.program.In.Close() // what is being written to it fails
	c.cancel()
}

func (c *child) patience() time.Duration {
	if c.wait > 0 {
		return c.wait
	}
	return writeTime
}

func (c *child) stopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// abandon tells everybody who waits that nothing more comes.
func (c *child) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	c.idle.Stop()
	for id, w := range c.pending {
		delete(c.pending, id)
		close(w.lines)
	}
	if c.notices != nil {
		close(c.notices)
		c.notices = nil
	}
}

// lineWriter is the input of a server that is told what goes along with each message.
type lineWriter interface {
	writeLine(ctx context.Context, line []byte) error
}

// write writes one line. A process that takes none for too long is ended: whoever writes waits with all who write after.
func (c *child) write(ctx context.Context, body []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	late := time.AfterFunc(c.patience(), c.kill)
	defer late.Stop()
	line := json.AppendLine(nil, body)
	if to, ok := c.program.In.(lineWriter); ok {
		return to.writeLine(ctx, line)
	}
	_, err := c.program.In.Write(line)
	return err
}

// await makes room for an answer, or reports that the process is gone.
func (c *child) await(w *waiting) (id string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return "", false
	}
	c.next++
	id = "scrim-" + strconv.FormatInt(c.next, 10)
	c.pending[id] = w
	c.idle.Reset(childIdle)
	return id, true
}

func (c *child) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// call sends a request and relays what comes of it: the answer alone as JSON, otherwise a stream that ends with it.
func (c *child) call(w http.ResponseWriter, r *http.Request, doc *json.Doc, rpc wire.RPC) {
	wait := &waiting{id: append([]byte(nil), rpc.ID...), long: rpc.Method == "subscriptions/listen", lines: make(chan line, backlog)}
	id, ok := c.await(wait)
	if !ok {
		refuseHTTP(w, errBackoff)
		return
	}
	defer c.forget(id)
	body, err := renamed(doc, id, wait)
	if err == nil {
		err = c.write(r.Context(), body)
	}
	if err != nil {
		http.Error(w, "the server's program does not take messages", http.StatusBadGateway)
		return
	}
	stream := false
	for {
		select {
		case <-r.Context().Done():
			if rpc.Method != "initialize" {
				_ = c.write(r.Context(), fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%q}}`, id)) // it may have ended
			}
			return
		case l, open := <-wait.lines:
			if !open && !stream {
				http.Error(w, "the server's program ended", http.StatusBadGateway)
			}
			if !open {
				return
			}
			if l.final && !stream {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(l.body) // the gateway may have gone
				return
			}
			if !stream {
				startEvents(w)
				stream = true
			}
			if !sendEvent(w, l.body) || l.final {
				return
			}
		}
	}
}

// renamed puts our id, and a progress token where there is one, in the place of the caller's.
func renamed(doc *json.Doc, id string, w *waiting) ([]byte, error) {
	e := doc.Edit()
	if n, ok := doc.Member(0, "id"); ok {
		e.Replace(n, json.AppendString(nil, id))
	}
	if n, ok := find(doc, 0, "params", "_meta", "progressToken"); ok {
		w.token = append([]byte(nil), doc.Raw(n)...)
		e.Replace(n, json.AppendString(nil, id))
	}
	return e.Apply(nil)
}

// tell sends what wants no answer. A request that is called off is named as the process knows it.
func (c *child) tell(ctx context.Context, doc *json.Doc, rpc wire.RPC) error {
	n, ok := find(doc, 0, "params", "requestId")
	if rpc.Method != "notifications/cancelled" || !ok {
		return c.write(ctx, doc.Src)
	}
	if c.session == "" {
		return nil // ids of callers that share the process are not told apart; a call ends with its request
	}
	raw := string(doc.Raw(n))
	c.mu.Lock()
	ours := ""
	for id, w := range c.pending {
		if string(w.id) == raw {
			ours = id
		}
	}
	c.mu.Unlock()
	if ours == "" {
		return nil // it was answered meanwhile
	}
	e := doc.Edit()
	e.Replace(n, json.AppendString(nil, ours))
	body, err := e.Apply(nil)
	if err != nil {
		return err
	}
	return c.write(ctx, body)
}

// readAll takes the process's lines until it ends or writes one that is too long.
func (c *child) readAll(limit int) {
	lines := json.NewLines(c.program.Out, limit)
	for {
		raw, err := lines.Next()
		if err != nil {
			return
		}
		if len(raw) > 0 {
			c.line(append([]byte(nil), raw...), limit)
		}
	}
}

// line finds out whom a line is for. What is not JSON-RPC is for nobody.
func (c *child) line(raw []byte, limit int) {
	doc := new(json.Doc)
	if doc.Parse(raw, nil, json.Limits{Bytes: limit}) != nil {
		return
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		return
	}
	switch rpc.Kind {
	case wire.Call:
		c.asks(rpc, raw)
	case wire.Notification:
		c.notice(doc, rpc, raw)
	default:
		c.answered(doc)
	}
}

// asks hands a request of the process to its client: on the stream of the call that is under way, if it is but one, else
// to whoever listens, else on any. Where nobody can be asked, the process is told so; a sign of life is always given. The
// gateway keeps what was asked, and takes no answer to anything else.
func (c *child) asks(rpc wire.RPC, raw []byte) {
	if c.session != "" && c.handed(raw) {
		return
	}
	body := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"There is no client that could be asked."}}`, rpc.ID)
	if rpc.Method == "ping" {
		body = fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":{}}`, rpc.ID)
	}
	_ = c.write(context.Background(), body) // it may have ended
}

func (c *child) handed(raw []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) != 1 && c.notices != nil {
		select {
		case c.notices <- raw:
			return true
		default: // whoever listens is too slow
		}
	}
	for _, w := range c.pending {
		if w.offer(raw) {
			return true
		}
	}
	if c.notices == nil {
		return false
	}
	select {
	case c.notices <- raw:
		return true
	default:
		return false
	}
}

func (c *child) answered(doc *json.Doc) {
	n, ok := doc.Member(0, "id")
	if !ok || doc.Nodes[n].Kind != json.String {
		return
	}
	id := doc.Text(n)
	c.mu.Lock()
	w := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if w == nil {
		return // called off
	}
	e := doc.Edit()
	e.Replace(n, w.id)
	subscribed(doc, e, "result", id, w)
	body, err := e.Apply(nil)
	if err != nil {
		close(w.lines)
		return
	}
	w.lines <- line{body, true} // notices leave a place free
}

// notice goes to the call it belongs to, else to whoever listens, else to some call that is under way.
func (c *child) notice(doc *json.Doc, rpc wire.RPC, raw []byte) {
	n, ok := find(doc, 0, "params", "progressToken")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscription(doc, rpc) {
		return
	}
	if rpc.Method == "notifications/progress" {
		if !ok || doc.Nodes[n].Kind != json.String {
			return
		}
		w := c.pending[doc.Text(n)]
		if w == nil || w.token == nil {
			return
		}
		e := doc.Edit()
		e.Replace(n, w.token)
		if body, err := e.Apply(nil); err == nil {
			w.offer(body)
		}
		return
	}
	if c.notices != nil {
		select {
		case c.notices <- raw:
		default: // whoever listens is too slow; a notice may be lost
		}
		return
	}
	if c.session == "" {
		return // it may concern anybody, and so nobody in particular
	}
	for _, w := range c.pending {
		w.offer(raw)
		return
	}
}

// subscription hands a notice of a subscription to whoever subscribed, and ends the stream of one that the process ended.
// The caller holds the lock.
func (c *child) subscription(doc *json.Doc, rpc wire.RPC) bool {
	if n, ok := find(doc, 0, "params", "requestId"); ok && rpc.Method == "notifications/cancelled" && doc.Nodes[n].Kind == json.String {
		id := doc.Text(n)
		if w := c.pending[id]; w != nil && w.long {
			delete(c.pending, id)
			close(w.lines)
			return true
		}
		return false
	}
	n, ok := find(doc, 0, "params", "_meta", metaSubscription)
	if !ok {
		return false
	}
	if doc.Nodes[n].Kind != json.String {
		return true // of nobody's
	}
	if w := c.pending[doc.Text(n)]; w != nil && w.long {
		e := doc.Edit()
		subscribed(doc, e, "params", doc.Text(n), w)
		if body, err := e.Apply(nil); err == nil {
			w.offer(body)
		}
	}
	return true
}

const metaSubscription = "io.modelcontextprotocol/subscriptionId"

// subscribed puts the subscriber's own id in the place of ours.
func subscribed(doc *json.Doc, e *json.Edits, under, id string, w *waiting) {
	if n, ok := find(doc, 0, under, "_meta", metaSubscription); ok && doc.Nodes[n].Kind == json.String && doc.Text(n) == id {
		e.Replace(n, w.id)
	}
}

// offer adds a notice if there is room for it and the answer. Only the reader adds.
func (w *waiting) offer(body []byte) bool {
	if len(w.lines) >= backlog-1 {
		return false
	}
	w.lines <- line{body: body}
	return true
}

// listen relays what nobody asked for.
func (c *child) listen(w http.ResponseWriter, r *http.Request) {
	notices := make(chan []byte, backlog)
	c.mu.Lock()
	if c.gone || c.notices != nil {
		c.mu.Unlock()
		http.Error(w, "there is a listener already", http.StatusConflict)
		return
	}
	c.notices = notices
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.notices == notices {
			c.notices = nil
		}
	}()
	startEvents(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case body, open := <-notices:
			if !open || !sendEvent(w, body) {
				return
			}
		}
	}
}

func startEvents(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // the next write tells
}

func sendEvent(w http.ResponseWriter, body []byte) bool {
	b := append([]byte("event: message\ndata: "), json.AppendLine(nil, body)...)
	if _, err := w.Write(append(b, '\n')); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// find follows member names down from a node.
func find(d *json.Doc, n int, names ...string) (int, bool) {
	for _, name := range names {
		if d.Nodes[n].Kind != json.Object {
			return -1, false
		}
		var ok bool
		if n, ok = d.Member(n, name); !ok {
			return -1, false
		}
	}
	return n, true
}
