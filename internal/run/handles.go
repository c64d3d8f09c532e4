package run

import (
	"context"

	"github.com/scrimhq/scrim/gateway/handles"
)

// handles is the door at which parts that went by reference are redeemed.
func (r *Gateway) handles() *handles.Handler { return &handles.Handler{Gateway: r.Gateway} }

// kept is how many handles there are, and their bytes.
func (r *Gateway) kept() (count, bytes int64) {
	count, bytes, err := r.Gateway.Handles(context.Background())
	if err != nil {
		r.log.Error("counting handles", "error", err)
	}
	return count, bytes
}
