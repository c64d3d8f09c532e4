package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Inner is an MCP server that is part of this process. Messages to and from it take the road like those of any server;
// beside that it is asked about each request before it is on record, since what a request asks for can reveal as much
// as what an answer shows.
type Inner interface {
	http.Handler
	// Admit returns what the server must know of a request to answer it, which [Admitted] finds again in the context of
	// the call, or a [*Refusal]. It must not read any data: what it answers depends on policy and the request alone.
	Admit(ctx context.Context, e *Entering) (any, error)
	// Unknown finds the first place of a request that the tool has, but not for this caller, -1 if there is none: it is refused
	// like one that the tool does not have. It must not read any data.
	Unknown(ctx context.Context, e *Entering) (node int, place flow.Path, err error)
	// Shows reports whether the terms of an answer, by policy alone, leave its recipient anything of what a tool gives.
	Shows(tool string, leaves []flow.Leaf, terms []flow.LeafTerms) bool
}

// Entering is a request to an [Inner] server that is about to be on record.
type Entering struct {
	Gateway   *Gateway
	Snapshot  *Snapshot
	Authority *Authority
	Back      policy.Query // what policy will be asked about the answer
	Version   string       // of the protocol
	Tool      string       // "": no tool is called
	Bare      bool         // the caller wants the structured result alone
	Doc       *json.Doc    // the message as the caller wrote it
	Arguments int          // the node of the tool's arguments; -1: none
	Values    []Entered    // of the message, in its order
	Watched   bool         // nothing is enforced: learn mode, within the domain
	Kept      any          // what Unknown keeps for Admit
}

// Entered is one value of a request.
type Entered struct {
	Path   flow.Path
	Level  flow.Level
	Opened bool // it was a stand-in that came home, and the server gets the original
}

// Terms decides what of some columns the caller would be shown.
func (e *Entering) Terms(leaves []flow.Leaf) ([]flow.LeafTerms, error) {
	terms, err := e.Gateway.Terms(e.Snapshot, e.Authority, e.Back, leaves)
	if err != nil {
		return nil, err
	}
	if e.Watched {
		for i := range terms.Leaves {
			terms.Leaves[i].Treatment = flow.Treatment{Level: flow.Raw}
		}
	}
	return terms.Leaves, nil
}

// Remembered reports whether values of a label may be made coarser by what the caller's domain was shown before.
func (e *Entering) Remembered(l flow.Label) bool {
	return e.Gateway.exposure != nil && e.Snapshot.Exposure != nil && e.Back.Flow.To.Domain != e.Snapshot.Domain && e.Snapshot.Exposure.Concerns(l)
}

// Hidden reports whether a value, by what it looks like, would not be shown as it is where its label alone would let it.
func (e *Entering) Hidden(ctx context.Context, leaf flow.Leaf, value string) (bool, error) {
	c := collector{g: e.Gateway, m: &Message{Snapshot: e.Snapshot}, ctx: ctx}
	label := leaf.Label
	if err := c.raise(&leaf, value, nil); err != nil {
		return true, err
	}
	if leaf.Label == label && c.looks == "" {
		return false, nil
	}
	if leaf.Label == label {
		leaf.Label, leaf.Origin = c.looks, flow.Detected
	}
	terms, err := e.Terms([]flow.Leaf{leaf})
	return err != nil || terms[0].Level != flow.Raw, err
}

// Secret is a secret for the recipient's domain and purpose group, the same at every call: what is made by it cannot be
// joined between two of them.
func (e *Entering) Secret(of string) string {
	seed := e.Gateway.keys.Seed("inner server")
	h := hmac.New(sha256.New, seed[:])
	for _, s := range []string{string(e.Back.Flow.To.Domain), e.Snapshot.Group(e.Back.Flow.Purpose), of} {
		fmt.Fprintf(h, "%d %s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// admit asks an inner server about a request in the form in which it leaves.
func (c *changer) admit(watched bool) (any, error) {
	values := make([]Entered, len(c.leaves))
	for i := range c.leaves {
		values[i] = Entered{c.leaves[i].Path, c.terms[i].Level, c.targets[i].stand != nil && c.terms[i].Level == flow.Raw}
		if watched {
			values[i].Level, values[i].Opened = flow.Raw, false
		}
	}
	return c.m.Admit(c.ctx, values, watched)
}

type admittedKey struct{}

// WithAdmitted returns the context of a call to an inner server, with what it said of the request.
func WithAdmitted(ctx context.Context, p *Passed) context.Context {
	if p == nil || p.Admitted == nil {
		return ctx
	}
	return context.WithValue(ctx, admittedKey{}, p.Admitted)
}

// Admitted returns what [Inner.Admit] returned for the request of a context; nil where it was not asked.
func Admitted(ctx context.Context) any { return ctx.Value(admittedKey{}) }

// NewInner returns the way to a server that is part of this process.
func NewInner(h Inner) *Upstream {
	return &Upstream{URL: &url.URL{Scheme: "http", Host: "inner.invalid", Path: "/"}, client: &http.Client{Transport: inProcess{h}}, opt: UpstreamOptions{Body: innerTime}}
}

const innerTime = 2 * time.Minute // like any other upstream's body

// inProcess answers requests by a handler.
type inProcess struct{ h http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(r *http.Request) (res *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			res, err = nil, errors.New("the server broke down: "+store.PanicOf(v).Error())
		}
	}()
	w := &written{header: http.Header{}, status: http.StatusOK}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.h.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// written is an answer that is complete before anybody reads it.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
	begun  bool
}

// Header implements [http.ResponseWriter].
func (w *written) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *written) WriteHeader(status int) {
	if !w.begun {
		w.status, w.begun = status, true
	}
}

// Write implements [http.ResponseWriter].
func (w *written) Write(p []byte) (int, error) {
	w.begun = true
	return w.body.Write(p)
}
