package gateway

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Push is where and how a caller wants to be told what becomes of a task. An agent is given an address of the gateway's
// in its place.
type Push struct {
	Version     string           `json:"version"` // of the protocol
	Face        Face             `json:"face"`
	Caller      flow.Party       `json:"caller"`
	Agent       flow.AgentID     `json:"agent"`
	Purpose     flow.Purpose     `json:"purpose,omitempty"`
	Criticality flow.Criticality `json:"criticality"`
	Task        flow.TaskID      `json:"task"`
	Trace       flow.TraceID     `json:"trace,omitempty"`      // of the call that asked for it: what bounds its agent bounds its notifications
	Capability  string           `json:"capability,omitempty"` // by which it was asked for; "": by none

	URL         string `json:"url"`         // the caller's
	Token       string `json:"token"`       // that the caller wants to be shown
	Scheme      string `json:"scheme"`      // of the credential; "" for none
	Credentials string `json:"credentials"` // never told again

	Secret  string    `json:"secret"` // that the agent shows the gateway
	Expires time.Time `json:"-"`

	id   flow.SubjectRef
	name bool // it has one
}

// Bounds of pushes.
const (
	maxPushes  = 1000 // of one caller
	pushIDSize = 18   // bytes of an address and of a secret
)

// PushID is the handle of a push within the gateway: a digest of its address.
type PushID = flow.SubjectRef

// ID returns the push's handle; it is known once the push is kept or was found.
func (p *Push) ID() PushID { return p.id }

// Named reports whether the ids by which the caller knows the push are known.
func (p *Push) Named() bool { return p.name }

// Shown reports whether a secret is the one that the agent was given, in a time that says nothing.
func (p *Push) Shown(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(secret), []byte(p.Secret)) == 1
}

// NewPush gives a push its address and its secret. Address is what stands behind "/push/".
func (g *Gateway) NewPush(p *Push) (address string) {
	address, p.Secret = randomText(), randomText()
	p.id = g.pushID(address)
	return address
}

func randomText() string {
	b := make([]byte, pushIDSize)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func (g *Gateway) pushID(address string) PushID { return g.vault.Subject("scrim/push", address) }

func (g *Gateway) pushOwner(p flow.Party) flow.SubjectRef {
	return g.vault.Subject("scrim/push-owner", string(p.Domain)+"\x00"+string(p.Agent))
}

// PushName is what a caller's own ids for a push come to: those of its task and of itself.
func (g *Gateway) PushName(b Between, task, id string) flow.SubjectRef {
	return g.alias(b, "push", task+"\x00"+id)
}

// KeepPush keeps a push in the transaction that records the request which names it. The error is a [Refusal] by
// [RuleExhausted] if the caller has too many.
func (g *Gateway) KeepPush(tx store.Tx, p *Push) error {
	owner := g.pushOwner(p.Caller)
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM gateway_pushes WHERE owner = ? AND expires >= ?", owner[:], g.now().Unix()).Scan(&n); err != nil {
		return err
	}
	if n >= maxPushes {
		return refuse(RuleExhausted, "", nil, "This caller has %d push notification configs; delete some.", maxPushes)
	}
	plain, err := stdjson.Marshal(p)
	if err != nil {
		return err
	}
	sealed, err := g.sealPushes.Seal(plain, p.id[:])
	if err != nil {
		return err
	}
	p.Expires = g.now().Add(g.retention.Pushes)
	_, err = tx.Exec("INSERT INTO gateway_pushes (id, owner, sealed, expires) VALUES (?, ?, ?, ?)", p.id[:], owner[:], sealed, p.Expires.Unix())
	return err
}

// FindPush returns the push of an address; nil if there is none, if it has expired, or if its key is gone.
func (g *Gateway) FindPush(ctx context.Context, address string) (*Push, error) {
	if len(address) != base64.RawURLEncoding.EncodedLen(pushIDSize) {
		return nil, nil
	}
	return g.Push(ctx, g.pushID(address))
}

// Push is [Gateway.FindPush] by handle.
func (g *Gateway) Push(ctx context.Context, id PushID) (*Push, error) {
	var sealed []byte
	var expires int64
	var named bool
	err := g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT sealed, expires, name IS NOT NULL FROM gateway_pushes WHERE id = ?", id[:]).Scan(&sealed, &expires, &named)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, refuse(RuleInternal, "", err, "The gateway could not look for this push notification config.")
	case expires < g.now().Unix():
		return nil, nil
	}
	plain, err := g.sealPushes.Open(sealed, id[:])
	if err != nil {
		return nil, nil
	}
	p := new(Push)
	if err := stdjson.Unmarshal(plain, p); err != nil {
		return nil, refuse(RuleInternal, "", errors.New("stored push cannot be decoded"), "The gateway could not read this push notification config.")
	}
	p.id, p.name, p.Expires = id, named, time.Unix(expires, 0)
	return p, nil
}

// NamePush notes by which ids the caller knows a push.
func (g *Gateway) NamePush(ctx context.Context, id PushID, name flow.SubjectRef) error {
	return g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE gateway_pushes SET name = ? WHERE id = ?", name[:], id[:])
		return err
	})
}

// DropPush forgets a push and what is on its way by it.
func (g *Gateway) DropPush(ctx context.Context, id PushID) error {
	return g.update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM gateway_notifications WHERE push = ?", id[:]); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM gateway_pushes WHERE id = ?", id[:])
		return err
	})
}

// DropPushNamed forgets the pushes that a caller knows by a name.
func (g *Gateway) DropPushNamed(ctx context.Context, name flow.SubjectRef) error {
	return g.update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM gateway_notifications WHERE push IN (SELECT id FROM gateway_pushes WHERE name = ?)", name[:]); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM gateway_pushes WHERE name = ?", name[:])
		return err
	})
}

// PushAddress returns what stands behind "/push/" in an address, or "".
func PushAddress(address string) string {
	_, opaque, ok := strings.Cut(address, "/push/")
	if !ok || len(opaque) != base64.RawURLEncoding.EncodedLen(pushIDSize) {
		return ""
	}
	return opaque
}

// Notification is a message that was released and waits to be delivered.
type Notification struct {
	Seq   int64
	Push  PushID
	Tries int
	Due   time.Time
	Until time.Time // it is dropped after

	ID   string // the same at each try
	Hops string // as [HeaderHops] has it
	Body []byte
	Pins Pins // that decided it
	Task flow.TaskID
}

type sealedNotification struct {
	ID   string `json:"id"`
	Hops string `json:"hops"`
	Body []byte `json:"body"`
	Pins Pins   `json:"pins"`
}

// QueueNotification keeps a notification in the transaction that records its release.
func (g *Gateway) QueueNotification(tx store.Tx, n *Notification) error {
	n.ID = randomText()
	plain, err := stdjson.Marshal(sealedNotification{n.ID, n.Hops, n.Body, n.Pins})
	if err != nil {
		return err
	}
	sealed, err := g.sealPushes.Seal(plain, n.Push[:])
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO gateway_notifications (seq, push, sealed, tries, due, expires, task) VALUES (?, ?, ?, ?, ?, ?, ?)",
		n.Seq, n.Push[:], sealed, n.Tries, n.Due.UnixMilli(), n.Until.Unix(), handleTask(n.Task))
	return err
}

// Notifications returns all that wait, in order, without what they say.
func (g *Gateway) Notifications(ctx context.Context) (all []Notification, err error) {
	err = g.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT seq, push, tries, due, expires FROM gateway_notifications ORDER BY seq")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n Notification
			var push []byte
			var due, until int64
			if err := rows.Scan(&n.Seq, &push, &n.Tries, &due, &until); err != nil {
				return err
			}
			n.Push, n.Due, n.Until = PushID(push), time.UnixMilli(due), time.Unix(until, 0)
			all = append(all, n)
		}
		return rows.Err()
	})
	return all, err
}

// ReadNotification fills in what a notification says. It is false if there is no such notification any more, or if its
// key is gone.
func (g *Gateway) ReadNotification(ctx context.Context, n *Notification) (bool, error) {
	var sealed []byte
	err := g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT sealed FROM gateway_notifications WHERE seq = ?", n.Seq).Scan(&sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	plain, err := g.sealPushes.Open(sealed, n.Push[:])
	if err != nil {
		return false, nil
	}
	var s sealedNotification
	if err := stdjson.Unmarshal(plain, &s); err != nil {
		return false, nil
	}
	n.ID, n.Hops, n.Body, n.Pins = s.ID, s.Hops, s.Body, s.Pins
	return true, nil
}

// DropNotification forgets a notification, delivered or given up.
func (g *Gateway) DropNotification(ctx context.Context, seq int64) error {
	return g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM gateway_notifications WHERE seq = ?", seq)
		return err
	})
}

// PostponeNotification notes that a try failed and when the next is due.
func (g *Gateway) PostponeNotification(ctx context.Context, n *Notification) error {
	return g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE gateway_notifications SET tries = ?, due = ? WHERE seq = ?", n.Tries, n.Due.UnixMilli(), n.Seq)
		return err
	})
}

func (g *Gateway) sweepPushes(ctx context.Context) error {
	now := g.now().Unix()
	return g.update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM gateway_notifications WHERE expires < ?", now-3600); err != nil { // the sender gives them up before
			return err
		}
		_, err := tx.Exec("DELETE FROM gateway_pushes WHERE expires < ?", now)
		return err
	})
}
