package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
)

var errNoRow = errors.New("nothing is stored of the stream yet")

type row struct {
	params continual.Params
	step   int64
}

// row reads where a stream stands, and refuses one that was declared otherwise.
func (p *Publisher) row(ctx context.Context, plan *Plan) (row, error) {
	var r row
	var text string
	var digest []byte
	err := p.opt.DB.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`SELECT definition, params, step FROM dataset_streams WHERE stream = ?`, plan.key()).Scan(&digest, &text, &r.step)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return r, errNoRow
	}
	if err != nil {
		return r, fmt.Errorf("reading where the stream stands: %w", err)
	}
	if !bytes.Equal(digest, plan.digest[:]) {
		return r, ErrChanged
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r.params); err != nil {
		return r, fmt.Errorf("%w: its parameters are not readable", ErrSetBack)
	}
	return r, nil
}

// make writes down what a stream is, once.
func (p *Publisher) make(ctx context.Context, plan *Plan) error {
	text, err := json.Marshal(plan.params)
	if err != nil {
		return fmt.Errorf("writing the parameters: %w", err)
	}
	err = p.opt.DB.Update(ctx, func(tx store.Tx) error {
		const insert = `INSERT INTO dataset_streams (stream, definition, params, step) VALUES (?, ?, ?, 0) ON CONFLICT (stream) DO NOTHING`
		_, err := tx.Exec(insert, plan.key(), plan.digest[:], string(text))
		return err
	})
	if err != nil {
		return fmt.Errorf("making the stream: %w", err)
	}
	return nil
}

// keep stores what a step released.
func (p *Publisher) keep(tx store.Tx, plan *Plan, step int64, shown time.Time, sums []int64) error {
	n, err := tx.Exec(`UPDATE dataset_streams SET step = ? WHERE stream = ? AND step = ? AND definition = ?`, step, plan.key(), step-1, plan.digest[:])
	if err == nil && n != 1 {
		err = ErrSetBack
	}
	if err != nil {
		return err
	}
	plain := make([]byte, 0, 8*len(sums))
	for _, x := range sums {
		plain = binary.BigEndian.AppendUint64(plain, uint64(x))
	}
	sealed, err := p.opt.Seal.Seal(plain, place(plan, step))
	if err != nil {
		return err
	}
	const insert = `INSERT INTO dataset_stream_steps (stream, step, shown, sealed) VALUES (?, ?, ?, ?)`
	if _, err := tx.Exec(insert, plan.key(), step, shown.UnixMilli(), sealed); err != nil {
		return err
	}
	_, err = tx.Exec(`DELETE FROM dataset_stream_steps WHERE stream = ? AND step <= ?`, plan.key(), step-plan.keeps())
	return err
}

const defaultKeep = 10_000

// keeps is how many steps stay. The last one of the term before is needed as long as the term lasts.
func (p *Plan) keeps() int64 {
	n := int64(p.Keep)
	if n <= 0 {
		n = defaultKeep
	}
	return max(n, p.grid.per+1)
}

// place is bound to what is sealed, so that no row can stand in for another.
func place(plan *Plan, step int64) []byte {
	name := sha256.Sum256([]byte(plan.key()))
	b := append([]byte("scrim stream 1 "), name[:]...)
	return binary.BigEndian.AppendUint64(append(b, plan.digest[:]...), uint64(step))
}

// released reads what a step released; that of step 0 are zeros.
func (p *Publisher) released(tx store.Tx, plan *Plan, step int64) ([]int64, error) {
	out := make([]int64, plan.cells)
	if step == 0 {
		return out, nil
	}
	var sealed []byte
	err := tx.QueryRow(`SELECT sealed FROM dataset_stream_steps WHERE stream = ? AND step = ?`, plan.key(), step).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotKept
	}
	if err != nil {
		return nil, err
	}
	plain, err := p.opt.Seal.Open(sealed, place(plan, step))
	if err != nil || len(plain) != 8*len(out) {
		return nil, ErrSetBack
	}
	for i := range out {
		out[i] = int64(binary.BigEndian.Uint64(plain[8*i:]))
	}
	return out, nil
}

// request is what a charge is for.
func (w *worker) request(term int64, c continual.Charge) [32]byte {
	b := append([]byte("scrim stream charge 1 "), w.plan.digest[:]...)
	for _, n := range []int64{term, int64(c.Epoch), c.First, int64(c.Steps)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return sha256.Sum256(b)
}
