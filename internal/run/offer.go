package run

import (
	"github.com/scrimhq/scrim/gateway/offer"
)

// own are the tools that the gateway itself offers to agents, in the order in which its MCP address lists them.
func (r *Gateway) own() *offer.Registry {
	return offer.New(append([]offer.Tool{r.terms.Tool(), r.handles().Tool(), r.useful.Tool()}, r.asks.Tools()...)...)
}
