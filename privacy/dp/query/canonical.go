package query

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Canonical is the plan in one form: equal for questions that ask for the same in the same order, whatever their white space, case of
// keywords and names, and names of tables and subqueries. Names of the answer's columns are part of it, and so is what is declared of the
// columns that are read: an answer under other bounds is another answer.
func (p *Plan) Canonical() []byte {
	// How explanations call keys and aggregates is the asker's.
	keys, aggregates := slices.Clone(p.Keys), slices.Clone(p.Aggregates)
	for i := range keys {
		keys[i].Name = ""
	}
	for i := range aggregates {
		aggregates[i].Text = ""
	}
	var b strings.Builder
	b.WriteString("scrim dp plan 1\n")
	for _, part := range []any{
		p.Dataset.Name, p.Dataset.Unit, p.Dataset.Window.Microseconds(), p.Relation, keys, p.Measures, aggregates, p.Columns, p.Having, p.Order, p.Limit,
		p.Restricted,
	} {
		encode(&b, reflect.ValueOf(part))
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func canonical(v any) string {
	var b strings.Builder
	encode(&b, reflect.ValueOf(v))
	return b.String()
}

func canonicalExpr(e relation.Expr) string        { return canonical(e) }
func canonicalAgg(a relation.Agg) string          { a.Name = ""; return canonical(a) }
func canonicalAggregate(a Aggregate) string       { return canonical(a) }
func canonicalSum(s relation.Sum) string          { return canonical(s) }
func canonicalPost(p Post) string                 { return canonical(p) }
func canonicalBins(b relation.Bins, n int) string { return fmt.Sprint(canonical(b), n) }

// encode writes a value so that different ones differ: structures by the name of their type and their fields in order, text with its
// length, lists with theirs.
func encode(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Invalid:
		b.WriteByte('-')
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			b.WriteByte('-')
			return
		}
		encode(b, v.Elem())
	case reflect.Struct:
		b.WriteString(v.Type().Name())
		b.WriteByte('(')
		for i := range v.NumField() {
			if i > 0 {
				b.WriteByte(' ')
			}
			encode(b, v.Field(i))
		}
		b.WriteByte(')')
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() && v.Type().Elem() == reflect.TypeFor[relation.Value]() {
			b.WriteByte('-') // no public domain is another thing than an empty one
			return
		}
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(v.Len()))
		for i := range v.Len() {
			b.WriteByte(' ')
			encode(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.String:
		b.WriteString(strconv.Quote(v.String()))
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	default:
		panic("query: a plan holds " + v.Kind().String())
	}
}
