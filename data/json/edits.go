package json

import (
	"math"
	"slices"
)

// Span is a stretch of a string's content and the text to put there. Start and End count bytes of the content without
// escapes, as [Doc.Text] returns it.
type Span struct {
	Start, End int
	Text       string
}

// Edits collects changes to a parsed document, which [Edits.Apply] carries out; the document itself stays as it is.
//
// Nodes are named by their index in Doc.Nodes. Calls may come in any order. Where edits overlap, the outer wins: what
// is asked for a value is moot once the value, or one around it, is removed or replaced, and replacing a string
// outranks replacing spans of it. Of two replacements of one value the later wins; spans add up. An edit that does not
// fit the document makes Apply fail, whatever else is asked.
//
// Edits{Doc: d} is ready for use. An Edits may be reused after [Edits.Reset], which takes no memory once it has held
// as much. It is not safe for concurrent use; several Edits of one Doc are.
type Edits struct {
	Doc *Doc

	gen   uint32 // of the document when the first edit was made
	err   error  // the first edit that did not fit
	ops   []op
	buf   []byte // what the edits put in place, as JSON
	spans []Span

	check  Doc // parses replacements
	names  []byte
	keys   keySet
	objs   []int32
	merged []Span
}

// op is one edit. Its order is (place in Src, rank, time), packed: 32, 3 and 29 bits.
type op struct {
	order    uint64
	node     int32
	from, to int // its part of buf, or of spans
	value    int // append: where the value begins in buf
}

type rank uint64

// Edits that begin at the same byte, the outermost first.
const (
	rankRemove  rank = iota // member, from its name; or element or root, which becomes null
	rankRename              // name of a member
	rankReplace             // value
	rankSpans               // parts of a string
	rankAppend              // new last member, behind the last one
)

const seqBits = 29

func (o *op) pos() int   { return int(o.order >> 32) }
func (o *op) rank() rank { return rank(o.order >> seqBits & 7) }

// Edit returns an empty set of changes to d, as it is now parsed.
func (d *Doc) Edit() *Edits { return &Edits{Doc: d} }

// Reset forgets all edits and turns to d, keeping memory for reuse.
func (e *Edits) Reset(d *Doc) {
	clear(e.spans)
	clear(e.merged)
	e.Doc, e.err = d, nil
	e.ops, e.buf, e.spans, e.merged = e.ops[:0], e.buf[:0], e.spans[:0], e.merged[:0]
}

// Empty reports whether nothing has been asked for: Apply would copy the document.
func (e *Edits) Empty() bool { return len(e.ops) == 0 && e.err == nil }

// Replace puts raw, one JSON value, in place of value n. Raw is copied.
func (e *Edits) Replace(n int, raw []byte) {
	if !e.has(n) || !e.valid(n, raw) {
		return
	}
	from := len(e.buf)
	e.buf = append(e.buf, raw...)
	e.add(n, rankReplace, int(e.Doc.Nodes[n].Start), from, 0)
}

// ReplaceText puts a string with content s in place of value n, of whatever kind; see [AppendString] for its form.
func (e *Edits) ReplaceText(n int, s string) {
	if !e.has(n) {
		return
	}
	from := len(e.buf)
	e.buf = AppendString(e.buf, s)
	e.add(n, rankReplace, int(e.Doc.Nodes[n].Start), from, 0)
}

// ReplaceSpans replaces parts of the content of string n; bytes outside the spans keep their escapes as they are.
//
// The spans, of one call or of several, may be in any order. They must lie inside the content, must not overlap and
// must not cut a character in two. An empty span inserts.
func (e *Edits) ReplaceSpans(n int, spans []Span) {
	if !e.has(n) || len(spans) == 0 {
		return
	}
	if e.Doc.Nodes[n].Kind != String {
		e.misfit(n)
		return
	}
	from := len(e.spans)
	e.spans = append(e.spans, spans...)
	e.add(n, rankSpans, int(e.Doc.Nodes[n].Start), from, 0)
	e.ops[len(e.ops)-1].to = len(e.spans)
}

// ReplaceKey renames member n to s, without escapes. Apply fails with [ErrDuplicate] if another member that stays has
// that name.
func (e *Edits) ReplaceKey(n int, s string) {
	if !e.has(n) {
		return
	}
	if e.Doc.Nodes[n].KeyStart < 0 {
		e.misfit(n)
		return
	}
	from := len(e.buf)
	e.buf = AppendString(e.buf, s)
	e.add(n, rankRename, int(e.Doc.Nodes[n].KeyStart), from, 0)
}

// Remove takes member n away together with its name and comma. An element of an array becomes null, so that those
// behind it keep their place, and so does the root.
func (e *Edits) Remove(n int) {
	if !e.has(n) {
		return
	}
	node := &e.Doc.Nodes[n]
	pos := node.Start
	if node.KeyStart >= 0 {
		pos = node.KeyStart
	}
	e.add(n, rankRemove, int(pos), len(e.buf), 0)
}

// Append adds a last member to object obj: its name, without escapes, and raw, one JSON value, which is copied.
// Several are added in the order of the calls. Apply fails with [ErrDuplicate] if a member that stays has that name.
func (e *Edits) Append(obj int, key string, raw []byte) {
	if !e.has(obj) {
		return
	}
	node := &e.Doc.Nodes[obj]
	if node.Kind != Object {
		e.misfit(obj)
		return
	}
	if !e.valid(obj, raw) {
		return
	}
	from := len(e.buf)
	e.buf = AppendString(e.buf, key)
	value := len(e.buf)
	e.buf = append(e.buf, raw...)
	e.add(obj, rankAppend, trimSpace(e.Doc.Src, int(node.End)-1), from, value)
}

// trimSpace returns where the white space before src[end] begins.
func trimSpace(src []byte, end int) int {
	for isSpace(src[end-1]) {
		end--
	}
	return end
}

// add takes up an edit whose bytes are those from buf[from] on.
func (e *Edits) add(n int, r rank, pos, from, value int) {
	seq := uint64(len(e.ops))
	if seq >= 1<<seqBits {
		e.fail(n, ErrTooMany)
		return
	}
	if r == rankReplace {
		seq = 1<<seqBits - 1 - seq // the latest first
	}
	order := uint64(pos)<<32 | uint64(r)<<seqBits | seq
	e.ops = append(e.ops, op{order: order, node: int32(n), from: from, to: len(e.buf), value: value})
}

// has reports whether there is a node n. That the document is still the one of the first edit is checked by Apply.
func (e *Edits) has(n int) bool {
	if e.Doc == nil || n < 0 || n >= len(e.Doc.Nodes) {
		e.fail(-1, ErrEdit)
		return false
	}
	if len(e.ops) == 0 {
		e.gen = e.Doc.gen
	}
	return true
}

// valid reports whether raw may stand in for a value.
func (e *Edits) valid(n int, raw []byte) bool {
	most := Limits{Bytes: math.MaxInt32, Depth: math.MaxInt32, Nodes: math.MaxInt32, Number: math.MaxInt32}
	err := e.check.Parse(raw, nil, most)
	e.check.Src = nil
	if err != nil {
		e.misfit(n)
	}
	return err == nil
}

// Within reports whether an edit touches value n, its name, or anything within it. Edits that an outer one makes moot count.
func (e *Edits) Within(n int) bool {
	if e.Doc == nil || n < 0 || n >= len(e.Doc.Nodes) {
		return false
	}
	next := e.Doc.Nodes[n].Next
	for i := range e.ops {
		if at := e.ops[i].node; int32(n) <= at && at < next {
			return true
		}
	}
	return false
}

func (e *Edits) misfit(n int) { e.fail(n, ErrEdit) }

// fail keeps the first reason why the edits cannot be carried out; n is the node, or -1.
func (e *Edits) fail(n int, reason error) {
	if e.err != nil {
		return
	}
	at := 0
	if n >= 0 {
		at = int(e.Doc.Nodes[n].Start)
	}
	e.err = &Error{Offset: at, Err: reason}
}

// settle sorts the edits by place and drops those that an outer one makes moot.
func (e *Edits) settle() {
	byOrder := func(a, b op) int {
		if a.order < b.order {
			return -1
		}
		return 1 // never equal
	}
	if !slices.IsSortedFunc(e.ops, byOrder) {
		slices.SortFunc(e.ops, byOrder)
	}
	covered := 0
	kept := e.ops[:0]
	for _, o := range e.ops {
		if o.pos() < covered {
			continue
		}
		if o.rank() == rankRemove || o.rank() == rankReplace {
			covered = int(e.Doc.Nodes[o.node].End)
		}
		kept = append(kept, o)
	}
	e.ops = kept
}

// distinct checks that objects whose names change still have each name once. The edits must be settled.
func (e *Edits) distinct() error {
	d := e.Doc
	e.objs = e.objs[:0]
	for i := range e.ops {
		switch o := &e.ops[i]; o.rank() {
		case rankRename:
			e.objs = append(e.objs, d.Nodes[o.node].Parent)
		case rankAppend:
			e.objs = append(e.objs, o.node)
		}
	}
	slices.Sort(e.objs)
	e.objs = slices.Compact(e.objs)
	for _, obj := range e.objs {
		if e.twice(int(obj)) {
			return &Error{Offset: int(d.Nodes[obj].Start), Err: ErrDuplicate}
		}
	}
	return nil
}

// twice reports whether obj, once edited, has a name twice. Names are compared as AppendString writes them.
func (e *Edits) twice(obj int) bool {
	d := e.Doc
	e.names, e.keys.names = e.names[:0], e.keys.names[:0]
	for c := obj + 1; c < int(d.Nodes[obj].Next); c = int(d.Nodes[c].Next) {
		node := &d.Nodes[c]
		name := d.Src[node.KeyStart:node.KeyEnd]
		if i := e.search(int(node.KeyStart)); i < len(e.ops) && e.ops[i].pos() == int(node.KeyStart) {
			if e.ops[i].rank() == rankRemove {
				continue
			}
			name = e.buf[e.lastRename(i).from:e.lastRename(i).to]
		} else if node.KeyEscaped {
			from := len(e.names)
			e.names = AppendString(e.names, string(d.Key(c)))
			name = e.names[from:]
		}
		e.keys.names = append(e.keys.names, name)
	}
	end := trimSpace(d.Src, int(d.Nodes[obj].End)-1)
	for i := e.search(end); i < len(e.ops) && e.ops[i].pos() == end; i++ {
		if e.ops[i].rank() == rankAppend {
			e.keys.names = append(e.keys.names, e.buf[e.ops[i].from:e.ops[i].value])
		}
	}
	return e.keys.repeated() >= 0
}

// search returns the index of the first edit at pos or behind it.
func (e *Edits) search(pos int) int {
	i, _ := slices.BinarySearchFunc(e.ops, uint64(pos)<<32, func(o op, at uint64) int {
		if o.order < at {
			return -1
		}
		return 1
	})
	return i
}

// lastRename returns the latest of the renamings of one member, of which ops[i] is the first.
func (e *Edits) lastRename(i int) *op {
	for i+1 < len(e.ops) && e.ops[i+1].node == e.ops[i].node && e.ops[i+1].rank() == rankRename {
		i++
	}
	return &e.ops[i]
}
