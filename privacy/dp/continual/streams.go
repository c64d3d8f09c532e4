package continual

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's part of the store.
func Schema() store.Schema { return store.Schema{Name: "privacy/dp/continual", FS: migrations} }

// Errors that callers act on.
var (
	ErrNoStream = errors.New("there is no such stream")
	ErrExists   = errors.New("a stream of that name has other parameters")
	ErrGap      = errors.New("step does not follow the last one")
	ErrPast     = errors.New("step is over")
	ErrConflict = errors.New("the step was taken with other values")
	ErrEnded    = errors.New("stream has taken all steps that its parameters allow")
	ErrWindow   = errors.New("window is wider than what the stream keeps")
)

// Charge is the cost of one epoch of a stream. It is the same for every try to open that epoch, Key included, and for no other.
type Charge struct {
	Stream string
	Epoch  int   // from 0
	First  int64 // its first step
	Steps  int
	Cost   account.Vector
	Key    string // for a ledger that charges a key once
}

// Options of [Open].
type Options struct {
	// Seal keeps what is stored from whoever can read the database. It is needed.
	Seal Sealer

	// Charge pays for an epoch before its first step, and is needed. It returns nil when the cost is charged for good, whatever happens to this
	// process; if it fails the epoch is not opened, and the same charge is asked for again at the next try.
	Charge func(context.Context, Charge) error

	// Journal runs in the transaction that stores a step, before the release is returned; if it fails, so does the step. Nil: nothing runs.
	Journal func(store.Tx, Release) error

	// Random is where noise comes from, for known-answer tests alone. Nil: the operating system.
	Random *noise.Source
}

// Streams are the streams of one database.
type Streams struct {
	db  store.DB
	opt Options
}

// Open returns the streams kept in db, which has the tables of [Schema].
func Open(db store.DB, opt Options) (*Streams, error) {
	if opt.Seal == nil || opt.Charge == nil {
		return nil, errors.New("opening streams: options need a seal and a charge")
	}
	return &Streams{db, opt}, nil
}

const mostName = 200 // bytes

// Create makes a stream of that name, pays for its first epoch and returns it. A stream that is there already with the same parameters is returned as it
// is; with others it is [ErrExists]. Names are public: they stand in the database and in charges.
func (s *Streams) Create(ctx context.Context, name string, p Params) (*Stream, error) {
	p, err := p.check()
	if err != nil {
		return nil, err
	}
	if name == "" || len(name) > mostName {
		return nil, &ParamError{"name", "has 1 to 200 bytes"}
	}
	if _, err := p.epoch(p.Epochs - 1); err != nil { // before anything is charged
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing the parameters: %w", err)
	}
	instance := make([]byte, 16)
	_, _ = rand.Read(instance) // never fails
	const insert = `INSERT INTO continual_streams (stream, instance, params, epochs, step, head) VALUES (?, ?, ?, 0, 0, ?) ON CONFLICT (stream) DO NOTHING`
	err = s.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(insert, name, instance, string(text), []byte{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("creating the stream: %w", err)
	}
	st, err := s.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	if st.params != p {
		return nil, ErrExists
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.epochs == 0 {
		err := st.extend(ctx)
		if errors.Is(err, errMoved) {
			err = st.load(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	return st, nil
}

// Stream returns the stream of that name, or [ErrNoStream].
func (s *Streams) Stream(ctx context.Context, name string) (*Stream, error) {
	st := &Stream{in: s, name: name}
	var text string
	err := s.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`SELECT instance, params FROM continual_streams WHERE stream = ?`, name).Scan(&st.instance, &text)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoStream
	}
	if err != nil {
		return nil, fmt.Errorf("reading the stream: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&st.params); err != nil {
		return nil, fmt.Errorf("reading the parameters of the stream: %w", err)
	}
	if st.params, err = st.params.check(); err != nil {
		return nil, err
	}
	if st.source = s.opt.Random; st.source == nil {
		st.source = noise.NewSource()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.load(ctx); err != nil {
		return nil, err
	}
	return st, nil
}

// Drop deletes the stream of that name, what it summed and its noise. A stream that is made with the same name later is another one, and is paid for anew.
func (s *Streams) Drop(ctx context.Context, name string) error {
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM continual_steps WHERE stream = ?`, name); err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM continual_streams WHERE stream = ?`, name)
		if err == nil && n == 0 {
			return ErrNoStream
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrNoStream) {
		return fmt.Errorf("dropping the stream: %w", err)
	}
	return err
}

func (s *Stream) key(n int) string {
	return fmt.Sprintf("continual %s %d", hex.EncodeToString(s.instance), n)
}
