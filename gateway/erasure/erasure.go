// Package erasure destroys what a gateway keeps of a person, once two have said so, and tells that person's events.
//
// One credential asks, and is told how much would go; another confirms within a time limit. Where there are none, the operator must confirm, in a step of its own.
// Both name the person by unit and value, so that neither can be made to erase somebody else; between the two steps only a keyed digest is kept.
// What is destroyed, what stays, and why every proof still holds, is docs/spec/erasure.md.
package erasure

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what is kept of erasures under way.
func Schema() store.Schema { return store.Schema{Name: "gateway/erasure", FS: migrations} }

// Errors a caller may act on.
var (
	ErrSubject    = errors.New("a subject is named by a unit and a value")
	ErrRequest    = errors.New("no such request waits, or it names another subject") // never made, withdrawn, expired, used: all alike
	ErrCredential = errors.New("credential is not one of an approver")
	ErrSame       = errors.New("who asked cannot confirm")
	ErrMany       = errors.New("too many requests wait for their confirmation")
	ErrScrub      = errors.New("the subject is erased, but the database's files may still hold traces; they are scrubbed again each minute and at the next start")
)

const (
	defaultWithin = 24 * time.Hour
	maxWaiting    = 1000
)

// Operator is the name of who has no credential of an approver: whoever can use the admin API, or the data directory.
const Operator = "operator"

// Approver may ask for erasures and confirm those that another asked for.
type Approver struct {
	Name   string
	SHA256 [32]byte // of the credential, which has 256 bits: see [NewCredential]
}

// Options of an office. DB, Journal, Vault and Keys are needed.
type Options struct {
	DB      store.DB
	Journal *audit.Log
	Vault   *vault.Vault // its Erased hook deletes what others keep by subject
	Keys    *vault.Keyring
	Domain  flow.DomainID
	Clock   func() time.Time // nil: time.Now
	Rules   func() Rules     // in force; nil: the zero value's
}

// Rules are what may change while the gateway runs.
type Rules struct {
	Within    time.Duration // how long a request waits; 0: a day
	Approvers []Approver    // none: who asked may confirm; one: it or the operator asks, and the other confirms; more: one asks, another confirms

	PolicyHash, ConfigHash string // in force, for the record
}

// Office takes requests. It is safe for concurrent use.
type Office struct {
	opt  Options
	seal *vault.AEAD // of what decisions were made of
	key  [32]byte    // of digests
}

// New returns an office.
func New(opt Options) *Office {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Rules == nil {
		opt.Rules = func() Rules { return Rules{} }
	}
	return &Office{opt: opt, seal: opt.Keys.AEAD("journal"), key: opt.Keys.Seed("erasure")}
}

// NewCredential draws an approver's credential and returns it with what the configuration has of it.
func NewCredential() (credential flow.Secret, sum [32]byte) {
	text := "scrim-approver-" + rand.Text() + rand.Text()
	return flow.NewSecret(text), sha256.Sum256([]byte(text))
}

// Subject is a person as a unit column or pointer of the catalog names it.
type Subject struct {
	Unit  string
	Value flow.Secret
}

func (o *Office) ref(s Subject) (flow.SubjectRef, error) {
	if s.Unit == "" || s.Value.IsZero() {
		return flow.SubjectRef{}, ErrSubject
	}
	return o.opt.Vault.Subject(s.Unit, s.Value.Expose()), nil
}

// digest names a subject between request and confirmation. No other key makes it, so that it leads to nothing else that is kept.
func (o *Office) digest(s Subject) []byte {
	m := hmac.New(sha256.New, o.key[:])
	for _, part := range []string{"scrim erasure 1", s.Unit, s.Value.Expose()} {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		m.Write([]byte(part))
	}
	return m.Sum(nil)
}

// who returns the name of a credential; none is the operator's. Whoever has one can do without it, since both come by the admin API: where there are two
// approvers, nobody is the operator.
func (o *Office) who(credential flow.Secret) (string, error) {
	approvers := o.opt.Rules().Approvers
	if credential.IsZero() {
		if len(approvers) > 1 {
			return "", ErrCredential
		}
		return Operator, nil
	}
	sum := sha256.Sum256([]byte(credential.Expose()))
	name := ""
	for _, a := range approvers {
		if subtle.ConstantTimeCompare(sum[:], a.SHA256[:]) == 1 {
			name = a.Name
		}
	}
	if name == "" {
		return "", ErrCredential
	}
	return name, nil
}

// Kept is how much there is of a subject.
type Kept struct {
	gateway.KeptOf
	Key    bool  `json:"key"`    // it has a key of its own
	Tokens int64 `json:"tokens"` // recipients, purposes and labels for which it has reversible tokens
	Values int64 `json:"values"` // vaulted
}

// Request is an erasure that waits for its confirmation.
type Request struct {
	ID      string    `json:"id"`
	Asker   string    `json:"asker"`
	Expires time.Time `json:"expires"`
	Kept    Kept      `json:"kept,omitzero"` // when it was asked for
	Second  bool      `json:"second"`        // another credential must confirm
}

// Ask puts on record that an erasure is asked for, and returns what would go. Nothing goes before [Office.Confirm].
// A subject of whom nothing is kept can be asked for, too: whoever sees the record does not learn whether it was.
func (o *Office) Ask(ctx context.Context, s Subject, credential flow.Secret) (Request, error) {
	by, err := o.who(credential)
	if err != nil {
		return Request{}, err
	}
	kept, err := o.Look(ctx, s)
	if err != nil {
		return Request{}, err
	}
	now, rules := o.opt.Clock().UTC().Truncate(time.Second), o.opt.Rules()
	r := Request{ID: rand.Text(), Asker: by, Expires: now.Add(cmp.Or(max(rules.Within, 0), defaultWithin)), Kept: kept, Second: len(rules.Approvers) > 0}
	err = o.opt.DB.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM erasure_requests WHERE expires <= ?", now.Unix()); err != nil {
			return err
		}
		var waiting int64
		if err := tx.QueryRow("SELECT count(*) FROM erasure_requests").Scan(&waiting); err != nil {
			return err
		}
		if waiting >= maxWaiting {
			return ErrMany
		}
		if _, err := tx.Exec("INSERT INTO erasure_requests (id, digest, asker, expires) VALUES (?, ?, ?, ?)", r.ID, o.digest(s), by, r.Expires.Unix()); err != nil {
			return err
		}
		_, err := o.append(tx, flow.Changed, "an erasure is asked for by "+by)
		return err
	})
	if err != nil {
		return Request{}, fmt.Errorf("asking for an erasure: %w", err)
	}
	return r, nil
}

// Look counts what is kept of a subject.
func (o *Office) Look(ctx context.Context, s Subject) (k Kept, err error) {
	ref, err := o.ref(s)
	if err != nil {
		return Kept{}, err
	}
	e, err := gateway.NewErasing(ctx, o.opt.DB, ref)
	if err != nil {
		return Kept{}, err
	}
	err = o.opt.DB.View(ctx, func(tx store.Tx) error {
		h, err := o.opt.Vault.Held(tx, ref)
		if err != nil {
			return err
		}
		k.Key, k.Tokens, k.Values = h.Key, h.Scopes, h.Values
		k.KeptOf, err = e.Count(tx)
		return err
	})
	if err != nil {
		return Kept{}, fmt.Errorf("counting what is kept of a subject: %w", err)
	}
	return k, nil
}

// Done is an erasure that happened.
type Done struct {
	Reference flow.ID `json:"reference"` // of the row in the journal
	Scrubbed  bool    `json:"scrubbed"`  // no file of the database holds any of it; false: the database cannot promise that
}

// Confirm destroys what is kept of the subject that a request names, puts it on record in the same transaction, and returns when no file of the database holds
// any of it. The error is [ErrRequest], [ErrSame], [ErrCredential], or one after which nothing was erased; with [ErrScrub] it was, and
// the result says under which reference.
func (o *Office) Confirm(ctx context.Context, id string, s Subject, credential flow.Secret) (Done, error) {
	by, err := o.who(credential)
	if err != nil {
		return Done{}, err
	}
	ref, err := o.ref(s)
	if err != nil {
		return Done{}, err
	}
	if err := o.opt.DB.View(ctx, func(tx store.Tx) error { _, err := o.take(tx, id, s, by); return err }); err != nil {
		return Done{}, err
	}
	e, err := gateway.NewErasing(ctx, o.opt.DB, ref)
	if err != nil {
		return Done{}, err
	}
	var done Done
	var number int64 // of this erasure
	record := func(tx store.Tx) error {
		asker, err := o.take(tx, id, s, by)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM erasure_requests WHERE digest = ?", o.digest(s)); err != nil {
			return err
		}
		if err := tx.QueryRow("INSERT INTO erasure_state (id, erased, clean) VALUES (1, 1, 0) ON CONFLICT (id) DO UPDATE SET erased = erasure_state.erased + 1 RETURNING erased").Scan(&number); err != nil {
			return err
		}
		done.Reference, err = o.append(tx, flow.Erased, "a subject is erased: asked for by "+asker+", confirmed by "+by)
		return err
	}
	if err := o.opt.Vault.Erase(ctx, ref, e.Also(), vault.Also{Record: record}); err != nil {
		return Done{}, err
	}
	e.Traces = append(e.Traces, o.digest(s))
	done.Scrubbed, err = scrub(context.WithoutCancel(ctx), o.opt.DB, number, e.Traces)
	return done, err
}

// take returns who made a request that is good for the subject and whom another, or the same where there is only one, may confirm.
func (o *Office) take(tx store.Tx, id string, s Subject, by string) (asker string, err error) {
	var digest []byte
	var expires int64
	approvers := o.opt.Rules().Approvers
	err = tx.QueryRow("SELECT digest, asker, expires FROM erasure_requests WHERE id = ?", id).Scan(&digest, &asker, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", ErrRequest
	case err != nil:
		return "", err
	case expires <= o.opt.Clock().Unix(), subtle.ConstantTimeCompare(digest, o.digest(s)) != 1:
		return "", ErrRequest
	case len(approvers) > 0 && by == asker:
		return "", ErrSame
	case len(approvers) > 1 && asker == Operator:
		return "", ErrCredential // it was made under other rules
	}
	return asker, nil
}

// Withdraw takes a request back. It returns [ErrRequest] if there is none.
func (o *Office) Withdraw(ctx context.Context, id string) error {
	return o.opt.DB.Update(ctx, func(tx store.Tx) error {
		n, err := tx.Exec("DELETE FROM erasure_requests WHERE id = ?", id)
		if err == nil && n == 0 {
			return ErrRequest
		}
		if err == nil {
			_, err = o.append(tx, flow.Changed, "a request for an erasure is withdrawn")
		}
		return err
	})
}

// Waiting returns the requests that wait for their confirmation, the oldest first. They do not say whom they name.
func (o *Office) Waiting(ctx context.Context) (all []Request, err error) {
	err = o.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT id, asker, expires FROM erasure_requests WHERE expires > ? ORDER BY expires, id", o.opt.Clock().Unix())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r := Request{Second: len(o.opt.Rules().Approvers) > 0}
			var expires int64
			if err := rows.Scan(&r.ID, &r.Asker, &expires); err != nil {
				return err
			}
			r.Expires = time.Unix(expires, 0).UTC()
			all = append(all, r)
		}
		return rows.Err()
	})
	return all, err
}

func (o *Office) append(tx store.Tx, outcome flow.Outcome, reason string) (flow.ID, error) {
	own := flow.Party{Domain: o.opt.Domain}
	f := flow.Flow{ID: gateway.NewFlowID(), From: own, To: own, Protocol: "admin", Method: "erase"}
	rules := o.opt.Rules()
	ev := flow.Event{Time: o.opt.Clock(), Flow: f, Outcome: outcome, Reason: reason, PolicyHash: rules.PolicyHash, ConfigHash: rules.ConfigHash}
	_, err := o.opt.Journal.Append(tx, ev, audit.Private{})
	return f.ID, err
}
