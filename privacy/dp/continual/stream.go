package continual

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/store"
)

// Release is what may be known of a stream after a step: the sums of its values over the steps From to Step, with noise.
type Release struct {
	Stream     string
	From, Step int64
	Sums       []int64 // one for each value of a step
}

// Stream is one stream. It is safe for concurrent use, also of several handles and processes on one database: a step is taken once.
type Stream struct {
	in       *Streams
	name     string
	instance []byte
	params   Params

	mu     sync.Mutex // guards the fields below; held while a step is written
	source *noise.Source
	law    noise.RoundedGaussian
	epochs int // paid for
	step   int64
	digest [digestSize]byte // of the last step's values
	state  *state           // after that step; nil: it must be loaded
}

// Params returns the parameters with their defaults.
func (s *Stream) Params() Params { return s.params }

// Add takes the next step and returns the running sums after it, once they, the noise in them and what later steps need of it are durable.
// Steps are numbered from 1. Values may be any int64; a sum beyond int64 is released as the nearest end of it.
//
// The last step, again and with the same values, returns what was released then, and draws nothing: a caller who does not know whether a step
// was taken may ask again. With other values it is [ErrConflict]; an older step is [ErrPast], one too far [ErrGap]. A step beyond what is paid for
// opens the next epoch, and returns the error of [Options.Charge] if that fails, or [ErrEnded] if there is none. After any other error it is
// not known whether the step was taken; nothing was released, and no noise that was stored will be drawn again.
func (s *Stream) Add(ctx context.Context, step int64, values []int64) (Release, error) {
	if len(values) != s.params.Keys {
		return Release{}, &ParamError{"values", "are as many as keys"}
	}
	digest := digestOf(values)
	s.mu.Lock()
	defer s.mu.Unlock()
	for try := 0; ; try++ {
		r, err := s.add(ctx, step, values, digest)
		if !errors.Is(err, errMoved) || try == mostTries {
			return r, err
		}
	}
}

const mostTries = 8

// errMoved says that another handle changed the stream meanwhile.
var errMoved = errors.New("stream was changed by another handle")

func (s *Stream) add(ctx context.Context, step int64, values []int64, digest [digestSize]byte) (Release, error) {
	if s.state == nil {
		if err := s.load(ctx); err != nil {
			return Release{}, err
		}
	}
	switch {
	case step < 1 || step < s.step:
		return Release{}, ErrPast
	case step == s.step && digest != s.digest:
		return Release{}, ErrConflict
	case step == s.step:
		return s.release(), nil
	case step > s.step+1:
		return Release{}, ErrGap
	}
	if last := s.state.e.first + int64(s.state.e.steps) - 1; s.epochs == 0 || s.step == last {
		if err := s.turn(ctx); err != nil {
			return Release{}, err
		}
	}
	st := s.state
	s.state = nil // until the step is durable: noise that was drawn in vain must not be used
	if err := st.advance(values, func() int64 { return s.law.Sample(s.source) }); err != nil {
		return Release{}, err
	}
	if err := s.write(ctx, st, step, digest); err != nil {
		return Release{}, err
	}
	s.state, s.step, s.digest = st, step, digest
	return s.release(), nil
}

func (s *Stream) release() Release {
	return Release{Stream: s.name, From: 1, Step: s.step, Sums: slices.Clone(s.state.released)}
}

// keeps is how many steps before the next one have a row of their own.
func (s *Stream) keeps() int64 {
	n := s.params.Window
	if s.params.Method == SquareRoot {
		n = max(n, s.params.Band)
	}
	return int64(n)
}

// write stores a step in one transaction: who else took it meanwhile changed the row first.
func (s *Stream) write(ctx context.Context, st *state, step int64, digest [digestSize]byte) error {
	head, err := s.in.opt.Seal.Seal(st.head(digest), place("head", s.instance, step))
	if err != nil {
		return fmt.Errorf("sealing a step of the stream: %w", err)
	}
	var trail []byte
	if s.keeps() > 0 {
		if trail, err = s.in.opt.Seal.Seal(st.trail(), place("step", s.instance, step)); err != nil {
			return fmt.Errorf("sealing a step of the stream: %w", err)
		}
	}
	release := Release{Stream: s.name, From: 1, Step: step, Sums: slices.Clone(st.released)}
	err = s.in.db.Update(ctx, func(tx store.Tx) error {
		const set = `UPDATE continual_streams SET step = ?, head = ? WHERE stream = ? AND instance = ? AND step = ? AND epochs = ?`
		if err := changed(tx.Exec(set, step, head, s.name, s.instance, step-1, s.epochs)); err != nil {
			return err
		}
		if trail != nil {
			if _, err := tx.Exec(`INSERT INTO continual_steps (stream, step, sealed) VALUES (?, ?, ?)`, s.name, step, trail); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM continual_steps WHERE stream = ? AND step <= ?`, s.name, step-s.keeps()-1); err != nil {
				return err
			}
		}
		if s.in.opt.Journal != nil {
			return s.in.opt.Journal(tx, release)
		}
		return nil
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return errMoved
	case err != nil && !errors.Is(err, errMoved):
		return fmt.Errorf("storing a step of the stream: %w", err)
	}
	return err
}

// changed is errMoved unless one row was.
func changed(rows int64, err error) error {
	if err == nil && rows != 1 {
		return errMoved
	}
	return err
}

// turn goes over to the next epoch, which it pays for unless that is done.
func (s *Stream) turn(ctx context.Context) error {
	next := 0
	if s.step > 0 {
		next = s.state.e.number + 1
	}
	if next >= s.params.Epochs {
		return ErrEnded
	}
	if s.epochs <= next {
		if err := s.extend(ctx); err != nil {
			return err
		}
	}
	e, err := s.params.epoch(next)
	if err != nil {
		return err
	}
	s.state = newState(e, s.params.Keys, slices.Clone(s.state.released))
	return s.use(e)
}

func (s *Stream) use(e *epoch) (err error) {
	s.law, err = noise.NewRoundedGaussian(noise.Ratio{Num: e.sigma, Den: 1})
	return err
}

// Extend pays for one more epoch ahead of time. It returns [ErrEnded] if the parameters allow none.
func (s *Stream) Extend(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extend(ctx)
}

func (s *Stream) extend(ctx context.Context) error {
	n := s.epochs
	if n >= s.params.Epochs {
		return ErrEnded
	}
	e, err := s.params.epoch(n)
	if err != nil {
		return err
	}
	if err := s.in.opt.Charge(ctx, Charge{s.name, n, e.first, e.steps, e.cost(), s.key(n)}); err != nil {
		return fmt.Errorf("paying for epoch %d of the stream: %w", n, err)
	}
	err = s.in.db.Update(ctx, func(tx store.Tx) error {
		return changed(tx.Exec(`UPDATE continual_streams SET epochs = ? WHERE stream = ? AND instance = ? AND epochs = ?`, n+1, s.name, s.instance, n))
	})
	if err != nil {
		s.state = nil // another handle may have been first
		if errors.Is(err, store.ErrConflict) {
			err = errMoved
		}
		return fmt.Errorf("opening epoch %d of the stream: %w", n, err)
	}
	s.epochs = n + 1
	return nil
}

// load reads where the stream stands.
func (s *Stream) load(ctx context.Context) error {
	var head []byte
	var trails [][]byte
	var st *state
	err := s.in.db.View(ctx, func(tx store.Tx) error {
		const get = `SELECT epochs, step, head FROM continual_streams WHERE stream = ? AND instance = ?`
		if err := tx.QueryRow(get, s.name, s.instance).Scan(&s.epochs, &s.step, &head); err != nil {
			return err
		}
		if s.step == 0 {
			return nil
		}
		plain, err := open(s.in.opt.Seal, place("head", s.instance, s.step), head)
		if err != nil {
			return err
		}
		if st, s.digest, err = readHead(plain, s.params.Keys, s.params.epoch); err != nil {
			return err
		}
		if st.e.first+int64(st.t)-1 != s.step || st.e.number >= s.epochs {
			return ErrSealed
		}
		trails, err = s.trails(tx, min(st.t, len(st.e.c)))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoStream
	}
	if err != nil {
		return fmt.Errorf("reading where the stream stands: %w", err)
	}
	if s.step == 0 {
		e, err := s.params.epoch(0)
		if err != nil {
			return err
		}
		st = newState(e, s.params.Keys, make([]int64, s.params.Keys))
	}
	for i, b := range trails {
		if err := st.follow(b, st.t-i); err != nil {
			return err
		}
	}
	s.state = st
	return s.use(st.e)
}

// trails returns what is kept of the last n steps, the last one first.
func (s *Stream) trails(tx store.Tx, n int) ([][]byte, error) {
	if n == 0 {
		return nil, nil
	}
	rows, err := tx.Query(`SELECT step, sealed FROM continual_steps WHERE stream = ? AND step > ? ORDER BY step DESC`, s.name, s.step-int64(n))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]byte
	for want := s.step; rows.Next(); want-- {
		var step int64
		var sealed []byte
		if err := rows.Scan(&step, &sealed); err != nil {
			return nil, err
		}
		if step != want {
			return nil, ErrSealed
		}
		plain, err := open(s.in.opt.Seal, place("step", s.instance, step), sealed)
		if err != nil {
			return nil, err
		}
		all = append(all, plain)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(all) != n {
		return nil, ErrSealed
	}
	return all, nil
}

// Last returns what the last step released; before the first one all sums are 0, which is no secret.
func (s *Stream) Last(ctx context.Context) (Release, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return Release{}, err
	}
	return s.release(), nil
}

// refresh loads the state unless no other handle has taken a step since.
func (s *Stream) refresh(ctx context.Context) error {
	if s.state != nil {
		var step int64
		err := s.in.db.View(ctx, func(tx store.Tx) error {
			return tx.QueryRow(`SELECT step FROM continual_streams WHERE stream = ? AND instance = ?`, s.name, s.instance).Scan(&step)
		})
		if err == nil && step == s.step {
			return nil
		}
	}
	return s.load(ctx)
}

// Window returns the sums over the last width steps, or over all if there are fewer: the difference of two releases, which costs nothing more.
// It returns [ErrWindow] for more than the parameters' window.
func (s *Stream) Window(ctx context.Context, width int) (Release, error) {
	if width < 1 || width > s.params.Window {
		return Release{}, ErrWindow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return Release{}, err
	}
	r := s.release()
	before := s.step - int64(width)
	if before <= 0 {
		return r, nil
	}
	var sealed []byte
	err := s.in.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`SELECT sealed FROM continual_steps WHERE stream = ? AND step = ?`, s.name, before).Scan(&sealed)
	})
	if err != nil {
		return Release{}, fmt.Errorf("reading a step of the stream: %w", err)
	}
	plain, err := open(s.in.opt.Seal, place("step", s.instance, before), sealed)
	if err != nil {
		return Release{}, err
	}
	old, err := readTrail(plain, s.params.Keys)
	if err != nil {
		return Release{}, err
	}
	r.From = before + 1
	for k := range r.Sums {
		r.Sums[k] = widen(r.Sums[k]).sub(widen(old[k])).saturate()
	}
	return r, nil
}

func digestOf(values []int64) [digestSize]byte {
	b := make([]byte, 0, 8*len(values))
	for _, x := range values {
		b = binary.BigEndian.AppendUint64(b, uint64(x))
	}
	return sha256.Sum256(b)
}
