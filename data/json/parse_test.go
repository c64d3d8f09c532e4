package json

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		at       int
		want     error
	}{
		{"nothing", "", 0, ErrSyntax},
		{"white space only", " \n", 2, ErrSyntax},
		{"something behind", `{} x`, 3, ErrSyntax},
		{"two documents", "{}\n{}", 3, ErrSyntax},
		{"a byte order mark", "\xef\xbb\xbf{}", 0, ErrSyntax},
		{"white space of other alphabets", "\u00a0{}", 0, ErrSyntax},
		{"a form feed between tokens", "[\f]", 1, ErrSyntax},
		{"a comment", `[1/**/]`, 2, ErrSyntax},
		{"a comma at the end", `[1,]`, 3, ErrSyntax},
		{"a comma at the end of an object", `{"a":1,}`, 7, ErrSyntax},
		{"a missing colon", `{"a" 1}`, 5, ErrSyntax},
		{"a name without quotes", `{a:1}`, 1, ErrSyntax},
		{"a wrong bracket", `[1}`, 2, ErrSyntax},
		{"an open array", `[1`, 2, ErrSyntax},
		{"an open string", `"abc`, 4, ErrSyntax},
		{"a line end in a string", "\"a\nb\"", 2, ErrSyntax},
		{"a control character deep in a string", `"0123456789` + "\x1f" + `0123456789"`, 11, ErrSyntax},
		{"an unknown escape", `"\x41"`, 1, ErrSyntax},
		{"a cut escape", `"\u00`, 1, ErrSyntax},
		{"a leading zero", `01`, 1, ErrSyntax},
		{"a plus", `+1`, 0, ErrSyntax},
		{"a point without digits", `1.`, 2, ErrSyntax},
		{"an exponent without digits", `1e+`, 3, ErrSyntax},
		{"infinity", `Infinity`, 0, ErrSyntax},
		{"a longer word", `nullx`, 4, ErrSyntax},
		{"a cut word", `tru`, 0, ErrSyntax},
		{"UTF-8 cut short", "\"ab\xc3\"", 3, ErrUTF8},
		{"an overlong form", "\"\xc0\xaf\"", 1, ErrUTF8},
		{"a surrogate in UTF-8", "\"\xed\xa0\x80\"", 1, ErrUTF8},
		{"a high surrogate alone", `"ab\ud83d"`, 3, ErrUTF8},
		{"a high surrogate before another escape", `"\ud83d\n"`, 1, ErrUTF8},
		{"a low surrogate alone", `"\ude00"`, 1, ErrUTF8},
		{"two low surrogates", `"\ude00\ude00"`, 1, ErrUTF8},
		{"two high surrogates", `"\ud83d\ud83d"`, 1, ErrUTF8},
		{"a high surrogate before an escaped letter", `"\ud83d\u0041"`, 1, ErrUTF8},
		{"a surrogate in a name", `{"\ud83d":1}`, 2, ErrUTF8},
		{"a name twice", `{"a":1,"b":2,"a":3}`, 13, ErrDuplicate},
		{"a name twice, once escaped", `{"a":1,"\u0061":2}`, 7, ErrDuplicate},
		{"a long name twice", `{"abcdefghi":1,"abcdefghj":2,"abcdefghi":3}`, 29, ErrDuplicate},
		{"the empty name twice", `{"":1,"":3}`, 6, ErrDuplicate},
		{"a name twice inside", `[{"x":{"a":[{}],"a":0}}]`, 16, ErrDuplicate},
		{"a name twice among many", manyMembers(40, `"n7":0`), 1 + 10*7 + 30*8, ErrDuplicate},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d Doc
			err := d.Parse([]byte(test.in), nil, Limits{})
			e, _ := errors.AsType[*Error](err)
			if !errors.Is(err, test.want) || e == nil || e.Offset != test.at {
				t.Errorf("Parse(%q) error = %v, want %v at byte %d", test.in, err, test.want, test.at)
			}
			if len(d.Nodes) > 0 || d.Src != nil {
				t.Error("a refused document left nodes behind")
			}
		})
	}
}

// TestStringsAreReadAtEveryPlace puts one byte at each place of strings of each length, so that each meets every
// position in the words a string is read by.
func TestStringsAreReadAtEveryPlace(t *testing.T) {
	var d Doc
	for size := 1; size <= 40; size++ {
		for place := range size {
			for c, want := range map[string]error{
				"\x80": ErrUTF8, "\xff": ErrUTF8, "\x00": ErrSyntax, "\x1f": ErrSyntax, `\x`: ErrSyntax,
				" ": nil, "!": nil, "#": nil, "\x7f": nil, "[": nil, "]": nil, "\u00a2": nil,
			} {
				text := strings.Repeat("x", place) + c + strings.Repeat("x", size-place-1)
				err := d.Parse([]byte(`["`+text+`",null]`), nil, Limits{})
				e, _ := errors.AsType[*Error](err)
				if !errors.Is(err, want) || e != nil && e.Offset != 2+place {
					t.Fatalf("%q: error = %v, want %v at byte %d", text, err, want, 2+place)
				}
				if err == nil && d.Text(1) != text {
					t.Fatalf("text is %q, want %q", d.Text(1), text)
				}
			}
		}
	}
}

// manyMembers is an object of n members and one more.
func manyMembers(n int, more string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	return b.String() + more + "}"
}

func TestParseKeepsWithinLimits(t *testing.T) {
	lim := Limits{Bytes: 60, Depth: 3, Nodes: 5, Number: 4}
	tests := []struct {
		name, in string
		want     error
	}{
		{"as many bytes", `"` + strings.Repeat("x", 58) + `"`, nil},
		{"a byte more", `"` + strings.Repeat("x", 59) + `"`, ErrTooBig},
		{"as deep", `[[[1]]]`, nil},
		{"deeper", `[[{"a":{}}]]`, ErrTooDeep},
		{"deep again and again", `[[[]],[[]]]`, nil},
		{"as many values", `[1,2,3,4]`, nil},
		{"a value more", `[1,2,3,4,5]`, ErrTooMany},
		{"a number as long", `-1e9`, nil},
		{"a longer number", `-1e99`, ErrNumber},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d Doc
			if err := d.Parse([]byte(test.in), nil, lim); !errors.Is(err, test.want) {
				t.Errorf("Parse(%q) error = %v, want %v", test.in, err, test.want)
			}
		})
	}
	t.Run("by default", func(t *testing.T) {
		var d Doc
		nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
		if err := d.Parse(nested(DefaultDepth), nil, Limits{}); err != nil {
			t.Errorf("64 arrays: error = %v, want nil", err)
		}
		if err := d.Parse(nested(DefaultDepth+1), nil, Limits{}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("65 arrays: error = %v, want ErrTooDeep", err)
		}
		if err := d.Parse([]byte(strings.Repeat("1", DefaultNumber+1)), nil, Limits{}); !errors.Is(err, ErrNumber) {
			t.Errorf("129 digits: error = %v, want ErrNumber", err)
		}
	})
}

func TestErrorsHoldNoInput(t *testing.T) {
	const canary = "canary-4711"
	for _, in := range []string{
		`{"canary-4711":1,"canary-4711":2}`, `["canary-4711" "canary-4711"]`, `"canary-4711` + "\xff\"", `canary-4711`, `"\ud800canary-4711"`,
	} {
		var d Doc
		err := d.Parse([]byte(in), nil, Limits{})
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); err == nil || strings.Contains(text, canary) {
			t.Errorf("Parse error = %s, want one without input", text)
		}
	}
}

func TestDuplicatesAreFoundInLinearTime(t *testing.T) {
	// 190,000 members take some 10 ms; compared pair by pair they would take more than ten seconds.
	in := []byte(manyMembers(190_000, `"last":0`))
	start := time.Now()
	var d Doc
	if err := d.Parse(in, nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Parse took %v for many members", took)
	}
}

// recorder notes what a matcher is asked.
type recorder struct{ asked []string }

func (r *recorder) note(format string, args ...any) State {
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
	return State(len(r.asked))
}
func (r *recorder) Root() State                      { return r.note("root") }
func (r *recorder) Member(p State, key []byte) State { return r.note("%d.%s", p, key) }
func (r *recorder) Element(p State, index int) State { return r.note("%d[%d]", p, index) }

func TestMatcherIsWalkedAlong(t *testing.T) {
	var d Doc
	var r recorder
	if err := d.Parse([]byte(`{"a":[1,{"\u0062/":2}],"c":{},"d":[]}`), &r, Limits{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"root", "1.a", "2[0]", "2[1]", "4.b/", "1.c", "1.d"}
	if !slices.Equal(r.asked, want) {
		t.Errorf("the matcher was asked %q, want %q", r.asked, want)
	}
	for i, n := range d.Nodes {
		if n.State != State(i+1) {
			t.Errorf("node %d has state %d, want %d", i, n.State, i+1)
		}
	}
}

func TestPointerShowsDeclaredNamesOnly(t *testing.T) {
	var d Doc
	if err := d.Parse([]byte(`{"patients":{"Jane Doe":[{"a~b/c":1}]},"":0}`), nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	name, leaf, empty := at(t, &d, "/patients/Jane Doe"), at(t, &d, "/patients/Jane Doe/0/a~0b~1c"), at(t, &d, "/")
	declared := func(n int) bool { return n != name }
	for n, want := range map[int]string{0: "", name: "/patients/*", leaf: "/patients/*/0/a~0b~1c", empty: "/"} {
		if got := d.Pointer(n, declared); string(got) != want {
			t.Errorf("Pointer(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestReadingADocument(t *testing.T) {
	var d Doc
	if err := d.Parse([]byte(` {"n":9007199254740993, "\u0073":"x\ny","e":{},"l":[1,2]} `), nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	s, ok := d.Member(0, "s")
	if !ok || d.Text(s) != "x\ny" || string(d.AppendText([]byte("> "), s)) != "> x\ny" || string(d.Key(s)) != "s" {
		t.Errorf("Member(s) = %d, %v with text %q and name %q", s, ok, d.Text(s), d.Key(s))
	}
	if n, ok := d.Member(0, "n"); !ok || string(d.Raw(n)) != "9007199254740993" || d.Text(n) != "" {
		t.Errorf("Member(n) = %d, %v, Raw %q, Text %q", n, ok, d.Raw(n), d.Text(n))
	}
	if n, ok := d.Member(0, "absent"); ok {
		t.Errorf("Member(absent) = %d, true", n)
	}
	if _, ok := d.Member(s, "s"); ok {
		t.Error("a string has a member")
	}
	l, _ := d.Member(0, "l")
	if _, ok := d.Member(l, ""); ok {
		t.Error("an array has a member")
	}
	if got := slices.Collect(d.Children(l)); !slices.Equal(got, []int{l + 1, l + 2}) {
		t.Errorf("Children of an array = %v, want %v", got, []int{l + 1, l + 2})
	}
	if d.Key(0) != nil || d.Key(l+1) != nil {
		t.Error("the root or an element has a name")
	}
	for range d.Children(0) {
		break // must not go on
	}
	if got := fmt.Sprint(d.Nodes[0].Kind, d.Nodes[s].Kind, Kind(99)); got != "object string unknown" {
		t.Errorf("kinds print as %q", got)
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                           `""`,
		"plain":                      `"plain"`,
		"q\" b\\ /":                  `"q\" b\\ /"`,
		"\b\f\n\r\t\x00\x1f\x7f":     `"\b\f\n\r\t\u0000\u001f` + "\x7f\"",
		"<é\u2028😀>":                 "\"<é\u2028😀>\"",
		"cut \xc3":                   "\"cut \uFFFD\"",
		"\xff\xfe and \xed\xa0\x80!": "\"\uFFFD\uFFFD and \uFFFD\uFFFD\uFFFD!\"",
		"\uFFFD itself":              "\"\uFFFD itself\"",
	} {
		if got := string(AppendString([]byte("x"), in)); got != "x"+want {
			t.Errorf("AppendString(%q) = %s, want x%s", in, got, want)
		}
	}
}

func TestReuseTakesNoMemory(t *testing.T) {
	in := []byte(strings.Replace(sendMessage, `"text"`, `"\u0074ext"`, 1))
	var d Doc
	var e Edits
	var out []byte
	number := -1
	raw, spans := []byte(`{"changed":1}`), []Span{{0, 6, "[word]"}}
	round := func() {
		if err := d.Parse(in, lightMatcher{}, Limits{}); err != nil {
			t.Fatal(err)
		}
		if number < 0 {
			number = at(t, &d, "/params/message/parts/1/data/claim/number")
		}
		e.Reset(&d)
		e.Remove(number)
		e.ReplaceSpans(number+1, spans)
		e.ReplaceKey(number+2, "sum")
		e.Append(0, "note", raw)
		var err error
		if out, err = e.Apply(out[:0]); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if allocs := testing.AllocsPerRun(100, round); allocs != 0 {
		t.Errorf("parsing and splicing again allocates %v times, want 0", allocs)
	}
}

func TestADocumentIsReadByMany(t *testing.T) {
	var d Doc
	if err := d.Parse([]byte(sendMessage), nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	var views sync.WaitGroup
	for i := range 4 {
		views.Go(func() {
			e := d.Edit()
			e.ReplaceText(i+1, "view")
			if _, err := e.Apply(nil); err != nil {
				t.Error(err)
			}
		})
	}
	views.Wait()
}
