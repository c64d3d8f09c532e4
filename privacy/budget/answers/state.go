package answers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/store"
)

// identity is what an asking is found by.
type identity struct {
	question [32]byte
	asker    []byte // nil: without a key
	version  Version
	now      time.Time
	noted    bool // this asking was the first with its key, and nothing was charged for it
}

func (b *Book) identify(a *Ask) (id identity, err error) {
	id.now = b.opt.Clock()
	if a.Key != "" {
		h := sha256.New()
		text(h, "scrim.dev/asker/1")
		for _, s := range []string{a.Question.Dataset, string(a.Scope.Domain), a.Scope.Agent, a.Key} {
			text(h, s)
		}
		id.asker = h.Sum(nil)
	}
	if a.Scope.Dataset != a.Question.Dataset {
		return id, fmt.Errorf("%w: who pays pays for another dataset", ErrQuestion)
	}
	if a.Question.Schedule == (Schedule{}) { // nobody else's question is the same
		id.version = Version{Number: -1}
		if id.asker != nil {
			copy(id.question[:], id.asker)
		} else {
			_, _ = rand.Read(id.question[:]) // never fails
		}
		return id, nil
	}
	if id.version, err = a.Question.Schedule.At(id.now); err != nil {
		return id, err
	}
	id.question, err = a.Question.key(id.version)
	return id, err
}

// found is what the book knows of a question.
type found struct {
	question [32]byte // under which the asker's key was answered, perhaps on an earlier version
	version  Version
	body     []byte // sealed
	failed   bool
	noted    bool  // the asker's key was not known before
	mine     bool  // nobody answers it yet, and now this process does
	until    int64 // then whoever answers it is given up
}

// claim looks a question up, and takes it on if nobody else does.
func (b *Book) claim(ctx context.Context, a *Ask, id identity) (f found, err error) {
	if id.asker == nil { // what is there needs no writing
		err = b.db.View(ctx, func(tx store.Tx) error {
			f, err = b.given(tx, id.question)
			return err
		})
		if err != nil || f.body != nil {
			return f, err
		}
	}
	err = b.update(ctx, func(tx store.Tx) error {
		f = found{}
		k := known{question: id.question}
		if id.asker != nil {
			if k, err = b.asked(tx, a, id); err != nil || k.failed {
				f.failed = k.failed
				return err
			}
		}
		f, err = b.given(tx, k.question)
		f.noted = k.noted
		if err != nil || f.body != nil {
			return err
		}
		if k.before {
			return b.lost(tx, &f, id)
		}
		if err := b.advance(tx, a, id); err != nil {
			return err
		}
		f.mine, err = b.take(tx, a, id)
		return err
	})
	if err != nil {
		return found{}, wrap("looking up an answer", err)
	}
	return f, nil
}

// known is what an asker's key stands for.
type known struct {
	question [32]byte
	before   bool // it was used before, by another asking
	noted    bool // it was not, until now
	failed   bool
}

// asked finds which question an asker's key belongs to, or notes it.
func (b *Book) asked(tx store.Tx, a *Ask, id identity) (k known, err error) {
	n, err := tx.Exec("INSERT INTO answers_asked (asker, request, question, failed, at) VALUES (?, ?, ?, 0, ?) ON CONFLICT (asker) DO NOTHING",
		id.asker, a.Request[:], id.question[:], id.now.UnixNano())
	if err != nil || n == 1 {
		return known{question: id.question, noted: true}, errors.Join(err, b.pruneAsked(tx, id.now, prunedByKey))
	}
	var request, question []byte
	var failed int64
	const hold = "UPDATE answers_asked SET failed = failed WHERE asker = ? RETURNING request, question, failed" // so that two with one key decide one after the other
	switch err := tx.QueryRow(hold, id.asker).Scan(&request, &question, &failed); {
	case errors.Is(err, sql.ErrNoRows): // it was taken back since
		return known{}, store.ErrConflict
	case err != nil:
		return known{}, err
	}
	if subtle.ConstantTimeCompare(request, a.Request[:]) != 1 {
		return known{}, ErrConflict
	}
	before := !id.noted || string(question) != string(id.question[:])
	return known{question: [32]byte(question), before: before, failed: failed != 0}, nil
}

// lost finds out what became of a key that was used before and has no answer: somebody is at it, or it was charged by a
// process that ended, and stays without one. A retry never pays.
func (b *Book) lost(tx store.Tx, f *found, id identity) error {
	if f.until >= id.now.UnixNano() {
		return nil // wait
	}
	f.failed = true
	_, err := tx.Exec("UPDATE answers_asked SET failed = 1 WHERE asker = ?", id.asker)
	return err
}

func (b *Book) given(tx store.Tx, question [32]byte) (found, error) {
	f := found{question: question}
	var number, begins, ends int64
	err := tx.QueryRow("SELECT body, version, begins, ends, until FROM answers_given WHERE question = ?", question[:]).Scan(&f.body, &number, &begins, &ends, &f.until)
	if errors.Is(err, sql.ErrNoRows) {
		return found{question: question}, nil
	}
	f.version = Version{Number: number}
	if number >= 0 {
		f.version.Begins = time.Unix(0, begins).UTC()
	}
	if ends != 0 && number >= 0 {
		f.version.Ends = time.Unix(0, ends).UTC()
	}
	return f, err
}

// advance notes the version that is served, and refuses one before it of the same schedule: the clock went back.
func (b *Book) advance(tx store.Tx, a *Ask, id identity) error {
	if id.version.Number < 0 {
		return nil
	}
	begins := id.version.Begins.UnixNano()
	dataset, since, every := a.Question.Dataset, a.Question.Schedule.From.UnixNano(), int64(a.Question.Schedule.Every)
	_, err := tx.Exec(`INSERT INTO answers_versions (dataset, since, every, begun) VALUES (?, ?, ?, ?)
ON CONFLICT (dataset, since, every) DO UPDATE SET begun = excluded.begun WHERE answers_versions.begun < excluded.begun`, dataset, since, every, begins)
	if err != nil {
		return err
	}
	var latest int64
	if err := tx.QueryRow("SELECT begun FROM answers_versions WHERE dataset = ? AND since = ? AND every = ?", dataset, since, every).Scan(&latest); err != nil {
		return err
	}
	if latest > begins {
		return ErrClock
	}
	return nil
}

// take makes this process the one that answers, unless another one is at it and has time left.
func (b *Book) take(tx store.Tx, a *Ask, id identity) (bool, error) {
	begins, ends := int64(0), id.now.UnixNano() // without a schedule it is kept as long as its asker's key
	if id.version.Number >= 0 {
		begins, ends = id.version.Begins.UnixNano(), 0
	}
	if !id.version.Ends.IsZero() {
		ends = id.version.Ends.UnixNano()
	}
	n, err := tx.Exec(`INSERT INTO answers_given (question, dataset, version, begins, ends, owner, until, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (question) DO UPDATE SET owner = excluded.owner, until = excluded.until, at = excluded.at WHERE answers_given.body IS NULL AND answers_given.until < excluded.at`,
		id.question[:], a.Question.Dataset, id.version.Number, begins, ends, b.owner[:], id.now.Add(a.Pad+grace).UnixNano(), id.now.UnixNano())
	return n == 1, err
}

// keep stores a new answer. If another process was faster after all, its answer is the one: nobody sees two draws.
func (b *Book) keep(ctx context.Context, a *Ask, id identity, body []byte) ([]byte, error) {
	sealed, err := b.opt.Seal.Seal(body, id.question[:])
	if err != nil {
		return nil, fmt.Errorf("sealing an answer: %w", err)
	}
	var kept []byte
	err = b.update(ctx, func(tx store.Tx) error {
		kept = nil
		n, err := tx.Exec("UPDATE answers_given SET body = ?, owner = NULL WHERE question = ? AND body IS NULL", sealed, id.question[:])
		if err != nil || n == 1 {
			return errors.Join(err, b.prune(tx, id.now))
		}
		return tx.QueryRow("SELECT body FROM answers_given WHERE question = ?", id.question[:]).Scan(&kept)
	})
	if err != nil {
		return nil, wrap("storing an answer", err)
	}
	if kept == nil {
		return body, nil
	}
	return b.open(id.question, kept)
}

// fail notes that a question was paid for and has no answer: its asker's key stays without one, others may try again.
func (b *Book) fail(ctx context.Context, id identity) {
	err := b.update(ctx, func(tx store.Tx) error {
		if id.asker != nil {
			if _, err := tx.Exec("UPDATE answers_asked SET failed = 1 WHERE asker = ?", id.asker); err != nil {
				return err
			}
		}
		return b.drop(tx, id)
	})
	if err != nil {
		b.fault(wrap("noting that a question failed", err))
	}
}

// forget takes back a claim that nothing was spent for.
func (b *Book) forget(ctx context.Context, id identity) {
	err := b.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		if id.asker != nil {
			if _, err := tx.Exec("DELETE FROM answers_asked WHERE asker = ? AND question = ? AND failed = 0", id.asker, id.question[:]); err != nil {
				return err
			}
		}
		return b.drop(tx, id)
	})
	if err != nil {
		b.fault(wrap("taking back a question", err))
	}
}

// leave forgets the key of an asking that waited for another one's answer in vain: it was charged nothing, and may ask again by it.
func (b *Book) leave(ctx context.Context, id identity) {
	if !id.noted {
		return
	}
	err := b.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM answers_asked WHERE asker = ? AND question = ? AND failed = 0", id.asker, id.question[:])
		return err
	})
	if err != nil {
		b.fault(wrap("taking back a key", err))
	}
}

func (b *Book) drop(tx store.Tx, id identity) error {
	_, err := tx.Exec("DELETE FROM answers_given WHERE question = ? AND body IS NULL AND owner = ?", id.question[:], b.owner[:])
	return err
}

// prune deletes some of what is no longer kept.
func (b *Book) prune(tx store.Tx, now time.Time) error {
	const given = "DELETE FROM answers_given WHERE question IN (SELECT question FROM answers_given WHERE ends <> 0 AND ends < ? ORDER BY ends LIMIT ?)"
	_, err := tx.Exec(given, now.Add(-b.opt.Keep).UnixNano(), pruned)
	return errors.Join(err, b.pruneAsked(tx, now, pruned))
}

// pruneAsked deletes keys that are no longer remembered: more than come, whether or not anything new is answered.
func (b *Book) pruneAsked(tx store.Tx, now time.Time, most int) error {
	const asked = "DELETE FROM answers_asked WHERE asker IN (SELECT asker FROM answers_asked WHERE at < ? ORDER BY at LIMIT ?)"
	_, err := tx.Exec(asked, now.Add(-b.opt.Keep).UnixNano(), int64(most))
	return err
}

func (b *Book) open(question [32]byte, sealed []byte) ([]byte, error) {
	body, err := b.opt.Seal.Open(sealed, question[:])
	if err != nil {
		return nil, fmt.Errorf("opening a stored answer: %w", err)
	}
	return body, nil
}

// wrap leaves errors that callers act on as they are.
func wrap(doing string, err error) error {
	for _, known := range []error{ErrConflict, ErrClock, ErrBusy} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
