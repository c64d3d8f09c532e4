package gateway

import (
	"bytes"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/wire"
)

// WithID puts the id of this call into an answer; where it is the same, the bytes are.
func WithID(body, id []byte) []byte {
	d := json.Borrow()
	defer d.Return()
	if d.Parse(body, nil, json.Limits{}) != nil {
		return body
	}
	n, ok := d.Member(0, "id")
	if !ok || bytes.Equal(d.Raw(n), id) {
		return body
	}
	e := d.Edit()
	e.Replace(n, id)
	out, err := e.Apply(nil)
	if err != nil {
		return body
	}
	return out
}

// WithIDs does the same for each event of a stream.
func WithIDs(stream, id []byte) []byte {
	var out []byte
	r := wire.NewEventReader(bytes.NewReader(stream), wire.EventLimits{})
	for {
		ev, err := r.Next()
		if err != nil {
			return out
		}
		if len(ev.Data) == 0 {
			out = append(out, ev.Raw...)
			continue
		}
		out = ev.Append(out, WithID(ev.Data, id))
	}
}
