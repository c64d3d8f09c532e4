package gateway

import (
	"context"
	"database/sql"
	stdjson "encoding/json"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// maxHandles bounds how many handles there are, maxForms how many redeemers of one have what they got kept.
const (
	maxHandles = 20_000
	maxForms   = 8
)

func (g *Gateway) handleSender(p flow.Party) flow.SubjectRef {
	return g.vault.Subject("scrim/handle-sender", string(p.Domain)+"\x00"+string(p.Agent))
}

// handleRoom is for how many parts more of one message, of how many bytes, there is room.
type handleRoom struct {
	count, bytes int64
}

// take takes a part's room, if there is so much.
func (r *handleRoom) take(size int64) bool {
	if r.count < 1 || r.bytes < size {
		return false
	}
	r.count--
	r.bytes -= size
	return true
}

// roomPlanned takes room for a part of a message before it is sealed.
func (c *changer) roomPlanned(size int, rules HandleRules) (ok bool, err error) {
	if c.room == nil {
		f := &c.m.Query.Flow
		var room handleRoom
		err = c.g.db.View(c.ctx, func(tx store.Tx) (err error) {
			room, err = roomForHandles(tx, f, c.g.handleSender(f.From), rules)
			return err
		})
		if err != nil {
			return false, err
		}
		c.room = &room
	}
	const sealed = headClass + 256
	return c.room.take(int64(sealed + len(c.m.Authority.Tokens().String()) + size)), nil
}

// roomForHandles is what is left beside what is kept: of the task, of the sender, who may take a quarter of all, and of everybody.
func roomForHandles(tx store.Tx, f *flow.Flow, sender flow.SubjectRef, rules HandleRules) (handleRoom, error) {
	room := handleRoom{maxHandles, rules.Bytes}
	for _, q := range []struct {
		where string
		args  []any
		most  int64
		count int64
	}{
		{"task = ?", []any{handleTask(f.Task.ID)}, rules.TaskBytes, maxHandles / 4},
		{"sender = ?", []any{sender[:]}, rules.Bytes / 4, maxHandles / 4},
		{"expires > ?", []any{int64(0)}, rules.Bytes, maxHandles},
	} {
		var count, sum int64
		if err := tx.QueryRow("SELECT count(*), coalesce(sum(size), 0) FROM gateway_handles WHERE "+q.where, q.args...).Scan(&count, &sum); err != nil {
			return handleRoom{}, err
		}
		room.count, room.bytes = min(room.count, q.count-count), min(room.bytes, q.most-sum)
	}
	return room, nil
}

// handleHead returns what is kept of a handle beside its part, nil where there is none.
func (g *Gateway) handleHead(ctx context.Context, id string) (head *handleHead, expires time.Time, uses int, err error) {
	row, err := g.handleRow(ctx, id, flow.SubjectRef{})
	if err != nil {
		return nil, time.Time{}, 0, err
	}
	head = g.openHead(id, row)
	return head, row.expires, int(row.uses), nil
}

// handleRow is what the store says of a handle, and of what one redeemer got of it. Without such a handle its head is empty.
type handleRow struct {
	head    []byte
	expires time.Time
	uses    int64
	form    formRow
}

type formRow struct {
	pins, request []byte
	tag           string // "" where there is none
}

// handleRow asks the store the same, whether there is such a handle or not.
func (g *Gateway) handleRow(ctx context.Context, id string, redeemer flow.SubjectRef) (row handleRow, err error) {
	key := keyOfHandle(id)
	err = g.db.View(ctx, func(tx store.Tx) error {
		var expires int64
		switch err := tx.QueryRow("SELECT head, expires, uses FROM gateway_handles WHERE id = ?", key[:]).Scan(&row.head, &expires, &row.uses); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		}
		row.expires = time.Unix(expires, 0)
		f := &row.form
		err := tx.QueryRow("SELECT pins, request, tag FROM gateway_handle_forms WHERE handle = ? AND redeemer = ?", key[:], redeemer[:]).Scan(&f.pins, &f.request, &f.tag)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return row, err
}

// openHead opens the head of a handle; nil where there is none, or none that can be opened. It takes as long in both cases.
func (g *Gateway) openHead(id string, row handleRow) *handleHead {
	sealed := row.head
	if len(sealed) == 0 {
		sealed = g.noHandle
	}
	plain, err := g.sealHandles.Open(sealed, []byte("head "+id))
	if err != nil {
		plain = g.noHandlePlain
	}
	h := new(handleHead)
	if stdjson.Unmarshal(plain, h) != nil || err != nil {
		return nil
	}
	return h
}

// noHead is what is read in place of the head of a handle that there is not, sealed and not.
func (g *Gateway) noHead() error {
	var err error
	if g.noHandlePlain, err = (&handleHead{}).encode(); err != nil {
		return err
	}
	g.noHandle, err = g.sealHandles.Seal(g.noHandlePlain, nil)
	return err
}

// handlePartOf returns the part behind a handle, or [sql.ErrNoRows].
func (g *Gateway) handlePartOf(ctx context.Context, id string) (plain []byte, err error) {
	key := keyOfHandle(id)
	var sealed []byte
	err = g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT content FROM gateway_handles WHERE id = ?", key[:]).Scan(&sealed)
	})
	if err != nil {
		return nil, err
	}
	return g.sealHandles.Open(sealed, []byte("part "+id))
}

func formAD(id string, redeemer flow.SubjectRef, tag string) []byte {
	return []byte("form " + id + " " + redeemer.String() + " " + tag)
}

// handleForm returns what a redeemer got, nil if it is not kept any more.
func (g *Gateway) handleForm(ctx context.Context, id string, redeemer flow.SubjectRef, tag string) (*handleForm, error) {
	key := keyOfHandle(id)
	var sealed []byte
	err := g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT sealed FROM gateway_handle_forms WHERE handle = ? AND redeemer = ? AND tag = ?", key[:], redeemer[:], tag).Scan(&sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := g.sealHandles.Open(sealed, formAD(id, redeemer, tag))
	if err != nil {
		return nil, nil
	}
	return decodeForm(plain)
}

// keepForm puts what a redeemer gets in place of what it got before. If that is the same, it keeps its tag, by which it can be had in
// pieces. A form for which there is no room is not kept, and has no tag.
func (g *Gateway) keepForm(tx store.Tx, r *redeeming, form *handleForm) error {
	key := keyOfHandle(r.id)
	form.Tag = newHandleID()
	if r.old != nil && r.old.same(form) {
		form.Tag = r.old.Tag
	}
	plain, err := form.encode()
	if err != nil {
		return err
	}
	sealed, err := g.sealHandles.Seal(plain, formAD(r.id, r.redeemer, form.Tag))
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM gateway_handle_forms WHERE handle = ? AND redeemer = ?", key[:], r.redeemer[:]); err != nil {
		return err
	}
	var count, seq, bytes int64
	if err := tx.QueryRow("SELECT count(*), coalesce(max(seq), 0) FROM gateway_handle_forms WHERE handle = ?", key[:]).Scan(&count, &seq); err != nil {
		return err
	}
	if count >= maxForms {
		const oldest = "DELETE FROM gateway_handle_forms WHERE handle = ? AND seq = (SELECT min(seq) FROM gateway_handle_forms WHERE handle = ?)"
		if _, err := tx.Exec(oldest, key[:], key[:]); err != nil {
			return err
		}
	}
	if err := tx.QueryRow("SELECT coalesce(sum(size), 0) FROM gateway_handle_forms").Scan(&bytes); err != nil {
		return err
	}
	if bytes+int64(len(sealed)) > r.snap.Handles.complete().Bytes {
		form.Tag = ""
		return nil
	}
	const insert = "INSERT INTO gateway_handle_forms (handle, redeemer, seq, pins, request, tag, size, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	_, err = tx.Exec(insert, key[:], r.redeemer[:], seq+1, r.pins, r.request, form.Tag, len(sealed), sealed)
	return err
}

// useHandle takes one use of a handle in the transaction that records the redemption. It is false if none is left, or the handle is gone.
func useHandle(tx store.Tx, id string, now time.Time) (bool, error) {
	key := keyOfHandle(id)
	n, err := tx.Exec("UPDATE gateway_handles SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END WHERE id = ? AND uses <> 0 AND expires > ?", key[:], now.Unix())
	return n == 1, err
}

// hasHandle reports whether a handle is still there.
func hasHandle(tx store.Tx, id string, now time.Time) (bool, error) {
	key := keyOfHandle(id)
	var n int
	err := tx.QueryRow("SELECT count(*) FROM gateway_handles WHERE id = ? AND expires > ?", key[:], now.Unix()).Scan(&n)
	return n == 1, err
}

// dropForm deletes what a redeemer got before its terms changed.
func (g *Gateway) dropForm(ctx context.Context, id string, redeemer flow.SubjectRef) error {
	key := keyOfHandle(id)
	return g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM gateway_handle_forms WHERE handle = ? AND redeemer = ?", key[:], redeemer[:])
		return err
	})
}
