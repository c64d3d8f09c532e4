package offer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy/contract"
)

// A peer whose gateway does not answer keeps nothing from the others.
func TestASilentPeerIsAskedOnceARound(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer", "lab")
	h := w.side["hospital"]
	w.down["lab"] = true
	for range 5 {
		_, err := h.Propose(ctx, "lab", w.draft())
		must(t, err)
	}
	e, err := h.Propose(ctx, "insurer", w.draft())
	must(t, err)
	h.Deliver(ctx)
	if len(h.sent) != 2 {
		t.Errorf("%d messages were sent in a round, want one to each peer", len(h.sent))
	}
	if got := w.side["insurer"].state(t, e.Signed.Contract.Negotiation); got != offer.Waiting {
		t.Errorf("at the insurer the negotiation is %s", got)
	}
}

// What is no answer of a peer's book, such as that of a proxy before its gateway, neither ends a contract nor tells that its end is known.
func TestAProxyEndsNoContract(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	h := w.side["hospital"]
	e, err := h.Propose(ctx, "insurer", w.draft())
	must(t, err)
	n := e.Signed.Contract.Negotiation
	proxy := func(status int, body string) {
		w.proxy["insurer"] = func(rw http.ResponseWriter) { rw.WriteHeader(status); _, _ = rw.Write([]byte(body)) }
	}
	for _, body := range []string{`{}`, `{"message":"no such page"}`, `null`, `<html>`} {
		for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusBadRequest} {
			proxy(status, body)
			h.Deliver(ctx)
			if got := h.state(t, n); got != offer.Offered {
				t.Fatalf("%d %s: the offer is %s", status, body, got)
			}
		}
	}
	delete(w.proxy, "insurer")
	h.Deliver(ctx)
	i := w.side["insurer"]
	_, err = i.Accept(ctx, n, e.Signed.Contract.ID())
	must(t, err)
	i.Deliver(ctx)
	_, err = h.Withdraw(ctx, n)
	must(t, err)
	proxy(http.StatusNotFound, `{"message":"no such page"}`)
	h.Deliver(ctx)
	delete(w.proxy, "insurer")
	h.Deliver(ctx)
	if got := i.state(t, n); got != offer.Ended {
		t.Errorf("the end never came to the insurer, which has it %s", got)
	}
}

// However many offers stay within what configuration agrees on, there are so many contracts that nobody looked at, and no more.
func TestConfigurationSignsSoManyAndNoMore(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	h, i := w.side["hospital"], w.side["insurer"]
	i.bounds = []offer.Bound{{Peer: "hospital", Names: []string{"prior-auth"}, Purposes: []flow.Purpose{"billing"}, Gives: map[flow.Label]flow.Level{"*": flow.Raw}, Life: 31 * 24 * 3600e9}}
	count := func() map[offer.State]int {
		h.Deliver(ctx)
		i.Deliver(ctx)
		all := map[offer.State]int{}
		for _, e := range i.All() {
			all[e.State]++
		}
		return all
	}
	for range 20 {
		_, err := h.Propose(ctx, "insurer", w.draft())
		must(t, err)
	}
	if all := count(); all[offer.Agreed] != 16 || all[offer.Waiting] != 4 {
		t.Errorf("of 20 offers are %v", all)
	}
}

// A counter-offer that says it has another name is not taken for one under the old.
func TestACounterOfferKeepsItsName(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	e, err := w.side["hospital"].Propose(ctx, "insurer", w.draft())
	must(t, err)
	w.side["hospital"].Deliver(ctx)
	d := w.draft()
	d.Ours, d.Theirs, d.Name = d.Theirs, d.Ours, "gold"
	if _, err := w.side["insurer"].Counter(ctx, e.Signed.Contract.Negotiation, d); !errors.Is(err, &contract.Error{Rule: contract.RuleAnother}) {
		t.Errorf("under another name: %v", err)
	}
	d.Name = ""
	if _, err := w.side["insurer"].Counter(ctx, e.Signed.Contract.Negotiation, d); err != nil {
		t.Errorf("under none: %v", err)
	}
}
