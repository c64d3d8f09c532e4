package ask

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Arguments are what a question says, in every door.
type Arguments struct {
	Dataset  string    `json:"dataset"`
	SQL      string    `json:"sql,omitempty"`
	Queries  []Query   `json:"queries,omitempty"` // several, in place of SQL
	Epsilon  Decimal   `json:"epsilon,omitzero"`
	Accuracy *Accuracy `json:"accuracy,omitempty"`
	Noise    string    `json:"noise,omitempty"`
	Rows     int64     `json:"rows,omitempty"`
	Groups   int64     `json:"groups,omitempty"`
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
}

// Query is one of several questions that are answered together.
type Query struct {
	SQL    string `json:"sql"`
	Weight int64  `json:"weight,omitempty"`
}

// length is how long the questions are together.
func (a *Arguments) length() int {
	n := len(a.SQL)
	for _, q := range a.Queries {
		n += len(q.SQL)
	}
	return n
}

// Accuracy is how exact an answer has to be at 95 % confidence: one of its members.
type Accuracy struct {
	HalfWidth Decimal `json:"half_width,omitzero"`
	Relative  Decimal `json:"relative,omitzero"`
}

// Decimal is a number above 0 as it was written, in JSON as a number or a string.
type Decimal string

var decimalForm = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?$`)

// UnmarshalJSON implements [stdjson.Unmarshaler].
func (d *Decimal) UnmarshalJSON(b []byte) error {
	s := string(bytes.Trim(b, `"`))
	if !decimalForm.MatchString(s) {
		return errDecimal
	}
	*d = Decimal(s)
	return nil
}

var errDecimal = fmt.Errorf("a decimal number above 0 is expected")

// Nano returns the number in units of 10⁻⁹, if it is above 0 and exactly so many.
func (d Decimal) Nano() (int64, bool) {
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(1_000_000_000, 1))
	if !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() == math.MaxInt64 || r.Sign() <= 0 {
		return 0, false
	}
	return r.Num().Int64(), true
}

// The bounds of what is read of a question.
const (
	maxSQL  = 16 << 10
	maxName = 128
)

// parse reads arguments. The error is a [*gateway.Refusal] that repeats nothing of them.
func parse(raw []byte, into any) error {
	dec := stdjson.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if !plain(raw) || dec.Decode(into) != nil {
		return gateway.Refuse(gateway.RulePlace, nil, "The arguments have not the form that the tool's schema gives.")
	}
	return nil
}

// plain reports whether text is one JSON object in which each member stands once, by a name in lower case. A capability bounds arguments by their
// names as they are written, and [stdjson] takes a name in any case, the last one of several: what was bounded must be what is read.
func plain(raw []byte) bool {
	dec := stdjson.NewDecoder(bytes.NewReader(raw))
	start, err := dec.Token()
	if err != nil || start != stdjson.Delim('{') || !plainRest(dec, '{', maxNesting) {
		return false
	}
	_, err = dec.Token()
	return errors.Is(err, io.EOF)
}

// maxNesting is how deeply arguments nest: more than any of them does.
const maxNesting = 8

// plainRest reads the rest of an object or array that was begun.
func plainRest(dec *stdjson.Decoder, of stdjson.Delim, left int) bool {
	seen := map[string]bool{}
	for dec.More() {
		if of == '{' {
			token, err := dec.Token()
			name, ok := token.(string)
			if err != nil || !ok || seen[name] || strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
				return false
			}
			seen[name] = true
		}
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if inner, nests := token.(stdjson.Delim); nests && (left == 0 || !plainRest(dec, inner, left-1)) {
			return false
		}
	}
	_, err := dec.Token()
	return err == nil
}

// ParseArguments reads a question. The error is a [*gateway.Refusal] that repeats nothing of it.
func ParseArguments(raw []byte) (Arguments, error) {
	var a Arguments
	if err := parse(raw, &a); err != nil {
		return Arguments{}, err
	}
	wrong := func(format string, args ...any) (Arguments, error) {
		return Arguments{}, gateway.Refuse(gateway.RulePlace, nil, format, args...)
	}
	switch acc := a.Accuracy; {
	case a.Dataset == "" || len(a.Dataset) > maxName:
		return wrong("The question names no dataset.")
	case a.SQL == "" && len(a.Queries) == 0:
		return wrong("The question has no sql.")
	case a.SQL != "" && len(a.Queries) > 0:
		return wrong("Either sql or queries is expected.")
	case len(a.Queries) > 0 && acc != nil:
		return wrong("Several queries together are asked for by epsilon, not by accuracy.")
	case a.length() > maxSQL:
		return wrong("The question is longer than %d bytes.", maxSQL)
	case a.Noise != "" && a.Noise != "laplace" && a.Noise != "gaussian":
		return wrong(`The noise is "laplace", "gaussian", or not said.`)
	case a.Rows < 0 || a.Groups < 0:
		return wrong("rows and groups are above 0, or not said.")
	case acc != nil && (acc.HalfWidth == "") == (acc.Relative == ""):
		return wrong("Of accuracy either half_width or relative is expected.")
	case acc != nil && a.Epsilon != "":
		return wrong("Either epsilon or accuracy is expected.")
	case !a.From.IsZero() && !a.Until.IsZero() && !a.From.Before(a.Until):
		return wrong("from is not before until.")
	}
	if _, ok := a.Epsilon.Nano(); a.Epsilon != "" && !ok {
		return wrong("epsilon must be above 0 and a multiple of 0.000000001.")
	}
	return a, nil
}

// question is what was asked as it is compiled.
func (a *Arguments) question() query.Question {
	q := query.Question{Dataset: a.Dataset, SQL: a.SQL, Noise: a.Noise, Rows: a.Rows, Groups: a.Groups, From: a.From, Until: a.Until}
	for _, part := range a.Queries {
		q.Queries = append(q.Queries, query.Query{SQL: part.SQL, Weight: part.Weight})
	}
	q.Epsilon, _ = a.Epsilon.Nano()
	if a.Accuracy != nil {
		q.Accuracy = &query.Accuracy{HalfWidth: string(a.Accuracy.HalfWidth), Relative: string(a.Accuracy.Relative)}
	}
	return q
}
