package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// ReadStream names what is read of a stream.
type ReadStream struct {
	Dataset string    `json:"dataset"`
	Stream  string    `json:"stream"`
	Window  int       `json:"window,omitempty"` // sums over so many steps; 0: since the stream began
	Until   time.Time `json:"until,omitzero"`
	Points  int       `json:"points,omitempty"` // 0: 1
}

// ListedStreams are streams with what may be known of them.
type ListedStreams struct {
	Streams []stream.Info `json:"streams"`
}

// ListStreams tells which streams there are, and why one does not go on.
func ListStreams(ctx context.Context, p *stream.Publisher, _ struct{}) (ListedStreams, error) {
	all, err := p.List(ctx)
	if all == nil {
		all = []stream.Info{}
	}
	return ListedStreams{all}, err
}

// ReadStreams returns what a stream released, in the form that all doors give.
func ReadStreams(ctx context.Context, p *stream.Publisher, q ReadStream) (json.RawMessage, error) {
	in, err := p.Stream(ctx, q.Dataset, q.Stream)
	if err != nil {
		return nil, err
	}
	over, err := in.Over(q.Window)
	if err != nil {
		return nil, err
	}
	got, err := p.Read(ctx, stream.Ask{Dataset: q.Dataset, Stream: q.Stream, Over: over, Until: q.Until, Points: q.Points})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(got)
	if err != nil {
		return nil, fmt.Errorf("writing what was read: %w", err)
	}
	return text, nil
}

func (a *API) streams() {
	const none = "this gateway publishes no streams"
	partCall(a, "/api/v1/streams/list", a.opt.Streams, none, ListStreams)
	partCall(a, "/api/v1/streams/read", a.opt.Streams, none, ReadStreams)
}
