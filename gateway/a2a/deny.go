package a2a

import (
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

func denial(err error) wire.Denial { return gateway.Denial(err, wire.Unsupported, wire.A2A10) }

// deny answers with the protocol's own error. The connection stays usable.
func (c *call) deny(err error) { c.front.deny(c, denial(err)) }
