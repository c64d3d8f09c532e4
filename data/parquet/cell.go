package parquet

import (
	"encoding/base64"
	"errors"
	"math"
	"math/big"
	"strconv"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
)

// target1 is a column that is written.
type target1 struct {
	table.Column
	old  *column // as an earlier run, or the source, had it
	unit pq.TimeUnit
	per  time.Duration

	decimal          bool // else as text
	scale, precision int
	most             *big.Int
}

// settle fixes how the column is stored. A decimal keeps scale and precision of its source, and is exact text where there are none.
func (c *target1) settle(like *reader) {
	old := c.old
	if old == nil && like != nil {
		for i := range like.columns {
			if o := &like.columns[i]; o.Name == c.Name && o.Type == c.Type {
				old = o
			}
		}
	}
	c.unit, c.per = pq.Microsecond, time.Microsecond
	if old == nil {
		return
	}
	if _, ok := old.unit.Value.(*format.NanoSeconds); ok {
		c.unit, c.per = pq.Nanosecond, time.Nanosecond
	}
	if c.Type == table.Decimal && old.Type == table.Decimal && old.precision > 0 && old.precision <= 76 {
		c.decimal, c.scale, c.precision = true, old.scale, old.precision
		c.most = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.precision)), nil)
	}
}

func (c *target1) node() pq.Node {
	var n pq.Node
	switch c.Type {
	case table.Integer:
		n = pq.Leaf(pq.Int64Type)
	case table.Float:
		n = pq.Leaf(pq.DoubleType)
	case table.Truth:
		return c.optional(pq.Leaf(pq.BooleanType))
	case table.Date:
		n = pq.Date()
	case table.Timestamp:
		n = pq.Timestamp(c.unit)
	case table.Bytes:
		n = pq.Leaf(pq.ByteArrayType)
	case table.Decimal:
		if n = pq.String(); c.decimal {
			n = pq.Decimal(c.scale, c.precision, pq.FixedLenByteArrayType(c.width()))
		}
	default:
		n = pq.String()
	}
	return c.optional(pq.Encoded(n, &pq.RLEDictionary))
}

func (c *target1) optional(n pq.Node) pq.Node {
	if c.Required {
		return n
	}
	return pq.Optional(n)
}

// width is how many bytes the largest decimal takes.
func (c *target1) width() int { return c.most.BitLen()/8 + 1 }

var (
	errNull = errors.New("is null in a column that has none")
	errType = errors.New("does not fit the column's type")
)

// value makes of a cell what the column stores. It keeps nothing of the cell.
func (c *target1) value(cell table.Cell) (pq.Value, error) {
	if cell.Kind == table.Null {
		if c.Required {
			return pq.Value{}, errNull
		}
		return pq.NullValue(), nil
	}
	switch c.Type {
	case table.Integer:
		n, err := strconv.ParseInt(string(cell.Text), 10, 64)
		if err != nil || cell.Kind == table.Bool {
			return pq.Value{}, errType
		}
		return pq.Int64Value(n), nil
	case table.Float:
		return c.float(cell)
	case table.Truth:
		if s := string(cell.Text); s == "true" || s == "false" {
			return pq.BooleanValue(s == "true"), nil
		}
		return pq.Value{}, errType
	case table.Date:
		t, err := time.Parse(time.DateOnly, string(cell.Text))
		if err != nil {
			return pq.Value{}, errType
		}
		return pq.Int32Value(int32(floorDiv(t.Unix(), day))), nil
	case table.Timestamp:
		return c.timestamp(cell)
	case table.Bytes:
		b, err := base64.StdEncoding.Strict().DecodeString(string(cell.Text))
		if err != nil || cell.Kind != table.Text {
			return pq.Value{}, errType
		}
		return pq.ByteArrayValue(b), nil
	case table.Decimal:
		if c.decimal {
			return c.fixed(string(cell.Text))
		}
		if cell.Kind != table.Number && cell.Kind != table.Text {
			return pq.Value{}, errType
		}
	}
	return pq.ByteArrayValue(append(make([]byte, 0, len(cell.Text)), cell.Text...)), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (c *target1) float(cell table.Cell) (pq.Value, error) {
	switch s := string(cell.Text); s {
	case "NaN":
		return pq.DoubleValue(math.NaN()), nil
	case "Infinity":
		return pq.DoubleValue(math.Inf(1)), nil
	case "-Infinity":
		return pq.DoubleValue(math.Inf(-1)), nil
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || cell.Kind == table.Bool {
			return pq.Value{}, errType
		}
		return pq.DoubleValue(f), nil
	}
}

func (c *target1) timestamp(cell table.Cell) (pq.Value, error) {
	t, err := time.Parse(time.RFC3339Nano, string(cell.Text))
	if err != nil {
		return pq.Value{}, errType
	}
	if c.per == time.Nanosecond {
		if n := t.UnixNano(); time.Unix(0, n).Equal(t) {
			return pq.Int64Value(n), nil
		}
		return pq.Value{}, errRange
	}
	if t.Nanosecond()%1000 != 0 {
		return pq.Value{}, errors.New("is finer than a millionth of a second, which is what the column keeps")
	}
	return pq.Int64Value(t.UnixMicro()), nil
}

// fixed makes of a decimal the whole number of its smallest units, exactly.
func (c *target1) fixed(s string) (pq.Value, error) {
	if len(s) > mostDigits {
		return pq.Value{}, errRange
	}
	r, ok := new(big.Rat).SetString(decimalOnly(s))
	if !ok {
		return pq.Value{}, errType
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.scale)), nil)))
	if !r.IsInt() || r.Num().CmpAbs(c.most) >= 0 {
		return pq.Value{}, errors.New("does not fit the column's scale and precision")
	}
	n, b := new(big.Int).Set(r.Num()), make([]byte, c.width())
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return pq.FixedLenByteArrayValue(n.FillBytes(b)), nil
}

// decimalOnly is s if it has digits, a sign and a point, and no exponent that would make a huge number of a short text.
func decimalOnly(s string) string {
	for i := range len(s) {
		if ch := s[i]; (ch < '0' || ch > '9') && ch != '.' && (ch != '-' || i > 0) {
			return ""
		}
	}
	return s
}
