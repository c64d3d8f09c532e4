package backup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/scrimhq/scrim/flow"
)

// Errors of seals that a caller may act on.
var (
	ErrPlain     = errors.New("an archive that is not encrypted was not asked for: it holds the keyset, and with that everything")
	ErrNoKey     = errors.New("the archive is encrypted, and neither a passphrase nor an identity was given")
	ErrWrongKey  = errors.New("the archive is encrypted to another passphrase or identity, or its beginning was changed")
	ErrRecipient = errors.New("recipient is not an age recipient, age1… or age1pq1…")
	ErrShort     = errors.New("passphrase is shorter than 16 bytes")
)

const minPhrase = 16 // bytes: whoever gets the file may try as long as they like

// Lock is how an archive is encrypted: to a passphrase, or to recipients, or, where Plain says so, not at all. The zero value writes nothing.
type Lock struct {
	Passphrase flow.Secret
	Recipients []string // of age
	Plain      bool
	Work       int // log₂ of scrypt's N; 0: that of age. For tests
}

// check says what is wrong with a lock, before anything is done.
func (l Lock) check() error {
	switch {
	case !l.Passphrase.IsZero() && len(l.Recipients) > 0:
		return errors.New("an archive is encrypted to a passphrase or to recipients, not to both")
	case !l.Passphrase.IsZero() && len(l.Passphrase.Expose()) < minPhrase:
		return ErrShort
	case l.Passphrase.IsZero() && len(l.Recipients) == 0 && !l.Plain:
		return ErrPlain
	}
	_, err := l.recipients()
	return err
}

func (l Lock) recipients() (to []age.Recipient, err error) {
	for _, text := range l.Recipients {
		all, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(all) != 1 {
			return nil, ErrRecipient
		}
		to = append(to, all...)
	}
	return to, nil
}

func (l Lock) seal(w io.Writer) (io.WriteCloser, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	to, err := l.recipients()
	if err != nil {
		return nil, err
	}
	if !l.Passphrase.IsZero() {
		r, err := age.NewScryptRecipient(l.Passphrase.Expose())
		if err != nil {
			return nil, err
		}
		if l.Work > 0 {
			r.SetWorkFactor(l.Work)
		}
		to = append(to, r)
	}
	if len(to) == 0 {
		return nopCloser{w}, nil
	}
	return age.Encrypt(w, to...)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Key opens what a [Lock] closed. Of the zero value only a plain archive is opened.
type Key struct {
	Passphrase flow.Secret
	Identities []byte // a file of age identities
}

const ageMagic = "age-encryption.org/v1\n"

// sealedBy is how an archive was encrypted.
type sealedBy int

const (
	sealedPlain sealedBy = iota
	sealedPhrase
	sealedRecipient
)

// unseal returns what was encrypted. Whatever was changed is an error of the reader, at the latest at its end.
func (k Key) unseal(r io.Reader) (io.Reader, sealedBy, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(len(ageMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading the archive: %w", err)
	}
	if string(head) != ageMagic {
		return b, sealedPlain, nil
	}
	var ids []age.Identity
	by := sealedRecipient
	switch {
	case !k.Passphrase.IsZero():
		id, err := age.NewScryptIdentity(k.Passphrase.Expose())
		if err != nil {
			return nil, 0, err
		}
		id.SetMaxWorkFactor(20) // the file says how much is to be done, and it may be anybody's
		ids, by = append(ids, id), sealedPhrase
	case len(k.Identities) > 0:
		if ids, err = age.ParseIdentities(bytes.NewReader(k.Identities)); err != nil {
			return nil, 0, errors.New("the file of identities has none of age's, AGE-SECRET-KEY-1…")
		}
	default:
		return nil, 0, ErrNoKey
	}
	open, err := age.Decrypt(b, ids...)
	if err != nil { // its text may quote the file
		return nil, 0, ErrWrongKey
	}
	return open, by, nil
}
