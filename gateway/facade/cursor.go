package facade

import (
	"encoding/base64"
	"encoding/json"
	"errors"
)

// place is a row's place in the order, as a cursor holds it.
type place struct {
	Raw  string `json:"r,omitempty"`
	Null bool   `json:"n,omitempty"`
}

// seal makes the cursor that goes on after a row. It is written in letters from a to p, in which nothing is found that
// looks like a value of anybody.
func (a *admitted) seal(t *table, q *asked, out *Query, last []Cell) (string, error) {
	at := make([]place, len(last))
	for i, c := range last {
		at[i] = place{c.raw, c.Null}
	}
	plain, err := json.Marshal(at)
	if err != nil {
		return "", err
	}
	sealed, err := a.e.Gateway.SealCursor(plain, a.of(t, q, out))
	if err != nil {
		return "", err
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", err
	}
	letters := make([]byte, 0, 2*len(raw))
	for _, b := range raw {
		letters = append(letters, 'a'+b>>4, 'a'+b&15)
	}
	return string(letters), nil
}

var errCursor = errors.New("the cursor is not one of this question for this caller")

// resume opens a cursor. Every one that does not open is answered alike.
func (a *admitted) resume(t *table, q *asked, out *Query) ([]Cell, error) {
	if len(q.cursor)%2 != 0 {
		return nil, errCursor
	}
	raw := make([]byte, len(q.cursor)/2)
	for i := range raw {
		hi, lo := q.cursor[2*i]-'a', q.cursor[2*i+1]-'a'
		if hi > 15 || lo > 15 {
			return nil, errCursor
		}
		raw[i] = hi<<4 | lo
	}
	plain, err := a.e.Gateway.OpenCursor(base64.RawURLEncoding.EncodeToString(raw), a.of(t, q, out))
	if err != nil {
		return nil, errCursor
	}
	var at []place
	if json.Unmarshal(plain, &at) != nil || len(at) != len(out.Order) {
		return nil, errCursor
	}
	cells := make([]Cell, len(at))
	for i, p := range at {
		cells[i] = Cell{raw: p.Raw, Null: p.Null}
	}
	return cells, nil
}
