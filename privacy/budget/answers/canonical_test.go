package answers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget/answers"
)

func TestTextsThatSayTheSameHaveOneForm(t *testing.T) {
	for _, same := range [][]string{
		{`{"a":1,"b":[true,null]}`, ` { "b" : [ true , null ] , "a" : 1 } `, `{"\u0062":[true,null],"a":1.0}`, `{"a":10e-1,"b":[true,null]}`},
		{`0`, `-0`, `0.000`, `0e999`, `-0.0E-5`},
		{`1500`, `15e2`, `1.5E+3`, `1500.000`, `0.15e4`, `1500e0`},
		{`"é"`, `"\u00e9"`, `"\u00E9"`},
		{`"😀"`, `"\ud83d\ude00"`},
		{`"\/\b"`, `"/\u0008"`},
	} {
		want, err := answers.Canonical([]byte(same[0]))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range same[1:] {
			got, err := answers.Canonical([]byte(s))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s, %v, want %s", s, got, err, want)
			}
		}
	}
}

// Two numbers that a float64 cannot tell apart are two questions, and so are a number and its text.
func TestTextsThatSayOtherThingsHaveOtherForms(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{
		`9007199254740993`, `9007199254740992`, `0.1`, `0.1000000000000000055511151231257827`, `1e400`, `1e401`, `"1"`, `1`, `-1`,
		`{}`, `[]`, `null`, `""`, `{"a":null}`, `[null]`, `[[]]`, `{"a":{"b":1}}`, `{"a":1,"b":1}`, `"a\u0000"`, `"a"`, `"e\u0301"`, `"\u00e9"`,
	} {
		got, err := answers.Canonical([]byte(s))
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if other, ok := seen[string(got)]; ok {
			t.Errorf("%s and %s have one form: %s", s, other, got)
		}
		seen[string(got)] = s
	}
}

func TestTextsWithoutAForm(t *testing.T) {
	for _, s := range []string{
		``, ` `, `{`, `{"a"}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `1 2`, `[1,]`, "\"\xff\"", `"\ud800"`, `"\ude00"`, `"\ud800\u0041"`, `01`, `+1`, `1e99999999`, `nul`,
		strings.Repeat("[", 80) + strings.Repeat("]", 80), `"` + strings.Repeat("x", 1<<20) + `"`, `{"secret-canary":tru}`,
	} {
		_, err := answers.Canonical([]byte(s))
		if !errors.Is(err, answers.ErrForm) {
			t.Errorf("%.40s: %v", s, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error repeats what was asked: %v", err)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1.50,2e3],"a":"\u00e9\ud83d\ude00"}`, `-0`, `[[],{}]`, `"\\u"`, `1e-7`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := answers.Canonical(text)
		if err != nil {
			if json.Valid(text) && !errors.Is(err, answers.ErrForm) {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(text) || !json.Valid(got) {
			t.Fatalf("%q: form %q", text, got)
		}
		again, err := answers.Canonical(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("the form of %q is not its own: %q, %v", got, again, err)
		}
		if !same(value(t, text), value(t, got)) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func value(t *testing.T, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// same compares by value, numbers exactly.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(m) != len(a) {
			return false
		}
		for k, v := range a {
			if w, ok := m[k]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(l) != len(a) {
			return false
		}
		for i := range a {
			if !same(a[i], l[i]) {
				return false
			}
		}
		return true
	case json.Number:
		n, ok := b.(json.Number)
		if !ok {
			return false
		}
		if len(a) > 300 || strings.ContainsAny(string(a), "eE") { // big.Rat would write out the power
			return true
		}
		x, okx := new(big.Rat).SetString(string(a))
		y, oky := new(big.Rat).SetString(string(n))
		return okx && oky && x.Cmp(y) == 0
	}
	return a == b
}
