package json

import (
	"errors"
	"strings"
	"testing"
)

// edited parses in, makes the edits and applies them.
func edited(t *testing.T, in string, edit func(d *Doc, e *Edits)) (string, error) {
	t.Helper()
	var d Doc
	if err := d.Parse([]byte(in), nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	e := d.Edit()
	edit(&d, e)
	out, err := e.Apply(nil)
	if err != nil && out != nil {
		t.Errorf("Apply gives %q beside the error %v", out, err)
	}
	return string(out), err
}

func TestRemovingMembers(t *testing.T) {
	const tight, loose = `{"a":1,"b":[2],"c":{"x":3}}`, "{ \"a\" : 1 ,\n  \"b\" : [2] ,\n  \"c\" : {\"x\":3}\n}"
	tests := []struct{ name, in, remove, want string }{
		{"the first", tight, "/a", `{"b":[2],"c":{"x":3}}`},
		{"the middle one", tight, "/b", `{"a":1,"c":{"x":3}}`},
		{"the last", tight, "/c", `{"a":1,"b":[2]}`},
		{"the first two", tight, "/a /b", `{"c":{"x":3}}`},
		{"the last two", tight, "/b /c", `{"a":1}`},
		{"the outer two", tight, "/a /c", `{"b":[2]}`},
		{"all", tight, "/c /b /a", `{}`},
		{"the only one", tight, "/c/x", `{"a":1,"b":[2],"c":{}}`},
		{"one and what is inside it", tight, "/c/x /c", `{"a":1,"b":[2]}`},
		{"an element", tight, "/b/0", `{"a":1,"b":[null],"c":{"x":3}}`},
		{"the whole document", " " + tight + "\n", "", " null\n"},
		{"the first, with space", loose, "/a", "{ \"b\" : [2] ,\n  \"c\" : {\"x\":3}\n}"},
		{"the middle one, with space", loose, "/b", "{ \"a\" : 1 ,\n  \"c\" : {\"x\":3}\n}"},
		{"the last, with space", loose, "/c", "{ \"a\" : 1 ,\n  \"b\" : [2]\n}"},
		{"all, with space", loose, "/a /b /c", "{ \n}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := edited(t, test.in, func(d *Doc, e *Edits) {
				for pointer := range strings.SplitSeq(test.remove, " ") {
					e.Remove(at(t, d, pointer))
				}
			})
			if err != nil || got != test.want {
				t.Errorf("Apply = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestEdits(t *testing.T) {
	const in = `{"id":9007199254740993,"to":"J\u00f6rg \/ \ud83d\ude00 \"x\"","big":1e400,"neg":-0,"e":{ },"l":[true]}`
	tests := []struct {
		name string
		edit func(d *Doc, e *Edits)
		want string
	}{
		{"nothing", func(d *Doc, e *Edits) {}, in},
		{"one number", func(d *Doc, e *Edits) { e.Replace(at(t, d, "/id"), []byte("7")) }, strings.Replace(in, "9007199254740993", "7", 1)},
		{"a text for a boolean", func(d *Doc, e *Edits) { e.ReplaceText(at(t, d, "/l/0"), "a\n") }, strings.Replace(in, "true", `"a\n"`, 1)},
		{"the later replacement", func(d *Doc, e *Edits) {
			e.ReplaceText(at(t, d, "/id"), "first")
			e.Replace(at(t, d, "/id"), []byte("null"))
		}, strings.Replace(in, "9007199254740993", "null", 1)},
		{"a span between escapes", func(d *Doc, e *Edits) {
			e.ReplaceSpans(at(t, d, "/to"), []Span{{Start: 8, End: 12, Text: "[emoji]"}})
		}, strings.Replace(in, `\ud83d\ude00`, "[emoji]", 1)},
		{"an escaped character itself", func(d *Doc, e *Edits) {
			e.ReplaceSpans(at(t, d, "/to"), []Span{{Start: 6, End: 7, Text: "\""}, {Start: 0, End: 5, Text: "[person 1]"}})
		}, strings.Replace(strings.Replace(in, `J\u00f6rg`, "[person 1]", 1), `\/`, `\"`, 1)},
		{"a text over its spans", func(d *Doc, e *Edits) {
			e.ReplaceText(at(t, d, "/to"), "all")
			e.ReplaceSpans(at(t, d, "/to"), []Span{{Start: 0, End: 1, Text: "part"}})
		}, strings.Replace(in, `"J\u00f6rg \/ \ud83d\ude00 \"x\""`, `"all"`, 1)},
		{"a name", func(d *Doc, e *Edits) { e.ReplaceKey(at(t, d, "/big"), "n\"") }, strings.Replace(in, `"big"`, `"n\""`, 1)},
		{"a name and its value", func(d *Doc, e *Edits) {
			e.Replace(at(t, d, "/big"), []byte("0"))
			e.ReplaceKey(at(t, d, "/big"), "n")
		}, strings.Replace(in, `"big":1e400`, `"n":0`, 1)},
		{"the outer of two", func(d *Doc, e *Edits) {
			e.Replace(at(t, d, "/l/0"), []byte("0"))
			e.Replace(at(t, d, "/l"), []byte("[]"))
			e.Append(at(t, d, "/e"), "in", []byte("1"))
			e.Remove(at(t, d, "/e"))
		}, strings.Replace(in, `,"e":{ },"l":[true]`, `,"l":[]`, 1)},
		{"members for an empty object", func(d *Doc, e *Edits) {
			e.Append(at(t, d, "/e"), "x", []byte("1"))
			e.Append(at(t, d, "/e"), "y", []byte(`{"z":[]}`))
		}, strings.Replace(in, "{ }", `{"x":1,"y":{"z":[]} }`, 1)},
		{"a member more", func(d *Doc, e *Edits) { e.Append(0, "note", []byte("{}")) }, in[:len(in)-1] + `,"note":{}}`},
		{"a member for the last one", func(d *Doc, e *Edits) {
			e.Append(0, "l", []byte("{}"))
			e.Remove(at(t, d, "/l"))
		}, strings.Replace(in, `"l":[true]`, `"l":{}`, 1)},
		{"a member for all", func(d *Doc, e *Edits) {
			e.Append(0, "id", []byte("1"))
			for n := range d.Children(0) {
				e.Remove(n)
			}
		}, `{"id":1}`},
		{"names changed round", func(d *Doc, e *Edits) {
			e.ReplaceKey(at(t, d, "/id"), "to")
			e.ReplaceKey(at(t, d, "/to"), "id")
		}, strings.Replace(strings.Replace(in, `"to"`, `"id"`, 1), `"id"`, `"to"`, 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := edited(t, in, test.edit); err != nil || got != test.want {
				t.Errorf("Apply = %s, %v, want\n%s", got, err, test.want)
			}
		})
	}
}

func TestEditsThatDoNotFit(t *testing.T) {
	const in = `{"a":"\u00e4bc","b":[1],"c":{"x":"plain"}}`
	tests := []struct {
		name string
		edit func(d *Doc, e *Edits)
		want error
	}{
		{"no such value", func(d *Doc, e *Edits) { e.Remove(99) }, ErrEdit},
		{"a value before the first", func(d *Doc, e *Edits) { e.ReplaceText(-1, "") }, ErrEdit},
		{"no JSON", func(d *Doc, e *Edits) { e.Replace(1, []byte("{")) }, ErrEdit},
		{"two values", func(d *Doc, e *Edits) { e.Append(0, "n", []byte("1,2")) }, ErrEdit},
		{"a member of an array", func(d *Doc, e *Edits) { e.Append(at(t, d, "/b"), "n", []byte("1")) }, ErrEdit},
		{"a name for an element", func(d *Doc, e *Edits) { e.ReplaceKey(at(t, d, "/b/0"), "n") }, ErrEdit},
		{"spans of a number", func(d *Doc, e *Edits) { e.ReplaceSpans(at(t, d, "/b/0"), []Span{{0, 1, ""}}) }, ErrEdit},
		{"a span that ends before it starts", func(d *Doc, e *Edits) { e.ReplaceSpans(1, []Span{{3, 2, ""}}) }, ErrEdit},
		{"a span behind the end", func(d *Doc, e *Edits) { e.ReplaceSpans(1, []Span{{3, 5, ""}}) }, ErrEdit},
		{"half a character", func(d *Doc, e *Edits) { e.ReplaceSpans(1, []Span{{1, 2, ""}}) }, ErrEdit},
		{"spans that overlap", func(d *Doc, e *Edits) {
			e.ReplaceSpans(1, []Span{{0, 3, ""}})
			e.ReplaceSpans(1, []Span{{2, 4, ""}})
		}, ErrEdit},
		{"plain spans that overlap", func(d *Doc, e *Edits) { e.ReplaceSpans(at(t, d, "/c/x"), []Span{{0, 3, ""}, {2, 4, ""}}) }, ErrEdit},
		{"a plain span behind the end", func(d *Doc, e *Edits) { e.ReplaceSpans(at(t, d, "/c/x"), []Span{{0, 6, ""}}) }, ErrEdit},
		{"a plain span before the start", func(d *Doc, e *Edits) { e.ReplaceSpans(at(t, d, "/c/x"), []Span{{-1, 2, ""}}) }, ErrEdit},
		{"a name that is taken", func(d *Doc, e *Edits) { e.ReplaceKey(1, "b") }, ErrDuplicate},
		{"one name for two", func(d *Doc, e *Edits) { e.ReplaceKey(1, "n"); e.ReplaceKey(2, "n") }, ErrDuplicate},
		{"a member there is", func(d *Doc, e *Edits) { e.Append(0, "a", []byte("1")) }, ErrDuplicate},
		{"a member twice", func(d *Doc, e *Edits) { e.Append(0, "n", []byte("1")); e.Append(0, "n", []byte("1")) }, ErrDuplicate},
		{"a document read anew", func(d *Doc, e *Edits) { e.Remove(1); must(t, d.Parse([]byte(in), nil, Limits{})) }, ErrEdit},
		{"an edit in between", func(d *Doc, e *Edits) { e.Remove(1); must(t, d.Parse([]byte(in), nil, Limits{})); e.Remove(2) }, ErrEdit},
		{"a document that was refused", func(d *Doc, e *Edits) { _ = d.Parse([]byte("x"), nil, Limits{}) }, ErrEdit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := edited(t, in, test.edit)
			if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, test.want) || got != "" {
				t.Errorf("Apply = %q, %v (%v), want nothing and %v", got, err, e, test.want)
			}
		})
	}
	if _, err := new(Edits).Apply(nil); !errors.Is(err, ErrEdit) {
		t.Errorf("Apply without a document: error = %v, want ErrEdit", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEditsAreReused(t *testing.T) {
	var d Doc
	must(t, d.Parse([]byte(`{"a":1}`), nil, Limits{}))
	e := Edits{Doc: &d}
	e.Replace(99, nil)
	e.ReplaceText(1, "secret")
	if e.Empty() {
		t.Error("Empty() = true with an edit")
	}
	e.Reset(&d)
	if out, err := e.Apply(nil); !e.Empty() || err != nil || string(out) != `{"a":1}` {
		t.Errorf("after Reset Empty() = %v and Apply = %s, %v", e.Empty(), out, err)
	}
	e.Remove(1)
	if out, err := e.Apply([]byte("> ")); err != nil || string(out) != "> {}" {
		t.Errorf("Apply = %s, %v, want > {}", out, err)
	}
	e.Append(0, "a", []byte("2")) // an edit more, after the first Apply
	if out, err := e.Apply(nil); err != nil || string(out) != `{"a":2}` {
		t.Errorf(`Apply = %s, %v, want {"a":2}`, out, err)
	}
}

func TestWithinFindsEditsOfAValueAndOfAllItHolds(t *testing.T) {
	var d Doc
	if err := d.Parse([]byte(`{"a":{"b":[1,"two"]},"c":3}`), nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	a, _ := d.Member(0, "a")
	c, _ := d.Member(0, "c")
	b, _ := d.Member(a, "b")
	for name, tt := range map[string]struct {
		edit             func(*Edits)
		inA, inC, inRoot bool
	}{
		"none":             {func(*Edits) {}, false, false, false},
		"an element below": {func(e *Edits) { e.Remove(b + 2) }, true, false, true},
		"the name":         {func(e *Edits) { e.ReplaceKey(a, "x") }, true, false, true},
		"a new member":     {func(e *Edits) { e.Append(a, "x", []byte("1")) }, true, false, true},
		"beside":           {func(e *Edits) { e.ReplaceText(c, "x") }, false, true, true},
		"the root":         {func(e *Edits) { e.Append(0, "x", []byte("1")) }, false, false, true},
	} {
		e := d.Edit()
		tt.edit(e)
		if got := [3]bool{e.Within(a), e.Within(c), e.Within(0)}; got != [3]bool{tt.inA, tt.inC, tt.inRoot} {
			t.Errorf("%s: within a, c and the root: %v", name, got)
		}
	}
}
