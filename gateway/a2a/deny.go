package a2a

import (
	"errors"
	"slices"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// denial is how a refusal is told to this caller.
func (c *call) denial(err error) wire.Denial {
	d := gateway.Denial(err, wire.MethodNotFound, c.supported()...)
	if _, ok := errors.AsType[*json.Error](err); ok && d.Reason == wire.InvalidRequest {
		d.Reason = wire.ParseError
	}
	return d
}

// supported are the versions that this binding carries and the agent, as far as it is known, speaks.
func (c *call) supported() []string {
	return slices.DeleteFunc(slices.Clone(versions), func(v string) bool {
		if !c.front.speaks(v) {
			return true
		}
		if c.agent == nil || c.agent.A2A == nil {
			return false
		}
		spoken := c.h.Cards.known(c.agent)
		return spoken != nil && !slices.Contains(spoken, v)
	})
}

// deny answers with the protocol's own error. The connection stays usable. A config that the caller is told of as not
// made is not kept; one beside a message is, for the task may be under way all the same.
func (c *call) deny(err error) {
	if c.pushed != nil && pushMethods[c.rpc.Method] == "set" {
		c.h.Pushes.forget(c.r.Context(), c.pushed.ID())
	}
	c.front.deny(c, c.denial(err))
}
