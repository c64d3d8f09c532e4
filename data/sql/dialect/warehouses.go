package dialect

import (
	"encoding/hex"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

const wideDecimal = "DECIMAL(38,0)"

// wideSum is the sum of numbers of 64 bits as one of 38 digits.
func wideSum(wide string) func(string) string {
	return func(x string) string { return "SUM(CAST(" + x + " AS " + wide + "))" }
}

// Trino is Trino from version 400 on. Times are read to the millisecond.
func Trino() Dialect {
	d := &ansi{
		name: "trino", identifier: func(s string) (string, error) { return identifier("trino", `"`, s) }, parts: 3,
		text: doubled, bigint: "BIGINT", varchar: "VARCHAR", wide: wideDecimal,
		parameter: positional, words: 2, nulls: true,
		quo: func(l, r string) string { return l + " / " + r }, // of BIGINT: towards zero
		rem: func(l, r string) string { return l + " % " + r },
		// Division of decimals rounds to the nearest, and what is divided here leaves no rest.
		wideQuo: func(l, r string) string { return "((" + l + " - " + l + " % " + r + ") / " + r + ")" },
		decimal: func(x string) string { return "TRY_CAST(" + x + " AS DECIMAL(38,18))" },
		double:  func(x string) string { return "TRY_CAST(" + x + " AS DOUBLE)" },
		isNaN:   func(x string) string { return "is_nan(" + x + ")" },
		like:    escaped(doubled, ` ESCAPE '\'`),
		length:  "length", lower: "lower", boolMin: "bool_and", boolMax: "bool_or", sum: wideSum(wideDecimal),
		days: func(c string) string { return "date_diff('day', DATE '1970-01-01', " + c + ")" },
		date: func(c string) string { return "TRY_CAST(substr(trim(" + c + "), 1, 10) AS DATE)" },
		moment: func(c string) string {
			return "CAST(TRY(from_iso8601_timestamp(replace(trim(" + c + "), ' ', 'T'))) AT TIME ZONE 'UTC' AS TIMESTAMP(6))"
		},
	}
	d.let = func(x string, f func(string) string) string {
		return "element_at(transform(ARRAY[" + x + "], v -> " + f("v") + "), 1)"
	}
	d.part = func(of relation.DatePart, day string) string {
		return partNames[of] + "(date_add('day', " + day + ", DATE '1970-01-01'))"
	}
	d.first = func(of relation.DatePart, day string) string {
		return d.days("date_trunc('" + partNames[of] + "', date_add('day', " + day + ", DATE '1970-01-01'))")
	}
	// A time's range is wider than 64 bits of microseconds: it is compared as it is.
	d.bounds = func(c string, native Native, f relation.Field) string {
		if native == Instant {
			c = "CAST(" + c + " AT TIME ZONE 'UTC' AS TIMESTAMP(6))"
		}
		stamp := func(micros int64) string { return "TIMESTAMP '" + time1970(micros) + "'" }
		if f.Type.Kind == relation.Date {
			return within(d, c, stamp(f.Type.Min*dayMicros), stamp((f.Type.Max+1)*dayMicros-1), d.days("CAST("+c+" AS DATE)"), f)
		}
		return within(d, c, stamp(f.Type.Min), stamp(f.Type.Max), "date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', "+c+") * "+d.Number(1000), f)
	}
	d.hash = func(seed []string, of []Hashed) string {
		return "xxhash64(to_utf8(concat(" + texts(seed, of, "VARCHAR") + ")))"
	}
	return d
}

// hexed writes text that is more than plain as the hexadecimal digits of its bytes, for engines in which it hangs on a setting what a backslash is.
func hexed(plainly, before, after string) func(string) string {
	return func(s string) string {
		if plain(s) {
			return plainly + "'" + s + "'"
		}
		return before + hex.EncodeToString([]byte(s)) + after
	}
}

// Spark is Spark SQL from version 3.5 on, with or without ANSI mode, and Databricks. The session's time zone has to be UTC.
func Spark() Dialect {
	text := hexed("", "CAST(X'", "' AS STRING)")
	d := &ansi{
		name: "spark", identifier: func(s string) (string, error) { return identifier("spark", "`", s) }, parts: 3,
		text: text, bigint: "BIGINT", varchar: "STRING", wide: wideDecimal,
		parameter: positional, words: 2,
		quo: func(l, r string) string { return l + " div " + r },
		rem: func(l, r string) string { return l + " % " + r },
		// div of decimals rounds towards zero, to BIGINT, which a mean of numbers of 64 bits is, and what is left as well.
		wideQuo: func(l, r string) string {
			return "CAST((" + l + " - " + l + " % " + r + ") / " + r + " AS " + wideDecimal + ")"
		},
		decimal: func(x string) string { return "TRY_CAST(" + x + " AS DECIMAL(38,18))" },
		double:  func(x string) string { return "TRY_CAST(" + x + " AS DOUBLE)" },
		isNaN:   func(x string) string { return "isnan(" + x + ")" },
		like:    sparkLike(text),
		length:  "char_length", lower: "lower", boolMin: "bool_and", boolMax: "bool_or", sum: wideSum(wideDecimal),
		days:   func(c string) string { return "CAST(unix_date(" + c + ") AS BIGINT)" },
		micros: func(c string, _ Native) string { return "unix_micros(CAST(" + c + " AS TIMESTAMP))" },
		date:   func(c string) string { return "TRY_CAST(" + c + " AS DATE)" },
		moment: func(c string) string { return "TRY_CAST(" + c + " AS TIMESTAMP)" },
	}
	d.let = func(x string, f func(string) string) string {
		return "transform(array(" + x + "), v -> " + f("v") + ")[0]"
	}
	d.part = func(of relation.DatePart, day string) string {
		return partNames[of] + "(date_from_unix_date(CAST(" + day + " AS INT)))"
	}
	d.first = func(of relation.DatePart, day string) string {
		return d.days("trunc(date_from_unix_date(CAST(" + day + " AS INT)), '" + partNames[of] + "')")
	}
	d.hash = func(seed []string, of []Hashed) string {
		return "xxhash64(" + texts(seed, of, "STRING") + ")"
	}
	return d
}

// sparkLike names another escape character than the backslash, which Spark's parser may take for its own.
func sparkLike(text func(string) string) func(string, []relation.LikePart) string {
	return func(x string, pattern []relation.LikePart) string {
		return x + " LIKE " + text(likePattern(pattern, "!")) + " ESCAPE '!'"
	}
}

// BigQuery is GoogleSQL in BigQuery. Parameters are positional and of type INT64.
func BigQuery() Dialect {
	text := hexed("", "SAFE_CONVERT_BYTES_TO_STRING(FROM_HEX('", "'))")
	d := &ansi{
		name: "bigquery", parts: 3, text: text, bigint: "INT64", varchar: "STRING", wide: "BIGNUMERIC",
		bare:      func(x string) string { return "COLLATE(" + x + ", '')" },
		parameter: positional, words: 2, nulls: true,
		quo:     func(l, r string) string { return "DIV(" + l + ", " + r + ")" },
		rem:     func(l, r string) string { return "MOD(" + l + ", " + r + ")" },
		wideQuo: func(l, r string) string { return "DIV(" + l + ", " + r + ")" },
		decimal: func(x string) string { return "SAFE_CAST(" + x + " AS BIGNUMERIC)" },
		double:  func(x string) string { return "SAFE_CAST(" + x + " AS FLOAT64)" },
		isNaN:   func(x string) string { return "IS_NAN(" + x + ")" },
		length:  "CHAR_LENGTH", lower: "LOWER", boolMin: "LOGICAL_AND", boolMax: "LOGICAL_OR", sum: wideSum("BIGNUMERIC"),
		days: func(c string) string { return "UNIX_DATE(" + c + ")" },
		micros: func(c string, native Native) string {
			if native == Timestamp {
				c = "TIMESTAMP(" + c + ", 'UTC')"
			}
			return "UNIX_MICROS(" + c + ")"
		},
		date:   func(c string) string { return "SAFE_CAST(" + c + " AS DATE)" },
		moment: func(c string) string { return "DATETIME(SAFE_CAST(" + c + " AS TIMESTAMP), 'UTC')" },
	}
	// A backslash escapes in quoted names, so that none may be in one.
	d.identifier = func(s string) (string, error) {
		if strings.ContainsAny(s, "`\\\n\r") {
			return "", refuse("bigquery", "a name with a character that cannot be quoted")
		}
		return identifier("bigquery", "`", s)
	}
	// A backslash escapes, and no other character can be named.
	d.like = func(x string, pattern []relation.LikePart) string {
		return x + " LIKE " + text(likePattern(pattern, `\`))
	}
	d.let = func(x string, f func(string) string) string {
		return "(SELECT " + f("v") + " FROM UNNEST([" + x + "]) AS v)"
	}
	d.part = func(of relation.DatePart, day string) string {
		return "EXTRACT(" + strings.ToUpper(partNames[of]) + " FROM DATE_FROM_UNIX_DATE(" + day + "))"
	}
	d.first = func(of relation.DatePart, day string) string {
		return d.days("DATE_TRUNC(DATE_FROM_UNIX_DATE(" + day + "), " + strings.ToUpper(partNames[of]) + ")")
	}
	d.hash = func(seed []string, of []Hashed) string {
		return "FARM_FINGERPRINT(CONCAT(" + texts(seed, of, "STRING") + "))"
	}
	return d
}

// Snowflake is Snowflake. Numbers are NUMBER(38,0), of which those of 64 bits are a part.
func Snowflake() Dialect {
	text := hexed("", "HEX_DECODE_STRING('", "')")
	d := &ansi{
		name: "snowflake", identifier: func(s string) (string, error) { return identifier("snowflake", `"`, s) }, parts: 3,
		text: text, bigint: "NUMBER(38,0)", varchar: "VARCHAR", wide: "NUMBER(38,0)",
		bare:      func(x string) string { return "COLLATE(" + x + ", '')" },
		parameter: positional, words: 2, nulls: true,
		quo: func(l, r string) string {
			return "CAST((" + l + " - MOD(" + l + ", " + r + ")) / " + r + " AS NUMBER(38,0))"
		},
		rem: func(l, r string) string { return "MOD(" + l + ", " + r + ")" },
		wideQuo: func(l, r string) string {
			return "CAST((" + l + " - MOD(" + l + ", " + r + ")) / " + r + " AS NUMBER(38,0))"
		},
		decimal: func(x string) string { return "TRY_TO_DECIMAL(" + x + ", 38, 18)" },
		double:  func(x string) string { return "TRY_TO_DOUBLE(" + x + ")" },
		isNaN:   func(x string) string { return x + " = 'NaN'::FLOAT" },
		length:  "LENGTH", lower: "LOWER", boolMin: "BOOLAND_AGG", boolMax: "BOOLOR_AGG", sum: wideSum("NUMBER(38,0)"),
		days: func(c string) string { return "DATEDIFF('day', DATE '1970-01-01', " + c + ")" },
		micros: func(c string, _ Native) string {
			return "DATE_PART('EPOCH_MICROSECOND', " + c + ")"
		},
		date:   func(c string) string { return "TRY_TO_DATE(LEFT(TRIM(" + c + "), 10), 'YYYY-MM-DD')" },
		moment: func(c string) string { return "CONVERT_TIMEZONE('UTC', TRY_TO_TIMESTAMP_TZ(" + c + "))::TIMESTAMP_NTZ" },
	}
	d.let = func(x string, f func(string) string) string { return f(x) }
	d.like = sparkLike(text)
	d.part = func(of relation.DatePart, day string) string {
		return "DATE_PART('" + partNames[of] + "', DATEADD('day', " + day + ", DATE '1970-01-01'))"
	}
	d.first = func(of relation.DatePart, day string) string {
		return d.days("DATE_TRUNC('" + partNames[of] + "', DATEADD('day', " + day + ", DATE '1970-01-01'))")
	}
	d.hash = func(seed []string, of []Hashed) string {
		return "MD5_NUMBER_LOWER64(CONCAT(" + texts(seed, of, "VARCHAR") + "))"
	}
	return d
}
