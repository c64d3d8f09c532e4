package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/store"
)

// A token is the prefix and, in unpadded base64url, 16 bytes that hide a handle and then the body: AES-SIV of the
// padded value, or as many pseudorandom bytes as for a short value. See docs/spec/tokens.md.
const (
	tokenPrefix = "stk1_"
	headSize    = 16
	minPayload  = headSize + 16 + 16
	maxPayload  = headSize + 16 + 256
)

var encoding = base64.RawURLEncoding.Strict()

// Token returns the stand-in of the value in the scope: a token where the scope's origin is catalogued and its parameter format, reversible
// or oneway, else a surrogate of the scope's task. There is no other way to a token, so that a value
// found in text or supplied by an agent cannot get one.
//
// It returns [ErrScope], [ErrTooLong], [ErrTokenCap] or [ErrTaskFull].
func (b *Batch) Token(ctx context.Context, s Scope, value string) (string, error) {
	switch {
	case b.done:
		return "", ErrDone
	case s.Recipient == "" || s.Class.Label == "":
		return "", ErrScope
	case len(value) > maxValue:
		return "", ErrTooLong
	}
	if !s.token() {
		t, err := b.Task(ctx, TaskKey{s.Task})
		if err != nil {
			return "", err
		}
		return t.Surrogate(s.Recipient, s.Class, value, s.Supplier)
	}
	if s.Param == flow.TokenOneWay {
		value = normal(s.Class, value) // it is for joining, and never comes back
	}
	sc, err := b.v.scope(ctx, s)
	if err != nil {
		return "", err
	}
	lookup := keyedDigest(sc.lookup, value)
	if err := b.count(ctx, sc, lookup); err != nil {
		return "", err
	}
	if sc.owner != nil {
		use(b.owners, sc.owner)
	}
	if s.Param == flow.TokenFormat {
		if text, err := b.formatted(ctx, sc, s.Class, value); !errors.Is(err, deidentify.ErrForm) {
			return text, err
		} // too few values have this format
	}
	if s.Class.Bits < minBits || !sc.oneway && len(value) > maxDerived {
		return b.vaulted(ctx, sc, lookup, value)
	}
	if sc.oneway {
		m := hmac.New(sha512.New, sc.derive)
		m.Write([]byte(value))
		return tokenPrefix + encoding.EncodeToString(m.Sum(nil)[:minPayload]), nil
	}
	use(b.scopes, sc)
	token, err := b.v.appendDerived(nil, sc, []byte(value))
	return string(token), err
}

// appendDerived appends the reversible token that is derived from a value of at most maxDerived bytes.
func (v *Vault) appendDerived(dst []byte, sc *scope, value []byte) ([]byte, error) {
	body, err := sc.siv.EncryptDeterministically(pad(value), sc.ad)
	if err != nil {
		return dst, fmt.Errorf("minting a token of %s: %w", sc.label, err)
	}
	head := v.masked(sc.handle, body)
	var room [maxPayload]byte
	payload := append(append(room[:0], head[:]...), body...)
	return encoding.AppendEncode(append(dst, tokenPrefix...), payload), nil
}

// masked hides the handle under a digest of the body, so that two tokens of one handle share no bytes. It undoes itself.
func (v *Vault) masked(handle [headSize]byte, body []byte) [headSize]byte {
	r := v.mask.pool.Get().(*macRoom)
	defer v.mask.pool.Put(r)
	r.Reset()
	r.Write(body)
	subtle.XORBytes(handle[:], handle[:], r.Sum(r.sum[:0])[:headSize])
	return handle
}

// pad appends a one bit and zeros up to a multiple of 16 bytes, so that a token tells little of its value's length.
func pad(value []byte) []byte {
	b := make([]byte, len(value)/16*16+16)
	copy(b, value)
	b[len(value)] = 0x80
	return b
}

func unpad(b []byte) (string, bool) {
	text, ok := strings.CutSuffix(strings.TrimRight(string(b), "\x00"), "\x80")
	return text, ok && len(b) == len(text)/16*16+16
}

// parseToken returns the payload of a well-formed token.
func parseToken(token string) ([]byte, bool) {
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || !tokenLength(len(text)) {
		return nil, false
	}
	payload, err := encoding.DecodeString(text)
	return payload, err == nil
}

// tokenLength reports whether so many characters can follow the prefix.
func tokenLength(n int) bool {
	size := encoding.DecodedLen(n)
	return size >= minPayload && size <= maxPayload && size%16 == 0 && encoding.EncodedLen(size) == n
}

// Resolve opens a token that this vault minted reversibly. It returns [ErrNoToken] alike for every token it cannot open: malformed,
// forged, altered, foreign, one-way, erased.
func (v *Vault) Resolve(ctx context.Context, token string) (Opened, error) {
	payload, ok := parseToken(token)
	if !ok {
		return Opened{}, ErrNoToken
	}
	var opened Opened
	err := v.db.View(ctx, func(tx store.Tx) (err error) {
		opened, err = v.resolveDerived(tx, payload)
		if errors.Is(err, ErrNoToken) {
			opened, err = v.resolveVaulted(tx, token)
		}
		return err
	})
	switch {
	case errors.Is(err, ErrNoToken):
		return Opened{}, ErrNoToken
	case err != nil:
		return Opened{}, fmt.Errorf("opening a token: %w", err)
	}
	return opened, nil
}

func (v *Vault) resolveDerived(tx store.Tx, payload []byte) (Opened, error) {
	head, body := [headSize]byte(payload[:headSize]), payload[headSize:]
	handle := v.masked(head, body)
	var k scopeKey
	var ref []byte
	var epoch int64
	err := tx.QueryRow("SELECT subject, recipient, grp, label, epoch FROM vault_handles WHERE handle = ?", handle[:]).
		Scan(&ref, &k.recipient, &k.group, &k.label, &epoch)
	if err != nil || len(ref) != len(k.subject) {
		return Opened{}, noToken(err)
	}
	k.subject, k.epoch = flow.SubjectRef(ref), uint32(epoch)
	owner, err := v.ownerOf(tx, k.subject)
	if err != nil {
		return Opened{}, noToken(err)
	}
	siv, err := v.siv(k, owner)
	if err != nil {
		return Opened{}, noToken(err)
	}
	padded, err := siv.DecryptDeterministically(body, v.associated(k, handle))
	if err != nil {
		return Opened{}, ErrNoToken
	}
	value, ok := unpad(padded)
	if !ok {
		return Opened{}, ErrNoToken
	}
	return k.opened(value), nil
}

func (k scopeKey) opened(value string) Opened {
	return Opened{
		Value: flow.NewSecret(value), Label: flow.Label(k.label), Recipient: flow.DomainID(k.recipient),
		Group: k.group, Subject: k.subject, Epoch: epochName(k.epoch),
	}
}

// ownerOf reads the subject's key from the store, not from memory, so that an erasure holds at once.
func (v *Vault) ownerOf(tx store.Tx, ref flow.SubjectRef) (*subject, error) {
	if !ref.Known() {
		return nil, nil
	}
	return v.readSubject(tx, ref)
}

// noToken turns what an erased or foreign token runs into to ErrNoToken, and leaves true failures as they are.
func noToken(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrEpoch) || errors.Is(err, ErrSealed) {
		return ErrNoToken
	}
	return err
}
