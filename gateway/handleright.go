package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// keptRight is by what right a flow happened from which a part was taken: its handle dies with it.
type keptRight struct {
	Tokens string `json:"tokens"`
}

func rightOf(a *Authority) *keptRight {
	if a == nil || a.Chain == nil {
		return nil
	}
	return &keptRight{a.Tokens().String()}
}

func (a *Authority) holder() string { return a.Holder() }

// rightful asks whether the right still holds by which the part was sent, and whether the redeemer comes by one that reaches so far. The
// redeemer is shown no more than both let be shown.
//
// Who got a reference by a capability redeems it by the same, or by one that was derived from it: a broader one, or a credential alone,
// would show more than was sent. By the very same nothing is asked again that was asked when the reference was made, apart from what time
// changes; one that was derived must admit the skill or tool that the part is of.
func (r *redeeming) rightful(ctx context.Context, asked *flow.Flow) error {
	h := r.head
	if h.Right != nil {
		var err error
		if r.kept, err = r.g.Stored(r.snap, h.Right.Tokens); err != nil {
			return r.refused("the right that it was sent by is at its end")
		}
	}
	var sent capability.Chain
	if r.kept != nil && h.Flow.Direction == flow.Response {
		sent = r.kept.Tokens()
	}
	shown := r.Authority.Tokens()
	if len(shown) < len(sent) || !slices.Equal(shown[:len(sent)], sent) {
		return r.refused("by another right than it was sent by")
	}
	if err := r.g.revoked(r.Authority, r.Caller.Party.Domain, h.Flow.Task.ID); err != nil {
		return noSuchHandle(err)
	}
	if len(sent) > 0 && len(sent) == len(shown) {
		return nil
	}
	of := h.Flow.Subject
	if of == "" && strings.HasPrefix(h.Flow.Protocol, "a2a/") {
		of = ":message" // what capabilities call the one skill of an agent where configuration names none
	}
	if err := r.g.Prove(ctx, r.snap, r.Authority, Invocation{Flow: *asked, NoTool: true, Of: of}); err != nil {
		return noSuchHandle(err)
	}
	return nil
}
