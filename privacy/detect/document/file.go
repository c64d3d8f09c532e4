package document

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// object is one that the cross-reference names.
type object struct {
	at     int // in the file; or in the object stream in
	in     int // the number of the object stream; 0: it stands in the file
	end    int
	value  any
	parsed bool
	open   bool // it is being parsed
}

type reader struct {
	file []byte
	budget
	objects map[int]*object
	spans   [][2]int // what of the file was read
	trailer dict
	prose   []string
	terms   map[string]bool
	fonts   map[int]*font
	pages   int
}

// term takes note of a word of the machinery.
func (r *reader) term(s string) {
	if len(s) < 2 || r.terms[s] {
		return
	}
	r.takes(len(s))
	r.terms[s] = true
}

// say takes note of a text.
func (r *reader) say(s string) {
	if s == "" {
		return
	}
	r.takes(len(s))
	r.prose = append(r.prose, s)
}

func (r *reader) takes(n int) {
	if r.Text -= n + 1; r.Text < 0 {
		fail("it has too much text")
	}
}

func (r *reader) sortedTerms() []string { return slices.Sorted(maps.Keys(r.terms)) }

// read goes through all of the file: first by its cross-reference, then over every object, then over its pages.
func (r *reader) read() {
	if len(r.file) < 32 || !bytes.HasPrefix(r.file, []byte("%PDF-")) {
		fail("it does not begin as a PDF does")
	}
	r.crossReference()
	for _, n := range slices.Sorted(maps.Keys(r.objects)) {
		r.object(n)
	}
	r.covered()
	root := r.dict(r.trailer["Root"])
	if r.get(root["Type"]) != name("Catalog") {
		fail("it has no catalog")
	}
	for _, n := range slices.Sorted(maps.Keys(r.objects)) {
		if s, ok := r.objects[n].value.(*stream); ok {
			r.description(s)
		}
	}
	if r.page(root["Pages"], dict{}, 0, map[int]bool{}); r.pages == 0 {
		fail("it has no page")
	}
	for _, o := range r.objects {
		if s, ok := o.value.(*stream); ok && !s.used {
			fail("it holds data that no page shows as text")
		}
	}
}

// description reads metadata.
func (r *reader) description(s *stream) {
	if s.used || r.get(s.dict["Type"]) != name("Metadata") {
		return
	}
	if r.get(s.dict["Subtype"]) != name("XML") {
		fail("its description is not XML")
	}
	r.say(markup(r.decode(s)))
	s.used = true
}

// crossReference follows the sections from the newest to the oldest. What one frees stays in none of them, so that its bytes are
// not covered; what two define is refused.
func (r *reader) crossReference() {
	tail := r.file[max(0, len(r.file)-1024):]
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		fail("it has no cross-reference")
	}
	seen := map[int]bool{}
	free := map[int]bool{}
	for at := r.startxref(len(r.file) - len(tail) + i); ; {
		if at < 0 || at >= len(r.file) || seen[at] || len(seen) > 64 {
			fail("its cross-reference is broken")
		}
		seen[at] = true
		var t dict
		if bytes.HasPrefix(r.file[at:], []byte("xref")) {
			t = r.table(at, free)
		} else {
			t = r.xrefStream(at, free)
		}
		if r.trailer == nil {
			r.trailer = t
		}
		if t["XRefStm"] != nil {
			fail("it has two cross-references at once")
		}
		prev, ok := t["Prev"].(float64)
		if !ok {
			if t["Prev"] != nil {
				fail("its cross-reference is broken")
			}
			return
		}
		at = int(prev)
	}
}

// startxref reads "startxref", a number and the end-of-file mark.
func (r *reader) startxref(at int) int {
	l := &lexer{r: r, b: r.file, at: at, drawn: true, quiet: true}
	word, _ := l.next()
	v, _ := l.next()
	n, ok := v.(float64)
	if word != keyword("startxref") || !ok || n != float64(int(n)) {
		fail("its cross-reference is broken")
	}
	r.spans = append(r.spans, [2]int{at, l.at})
	return int(n)
}

func (r *reader) enter(n int, o object, inUse bool, free map[int]bool) {
	r.step(1)
	switch {
	case !inUse:
		if r.objects[n] == nil {
			free[n] = true
		}
	case r.objects[n] != nil, free[n] && n != 0:
		fail("an object is defined or freed twice")
	case len(r.objects) >= r.Objects:
		fail("it has too many objects")
	default:
		r.objects[n] = &o
	}
}

func (r *reader) table(at int, free map[int]bool) dict {
	l := &lexer{r: r, b: r.file, at: at + len("xref"), drawn: true, quiet: true}
	count := func() int {
		v, _ := l.next()
		n, ok := v.(float64)
		if !ok || n < 0 || n != float64(int(n)) {
			fail("its cross-reference is broken")
		}
		return int(n)
	}
	for {
		l.skip()
		if bytes.HasPrefix(r.file[l.at:], []byte("trailer")) {
			l.at += len("trailer")
			break
		}
		first, n := count(), count()
		if n > len(r.file)/18 || first > 1<<30 {
			fail("its cross-reference is broken")
		}
		for i := range n {
			offset, generation := count(), count()
			word, _ := l.next()
			if word != keyword("n") && (word != keyword("f") || offset > r.Objects || generation > 1<<16) || word == keyword("n") && generation != 0 {
				fail("its cross-reference is broken")
			}
			r.enter(first+i, object{at: offset}, word == keyword("n"), free)
		}
	}
	l.drawn, l.quiet = false, false
	v, _ := l.next()
	t, ok := v.(dict)
	if !ok {
		fail("it has no trailer")
	}
	r.spans = append(r.spans, [2]int{at, l.at})
	return t
}

func (r *reader) xrefStream(at int, free map[int]bool) dict {
	n, value, end := r.definition(at)
	s, ok := value.(*stream)
	if !ok || s.dict["Type"] != name("XRef") {
		fail("its cross-reference is broken")
	}
	s.used = true
	r.spans = append(r.spans, [2]int{at, end})
	w := r.ints(s.dict["W"])
	if len(w) != 3 || w[0] > 8 || w[1] > 8 || w[2] > 8 || w[1] == 0 {
		fail("its cross-reference is broken")
	}
	index := r.ints(s.dict["Index"])
	if len(index) == 0 {
		index = r.ints(array{0.0, s.dict["Size"]})
	}
	data, width := r.decode(s), w[0]+w[1]+w[2]
	for ; len(index) >= 2; index = index[2:] {
		for i := range index[1] {
			if len(data) < width {
				fail("its cross-reference is broken")
			}
			kind, a, b := 1, field(data[w[0]:w[0]+w[1]]), field(data[w[0]+w[1]:width])
			if w[0] > 0 {
				kind = field(data[:w[0]])
			}
			data = data[width:]
			num := index[0] + i
			switch {
			case kind == 0:
				r.enter(num, object{}, false, free)
			case kind == 1 && num == n && a == at: // the cross-reference itself
			case kind == 1 && b == 0:
				r.enter(num, object{at: a}, true, free)
			case kind == 2 && a > 0:
				r.enter(num, object{in: a, at: b}, true, free)
			default:
				fail("its cross-reference is broken")
			}
		}
	}
	if len(index) != 0 || len(data) != 0 {
		fail("its cross-reference is broken")
	}
	return s.dict
}

func field(b []byte) (v int) {
	for _, x := range b {
		if v > 1<<40 {
			fail("its cross-reference is broken")
		}
		v = v<<8 | int(x)
	}
	return v
}

// object returns the value of an object, which is nil if there is none.
func (r *reader) object(n int) any {
	o := r.objects[n]
	switch {
	case o == nil:
		return nil
	case o.parsed:
		return o.value
	case o.open:
		fail("an object needs itself")
	}
	o.open = true
	if o.in != 0 {
		r.packed(o.in)
		if !o.parsed {
			fail("its cross-reference is broken")
		}
		return o.value
	}
	num, value, end := r.definition(o.at)
	if num != n {
		fail("its cross-reference is broken")
	}
	o.value, o.end, o.parsed = value, end, true
	r.spans = append(r.spans, [2]int{o.at, end})
	return value
}

// definition reads "12 0 obj … endobj".
func (r *reader) definition(at int) (num int, value any, end int) {
	if at <= 0 || at >= len(r.file) || r.file[at] < '0' || r.file[at] > '9' {
		fail("its cross-reference is broken")
	}
	l := &lexer{r: r, b: r.file, at: at, drawn: true}
	n, _ := l.next()
	generation, _ := l.next()
	word, _ := l.next()
	number, ok := n.(float64)
	if !ok || number != float64(int(number)) || generation != 0.0 || word != keyword("obj") {
		fail("its cross-reference is broken")
	}
	l.drawn = false
	value, ok = l.next()
	if _, bad := value.(keyword); !ok || bad {
		fail("an object is empty")
	}
	if _, bad := value.(mark); bad {
		fail("an object is empty")
	}
	last, _ := l.next()
	if d, is := value.(dict); is && last == keyword("stream") {
		value, last = r.streamAt(l, d), nil
		last, _ = l.next()
	}
	if last != keyword("endobj") {
		fail("an object has no end")
	}
	return int(number), value, l.at
}

func (r *reader) streamAt(l *lexer, d dict) *stream {
	if bytes.HasPrefix(l.b[l.at:], []byte("\r\n")) {
		l.at += 2
	} else if bytes.HasPrefix(l.b[l.at:], []byte("\n")) {
		l.at++
	} else {
		fail("a stream does not begin as it must")
	}
	length, ok := r.get(d["Length"]).(float64)
	if !ok || length < 0 || int(length) > len(l.b)-l.at {
		fail("a stream has no length")
	}
	s := &stream{dict: d, raw: l.b[l.at : l.at+int(length)]}
	l.at += int(length)
	for range 2 {
		if l.at < len(l.b) && (l.b[l.at] == '\r' || l.b[l.at] == '\n') {
			l.at++
		}
	}
	if v, _ := l.next(); v != keyword("endstream") {
		fail("a stream has another length than it says")
	}
	return s
}

// packed reads all objects of an object stream. None of its bytes lies outside them.
func (r *reader) packed(n int) {
	s, ok := r.object(n).(*stream)
	if !ok || r.objects[n].in != 0 || s.used || s.dict["Type"] != name("ObjStm") || s.dict["Extends"] != nil {
		fail("its cross-reference is broken")
	}
	s.used = true
	data := r.decode(s)
	count, first := r.int(s.dict["N"]), r.int(s.dict["First"])
	if first > len(data) || count > len(data) {
		fail("an object stream is broken")
	}
	head := &lexer{r: r, b: data[:first], drawn: true}
	l := &lexer{r: r, b: data, at: first}
	for i := range count {
		num, _ := head.next()
		offset, _ := head.next()
		number, ok := num.(float64)
		if l.skip(); !ok || offset != float64(l.at-first) {
			fail("an object stream is broken")
		}
		v, ok := l.next()
		switch v.(type) {
		case keyword, mark:
			ok = false
		}
		o := r.objects[int(number)]
		if !ok || o == nil || o.in != n || o.at != i || o.parsed {
			fail("an object stream is broken")
		}
		o.value, o.parsed = v, true
	}
	if head.skip(); head.at != len(head.b) {
		fail("an object stream is broken")
	}
	if l.skip(); l.at != len(l.b) {
		fail("an object stream is broken")
	}
}

// covered sees to it that nothing but white space and comments lies outside what was read.
func (r *reader) covered() {
	slices.SortFunc(r.spans, func(a, b [2]int) int { return a[0] - b[0] })
	at := 0
	for _, s := range append(r.spans, [2]int{len(r.file), len(r.file)}) {
		if s[0] < at {
			fail("its objects overlap")
		}
		l := &lexer{r: r, b: r.file[:s[0]], at: at}
		if l.skip(); l.at != s[0] && !r.oldEnd(l, s[0]) {
			fail("it holds data that no object claims")
		}
		at = s[1]
	}
}

// oldEnd passes over the startxref of a section before the last.
func (r *reader) oldEnd(l *lexer, end int) bool {
	if !bytes.HasPrefix(l.b[l.at:], []byte("startxref")) {
		return false
	}
	l.at += len("startxref")
	l.skip()
	digits := l.token()
	r.term(string(digits))
	if _, err := strconv.ParseUint(string(digits), 10, 40); err != nil {
		return false
	}
	l.skip()
	return l.at == end
}

// get follows a reference.
func (r *reader) get(v any) any {
	for range 8 {
		n, ok := v.(ref)
		if !ok {
			return v
		}
		v = r.object(int(n))
	}
	fail("a reference leads to references")
	return nil
}

func (r *reader) dict(v any) dict {
	switch v := r.get(v).(type) {
	case dict:
		return v
	case nil:
		return dict{}
	}
	fail("something else stands where a dictionary must")
	return nil
}

func (r *reader) int(v any) int {
	f, ok := r.get(v).(float64)
	if !ok || f < 0 || f > 1<<30 || f != float64(int(f)) {
		fail("something else stands where a number must")
	}
	return int(f)
}

func (r *reader) ints(v any) (out []int) {
	list, _ := r.get(v).(array)
	for _, x := range list {
		out = append(out, r.int(x))
	}
	return out
}
