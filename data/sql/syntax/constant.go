package syntax

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

const castable = "bool, date, int8, numeric, numeric(p, s), text, timestamp, interval"

var (
	decimal  = regexp.MustCompile(`^(-?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$`)
	radix    = regexp.MustCompile(`^-?0[xXoObB][0-9a-fA-F]+$`)
	castName = map[string]string{
		"int2": "int8", "int4": "int8", "int8": "int8", "numeric": "numeric", "text": "text", "varchar": "text",
		"bool": "bool", "date": "date", "timestamp": "timestamp",
	}
)

// maxDigits bounds a number as it is written without exponent: beyond what 64 bits with 9 places hold by far.
const maxDigits = 60

func (r *reader) constant(n *node) Expr {
	at := Node{n.at}
	switch {
	case n.fields["ival"] != nil:
		v := r.object(n.take("ival"), "Integer")
		i := v.int("ival")
		v.done()
		return &Number{Node: at, Text: strconv.FormatInt(i, 10)}
	case n.fields["fval"] != nil:
		v := r.object(n.take("fval"), "Float")
		s := v.str("fval")
		v.done()
		plain, ok := plainDecimal(s)
		if !ok {
			r.refuse(n.at, "number", "a number here is too long or not decimal", "write up to 60 decimal digits")
			return nil
		}
		return &Number{Node: at, Text: plain}
	case n.fields["sval"] != nil:
		v := r.object(n.take("sval"), "String")
		s := v.str("sval")
		v.done()
		return &Text{Node: at, Value: s}
	case n.fields["boolval"] != nil:
		v := r.object(n.take("boolval"), "Boolean")
		b := v.truth("boolval")
		v.done()
		return &Truth{Node: at, Value: b}
	case n.truth("isnull"):
		return &Null{at}
	}
	r.refuse(n.at, "constant", "this kind of constant is not answered", "use numbers, 'text', TRUE, FALSE, NULL, DATE '…', TIMESTAMP '…' or INTERVAL '…'")
	clear(n.fields)
	return nil
}

// plainDecimal writes a number of PostgreSQL's grammar as -?digits(.digits)?, without leading zeros.
func plainDecimal(s string) (string, bool) {
	s = strings.ReplaceAll(s, "_", "")
	if len(s) > 4*maxDigits {
		return "", false
	}
	if radix.MatchString(s) {
		v, ok := new(big.Int).SetString(s, 0)
		if !ok || len(v.String()) > maxDigits {
			return "", false
		}
		return v.String(), true
	}
	m := decimal.FindStringSubmatch(s)
	if m == nil || m[2]+m[3] == "" {
		return "", false
	}
	whole, frac := m[2], m[3]
	exp := 0
	if m[4] != "" {
		exp, _ = strconv.Atoi(m[4])
	}
	if exp > maxDigits || exp < -maxDigits {
		return "", false
	}
	if exp > 0 {
		frac += strings.Repeat("0", max(0, exp-len(frac)))
		whole, frac = whole+frac[:exp], frac[exp:]
	} else if exp < 0 {
		whole = strings.Repeat("0", max(0, -exp-len(whole))) + whole
		whole, frac = whole[:len(whole)+exp], whole[len(whole)+exp:]+frac
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if len(whole)+len(frac) > maxDigits {
		return "", false
	}
	if frac != "" {
		whole += "." + frac
	}
	return m[1] + whole, true
}

// cast reads CAST, :: and typed literals; an interval is a constant.
func (r *reader) cast(n *node) Expr {
	arg := n.take("arg")
	t := r.object(n.take("typeName"), "TypeName")
	names := t.names("names")
	at := t.at
	if n.at > 0 && n.at < at {
		at = n.at
	}
	t.int("typemod")
	mods := r.modifiers(t)
	t.done()
	if r.err != nil {
		return nil
	}
	if len(names) == 2 && names[0] == "pg_catalog" {
		names = names[1:]
	}
	x := r.expr(arg)
	if r.err != nil {
		return nil
	}
	if len(names) == 1 && names[0] == "interval" {
		return r.interval(at, x, mods)
	}
	name := ""
	if len(names) == 1 {
		name = castName[names[0]]
	}
	if name == "" {
		r.refuseCast(at, names)
		return nil
	}
	if len(mods) > 0 && (name != "numeric" || len(mods) > 2) {
		r.refuse(at, "cast", "this type takes no modifier here", "use "+castable)
		return nil
	}
	return &Cast{Node: Node{at}, X: x, Type: name, Mod: mods}
}

func (r *reader) refuseCast(at Pos, names []string) {
	switch name := strings.Join(names, "."); name {
	case "float4", "float8":
		r.refuse(at, "cast", "binary floating point is not answered", "use numeric")
	case "timestamptz", "timetz", "time":
		r.refuse(at, "cast", "times with a zone, and times of a day, are not answered", "use timestamp, which is in UTC")
	default:
		r.refuse(at, "cast", "this type is not answered", "use "+castable)
	}
}

// modifiers reads the numbers in brackets behind a type.
func (r *reader) modifiers(t *node) []int64 {
	var out []int64
	for _, v := range t.list("typmods") {
		m, ok := r.expr(v).(*Number)
		if !ok {
			r.refuse(t.at, "cast", "a type's modifier is a whole number", "use numeric(p, s)")
			return nil
		}
		i, err := strconv.ParseInt(m.Text, 10, 32)
		if err != nil {
			r.refuse(t.at, "cast", "a type's modifier is a whole number", "use numeric(p, s)")
			return nil
		}
		out = append(out, i)
	}
	return out
}
