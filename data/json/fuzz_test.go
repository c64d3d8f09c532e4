package json

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// seeds are documents that once looked interesting.
var seeds = []string{
	sendMessage,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query","arguments":{"mrn":"H-0042"},"_meta":{}}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Größe \"L\"\n"}],"structuredContent":{"n":1e400}}}`,
	"", " ", "nul", "null ", "-0", "9007199254740993", "1e400", "01", "1.", "-", "1.5E+10", "tru", `"`, `"\`, `"\u12`,
	`{}`, `[]`, `{ }`, "[\n]", `[,]`, `[1,]`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `[1 2]`, `[1]]`, `{"a":[}]`,
	`"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\n"`, `"\ud83dx\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ud83d\u00"`,
	"\"\x80\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\xef\xbb\xbf{}", "\"tab\there\"", "\"\x7f\u2028\"",
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":0}`, `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`, "\"\x00\"",
	"{ \"a\" : 1 ,\n\t\"b\" : [ true , { \"c\\n\" : null } , \"x\" ] , \"d\" : { } }\r\n",
	`"a long run of text without anything in it, then an \u0065scape and ünïcödé"`, `{"\"":"\\","/":"\/\b\f\n\r\t"}`,
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		src := bytes.Clone(in)
		lim := Limits{Depth: 20, Nodes: 200, Number: 30}
		var d Doc
		err := d.Parse(src, nil, lim)
		want, ok := readRef(string(in), lim)
		if ok != (err == nil) {
			t.Fatalf("Parse(%q) error = %v, reference accepts: %v", in, err, ok)
		}
		if !bytes.Equal(src, in) {
			t.Fatal("Parse changed its input")
		}
		switch valid := stdjson.Valid(in); {
		case err == nil && !valid:
			t.Fatalf("Parse(%q) accepts what encoding/json does not", in)
		case errors.Is(err, ErrSyntax) && valid:
			t.Fatalf("Parse(%q) error = %v, but encoding/json accepts it", in, err)
		}
		if err != nil {
			checkError(t, err, len(in))
			return
		}
		checkTape(t, &d, want)
		checkSame(t, &d)
	})
}

func checkError(t *testing.T, err error, size int) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Offset < 0 || e.Offset > size {
		t.Fatalf("error %v is not an *Error with an offset up to %d", err, size)
	}
}

// checkTape compares the tape with the reference tree.
func checkTape(t *testing.T, d *Doc, want *ref) {
	t.Helper()
	type seen struct{ parent, index, next int }
	var tree []seen
	var refs []*ref
	var number func(v *ref, parent, index int)
	number = func(v *ref, parent, index int) {
		self := len(tree)
		tree, refs = append(tree, seen{parent, index, 0}), append(refs, v)
		for i, kid := range v.kids {
			number(kid, self, i)
		}
		tree[self].next = len(tree)
	}
	number(want, -1, 0)
	if len(tree) != len(d.Nodes) {
		t.Fatalf("%d nodes, want %d", len(d.Nodes), len(tree))
	}
	for i := range d.Nodes {
		n, v := &d.Nodes[i], refs[i]
		if got := (seen{int(n.Parent), int(n.Index), int(n.Next)}); got != tree[i] || n.Kind != v.kind {
			t.Fatalf("node %d is %v %+v, want %v %+v", i, n.Kind, got, v.kind, tree[i])
		}
		if v.kind < Array && string(d.Raw(i)) != v.raw || d.Text(i) != v.text {
			t.Fatalf("node %d is %q (%q), want %q (%q)", i, d.Raw(i), d.Text(i), v.raw, v.text)
		}
		if v.kind >= Array && (d.Src[n.Start]|0x20 != '{' || d.Src[n.End-1]|0x20 != '}') {
			t.Fatalf("node %d is not between its brackets: %q", i, d.Raw(i))
		}
		if n.KeyStart < 0 != (v.nameRaw == "") || string(d.Key(i)) != v.name {
			t.Fatalf("node %d is called %q, want %q", i, d.Key(i), v.name)
		}
		if n.KeyStart >= 0 && string(d.Src[n.KeyStart:n.KeyEnd]) != v.nameRaw {
			t.Fatalf("name of node %d is %q, want %q", i, d.Src[n.KeyStart:n.KeyEnd], v.nameRaw)
		}
		if n.Escaped != (v.kind == String && strings.Contains(v.raw, `\`)) || n.KeyEscaped != strings.Contains(v.nameRaw, `\`) {
			t.Fatalf("node %d: wrong about escapes", i)
		}
	}
}

// checkSame holds that nothing asked for means nothing changed.
func checkSame(t *testing.T, d *Doc) {
	t.Helper()
	out, err := d.Edit().Apply([]byte("before "))
	if err != nil || string(out) != "before "+string(d.Src) {
		t.Fatalf("without edits Apply = %q, %v, want the document", out, err)
	}
}

// script turns bytes into edits, asked of e and written down in m.
func script(b []byte, e *Edits, m *model, refs []*ref) {
	values := []string{`null`, `[]`, `{"x":[1]}`, `"new"`, ` -0 `, `9007199254740993`}
	texts := []string{"", "[person 3]", "a\"b\\c\n", "\x01\xff\xfe", "😀é", "name", "id"}
	for ; len(b) >= 3; b = b[3:] {
		v := refs[int(b[1])%len(refs)]
		text := texts[int(b[2])%len(texts)]
		value := values[int(b[2])%len(values)]
		switch b[0] % 7 {
		case 0, 1:
			e.Remove(v.id)
			m.gone[v.id] = true
		case 2:
			e.Replace(v.id, []byte(value))
			m.value[v.id] = value
		case 3:
			e.ReplaceText(v.id, text)
			m.value[v.id] = literal(text)
		case 4:
			if v.nameRaw != "" {
				text += string(rune('a' + b[2]%16))
				e.ReplaceKey(v.id, text)
				m.name[v.id] = text
			}
		case 5:
			if v.kind == Object {
				text += string(rune('a' + b[2]%16))
				e.Append(v.id, text, []byte(value))
				m.appended[v.id] = append(m.appended[v.id], [2]string{text, value})
			}
		case 6:
			if spans := someSpans(v.text, b[1], b[2], text); v.kind == String && len(m.spans[v.id]) == 0 {
				e.ReplaceSpans(v.id, spans)
				m.spans[v.id] = spans
			}
		}
	}
}

// someSpans cuts text at characters chosen by a and b: up to three spans, some of them empty, not in order.
func someSpans(text string, a, b byte, with string) (spans []Span) {
	at := func(n int) int {
		for n = min(n, len(text)); n < len(text) && !utf8.RuneStart(text[n]); n++ {
		}
		return n
	}
	i, j, k := at(int(a%16)), at(int(a%16+b%8)), at(int(a%16+b%8+b/8))
	return []Span{{j, k, with}, {i, j, "<" + with}, {k, k, "!"}}
}

func FuzzSplice(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), []byte{0, byte(i), 0, 5, 0, 2, 2, byte(i), 3})
		f.Add([]byte(s), []byte{0, 1, 0, 0, 2, 0, 0, 3, 0, 4, 2, 1, 5, 0, 1, 5, 0, 2})
		f.Add([]byte(s), []byte{6, 3, 9, 6, 1, 18, 3, 2, 2})
	}
	f.Fuzz(func(t *testing.T, in, edits []byte) {
		tree, ok := readRef(string(in), Limits{})
		if !ok || len(edits) > 90 {
			return
		}
		var refs []*ref
		tree.walk(func(v *ref) { refs = append(refs, v) })
		var d Doc
		if err := d.Parse(in, nil, Limits{}); err != nil {
			t.Fatal(err)
		}
		e, m := d.Edit(), newModel()
		script(edits, e, m, refs)
		out, err := e.Apply(nil)
		rendered := tree.lead + m.render(tree) + tree.trail
		want, distinct := readRef(rendered, Limits{Depth: 1000})
		if !distinct {
			if !errors.Is(err, ErrDuplicate) || out != nil {
				t.Fatalf("Apply = %q, %v, want nothing and ErrDuplicate; edited %s", out, err, rendered)
			}
			return
		}
		if err != nil || string(out) != rendered {
			t.Fatalf("Apply = %v\n%q, want\n%q\nfrom %q", err, out, rendered, in)
		}
		if got := m.meaning(tree).meaning(); got != want.meaning() {
			t.Fatalf("the edited document says\n%s, want\n%s", want.meaning(), got)
		}
		if again, err := e.Apply(nil); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("a second Apply = %q, %v, want the same as the first: %q", again, err, out)
		}
	})
}

func FuzzSpans(f *testing.F) {
	f.Add(`"Call \u004aane D\u00f6 at once, \ud83d\ude00"`, 5, 13, "[person 1]", 20, 25, "x\"y")
	f.Add(`"plain"`, 0, 5, "", 5, 5, "!")
	f.Add(`"ü\n"`, 1, 2, "cut", 0, 0, "")
	f.Fuzz(func(t *testing.T, in string, s1, e1 int, t1 string, s2, e2 int, t2 string) {
		tree, ok := readRef(in, Limits{})
		if !ok || tree.kind != String {
			return
		}
		fits := func(s, e int) bool {
			text := tree.text
			return 0 <= s && s <= e && e <= len(text) && utf8.ValidString(text[:s]) && utf8.ValidString(text[s:e])
		}
		apart := e1 <= s2 || e2 <= s1
		if s1 == s2 && (s1 == e1 || s2 == e2) {
			apart = true // an empty span in front of the other
		}
		var d Doc
		if err := d.Parse([]byte(in), nil, Limits{}); err != nil {
			t.Fatal(err)
		}
		e := d.Edit()
		spans := []Span{{s1, e1, t1}, {s2, e2, t2}}
		e.ReplaceSpans(0, spans[:1])
		e.ReplaceSpans(0, spans[1:])
		out, err := e.Apply(nil)
		if !fits(s1, e1) || !fits(s2, e2) || !apart {
			if !errors.Is(err, ErrEdit) || out != nil {
				t.Fatalf("Apply = %q, %v, want nothing and ErrEdit", out, err)
			}
			return
		}
		m := newModel()
		m.spans[0] = spans
		if want := tree.lead + m.render(tree) + tree.trail; err != nil || string(out) != want {
			t.Fatalf("Apply = %q, %v, want %q", out, err, want)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{}\n[1]\r\n\n \t\n\"last\""), 10)
	f.Add([]byte("12345\n123456\n1234567890\n12345\r\n123456\r\n1\r2\n"), 5)
	f.Add([]byte("\r\n\r"), 1)
	f.Fuzz(func(t *testing.T, in []byte, most int) {
		most = 1 + (most&0x7fff)%9000
		var want []string
		offset := 0
		for line := range strings.SplitAfterSeq(string(in), "\n") {
			start := offset
			offset += len(line)
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			if len(line) > most {
				want = append(want, (&Error{start, ErrTooBig}).Error())
			} else if strings.Trim(line, " \t\r\n") != "" {
				want = append(want, line)
			}
		}
		readers := []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))}
		for _, r := range readers {
			l := NewLines(r, most)
			for i := 0; ; i++ {
				got, err := l.Next()
				if err == io.EOF {
					if i != len(want) {
						t.Fatalf("%d lines of %q, want %d", i, in, len(want))
					}
					break
				}
				s := string(got)
				if err != nil {
					s = err.Error()
				}
				if i >= len(want) || s != want[i] {
					t.Fatalf("line %d of %q is %q, want %q", i, in, s, want)
				}
			}
		}
	})
}
