package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// refuse says that a dialect cannot write something. It names the place, which is configuration.
func refuse(d, what string) error { return fmt.Errorf("%s: %s: %w", d, what, ErrShape) }

// identifier quotes a name by doubling the quote.
func identifier(d, quote, name string) (string, error) {
	if name == "" || len(name) > 1000 || strings.ContainsRune(name, 0) || strings.ToValidUTF8(name, "") != name {
		return "", refuse(d, "a name that is none")
	}
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote, nil
}

// own is what the names of subqueries begin with.
const own = "scrim__"

// table quotes a name of at most parts parts.
func table(d Dialect, name string, parts int) (string, error) {
	of := strings.Split(name, ".")
	if len(of) > parts {
		of = append(of[:parts-1:parts-1], strings.Join(of[parts-1:], "."))
	}
	for i, p := range of {
		q, err := d.Identifier(p)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(strings.ToLower(p), own) {
			return "", refuse(d.Name(), "a table with a name of ours")
		}
		of[i] = q
	}
	return strings.Join(of, "."), nil
}

// doubled quotes text for engines in which a backslash is a letter like any other.
func doubled(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// plain is whether text is the same between quotes in every engine and mode.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\'' || c == '\\' || c == '"' || c == '?' || c == '$' || c == '@' || c == ':' {
			return false
		}
	}
	return true
}

// short is how long an expression may be to be written several times.
const short = 120

// twice writes f of x, which is written several times if it is short.
func twice(x string, f func(string) string, let func(x string, f func(string) string) string) string {
	if len(x) <= short {
		return f(x)
	}
	return let(x, f)
}

// decimal writes v·10^−places.
func decimal(v int64, places int) string {
	sign, u := "", uint64(v)
	if v < 0 {
		sign, u = "-", -uint64(v)
	}
	s := strconv.FormatUint(u, 10)
	if places == 0 {
		return sign + s
	}
	s = strings.Repeat("0", max(0, places+1-len(s))) + s
	return sign + s[:len(s)-places] + "." + s[len(s)-places:]
}

// floorDiv rounds down; d is above zero.
func floorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

// scaled reads a whole number x into places: those beyond the bounds are at the bounds, or NULL. What is multiplied is within them.
func scaled(d Dialect, x, wide string, f relation.Field) string {
	p, t := pow10(f.Type.Places), f.Type
	low, high := -floorDiv(-t.Min, p), floorDiv(t.Max, p)
	product := wide
	if p > 1 {
		product += " * " + d.Number(p)
	}
	if f.Exact {
		return "CASE WHEN " + x + " >= " + d.Number(low) + " AND " + x + " <= " + d.Number(high) + " THEN " + product + " END"
	}
	return "CASE WHEN " + x + " < " + d.Number(low) + " THEN " + d.Number(t.Min) + " WHEN " + x + " > " + d.Number(high) +
		" THEN " + d.Number(t.Max) + " ELSE " + product + " END"
}

// narrow is how large values may be so that 2^39 rows of them do not leave 64 bits: more than any engine reads within the time that a statement
// has (an hour, at 10^8 rows a second, is 2^38.4).
const narrow = 1 << 24
