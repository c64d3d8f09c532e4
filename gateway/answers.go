package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// heldAnswers keeps requests with one id from reaching the upstream twice at once, and knows which answers are stored.
// One process has the store to itself, so what is not in its index is not stored.
type heldAnswers struct {
	mu     sync.Mutex
	flying map[flow.SubjectRef]chan struct{}
	stored map[flow.SubjectRef]storedAnswer
	bytes  int64              // of all sealed answers
	seq    int64              // of the newest
	open   map[int64]struct{} // written, but not yet in the index
}

type storedAnswer struct {
	seq     int64
	size    int64
	expires int64
}

// loadAnswers reads the index of stored answers.
func (g *Gateway) loadAnswers(ctx context.Context) error {
	a := &g.answers
	a.flying, a.stored, a.open = map[flow.SubjectRef]chan struct{}{}, map[flow.SubjectRef]storedAnswer{}, map[int64]struct{}{}
	return g.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT seq, id, length(sealed), expires FROM gateway_answers ORDER BY seq")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s storedAnswer
			var id []byte
			if err := rows.Scan(&s.seq, &id, &s.size, &s.expires); err != nil {
				return err
			}
			old := a.stored[flow.SubjectRef(id)].size
			a.stored[flow.SubjectRef(id)] = s
			a.bytes, a.seq = a.bytes+s.size-old, s.seq
		}
		return rows.Err()
	})
}

// Request identifies a call that is to happen once.
type Request struct {
	Between
	ID     string // the caller's own: an A2A messageId, or the flow id in MCP _meta; "" is never replayed
	Root   string // stable name of the credential's root
	Method string
	Params []byte // as sent; the JSON-RPC id is not part of what is the same
	Pins   Pins
}

// Pins are what an answer was decided by. An answer decided by other pins goes down the road again before it is given.
type Pins struct {
	Policy, Config, Epoch string
	Purpose               flow.Purpose
	Criticality           flow.Criticality
	Attested              bool
	Contracts             string `json:",omitempty"` // that bound it
	Limits                string `json:",omitempty"` // of a capability, see [Authority.Limits]
}

func (p Pins) digest() []byte {
	b, err := stdjson.Marshal(p)
	if err != nil {
		return nil // strings and numbers can be encoded
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Answer is what was released for a request.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Body   []byte            `json:"body"`
	Stream bool              `json:"stream,omitempty"`
	Task   flow.TaskID       `json:"task,omitempty"`
	SameAs bool              `json:"-"` // it was decided by the same pins
}

// answerVersion begins a stored answer; no JSON text begins with it. Then come the length of a head as an unsigned varint,
// the head, which is the answer without its body as JSON, and the body as it is.
const answerVersion = 1

func (a *Answer) encode() ([]byte, error) {
	head := *a
	head.Body = nil
	raw, err := stdjson.Marshal(head)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(raw)+len(a.Body)+8)
	out = binary.AppendUvarint(append(out, answerVersion), uint64(len(raw)))
	return append(append(out, raw...), a.Body...), nil
}

// decodeAnswer reads what encode wrote, and the JSON of earlier versions.
func decodeAnswer(plain []byte) (*Answer, error) {
	a := new(Answer)
	if len(plain) == 0 || plain[0] != answerVersion {
		return a, stdjson.Unmarshal(plain, a)
	}
	r := inputsReader{rest: plain[1:]}
	head := r.bytes(r.number())
	if r.bad {
		return nil, errors.New("stored answer is cut off")
	}
	if err := stdjson.Unmarshal(head, a); err != nil {
		return nil, err
	}
	a.Body = r.rest
	return a, nil
}

// Ticket is the right to carry out a request. It must be ended.
type Ticket struct {
	g      *Gateway
	req    *Request
	key    flow.SubjectRef
	digest flow.SubjectRef
	done   chan struct{}
	asking *Asking       // the question that the request asks
	kept   *storedAnswer // written; if its transaction was undone, there is no such row to be found

	erasures int64 // how many subjects were erased when the request came
}

// Once returns the stored answer to a request, or a ticket to carry it out. A second caller with the same id waits
// for the first. The same id with another request is a [Refusal] by [RuleConflict].
func (g *Gateway) Once(ctx context.Context, req *Request) (*Answer, *Ticket, error) {
	if req.ID == "" {
		return nil, &Ticket{}, nil
	}
	t := &Ticket{g: g, req: req, key: g.alias(req.Between, "answer", req.ID), digest: g.digest(req), erasures: g.vault.Erasures()}
	for {
		g.answers.mu.Lock()
		busy := g.answers.flying[t.key]
		if busy == nil {
			t.done = make(chan struct{})
			g.answers.flying[t.key] = t.done
			g.answers.mu.Unlock()
			break
		}
		g.answers.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, nil, refuse(RuleConflict, "", ctx.Err(), "The same request is still being carried out.")
		}
	}
	a, err := t.stored(ctx)
	if err != nil || a != nil {
		t.End()
		return a, nil, err
	}
	return nil, t, nil
}

func (g *Gateway) digest(req *Request) flow.SubjectRef {
	return g.vault.Subject("scrim/answer", req.Root+"\x00"+req.Method+"\x00"+string(req.Params))
}

func (t *Ticket) stored(ctx context.Context) (*Answer, error) {
	t.g.answers.mu.Lock()
	at, ok := t.g.answers.stored[t.key]
	t.g.answers.mu.Unlock()
	if !ok || at.expires < t.g.now().Unix() {
		return nil, nil
	}
	var digest, pins, sealed []byte
	err := t.g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT digest, pins, sealed FROM gateway_answers WHERE seq = ?", at.seq).Scan(&digest, &pins, &sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(RuleInternal, "", err, "The gateway could not look for an earlier answer, so the flow did not happen.")
	}
	if subtle.ConstantTimeCompare(digest, t.digest[:]) != 1 {
		return nil, refuse(RuleConflict, "", nil, "This message id was used before with another request; use a new one.")
	}
	if len(sealed) == 0 {
		return nil, refuse(RuleConflict, "", nil, "The answer to this request is not kept any more; use a new message id if it is to be carried out once more.")
	}
	plain, err := t.g.sealAnswers.Open(sealed, t.key[:])
	if err != nil {
		return nil, refuse(RuleInternal, "", err, "The gateway could not read the earlier answer, so it is not given again.")
	}
	a, err := decodeAnswer(plain)
	if err != nil {
		return nil, refuse(RuleInternal, "", errors.New("stored answer cannot be decoded"), "The gateway could not read the earlier answer, so it is not given again.")
	}
	a.SameAs = bytes.Equal(pins, t.req.Pins.digest())
	return a, nil
}

// By says that another configuration than the request's decides the answer.
func (t *Ticket) By(p Pins) {
	if t != nil && t.req != nil {
		t.req.Pins = p
	}
}

// seal is the stored form of an answer. If somebody was erased since the request came there is none, since what the answer says
// may be older than that: the request is known to have been carried out, and what came of it is not given again.
func (t *Ticket) seal(tx store.Tx, a *Answer) ([]byte, error) {
	n, err := vault.Erasures(tx)
	if err != nil {
		return nil, err
	}
	if n != t.erasures {
		return []byte{}, nil
	}
	plain, err := a.encode()
	if err != nil {
		return nil, err
	}
	return t.g.sealAnswers.Seal(plain, t.key[:])
}

// Store keeps an answer in the transaction that records its release. It is found from when the ticket ends.
func (t *Ticket) Store(tx store.Tx, a *Answer) error {
	if t == nil || t.done == nil || int64(len(a.Body)) > t.g.retention.AnswerBytes/4 {
		return nil
	}
	sealed, err := t.seal(tx, a)
	if err != nil {
		return err
	}
	t.g.answers.mu.Lock()
	if t.kept != nil { // the message was changed anew: what was written before is undone
		delete(t.g.answers.open, t.kept.seq)
	}
	t.g.answers.seq++
	t.g.answers.open[t.g.answers.seq] = struct{}{}
	at := storedAnswer{seq: t.g.answers.seq, size: int64(len(sealed)), expires: t.g.now().Add(t.g.retention.Answers).Unix()}
	t.g.answers.mu.Unlock()
	t.kept = &at
	const insert = "INSERT INTO gateway_answers (seq, id, digest, pins, sealed, expires, task) VALUES (?, ?, ?, ?, ?, ?, ?)"
	if _, err := tx.Exec(insert, at.seq, t.key[:], t.digest[:], t.req.Pins.digest(), sealed, at.expires, handleTask(a.Task)); err != nil {
		return err
	}
	return nil
}

// End lets others with the same id go on. It may be called more than once.
func (t *Ticket) End() {
	if t != nil {
		t.asking.end()
	}
	if t == nil || t.done == nil {
		return
	}
	t.g.answers.mu.Lock()
	defer t.g.answers.mu.Unlock()
	if t.kept != nil {
		old := t.g.answers.stored[t.key].size // expired, and no longer counted
		t.g.answers.stored[t.key] = *t.kept
		t.g.answers.bytes += t.kept.size - old
		delete(t.g.answers.open, t.kept.seq)
		t.kept = nil
	}
	if t.g.answers.flying[t.key] == t.done {
		delete(t.g.answers.flying, t.key)
		close(t.done)
	}
	t.done = nil
}

// Replayed puts on record that a stored answer was given again. It consumes nothing of the right by which it was asked for,
// whose proof is good for this once.
func (g *Gateway) Replayed(ctx context.Context, s *Snapshot, right *Authority, f flow.Flow, a *Answer) error {
	ev := flow.Event{Time: g.now(), Flow: f, Outcome: flow.Replayed, Bytes: len(a.Body), PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash}
	m := &Message{Authority: right} // which takes no use
	err := g.update(ctx, func(tx store.Tx) error {
		if err := g.charge(tx, m); err != nil {
			return err
		}
		_, err := g.journal.Append(tx, ev, audit.Private{})
		return err
	})
	right.charged(m, err == nil)
	if err != nil {
		return unrecorded(err)
	}
	g.told(ev)
	entryOf(ctx).passed(s, &ev)
	return nil
}

// unrecorded is the refusal of what could not be put on record, unless that has a reason of its own.
func unrecorded(err error) error {
	if r, refused := errors.AsType[*Refusal](err); refused {
		return r
	}
	return refuse(RuleRecord, "", err, "The decision could not be put on record, so the flow did not happen.")
}

// Pins returns what an answer to the flow is decided by at this moment.
func (g *Gateway) Pins(s *Snapshot, a *Authority, f flow.Flow) Pins {
	return Pins{
		Policy: s.Policy.Hash(), Config: s.ConfigHash, Epoch: g.keys.Epoch(),
		Purpose: f.Purpose, Criticality: f.Task.Criticality, Attested: f.From.Attested, Limits: a.Limits(),
		Contracts: g.contractPins(s, &f),
	}
}

// maxAnswers bounds how many answers are known by heart.
const maxAnswers = 200_000

// sweepAnswers deletes answers that have expired, and the oldest until the rest takes at most the allowed bytes.
func (g *Gateway) sweepAnswers(ctx context.Context) error {
	a, now := &g.answers, g.now().Unix()
	a.mu.Lock()
	all := make([]flow.SubjectRef, 0, len(a.stored))
	for id := range a.stored {
		all = append(all, id)
	}
	slices.SortFunc(all, func(x, y flow.SubjectRef) int { return cmp.Compare(a.stored[x].seq, a.stored[y].seq) })
	var until []int64 // ends of short stretches of what goes
	var rows, size int64
	below := a.seq + 1 // what is being written stays, and so does what came after it
	for seq := range a.open {
		below = min(below, seq)
	}
	for _, id := range all { // all are kept for the same time, so the oldest expire first
		s := a.stored[id]
		if s.seq >= below || s.expires >= now && a.bytes <= g.retention.AnswerBytes && len(a.stored) <= maxAnswers {
			break
		}
		if rows++; len(until) == 0 || rows > sweptRows || size+s.size > sweptBytes {
			until, rows, size = append(until, 0), 1, 0
		}
		until[len(until)-1] = s.seq
		size += s.size
		a.bytes -= s.size
		delete(a.stored, id)
	}
	a.mu.Unlock()
	for _, seq := range until {
		err := g.update(ctx, func(tx store.Tx) error {
			_, err := tx.Exec("DELETE FROM gateway_answers WHERE seq <= ?", seq)
			return err
		})
		if err != nil {
			return err // what is left goes with the next sweep
		}
	}
	return nil
}

// What is deleted is overwritten, and flows wait while it is: so little of it at a time.
const (
	sweptRows  = 32
	sweptBytes = 512 << 10
)
