package proofs

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Answer is what GET /receipts/{reference} says.
type Answer struct {
	Reference flow.ID  `json:"reference"`
	Log       string   `json:"log"` // origin of the log; trees are called so, or so and their period
	Records   []Record `json:"records"`
}

// Record is one entry of the flow.
type Record struct {
	Promise string `json:"promise"`         // signed note
	Proof   string `json:"proof,omitempty"` // tlog-proof, once the entry is under a published checkpoint
	COSE    []byte `json:"cose,omitempty"`  // COSE receipt, in base64, the same
}

// maxRecords bounds an answer: a flow of many segments has a row for each.
const maxRecords = 64

// receipts answers the two parties of a flow. To everybody else there is no such flow.
func (h *Handler) receipts(w http.ResponseWriter, r *http.Request, ref flow.ID) {
	ctx, s := r.Context(), h.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: "receipts", To: flow.Party{Domain: s.Domain}, Direction: flow.Request}
	caller, _, err := h.caller(r, s)
	if err == nil && caller.Anonymous {
		err = gateway.Refuse(gateway.RuleIdentity, nil, "Receipts are for the parties of a flow.")
	}
	if err != nil {
		f.From = caller.Party
		h.deny(w, r, s, h.Gateway.Refused(ctx, s, f, err))
		return
	}
	a, err := h.Receipts(ctx, ref, func(ev *flow.Event) bool { return party(ev.Flow, caller.Party) })
	head := w.Header()
	head.Set("Cache-Control", "private, no-store")
	switch {
	case errors.Is(err, ErrUnknown):
		http.Error(w, "There is no such flow for this caller.", http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, "the log cannot be read at the moment", http.StatusServiceUnavailable)
		return
	}
	if len(a.Records) > 0 && a.Records[len(a.Records)-1].Proof == "" {
		head.Set("Retry-After", "1")
	}
	body, err := json.Marshal(a)
	h.give(w, r, append(body, '\n'), err, "application/json", "private, no-store")
}

// party reports whether somebody is one of the two between whom a flow goes.
func party(f flow.Flow, who flow.Party) bool {
	is := func(p flow.Party) bool { return p.Agent != "" && p.Agent == who.Agent && p.Domain == who.Domain }
	return is(f.From) || is(f.To)
}

// ErrUnknown says that the journal has no such flow, or none for whoever asks.
var ErrUnknown = errors.New("no such flow")

// Receipts returns the promises and proofs of a flow's entries that may be told; nil: of all. In a reference's place may be the number of an
// entry, which its promise names.
func (h *Handler) Receipts(ctx context.Context, ref flow.ID, may func(*flow.Event) bool) (Answer, error) {
	a := Answer{Reference: ref}
	if ref == "" {
		return Answer{}, ErrUnknown
	}
	trees := map[string]tile.Checkpoint{}
	q := audit.Query{Flow: ref, Limit: maxRecords}
	if seq, err := strconv.ParseInt(string(ref), 10, 64); err == nil && seq > 0 {
		q = audit.Query{From: seq, To: seq}
	}
	for e, err := range h.Journal.Entries(ctx, q) {
		if err != nil {
			return Answer{}, err
		}
		if may != nil && !may(&e.Event) {
			continue
		}
		rec, log, err := h.record(ctx, e.Seq, e.Hash, e.Event.Time, trees)
		if err != nil {
			return Answer{}, err
		}
		a.Log, a.Records = log, append(a.Records, rec)
	}
	if len(a.Records) == 0 {
		return Answer{}, ErrUnknown
	}
	return a, nil
}

// record promises and, if it can, proves one row. Checkpoints that were read are kept in trees.
func (h *Handler) record(ctx context.Context, seq int64, leaf [32]byte, at time.Time, trees map[string]tile.Checkpoint) (rec Record, log string, err error) {
	p, ok, err := h.Promise(ctx, seq, leaf, at, patience)
	if err != nil {
		return Record{}, "", err
	}
	t, found := h.Journal.TreeOf(seq)
	if !ok || !found {
		return Record{}, "", audit.ErrBehind
	}
	if log = t.Origin; t.Name != "all" {
		log = t.Origin[:len(t.Origin)-len(t.Name)-1]
	}
	rec.Promise = string(p.Note)
	proof, err := h.prove(ctx, t, p, trees)
	if err == nil && proof.Checkpoint.Note == nil {
		err = h.Journal.Wrote(ctx, seq, leaf) // the tree cannot say yet that the hash is its own
	}
	if err != nil || proof.Checkpoint.Note == nil {
		return rec, log, err
	}
	rec.Proof = string(proof.Text())
	rec.COSE, err = proof.COSE(h.Signer)
	return rec, log, err
}

// prove returns no proof if the row is not under a published checkpoint yet.
func (h *Handler) prove(ctx context.Context, t audit.Tree, p receipt.Promise, trees map[string]tile.Checkpoint) (receipt.Proof, error) {
	reader := h.Journal.Tree(t.Name)
	c, ok := trees[t.Name]
	if !ok {
		note, err := reader.Checkpoint(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			return receipt.Proof{}, nil
		}
		if err != nil {
			return receipt.Proof{}, err
		}
		if c, err = tile.ReadCheckpoint(note); err != nil {
			return receipt.Proof{}, err
		}
		trees[t.Name] = c
	}
	if p.Index >= c.Size {
		return receipt.Proof{}, nil
	}
	proof, err := receipt.Prove(ctx, reader, c, p.Index)
	if err != nil {
		return receipt.Proof{}, err
	}
	if err := proof.Verify(p.Leaf); err != nil { // the journal's row is not the one that was logged
		return receipt.Proof{}, err
	}
	return proof, nil
}
