package parquet

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
)

// raw is a value as the file has it: bytes, or a number in 64 bits.
type raw struct {
	n uint64
	b []byte
}

// show appends a value's text to dst. The kind is what the cell then holds.
type show func(dst []byte, v raw) ([]byte, table.Kind, error)

var (
	errUTF8  = errors.New("is said to be text and is no UTF-8")
	errRange = errors.New("is out of its type's range")
)

// typed sets the column's type by its physical and logical one.
func (c *column) typed(el *format.SchemaElement) {
	c.Type, c.show, c.whole = table.Mixed, nil, Whole{}
	old := deprecated.ConvertedType(-1)
	if el.ConvertedType.Valid {
		old = el.ConvertedType.V
	}
	logical := el.LogicalType.Value
	if d, ok := logical.(*format.DecimalType); ok {
		c.decimal(int(d.Scale), int(d.Precision))
		return
	}
	if old == deprecated.Decimal {
		c.decimal(int(el.Scale.V), int(el.Precision.V))
		return
	}
	switch c.kind {
	case format.Boolean:
		c.Type, c.show, c.whole = table.Truth, showBool, Whole{Kind: Flag}
	case format.Int32:
		c.int32(logical, old)
	case format.Int64:
		c.int64(logical, old)
	case format.Int96:
		c.Type, c.show, c.unit.Value = table.Timestamp, showInt96, &format.NanoSeconds{}
	case format.Float:
		c.Type, c.show = table.Float, showFloat
	case format.Double:
		c.Type, c.show = table.Float, showDouble
	case format.ByteArray, format.FixedLenByteArray:
		c.bytes(logical, old)
	default:
		c.why = "has a type that is not known"
	}
	if c.kind == format.FixedLenByteArray && (c.length <= 0 || c.length > 1<<20) {
		c.why = "has values of a length that cannot be"
	}
}

func (c *column) int32(logical format.LogicalTypeValue, old deprecated.ConvertedType) {
	c.Type, c.show, c.whole = table.Integer, showInt32, Whole{Kind: Scaled}
	switch l := logical.(type) {
	case *format.DateType:
		c.Type, c.show, c.whole = table.Date, showDate, Whole{Kind: Days}
	case *format.TimeType:
		c.Type, c.show, c.whole = table.String, showTime(time.Millisecond), Whole{}
	case *format.IntType:
		if !l.IsSigned {
			c.show, c.unsigned = showUint32, true
		}
	case nil:
		switch old {
		case deprecated.Date:
			c.Type, c.show, c.whole = table.Date, showDate, Whole{Kind: Days}
		case deprecated.TimeMillis:
			c.Type, c.show, c.whole = table.String, showTime(time.Millisecond), Whole{}
		case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32:
			c.show, c.unsigned = showUint32, true
		}
	}
}

func (c *column) int64(logical format.LogicalTypeValue, old deprecated.ConvertedType) {
	c.Type, c.show, c.whole = table.Integer, showInt64, Whole{Kind: Scaled}
	switch l := logical.(type) {
	case *format.TimestampType:
		c.timestamp(l.Unit, l.IsAdjustedToUTC)
	case *format.TimeType:
		if l.Unit.Value == nil {
			c.why = "has a time whose unit is not known"
			return
		}
		c.Type, c.show, c.whole = table.String, showTime(l.Unit.Value.Duration()), Whole{}
	case *format.IntType:
		if !l.IsSigned {
			c.Type, c.show, c.whole = table.Decimal, showUint64, Whole{}
			c.precision = 20
		}
	case nil:
		switch old {
		case deprecated.TimestampMillis:
			c.timestamp(format.TimeUnit{Value: &format.MilliSeconds{}}, true)
		case deprecated.TimestampMicros:
			c.timestamp(format.TimeUnit{Value: &format.MicroSeconds{}}, true)
		case deprecated.TimeMicros:
			c.Type, c.show, c.whole = table.String, showTime(time.Microsecond), Whole{}
		case deprecated.Uint64:
			c.Type, c.show, c.whole = table.Decimal, showUint64, Whole{}
			c.precision = 20
		}
	}
}

func (c *column) timestamp(unit format.TimeUnit, utc bool) {
	if unit.Value == nil {
		c.why = "has a time whose unit is not known"
		return
	}
	c.unit = unit
	c.Type, c.show = table.Timestamp, showTimestamp(unit.Value.Duration(), utc)
	c.whole = Whole{Kind: Moments, Per: int64(time.Second / unit.Value.Duration())}
	if !utc {
		c.Type = table.String // a time of day somewhere: RFC 3339 has no form without an offset
	}
}

func (c *column) bytes(logical format.LogicalTypeValue, old deprecated.ConvertedType) {
	c.Type, c.show = table.Bytes, showBytes
	switch logical.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		c.Type, c.show = table.String, showText
	case *format.UUIDType:
		if c.Type, c.show = table.String, showUUID; c.length != 16 {
			c.why = "is said to be UUIDs and has not their length"
		}
	case *format.Float16Type:
		if c.Type, c.show = table.Float, showFloat16; c.length != 2 {
			c.why = "is said to be half-precision numbers and has not their length"
		}
	case nil:
		switch old {
		case deprecated.UTF8, deprecated.Enum, deprecated.Json:
			c.Type, c.show = table.String, showText
		case deprecated.Interval:
			c.why = "holds intervals, which a table has no type for: leave the column out"
		}
	case *format.BsonType:
	default:
		c.why = "has a type that a table has none for: leave the column out"
	}
}

const mostDigits = 1000

func (c *column) decimal(scale, precision int) {
	c.Type, c.scale, c.precision = table.Decimal, scale, precision
	if scale < 0 || scale > mostDigits || precision < scale || precision > mostDigits {
		c.why = "has decimals whose scale and precision cannot be"
		return
	}
	c.whole = Whole{Kind: Scaled, Places: scale}
	switch c.kind {
	case format.Int32:
		c.show = func(dst []byte, v raw) ([]byte, table.Kind, error) {
			return point(dst, strconv.AppendInt(nil, int64(int32(v.n)), 10), scale), table.Number, nil
		}
	case format.Int64:
		c.show = func(dst []byte, v raw) ([]byte, table.Kind, error) {
			return point(dst, strconv.AppendInt(nil, int64(v.n), 10), scale), table.Number, nil
		}
	case format.ByteArray, format.FixedLenByteArray:
		c.whole = Whole{}
		c.show = func(dst []byte, v raw) ([]byte, table.Kind, error) {
			if len(v.b) == 0 || len(v.b) > mostDigits/2 {
				return dst, 0, errRange
			}
			n := new(big.Int).SetBytes(v.b)
			if v.b[0] >= 0x80 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.b))))
			}
			return point(dst, n.Append(nil, 10), scale), table.Number, nil
		}
	default:
		c.why = "has decimals in a type that cannot hold them"
	}
}

// point appends digits with the decimal point set scale digits from their end.
func point(dst, digits []byte, scale int) []byte {
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for range -whole {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:whole]...)
	return append(append(dst, '.'), digits[whole:]...)
}

func showBool(dst []byte, v raw) ([]byte, table.Kind, error) {
	return strconv.AppendBool(dst, v.n != 0), table.Bool, nil
}

func showInt32(dst []byte, v raw) ([]byte, table.Kind, error) {
	return strconv.AppendInt(dst, int64(int32(v.n)), 10), table.Number, nil
}

func showUint32(dst []byte, v raw) ([]byte, table.Kind, error) {
	return strconv.AppendUint(dst, uint64(uint32(v.n)), 10), table.Number, nil
}

func showInt64(dst []byte, v raw) ([]byte, table.Kind, error) {
	return strconv.AppendInt(dst, int64(v.n), 10), table.Number, nil
}

func showUint64(dst []byte, v raw) ([]byte, table.Kind, error) {
	return strconv.AppendUint(dst, v.n, 10), table.Number, nil
}

func showFloat(dst []byte, v raw) ([]byte, table.Kind, error) {
	return real(dst, float64(math.Float32frombits(uint32(v.n))), 32)
}

func showDouble(dst []byte, v raw) ([]byte, table.Kind, error) {
	return real(dst, math.Float64frombits(v.n), 64)
}

func showFloat16(dst []byte, v raw) ([]byte, table.Kind, error) {
	h := binary.LittleEndian.Uint16(v.b)
	exp, frac := int(h>>10&0x1f), float64(h&0x3ff)
	f := math.Ldexp(frac, -24)
	switch {
	case exp == 31 && frac == 0:
		f = math.Inf(1)
	case exp == 31:
		f = math.NaN()
	case exp > 0:
		f = math.Ldexp(1024+frac, exp-25)
	}
	if h>>15 == 1 {
		f = -f
	}
	return real(dst, f, 32)
}

// real appends a number, or the word for what is none.
func real(dst []byte, f float64, bits int) ([]byte, table.Kind, error) {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...), table.Text, nil
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...), table.Text, nil
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...), table.Text, nil
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits), table.Number, nil
}

func showText(dst []byte, v raw) ([]byte, table.Kind, error) {
	if !utf8.Valid(v.b) {
		return dst, 0, errUTF8
	}
	return append(dst, v.b...), table.Text, nil
}

func showBytes(dst []byte, v raw) ([]byte, table.Kind, error) {
	return base64.StdEncoding.AppendEncode(dst, v.b), table.Text, nil
}

func showUUID(dst []byte, v raw) ([]byte, table.Kind, error) {
	const digits = "0123456789abcdef"
	for i, b := range v.b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst, table.Text, nil
}

const (
	day       = 24 * 60 * 60
	firstDay  = -719162 // 0001-01-01
	afterDays = 2932897 // 10000-01-01
)

func showDate(dst []byte, v raw) ([]byte, table.Kind, error) {
	d := int64(int32(v.n))
	if d < firstDay || d >= afterDays {
		return dst, 0, errRange
	}
	return time.Unix(d*day, 0).UTC().AppendFormat(dst, time.DateOnly), table.Text, nil
}

func showTimestamp(unit time.Duration, utc bool) show {
	per := int64(time.Second / unit)
	form := "2006-01-02T15:04:05.999999999"
	if utc {
		form += "Z"
	}
	return func(dst []byte, v raw) ([]byte, table.Kind, error) {
		n := int64(v.n)
		sec, rest := n/per, n%per
		if rest < 0 {
			sec, rest = sec-1, rest+per
		}
		return moment(dst, sec, rest*int64(unit), form)
	}
}

func moment(dst []byte, sec, nano int64, form string) ([]byte, table.Kind, error) {
	if sec < firstDay*day || sec >= afterDays*day {
		return dst, 0, errRange
	}
	return time.Unix(sec, nano).UTC().AppendFormat(dst, form), table.Text, nil
}

// showInt96 takes nanoseconds of a day and the Julian day's number, as older writers stored times.
func showInt96(dst []byte, v raw) ([]byte, table.Kind, error) {
	nanos := int64(binary.LittleEndian.Uint64(v.b))
	days := int64(binary.LittleEndian.Uint32(v.b[8:])) - 2440588
	if nanos < 0 || nanos >= day*int64(time.Second) {
		return dst, 0, errRange
	}
	return moment(dst, days*day+nanos/int64(time.Second), nanos%int64(time.Second), "2006-01-02T15:04:05.999999999Z")
}

func showTime(unit time.Duration) show {
	return func(dst []byte, v raw) ([]byte, table.Kind, error) {
		n := int64(v.n)
		if unit == time.Millisecond {
			n = int64(int32(v.n))
		}
		if n < 0 || n >= day*int64(time.Second/unit) {
			return dst, 0, errRange
		}
		return time.Unix(0, n*int64(unit)).UTC().AppendFormat(dst, "15:04:05.999999999"), table.Text, nil
	}
}
