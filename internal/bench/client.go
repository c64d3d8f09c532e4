package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/gateway"
)

// target is where calls are sent.
type target struct {
	url, path, key string
	holder         *holder // by whose capability, in place of the key; nil: none's
	hides          bool    // protected values are not to come back
	again          int     // how often a call may be sent once more when its connection broke: the plain proxy drops one now and then
}

// clients are connections that send calls of one kind. Of HTTP they do no more than is needed: what they take is taken
// from what is measured.
type clients struct {
	load   *payload
	to     target
	stream bool
	conns  []*conn
}

var calls atomic.Int64 // sent so far, by all clients: ids must not come twice

func newClients(load *payload, to target, n int, stream bool) *clients {
	c := &clients{load: load, to: to, stream: stream}
	for range n {
		c.conns = append(c.conns, new(conn))
	}
	return c
}

func (c *clients) close() {
	for _, conn := range c.conns {
		conn.close()
	}
}

// taken is what a round took.
type taken struct {
	whole, first []time.Duration
	size         int
}

// round sends so many calls over all connections.
func (c *clients) round(ctx context.Context, n int) (taken, error) {
	var left atomic.Int64
	left.Store(int64(n))
	got, errs := make([]taken, len(c.conns)), make([]error, len(c.conns))
	var wg sync.WaitGroup
	for w, conn := range c.conns {
		wg.Go(func() {
			for left.Add(-1) >= 0 && errs[w] == nil {
				if errs[w] = ctx.Err(); errs[w] == nil {
					errs[w] = c.one(conn, &got[w])
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return taken{}, err // the others say the same
		}
	}
	var all taken
	for i := range got {
		all.whole, all.first = append(all.whole, got[i].whole...), append(all.first, got[i].first...)
		all.size = max(all.size, got[i].size)
	}
	return all, nil
}

func (c *clients) one(conn *conn, got *taken) error {
	body := c.load.request(int(calls.Add(1)), c.stream)
	err := c.timed(conn, body, got)
	for n := 0; n < c.to.again && errors.Is(err, io.ErrUnexpectedEOF); n++ {
		conn.close()
		err = c.timed(conn, body, got)
	}
	return err
}

func (c *clients) timed(conn *conn, body []byte, got *taken) error {
	at := time.Now()
	res, err := conn.send(c.to, c.load.opt.Protocol, body)
	if err != nil {
		return err
	}
	var first time.Duration
	if c.stream {
		if _, err := conn.in.Peek(1); err != nil {
			return err
		}
		first = time.Since(at)
		got.first = append(got.first, first)
	}
	out, err := conn.body(res)
	if err != nil {
		return err
	}
	got.whole, got.size = append(got.whole, time.Since(at)), max(got.size, len(out))
	return c.check(res, out)
}

// check holds what came back to what it must be: a figure of a gateway that refuses, or lets through, is worth nothing.
func (c *clients) check(res *http.Response, out []byte) error {
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("a call was answered with status %d: %.600s", res.StatusCode, out)
	case !bytes.Contains(out, []byte(end)):
		return fmt.Errorf("an answer is not the agent's: %.600s", out)
	case c.load.opt.Findings > 0 && bytes.Contains(out, []byte(canary)) == c.to.hides:
		at := max(bytes.Index(out, []byte(canary))-200, 0)
		return fmt.Errorf("an answer should hide values: %v; it has …%.400s", c.to.hides, out[at:])
	}
	return nil
}

// conn is one connection that is kept open.
type conn struct {
	c   net.Conn
	in  *bufio.Reader
	out []byte
	buf bytes.Buffer
}

func (c *conn) close() {
	if c.c != nil {
		_ = c.c.Close() // nothing is left to say
		c.c = nil
	}
}

func (c *conn) send(to target, protocol string, body []byte) (*http.Response, error) {
	if c.c == nil {
		u, err := url.Parse(to.url)
		if err != nil {
			return nil, err
		}
		if c.c, err = net.Dial("tcp", u.Host); err != nil {
			return nil, err
		}
		c.in = bufio.NewReaderSize(c.c, 16<<10)
	}
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n",
		to.path, c.c.RemoteAddr(), len(body))
	if protocol == "mcp" {
		c.out = append(c.out, "Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: order\r\n"...)
	} else {
		c.out = append(c.out, "A2A-Version: 1.0\r\n"...)
	}
	switch {
	case to.holder != nil:
		proof, err := to.holder.prove(to.path, body)
		if err != nil {
			return nil, err
		}
		c.out = fmt.Appendf(c.out, "%s: %s\r\n%s: %s\r\nScrim-Criticality: critical\r\n", gateway.HeaderCapability, to.holder.chain, gateway.HeaderProof, proof)
	case to.key != "":
		c.out = fmt.Appendf(c.out, "Authorization: Bearer %s\r\nScrim-Criticality: critical\r\n", to.key)
	}
	c.out = append(append(c.out, "\r\n"...), body...)
	if _, err := c.c.Write(c.out); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.in, nil)
}

// body reads the rest of a response. It is valid until the next call.
func (c *conn) body(res *http.Response) ([]byte, error) {
	c.buf.Reset()
	if _, err := io.Copy(&c.buf, res.Body); err != nil {
		return nil, err
	}
	if res.Close {
		c.close()
	}
	return c.buf.Bytes(), nil
}
