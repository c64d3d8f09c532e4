package a2a

import (
	"net/http"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

func denial(err error) wire.Denial { return gateway.Denial(err, wire.Unsupported, wire.A2A10) }

// deny answers with the protocol's own error. The connection stays usable.
func (c *call) deny(err error) {
	d := denial(err)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("A2A-Version", wire.A2A10)
	if d.Reason == wire.Unauthenticated {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="scrim"`)
	}
	status := d.A2AStatus()
	if status == 0 {
		status = http.StatusOK
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(d.A2A(c.rpc.ID))
}
