package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// ErrNoHandle is the error of [Client.Redeem] for a handle that is not there for this agent: unknown, expired, used up or
// forbidden. Which of these it is no gateway tells.
var ErrNoHandle = errors.New("there is no such handle for this agent")

// Headers of a redemption.
const (
	HeaderFlowID = "Scrim-Flow-Id"
	HeaderNote   = "Scrim-Note"
)

// Part is what a handle stood for, as policy lets this agent see it now.
type Part struct {
	Media string
	Body  []byte
	Note  flow.Note // what the gateway changed
}

// HandleOf reads a handle out of the metadata of an A2A part or the _meta of an MCP block: the part itself is fetched with
// [Client.Redeem]. It is false where the part is there as it is.
func HandleOf(meta map[string]any) (flow.Handle, bool) {
	var said struct {
		Handle flow.Handle `json:"handle"`
	}
	ok := extension(meta, &said) && len(said.Handle.Ref) > len(flow.HandleScheme)
	return said.Handle, ok
}

// ByReference marks a part that is sent: the metadata by which the gateway hands it on by reference. Zero values leave life and uses
// to the gateway.
func ByReference(life time.Duration, uses int) map[string]any {
	mark := map[string]any{}
	if life > 0 {
		mark["seconds"] = int64(life / time.Second)
	}
	if uses > 0 {
		mark["uses"] = uses
	}
	return map[string]any{"handle": mark}
}

// Redeem fetches what a handle stands for, of at most limit bytes; 0: 32 MiB. The handle's address must be one of the client's
// gateways. The fetch names itself, so that it takes one use of the handle however often it is tried.
func (c *Client) Redeem(ctx context.Context, h flow.Handle, limit int64) (Part, error) {
	if limit <= 0 {
		limit = c.body
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return Part{}, fmt.Errorf("%w: its address cannot be used", ErrNoHandle)
	}
	if c.gatewayOf(req.URL) == nil {
		return Part{}, fmt.Errorf("%w: its address is none of this client's gateways", ErrNoHandle)
	}
	req.Header.Set(HeaderFlowID, rand.Text())
	res, err := c.RoundTrip(req)
	if err != nil {
		return Part{}, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return Part{}, ErrNoHandle
	case res.StatusCode != http.StatusOK:
		return Part{}, fmt.Errorf("%w: status %d", ErrRefused, res.StatusCode)
	}
	p := Part{Media: res.Header.Get("Content-Type")}
	if said := res.Header.Get(HeaderNote); said != "" {
		if err := json.Unmarshal([]byte(said), &p.Note); err != nil {
			return Part{}, fmt.Errorf("%w: its note cannot be read", ErrRefused)
		}
	}
	if p.Body, err = io.ReadAll(io.LimitReader(res.Body, limit+1)); err != nil {
		return Part{}, err
	}
	if int64(len(p.Body)) > limit {
		return Part{}, ErrTooBig
	}
	return p, nil
}
