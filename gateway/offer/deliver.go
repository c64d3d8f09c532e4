package offer

import (
	"context"
	stdjson "encoding/json"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/contract"
)

// again is how long what could not be sent waits.
const again = 30 * time.Second

// Run sends to peers what is to be sent, until ctx is done.
func (b *Book) Run(ctx context.Context) {
	if b.opt.Send == nil {
		return
	}
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		b.Deliver(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-b.wake:
		}
	}
}

func (b *Book) rouse() {
	select {
	case b.wake <- struct{}{}:
	default: // it is awake
	}
}

// Deliver tries to send everything that is to be sent, once. A peer that does not answer is left for the next time, so that others do
// not wait for it.
func (b *Book) Deliver(ctx context.Context) {
	silent := map[flow.DomainID]bool{}
	for _, e := range b.All() {
		if e.unsent == sendNothing || silent[e.Peer] || ctx.Err() != nil {
			continue
		}
		if err := b.deliver(ctx, e); err != nil {
			b.opt.Fault(err)
			silent[e.Peer] = true
		}
	}
}

// deliver sends one entry and takes the peer's word for how far the negotiation is. Whatever changed meanwhile stays.
func (b *Book) deliver(ctx context.Context, e Entry) error {
	body := e.Signed.Bytes()
	if e.unsent == sendEnd {
		signer, err := b.signer()
		if err != nil {
			return err
		}
		text, err := contract.End{Negotiation: e.Signed.Contract.Negotiation, At: e.Changed}.Sign(signer)
		if err != nil {
			return err
		}
		body = []byte(text)
	}
	status, answer, err := b.opt.Send(ctx, e.Peer, body)
	if err != nil {
		return err
	}
	var told Reply
	if stdjson.Unmarshal(answer, &told) != nil || status >= http.StatusInternalServerError || status == http.StatusForbidden || status == http.StatusTooManyRequests {
		return nil // it is tried again
	}
	switch {
	case told.State == "" && told.Rule == "":
		return nil // whoever answers at this address, it is no book
	case told.Rule == contract.RuleSigner:
		return nil // the peer may not have looked at this domain's new key yet
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.entries[e.Signed.Contract.Negotiation]
	if now == nil || now.State != e.State || now.Signed.Contract.ID() != e.Signed.Contract.ID() || now.unsent != e.unsent {
		return nil
	}
	next := *now
	next.unsent, next.Changed = sendNothing, b.opt.Clock()
	reason := ""
	switch {
	case e.unsent == sendEnd:
	case told.State == Ended || status != http.StatusOK:
		// The other side has ended it, or will not have it: no flow may go by it, and no answer will come.
		next.State, reason = Ended, "contract refused by the other domain"
	case e.State == Accepting && (told.State == Agreed || told.State == Accepting):
		next.State, reason = Agreed, "contract agreed"
	}
	return b.put(ctx, &next, e.Peer, reason)
}
