package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	stdjson "encoding/json"
	"errors"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// answers keeps requests with one id from reaching the upstream twice at once.
type answers struct {
	mu     sync.Mutex
	flying map[flow.SubjectRef]chan struct{}
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

// Ticket is the right to carry out a request. It must be ended.
type Ticket struct {
	g      *Gateway
	req    *Request
	key    flow.SubjectRef
	digest flow.SubjectRef
	done   chan struct{}
}

// Once returns the stored answer to a request, or a ticket to carry it out. A second caller with the same id waits
// for the first. The same id with another request is a [Refusal] by [RuleConflict].
func (g *Gateway) Once(ctx context.Context, req *Request) (*Answer, *Ticket, error) {
	if req.ID == "" {
		return nil, &Ticket{}, nil
	}
	t := &Ticket{g: g, req: req, key: g.alias(req.Between, "answer", req.ID), digest: g.digest(req)}
	for {
		g.answers.mu.Lock()
		busy := g.answers.flying[t.key]
		if busy == nil {
			t.done = make(chan struct{})
			if g.answers.flying == nil {
				g.answers.flying = map[flow.SubjectRef]chan struct{}{}
			}
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
	var digest, pins, sealed []byte
	err := t.g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT digest, pins, sealed FROM gateway_answers WHERE id = ? AND expires >= ?", t.key[:], t.g.now().Unix()).Scan(&digest, &pins, &sealed)
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
	plain, err := t.g.sealAnswers.Open(sealed, t.key[:])
	if err != nil {
		return nil, refuse(RuleInternal, "", err, "The gateway could not read the earlier answer, so it is not given again.")
	}
	a := new(Answer)
	if err := stdjson.Unmarshal(plain, a); err != nil {
		return nil, refuse(RuleInternal, "", errors.New("stored answer cannot be decoded"), "The gateway could not read the earlier answer, so it is not given again.")
	}
	a.SameAs = bytes.Equal(pins, t.req.Pins.digest())
	return a, nil
}

// Store keeps an answer in the transaction that records its release. Answers over the cap push out the oldest.
func (t *Ticket) Store(tx store.Tx, a *Answer) error {
	if t == nil || t.done == nil || int64(len(a.Body)) > t.g.retention.AnswerBytes/4 {
		return nil
	}
	plain, err := stdjson.Marshal(a)
	if err != nil {
		return err
	}
	sealed, err := t.g.sealAnswers.Seal(plain, t.key[:])
	if err != nil {
		return err
	}
	now := t.g.now()
	_, err = tx.Exec(`INSERT INTO gateway_answers (id, digest, pins, sealed, size, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, pins = excluded.pins, sealed = excluded.sealed, size = excluded.size, created = excluded.created, expires = excluded.expires`,
		t.key[:], t.digest[:], t.req.Pins.digest(), sealed, len(sealed), now.UnixNano(), now.Add(t.g.retention.Answers).Unix())
	return err
}

// End lets others with the same id go on. It may be called more than once.
func (t *Ticket) End() {
	if t == nil || t.done == nil {
		return
	}
	t.g.answers.mu.Lock()
	defer t.g.answers.mu.Unlock()
	if t.g.answers.flying[t.key] == t.done {
		delete(t.g.answers.flying, t.key)
		close(t.done)
	}
	t.done = nil
}

// Replayed puts on record that a stored answer was given again.
func (g *Gateway) Replayed(ctx context.Context, s *Snapshot, f flow.Flow, a *Answer) error {
	ev := flow.Event{Time: g.now(), Flow: f, Outcome: flow.Replayed, Bytes: len(a.Body), PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash}
	err := g.update(ctx, func(tx store.Tx) error {
		_, err := g.journal.Append(tx, ev, nil)
		return err
	})
	if err != nil {
		return refuse(RuleRecord, "", err, "The decision could not be put on record, so the flow did not happen.")
	}
	g.told(ev)
	return nil
}

// Pins returns what an answer to the flow is decided by at this moment.
func (g *Gateway) Pins(s *Snapshot, f flow.Flow) Pins {
	return Pins{
		Policy: s.Policy.Hash(), Config: s.ConfigHash, Epoch: g.keys.Epoch(),
		Purpose: f.Purpose, Criticality: f.Task.Criticality, Attested: f.From.Attested,
	}
}

// trimAnswers deletes the oldest answers until the rest takes at most limit bytes.
func trimAnswers(tx store.Tx, limit int64) error {
	var total sql.NullInt64
	if err := tx.QueryRow("SELECT SUM(size) FROM gateway_answers").Scan(&total); err != nil {
		return err
	}
	over := total.Int64 - limit
	if over <= 0 {
		return nil
	}
	rows, err := tx.Query("SELECT created, size FROM gateway_answers ORDER BY created")
	if err != nil {
		return err
	}
	defer rows.Close()
	var until int64
	for over > 0 && rows.Next() {
		var size int64
		if err := rows.Scan(&until, &size); err != nil {
			return err
		}
		over -= size
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM gateway_answers WHERE created <= ?", until)
	return err
}
