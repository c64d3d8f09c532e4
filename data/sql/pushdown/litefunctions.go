package pushdown

import (
	"database/sql/driver"
	"math/big"
	"unicode/utf8"

	"modernc.org/sqlite"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// liteDriver is a driver of its own, so that no other database of the process has the functions.
func liteDriver() (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	for name, f := range liteFunctions {
		// Arguments are views of SQLite's memory: what keeps one copies it.
		err := d.RegisterFunction(name, &sqlite.FunctionImpl{NArgs: int32(dialect.SQLiteFunctions[name]), Deterministic: true, VolatileArgs: true,
			Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) { return f(args), nil }})
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// liteFunctions are those of [dialect.SQLiteFunctions]. None fails, whatever it is given.
var liteFunctions = map[string]func(args []driver.Value) driver.Value{
	"scrim_number": func(a []driver.Value) driver.Value {
		return liteRead(a[0], relation.Field{Type: relation.NumberType(int(whole(a[1])), whole(a[2]), whole(a[3])), Exact: whole(a[4]) == 1})
	},
	"scrim_text": func(a []driver.Value) driver.Value {
		if s, ok := a[0].(string); ok {
			if !utf8.ValidString(s) {
				return nil
			}
			return s // the driver copies it
		}
		return liteRead(a[0], relation.Field{Type: relation.TextType})
	},
	"scrim_truth": func(a []driver.Value) driver.Value { return liteRead(a[0], relation.Field{Type: relation.TruthType}) },
	"scrim_date": func(a []driver.Value) driver.Value {
		return liteRead(a[0], relation.Field{Type: relation.DateType(whole(a[1]), whole(a[2])), Exact: whole(a[3]) == 1})
	},
	"scrim_time": func(a []driver.Value) driver.Value {
		return liteRead(a[0], relation.Field{Type: relation.TimeType(whole(a[1]), whole(a[2])), Exact: whole(a[3]) == 1})
	},
	"scrim_rank":  liteRank,
	"scrim_place": litePlace,
	"scrim_sum": func(a []driver.Value) driver.Value {
		return relation.Narrow(joined(a), whole(a[3]), whole(a[4]))
	},
	"scrim_share": func(a []driver.Value) driver.Value {
		s, n, rows := joined(a), whole(a[3]), whole(a[4])
		if n > rows {
			s.Mul(s, big.NewInt(rows))
			s.Quo(s, big.NewInt(n))
		}
		return relation.Narrow(s, whole(a[5]), whole(a[6]))
	},
	"scrim_average": func(a []driver.Value) driver.Value {
		n := new(big.Int).Mul(big.NewInt(whole(a[3])), big.NewInt(whole(a[5])))
		if n.Sign() == 0 {
			return nil
		}
		s := joined(a)
		s.Mul(s, big.NewInt(whole(a[4])))
		return relation.Narrow(s.Quo(s, n), whole(a[6]), whole(a[7]))
	},
	"scrim_length": func(a []driver.Value) driver.Value {
		s, ok := a[0].(string)
		if !ok {
			return nil
		}
		return min(int64(utf8.RuneCountInString(s)), relation.MaxLength)
	},
}

// liteRead reads a cell as all engines do.
func liteRead(cell driver.Value, f relation.Field) driver.Value {
	v := f.Read(cell)
	switch {
	case v.Null:
		return nil
	case v.Kind == relation.Text:
		return v.Text
	}
	return v.Int
}

// whole is an argument that the dialect wrote as a whole number.
func whole(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// joined is a·2^43 + b·2^22 + c, of the first three arguments.
func joined(a []driver.Value) *big.Int {
	n := big.NewInt(whole(a[0]))
	n.Add(n.Lsh(n, 21), big.NewInt(whole(a[1])))
	return n.Add(n.Lsh(n, 22), big.NewInt(whole(a[2])))
}

// liteHashes are the hashes of unit and group: seed, n, the unit's n columns, the group's.
func liteHashes(a []driver.Value) (seed relation.Seed, unit, group uint64) {
	s, _ := a[0].([]byte)
	copy(seed[:], s)
	n := min(max(int(whole(a[1])), 0), len(a)-2)
	var room [128]byte
	unit = seed.Hash(liteEncode(room[:0], a[2:2+n]))
	group = seed.Hash(liteEncode(room[:0], a[2+n:]))
	return seed, unit, group
}

// liteEncode is [relation.Encode] of values as SQLite has them.
func liteEncode(to []byte, values []driver.Value) []byte {
	for _, v := range values {
		var x relation.Value
		switch v := v.(type) {
		case int64:
			x = relation.Value{Kind: relation.Number, Int: v}
		case string:
			x = relation.Value{Kind: relation.Text, Text: v}
		default:
			x.Null = true
		}
		to = relation.Encode(to, x)
	}
	return to
}

// signed keeps the order of unsigned numbers.
func signed(v uint64) int64 { return int64(v ^ 1<<63) }

func liteRank(a []driver.Value) driver.Value {
	if len(a) < 2 {
		return nil
	}
	seed, unit, group := liteHashes(a)
	return signed(seed.RankGroup(unit, group))
}

func litePlace(a []driver.Value) driver.Value {
	if len(a) < 4 {
		return nil
	}
	end := len(a) - 2
	seed, unit, group := liteHashes(a[:end])
	return signed(seed.RankBin(unit, group, int(whole(a[end])), whole(a[end+1])))
}
