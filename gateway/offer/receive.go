package offer

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy/contract"
	"github.com/scrimhq/scrim/store"
)

// ContractsPath is where gateways of peers post offers, contracts and ends.
const ContractsPath = "/scrim/contracts"

// Reply is what a peer's gateway is told.
type Reply struct {
	State State         `json:"state,omitempty"` // how far the negotiation is here
	Rule  contract.Rule `json:"rule,omitempty"`  // that what was posted did not keep to
}

// RuleEnded is the rule of what belongs to a negotiation that is over.
const RuleEnded contract.Rule = "ended"

var errEnded = &contract.Error{Rule: RuleEnded}

// Receive takes a message of a peer. Via is the domain whose certificate the connection showed, "" if it showed none. The error is a
// [*contract.Error], which is on record; or the message could not be put on record.
func (b *Book) Receive(ctx context.Context, via flow.DomainID, raw []byte) (State, error) {
	state, from, err := b.receive(ctx, via, raw)
	if wrong, ok := errors.AsType[*contract.Error](err); ok {
		if rerr := b.refused(ctx, from, wrong); rerr != nil {
			return "", rerr
		}
	}
	return state, err
}

func (b *Book) receive(ctx context.Context, via flow.DomainID, raw []byte) (State, flow.DomainID, error) {
	if len(raw) > 0 && raw[0] != '{' {
		end, err := contract.ReadEnd(string(raw), b.opt.Domains)
		if err == nil && (end.By == b.opt.Domain || via != "" && via != end.By) {
			err = &contract.Error{Rule: contract.RuleSigner}
		}
		if err != nil {
			return "", via, err
		}
		state, err := b.end(ctx, end)
		return state, end.By, err
	}
	s, err := contract.Read(raw, b.opt.Domains)
	if err != nil {
		return "", via, err
	}
	if _, ours := s.Contract.Party(b.opt.Domain); !ours {
		return "", via, &contract.Error{Rule: contract.RuleSigner}
	}
	peer := s.Contract.Other(b.opt.Domain).Domain
	if !has(s.By, peer) || via != "" && via != peer || !b.opt.Domains.Pinned(peer) {
		return "", via, &contract.Error{Rule: contract.RuleSigner}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opt.Clock().Before(s.Contract.Expires) {
		return "", peer, &contract.Error{Rule: contract.RuleTime, Place: "exp"}
	}
	if s.Agreed() {
		state, err := b.agreed(ctx, peer, s)
		return state, peer, err
	}
	state, err := b.offered(ctx, peer, s)
	return state, peer, err
}

// offered takes an offer: the first of a negotiation, or the answer to what this domain offered last. The lock is held.
func (b *Book) offered(ctx context.Context, peer flow.DomainID, s *contract.Signed) (State, error) {
	e := b.entries[s.Contract.Negotiation]
	switch {
	case e == nil:
		if s.Contract.Version != 1 {
			return "", &contract.Error{Rule: contract.RuleVersion, Place: "version"}
		}
		if open, all := b.count(peer); open >= maxOpen || all >= maxOfPeer {
			return "", &contract.Error{Rule: contract.RuleSize, Place: "negotiations"}
		}
	case e.Peer != peer:
		return "", &contract.Error{Rule: contract.RuleAnother}
	case e.State == Ended:
		return Ended, errEnded
	case e.Signed.Contract.ID() == s.Contract.ID() && e.State != Offered:
		return e.State, nil // it came again
	case e.State != Offered:
		return "", &contract.Error{Rule: contract.RuleVersion, Place: "version"}
	default:
		if err := s.Contract.Answers(e.Signed.Contract); err != nil {
			return "", err
		}
	}
	next := &Entry{peer, Waiting, s, b.opt.Clock(), sendNothing}
	if err := b.put(ctx, next, peer, fmt.Sprintf("contract offered, version %d", s.Contract.Version)); err != nil {
		return "", err
	}
	if b.opt.Bounds == nil || b.signed(peer) >= maxByItself {
		return Waiting, nil
	}
	for _, bound := range b.opt.Bounds() {
		if bound.allows(s.Contract, b.opt.Domain, peer, b.opt.Clock()) {
			if _, err := b.accept(ctx, s.Contract.Negotiation, s.Contract.ID(), "contract accepted by configuration"); err != nil {
				b.opt.Fault(err) // it waits for a person
				return Waiting, nil
			}
			return Accepting, nil
		}
	}
	return Waiting, nil
}

// agreed takes a contract that the peer signed second: it must be exactly what this domain offered last. The lock is held.
func (b *Book) agreed(ctx context.Context, peer flow.DomainID, s *contract.Signed) (State, error) {
	e := b.entries[s.Contract.Negotiation]
	switch {
	case e == nil || e.Peer != peer:
		return "", &contract.Error{Rule: contract.RuleAnother}
	case e.State == Ended:
		return Ended, errEnded
	case e.Signed.Contract.ID() != s.Contract.ID():
		return "", &contract.Error{Rule: contract.RuleVersion, Place: "version"}
	case e.State == Agreed || e.State == Accepting:
		return e.State, nil // it came again
	case e.State != Offered:
		return "", &contract.Error{Rule: contract.RuleVersion, Place: "version"} // it was not this domain's offer
	}
	return Agreed, b.put(ctx, &Entry{peer, Agreed, s, b.opt.Clock(), sendNothing}, peer, "contract agreed")
}

// end takes the end of a negotiation by the peer. One that is not known needs no end.
func (b *Book) end(ctx context.Context, end contract.End) (State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[end.Negotiation]
	switch {
	case e == nil:
		return Ended, nil
	case e.Peer != end.By:
		return "", &contract.Error{Rule: contract.RuleSigner}
	case e.State == Ended:
		return Ended, nil
	}
	return Ended, b.put(ctx, &Entry{e.Peer, Ended, e.Signed, b.opt.Clock(), sendNothing}, end.By, "contract ended by the other domain")
}

func (b *Book) count(peer flow.DomainID) (open, all int) {
	for _, e := range b.entries {
		if e.Peer == peer {
			if all++; e.State == Waiting {
				open++
			}
		}
	}
	return open, all
}

// signed is how many contracts with a peer this domain has signed that have not ended.
func (b *Book) signed(peer flow.DomainID) (n int) {
	now := b.opt.Clock()
	for _, e := range b.entries {
		if e.Peer == peer && (e.State == Accepting || e.State == Agreed) && now.Before(e.Signed.Contract.Expires) {
			n++
		}
	}
	return n
}

// refused puts a message that was refused on record, so often in a second for each peer, and for all that are none, and no oftener.
func (b *Book) refused(ctx context.Context, from flow.DomainID, wrong *contract.Error) error {
	b.mu.Lock()
	f := b.refusals[from] // of peers and of "", for anybody
	if f == nil {
		f = &few{}
		b.refusals[from] = f
	}
	ok := f.admit(b.opt.Clock())
	b.mu.Unlock()
	if !ok {
		return nil
	}
	ev := b.event(from, from, flow.Refused, "contract "+string(wrong.Rule)+" "+wrong.Place, "")
	ev.Flow.To = flow.Party{Domain: b.opt.Domain}
	return b.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := b.opt.Journal.Append(tx, ev, audit.Private{})
		return err
	})
}

// few admits so many a second.
type few struct {
	second int64
	seen   int
}

func (f *few) admit(now time.Time) bool {
	if s := now.Unix(); s != f.second {
		f.second, f.seen = s, 0
	}
	f.seen++
	return f.seen <= 20
}

// Handler serves [ContractsPath]. Via returns the domain whose certificate a request's connection shows: "" if it needs none; an
// error if it shows another or none where one is needed.
func (b *Book) Handler(via func(*http.Request) (flow.DomainID, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		domain, err := via(r)
		if err != nil {
			reply(w, http.StatusForbidden, Reply{Rule: contract.RuleSigner})
			return
		}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*contract.MaxText))
		if err != nil {
			reply(w, http.StatusRequestEntityTooLarge, Reply{Rule: contract.RuleSize})
			return
		}
		state, err := b.Receive(r.Context(), domain, raw)
		wrong, ok := errors.AsType[*contract.Error](err)
		switch {
		case err == nil:
			reply(w, http.StatusOK, Reply{State: state})
		case ok && wrong.Rule == RuleEnded:
			reply(w, http.StatusConflict, Reply{State: Ended, Rule: wrong.Rule})
		case ok:
			reply(w, http.StatusBadRequest, Reply{Rule: wrong.Rule})
		default:
			b.opt.Fault(err)
			reply(w, http.StatusServiceUnavailable, Reply{})
		}
	})
}

func reply(w http.ResponseWriter, status int, v Reply) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = stdjson.NewEncoder(w).Encode(v) // whoever asked has gone
}

var _ gateway.Contracts = (*Book)(nil)
