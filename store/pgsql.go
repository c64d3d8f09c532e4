package store

import (
	"fmt"
	"strings"
)

// token is a piece of SQL: a word, a literal, a comment, white space, or one other character.
type token struct {
	kind tokenKind
	text string
}

type tokenKind byte

const (
	tokenWord    tokenKind = iota
	tokenSpace             // with comments
	tokenLiteral           // in single quotes
	tokenQuoted            // a name in double quotes
	tokenOther             // one character
)

// tokens cuts SQL up without losing a byte. It knows the literals of the portable subset; what only PostgreSQL has, such as dollar quotes, is not in it.
func tokens(query string) ([]token, error) {
	var all []token
	for len(query) > 0 {
		kind, n := nextToken(query)
		if n == 0 {
			return nil, fmt.Errorf("%w: a quote or a comment is not closed", ErrStatement)
		}
		all = append(all, token{kind, query[:n]})
		query = query[n:]
	}
	return all, nil
}

func nextToken(q string) (tokenKind, int) {
	switch c := q[0]; {
	case c == '\'':
		return tokenLiteral, quoted(q, '\'')
	case c == '"':
		return tokenQuoted, quoted(q, '"')
	case strings.HasPrefix(q, "--"):
		if i := strings.IndexByte(q, '\n'); i >= 0 {
			return tokenSpace, i + 1
		}
		return tokenSpace, len(q)
	case strings.HasPrefix(q, "/*"):
		if i := strings.Index(q, "*/"); i >= 0 {
			return tokenSpace, i + 2
		}
		return tokenSpace, 0
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		return tokenSpace, 1
	case isWord(c):
		n := 1
		for n < len(q) && isWord(q[n]) {
			n++
		}
		return tokenWord, n
	}
	return tokenOther, 1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoted returns the length of the literal that begins q, or 0 if it does not end. A quote within is doubled.
func quoted(q string, mark byte) int {
	for i := 1; i < len(q); i++ {
		if q[i] != mark {
			continue
		}
		if i+1 < len(q) && q[i+1] == mark {
			i++
			continue
		}
		return i + 1
	}
	return 0
}

// rebind writes a portable statement for PostgreSQL: its arguments are numbered, and literals of bytes are written its way.
func rebind(query string) (string, error) {
	all, err := tokens(query)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.Grow(len(query) + 16)
	args := 0
	for i, t := range all {
		switch {
		case t.kind == tokenOther && t.text == "?":
			args++
			fmt.Fprintf(&out, "$%d", args)
		case t.kind == tokenWord && isBytes(all, i): // its literal follows
		case t.kind == tokenWord && strings.EqualFold(t.text, "BLOB") && castsTo(all, i):
			out.WriteString("BYTEA")
		case t.kind == tokenLiteral && i > 0 && isBytes(all, i-1):
			out.WriteString(`'\x` + t.text[1:] + "::bytea")
		default:
			out.WriteString(t.text)
		}
	}
	return out.String(), nil
}

// isBytes reports whether the token is the x of x'00'.
func isBytes(all []token, i int) bool {
	return strings.EqualFold(all[i].text, "x") && i+1 < len(all) && all[i+1].kind == tokenLiteral
}

// castsTo reports whether the token is the type in CAST(x AS BLOB).
func castsTo(all []token, i int) bool {
	for i--; i >= 0 && all[i].kind == tokenSpace; i-- {
	}
	return i >= 0 && strings.EqualFold(all[i].text, "AS") && all[i].kind == tokenWord
}

// pgTypes are those of columns. Text compares by its bytes, as in SQLite, whatever the database's own order is.
var pgTypes = map[string]string{"BLOB": "BYTEA", "TEXT": `TEXT COLLATE "C"`, "INTEGER": "BIGINT", "INT": "BIGINT", "REAL": "DOUBLE PRECISION"}

// pgDialect writes a migration for PostgreSQL. Types are translated where a column is declared, WITHOUT ROWID and STRICT are left out.
func pgDialect(text string) (string, error) {
	text, err := rebind(text)
	if err != nil {
		return "", err
	}
	all, err := tokens(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for len(all) > 0 {
		n := 0
		for n < len(all) && all[n].text != ";" {
			n++
		}
		n = min(n+1, len(all))
		writeStatement(&out, all[:n])
		all = all[n:]
	}
	return out.String(), nil
}

func writeStatement(out *strings.Builder, statement []token) {
	var words []int // the tokens that are not white space
	for i, t := range statement {
		if t.kind != tokenSpace {
			words = append(words, i)
		}
	}
	at := func(n int) string {
		if n < 0 || n >= len(words) {
			return ""
		}
		return strings.ToUpper(statement[words[n]].text)
	}
	declares := (at(0) == "CREATE" || at(0) == "ALTER") && at(1) == "TABLE"
	for n, i := range words {
		switch w := at(n); {
		case declares && pgTypes[w] != "" && at(n-1) != "(" && at(n-1) != "," && at(n-1) != "AS":
			statement[i].text = pgTypes[w]
		case declares && w == "WITHOUT" && at(n+1) == "ROWID":
			statement[i].text, statement[words[n+1]].text = "", ""
		case declares && w == "STRICT" && at(n-1) == ")":
			statement[i].text = ""
		}
	}
	for _, t := range statement {
		out.WriteString(t.text)
	}
}
