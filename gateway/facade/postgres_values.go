package facade

import (
	"context"
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// dataError is the class of codes of values that a type does not hold (SQL:2016, part 2, table 38).
const dataError = "22"

// fitPG writes a query anew for values that the types of their columns do not hold: a text that is no uuid, a number beyond
// an int4, a word that an enumeration lacks. No row has them, and a bound beyond a type's range holds for all rows or none.
// Fit is nil if there are no such values; some is false if no row can meet the conditions. What it costs depends on the
// values alone, for no table is read.
func fitPG(ctx context.Context, conn *pgconn.PgConn, q *Query) (fit *Query, some bool, err error) {
	s := compose(pgDialect, q)
	d, err := conn.Prepare(ctx, "", s.sql.String(), nil) // nothing of it stays
	if err != nil {
		return nil, false, err
	}
	if len(d.ParamOIDs) != len(s.args) {
		return nil, false, ErrSource
	}
	held, err := heldPG(ctx, conn, d.ParamOIDs, s.args)
	if err != nil {
		return nil, false, err
	}
	changed, next := false, *q
	next.Where = slices.Clone(q.Where)
	for i := range next.Where {
		if next.Where[i].Op != IsNull {
			next.Where[i].Values = nil
		}
	}
	for i, a := range s.args {
		if a.of == 0 {
			continue
		}
		c := &next.Where[a.of-1]
		op, v, ok := c.Op, a.text, true
		if !held[i] {
			changed = true
			op, v, ok = nearPG(op, v, a.kind, d.ParamOIDs[i])
		}
		if ok {
			c.Op, c.Values = op, append(c.Values, v)
		}
	}
	if !changed {
		return nil, false, nil
	}
	return &next, !slices.ContainsFunc(next.Where, func(c Condition) bool { return len(c.Values) == 0 }), nil
}

// heldPG reports which of the arguments are values of their types, as the server reads them.
func heldPG(ctx context.Context, conn *pgconn.PgConn, types []uint32, args []argument) ([]bool, error) {
	p := conn.StartPipeline(ctx)
	for i, a := range args {
		p.SendQueryParams("SELECT $1 IS NULL", [][]byte{[]byte(a.text)}, types[i:i+1], nil, nil)
		p.SendPipelineSync()
	}
	if err := p.Flush(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	held := make([]bool, len(args))
	for i := 0; i < len(args); {
		got, err := p.GetResults()
		if one, ok := got.(*pgconn.ResultReader); ok && err == nil {
			_, err = one.Close()
			held[i] = err == nil
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); err != nil && !(ok && strings.HasPrefix(e.Code, dataError)) {
			_ = p.Close() // the failure is known
			return nil, err
		}
		if _, ok := got.(*pgconn.PipelineSync); ok {
			i++
		} else if got == nil && err == nil {
			return nil, errors.Join(ErrSource, p.Close())
		}
	}
	return held, p.Close()
}

// nearPG is a comparison with a value of the type that holds for the same of its values as the one with a value that it
// does not hold; false: it holds for none.
func nearPG(op Op, v string, k Kind, oid uint32) (Op, string, bool) {
	switch {
	case k != Integer && k != Number && k != Date && k != Moment:
	case oid == pgtype.Int2OID:
		return nearWhole(op, v, math.MinInt16, math.MaxInt16)
	case oid == pgtype.Int4OID:
		return nearWhole(op, v, math.MinInt32, math.MaxInt32)
	case oid == pgtype.Int8OID:
		return nearWhole(op, v, math.MinInt64, math.MaxInt64)
	case oid == pgtype.Float4OID:
		f, err := strconv.ParseFloat(v, 64)
		switch {
		case err != nil:
		case f > 1:
			return beyond(op, "-Infinity", "Infinity", true)
		case f < -1:
			return beyond(op, "-Infinity", "Infinity", false)
		case op == Less || op == AtMost: // it is too near to nothing
			return map[bool]Op{true: AtMost, false: Less}[f > 0], "0", true
		case op == Greater || op == AtLeast:
			return map[bool]Op{true: Greater, false: AtLeast}[f > 0], "0", true
		}
	case oid == pgtype.DateOID, oid == pgtype.TimestampOID, oid == pgtype.TimestamptzOID:
		if strings.HasPrefix(v, "0000") || strings.HasPrefix(v, "-") { // there is no year 0
			return beyond(op, "-infinity", "infinity", false)
		}
	}
	return op, "", false
}

// nearWhole is [nearPG] for whole numbers from lowest to highest.
func nearWhole(op Op, v string, lowest, highest int64) (Op, string, bool) {
	f, _, err := big.ParseFloat(v, 10, 512, big.ToZero) // 64 digits need less
	if err != nil || f.IsInf() {
		return op, "", false
	}
	n, exact := f.Int(nil)
	if exact != big.Exact && f.Sign() < 0 {
		n.Sub(n, big.NewInt(1))
	}
	low, high := strconv.FormatInt(lowest, 10), strconv.FormatInt(highest, 10)
	switch {
	case n.Cmp(big.NewInt(highest)) > 0:
		return beyond(op, low, high, true)
	case n.Cmp(big.NewInt(lowest)) < 0:
		return beyond(op, low, high, false)
	case exact == big.Exact:
		return op, n.String(), true
	case op == Less || op == AtMost: // between n and the next
		return AtMost, n.String(), true
	case op == Greater || op == AtLeast:
		return Greater, n.String(), true
	}
	return op, "", false
}

// beyond is a comparison with what lies above all values of a type, or below them.
func beyond(op Op, lowest, highest string, above bool) (Op, string, bool) {
	switch {
	case above && (op == Less || op == AtMost):
		return AtMost, highest, true
	case !above && (op == Greater || op == AtLeast):
		return AtLeast, lowest, true
	}
	return op, "", false
}
