package syntax

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// corpus reads lines of rule, tab, text.
func corpus(t testing.TB) [][2]string {
	t.Helper()
	b, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		rule, text, ok := strings.Cut(line, "\t")
		if !ok {
			t.Fatalf("no tab in %q", line)
		}
		out = append(out, [2]string{rule, strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(text)})
	}
	if len(out) < 200 {
		t.Fatalf("%d texts, want at least 200", len(out))
	}
	return out
}

func TestHostileTextsAreRefusedByTheirRule(t *testing.T) {
	for _, c := range corpus(t) {
		q, err := Parse(c[1])
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("Parse(%s) = %v, %v, want a refusal by %s", c[1], q, err, c[0])
			continue
		}
		if e.Rule != c[0] {
			t.Errorf("Parse(%s) is refused by %s, want %s: %v", c[1], e.Rule, c[0], e)
		}
		if q != nil {
			t.Errorf("Parse(%s) returns a query with its error", c[1])
		}
		if int(e.Pos) > len(c[1]) || e.Line < 1 || e.Column < 1 {
			t.Errorf("Parse(%s) points outside of the text: %+v", c[1], e)
		}
	}
}

// TestErrorsHoldNoConstants puts a constant wherever one may stand, and breaks the text behind it.
func TestErrorsHoldNoConstants(t *testing.T) {
	const number, word = "73917391", "zanzibar"
	for _, broken := range []string{
		"SELECT a FROM t WHERE a = '%s' 'x'", "SELECT '%s'::regclass", "SELECT pg_sleep('%s')", "SELECT a LIKE 'x' ESCAPE '%s' FROM t",
		"SELECT INTERVAL '%s'", "SELECT DATE '%s' + CURRENT_DATE", "SELECT '%s", "SELECT $$%s", "SELECT 1 %s %s", "SELECT a FROM t LIMIT %s + 1",
		"SELECT a FROM t LIMIT -%s", "SELECT %sabc", "SELECT 1e%s", "SELECT B'%s'", "SELECT a[%s] FROM t", "SELECT $%s",
		"SELECT a::varchar(%s) FROM t", "SELECT x'%s'", "SELECT 'a' '%s'", "'%s'", "%s", "SELECT a /* %s", "SELECT a FROM t WHERE 5 %s",
	} {
		for _, secret := range []string{number, word} {
			if secret == word && !strings.Contains(broken, "'%s") && !strings.Contains(broken, "$$") && !strings.Contains(broken, "*") {
				continue // a bare word is a name
			}
			text := strings.ReplaceAll(broken, "%s", secret)
			_, err := Parse(text)
			if err == nil {
				t.Errorf("Parse(%s) is accepted, so that this shows nothing", text)
				continue
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("Parse(%s): %v quotes a constant", text, err)
			}
		}
	}
}

// shapeOf writes a tree without the places.
func shapeOf(v any) string {
	var b strings.Builder
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				b.WriteString("nil")
				return
			}
			walk(v.Elem())
		case reflect.Struct:
			b.WriteString(v.Type().Name() + "{")
			for i := range v.NumField() {
				if v.Field(i).Type() == reflect.TypeFor[Pos]() || v.Field(i).Type() == reflect.TypeFor[Node]() {
					continue
				}
				b.WriteString(v.Type().Field(i).Name + ":")
				walk(v.Field(i))
				b.WriteString(" ")
			}
			b.WriteString("}")
		case reflect.Slice:
			b.WriteString("[")
			for i := range v.Len() {
				walk(v.Index(i))
				b.WriteString(" ")
			}
			b.WriteString("]")
		default:
			fmt.Fprintf(&b, "%#v", v.Interface())
		}
	}
	walk(reflect.ValueOf(v))
	return b.String()
}

// FuzzParse: whatever the text, an answer or a refusal that points into it; and what was read prints as what reads the same.
func FuzzParse(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c[1])
	}
	for _, text := range readable {
		f.Add(text[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error = %v, want *Error", err)
			}
			if e.Rule == "" || e.Text == "" || e.Pos < 0 || int(e.Pos) > len(text) && len(text) <= MaxBytes || !utf8.ValidString(e.Error()) {
				t.Fatalf("a bad refusal: %+v", e)
			}
			if q != nil {
				t.Fatal("a query comes with an error")
			}
			return
		}
		printed := q.String()
		if len(printed) > MaxBytes {
			return // names and brackets are written out
		}
		again, err := Parse(printed)
		if errors.Is(err, ErrSlow) || errors.Is(err, ErrBroken) {
			return
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Rule == "too-deep" {
			return // brackets are written out
		}
		if err != nil {
			t.Fatalf("%s\nreads, but as it is printed it does not:\n%s\n%v", text, printed, err)
		}
		if shapeOf(again) != shapeOf(q) {
			t.Fatalf("%s\nprints as\n%s\nwhich reads as\n%s\nnot\n%s", text, printed, shapeOf(again), shapeOf(q))
		}
	})
}
