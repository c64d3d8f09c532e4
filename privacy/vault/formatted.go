package vault

import (
	"context"
	"crypto/aes"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/ff1"
	"github.com/scrimhq/scrim/store"
)

const modeFormat = "format"

// maxFormatDraws is how many results of one value are tried until one is free.
const maxFormatDraws = 16

// formatOf returns the alphabet that a value is written in: digits, or digits and letters as they occur. A card number that is valid
// gets a stand-in that is.
func formatOf(c flow.Class, value string) deidentify.FormatOptions {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	lower, upper := strings.ContainsAny(value, letters), strings.ContainsAny(value, strings.ToUpper(letters))
	switch {
	case lower && upper:
		return deidentify.FormatOptions{Alphabet: "alphanumeric"}
	case lower:
		return deidentify.FormatOptions{Alphabet: "lower"}
	case upper:
		return deidentify.FormatOptions{Alphabet: "upper"}
	}
	return deidentify.FormatOptions{Luhn: c.Label.Within("finance/card")}
}

// formatted returns the stand-in of the value's own format. Nothing in it says what it is, so it is kept in the store like a vaulted token,
// and free of others for the same recipient and label. It is FF1 of the value; for a label of fewer than 32 bits under a key that is drawn
// and thrown away, so that it is not derived. It returns [deidentify.ErrForm] where there are too few values of the format.
func (b *Batch) formatted(ctx context.Context, sc *scope, c flow.Class, value string) (string, error) {
	lookup := keyedDigest(sc.lookup, modeFormat, value)
	e, err := b.remembered(ctx, sc, lookup, func() (*vaulted, error) {
		key, err := b.v.secret(sc.scopeKey, sc.owner, modeFormat, 32)
		if c.Bits < minBits {
			key = newSecret()
		}
		if err != nil {
			return nil, err
		}
		for attempt := range maxFormatDraws {
			text, err := encryptFormat(c, key, attempt, value)
			if err != nil {
				return nil, err
			}
			e := &vaulted{lookup: lookup, token: text, subject: sc.subject, epoch: sc.epoch}
			r := record{Token: text, Value: []byte(value), Format: true, Recipient: sc.recipient, Group: sc.group, Label: sc.label}
			e.name = b.v.nameOf(r)
			if text == value {
				continue
			}
			if taken, err := b.taken(ctx, e.name); err != nil {
				return nil, err
			} else if taken {
				continue
			}
			e.sealed, err = b.v.sealRecord(sc, lookup, r)
			return e, err
		}
		return nil, deidentify.ErrForm
	})
	if err != nil {
		return "", err
	}
	return e.token, nil
}

func encryptFormat(c flow.Class, key []byte, attempt int, value string) (string, error) {
	opt := formatOf(c, value)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	for {
		cipher, err := ff1.New(block, opt.Radix(), info("scrim format 1", string(c.Label), fmt.Sprint(attempt)))
		if err != nil {
			return "", err
		}
		format, err := deidentify.FormatPreserving(cipher, opt)
		if err != nil {
			return "", err
		}
		out, _, err := format.Apply(nil, deidentify.Value{Kind: deidentify.String, Text: []byte(value)}, nil)
		if err == nil || !opt.Luhn {
			return string(out), err
		}
		opt.Luhn = false // the number is not valid, and its stand-in need not be
	}
}

// taken reports whether a stand-in of the name is in the store or among those that this batch will write.
func (b *Batch) taken(ctx context.Context, name digest) (bool, error) {
	for e := range b.values {
		if e.name == name {
			return true, nil
		}
	}
	err := b.v.db.View(ctx, func(tx store.Tx) error {
		var one int
		return tx.QueryRow("SELECT 1 FROM vault_values WHERE name = ?", name[:]).Scan(&one)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// nameOf is under what the stand-in of a record is found: one of its own format is somebody's alone.
func (v *Vault) nameOf(r record) digest {
	if r.Format {
		return keyedDigest(v.nameKey, modeFormat, r.Recipient, r.Label, r.Token)
	}
	return keyedDigest(v.nameKey, r.Token)
}

// ResolveFormat opens a stand-in of a value's own format that the recipient was given for a value of the label. It returns [ErrNoToken] for
// everything else, most of which is what it looks like.
func (v *Vault) ResolveFormat(ctx context.Context, recipient flow.DomainID, l flow.Label, text string) (Opened, error) {
	if !v.mayHold.Load() || text == "" || len(text) > maxValue {
		return Opened{}, ErrNoToken
	}
	var opened Opened
	err := v.db.View(ctx, func(tx store.Tx) (err error) {
		opened, err = v.resolveNamed(tx, v.nameOf(record{Token: text, Format: true, Recipient: string(recipient), Label: string(l)}), text)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoToken) {
		return Opened{}, fmt.Errorf("opening a stand-in: %w", err)
	}
	return opened, err
}

// holds reports whether the store has any vaulted value, or may get one from another process.
func holds(tx store.Tx) (bool, error) {
	var one int
	err := tx.QueryRow("SELECT 1 FROM vault_values LIMIT 1").Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// ShiftDays returns by how many days the dates of a subject move for a recipient: 1 to days, earlier or later. It depends on the
// subject's own key, which this batch writes if it is new. It returns [ErrScope] for an unknown subject.
func (b *Batch) ShiftDays(ctx context.Context, recipient flow.DomainID, ref flow.SubjectRef, days int) (int, error) {
	if b.done {
		return 0, ErrDone
	}
	if !ref.Known() || recipient == "" || days < 1 {
		return 0, ErrScope
	}
	owner, err := b.v.subject(ctx, ref)
	if err != nil {
		return 0, err
	}
	use(b.owners, owner)
	prf := newPRF(fromSecret(owner.key, 32, "scrim shift 1", string(b.v.opt.Domain), string(recipient)))
	return deidentify.ShiftOf(prf, info(string(ref[:]), fmt.Sprint(days)), days), nil
}

// Realistic returns a stand-in that looks like a value of the class, or a surrogate where nothing is invented for it. It is drawn at
// random, and one value has one within the task and recipient domain, as [Task.Surrogate] says, whose errors it returns. Nothing finds it in text: only a
// whole value can be told to be one, by [Task.Invented].
func (t *Task) Realistic(recipient flow.DomainID, c flow.Class, value string, supplier flow.AgentID) (string, error) {
	kind := deidentify.InventionOf(c)
	if kind == "" {
		return t.Surrogate(recipient, c, value, supplier)
	}
	return t.standIn(recipient, c, value, supplier, kind)
}

// Invented reports whether a text is a realistic stand-in that the recipient domain was given in this task for a value of the label's kind.
func (t *Task) Invented(recipient flow.DomainID, l flow.Label, text string) bool {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	g, ok := t.s.byName[nameKey{string(recipient), strings.ToLower(text)}]
	return ok && strings.HasPrefix(g.word, invented) && kindOf(g.Label) == kindOf(l)
}

// invented begins the word of a realistic stand-in.
const invented = "\x00realistic "

// invent draws an unused one; false if there is none. The caller holds s.mu.
func (s *taskState) invent(key valueKey, kind, locale string) (string, bool) {
	taken := uint64(s.counts[nameKey{key.recipient, invented + kind}])
	for range maxFormatDraws * 4 {
		text := deidentify.Invent(kind, locale, taken)
		name := strings.ToLower(text)
		_, used := s.byName[nameKey{key.recipient, name}]
		_, real := s.surrogates[valueKey{key.recipient, key.kind, normalKind(key.kind, text)}]
		if text == "" || !used && !real && !s.reserved[name] && normalKind(key.kind, text) != key.value {
			return text, text != ""
		}
	}
	return "", false
}
