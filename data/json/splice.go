package json

import (
	"slices"
	"unicode/utf8"
)

// Apply appends the changed document to dst, which must not overlap Src. Without edits these are the bytes of Src.
//
// All bytes of Src outside the edits are copied as they are. A removed member takes along the comma and the white
// space between it and the member before it, or behind it if none is left before it. The result is valid JSON and has
// no member name twice; it is not held to the limits of Parse.
//
// The error is an [*Error]: [ErrEdit] if an edit does not fit the document or the document has been parsed anew since,
// [ErrDuplicate] if a new name is taken; the result is nil then.
func (e *Edits) Apply(dst []byte) ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	if e.Doc == nil || len(e.Doc.Nodes) == 0 || len(e.ops) > 0 && e.gen != e.Doc.gen {
		return nil, &Error{Err: ErrEdit}
	}
	if len(e.ops) == 0 {
		return append(dst, e.Doc.Src...), nil
	}
	e.settle()
	if err := e.distinct(); err != nil {
		return nil, err
	}
	s := splicer{doc: e.Doc, edits: e, dst: dst, cleared: -1, extended: -1}
	for i := 0; i < len(e.ops); i++ {
		o := &e.ops[i]
		node := &e.Doc.Nodes[o.node]
		switch o.rank() {
		case rankRemove:
			s.remove(o.node)
		case rankRename:
			o = e.lastRename(i)
			for &e.ops[i] != o {
				i++
			}
			s.put(int(node.KeyStart), int(node.KeyEnd), e.buf[o.from:o.to])
		case rankReplace:
			s.put(int(node.Start), int(node.End), e.buf[o.from:o.to])
		case rankSpans:
			e.merged = e.merged[:0]
			for n := o.node; i < len(e.ops) && e.ops[i].node == n && e.ops[i].rank() == rankSpans; i++ {
				e.merged = append(e.merged, e.spans[e.ops[i].from:e.ops[i].to]...)
			}
			i--
			if !s.spans(node, e.merged) {
				return nil, &Error{Offset: int(node.Start), Err: ErrEdit}
			}
		case rankAppend:
			s.append(o)
		}
	}
	return append(s.dst, e.Doc.Src[s.at:]...), nil
}

// splicer copies a document from front to back, with changes.
type splicer struct {
	doc   *Doc
	edits *Edits
	dst   []byte
	at    int // Src up to here is copied or left out

	run      int32 // the sibling behind the members removed from the front of an object, up to now; 0 is none
	cleared  int32 // the object whose members are all removed; -1 is none
	extended int32 // the object that got a member last; -1 is none
}

// put leaves out Src[from:to] and writes b instead.
func (s *splicer) put(from, to int, b []byte) {
	s.dst = append(s.dst, s.doc.Src[s.at:from]...)
	s.dst = append(s.dst, b...)
	s.at = to
}

func (s *splicer) remove(n int32) {
	node := &s.doc.Nodes[n]
	if node.KeyStart < 0 {
		s.put(int(node.Start), int(node.End), []byte("null"))
		return
	}
	if node.Index > 0 && s.run != n {
		// A member before this one stays: go back over the comma between them.
		before := trimSpace(s.doc.Src, trimSpace(s.doc.Src, int(node.KeyStart))-1)
		s.put(before, int(node.End), nil)
		return
	}
	to := node.End
	if node.Next < s.doc.Nodes[node.Parent].Next {
		to = s.doc.Nodes[node.Next].KeyStart
		s.run = node.Next
	} else {
		s.cleared = node.Parent
	}
	s.put(int(node.KeyStart), int(to), nil)
}

func (s *splicer) append(o *op) {
	obj := &s.doc.Nodes[o.node]
	b := s.edits.buf
	s.put(o.pos(), o.pos(), nil)
	if s.extended == o.node || obj.Next > o.node+1 && s.cleared != o.node {
		s.dst = append(s.dst, ',')
	}
	s.extended = o.node
	s.dst = append(s.dst, b[o.from:o.value]...)
	s.dst = append(s.dst, ':')
	s.dst = append(s.dst, b[o.value:o.to]...)
}

// spans puts the spans, which it sorts, in place; not ok says that one does not fit.
func (s *splicer) spans(node *Node, spans []Span) (ok bool) {
	slices.SortStableFunc(spans, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	c := content{raw: s.doc.Src[node.Start+1 : node.End-1], escaped: node.Escaped}
	for _, span := range spans {
		if !c.seek(span.Start) {
			return false
		}
		from := int(node.Start) + 1 + c.at
		if !c.seek(span.End) { // also if it ends before it starts
			return false
		}
		s.put(from, int(node.Start)+1+c.at, nil)
		s.dst = appendEscaped(s.dst, span.Text)
	}
	return true
}

// content relates places in a string as it stands in a document to places in its text.
type content struct {
	raw     []byte
	escaped bool
	at      int // in raw
	text    int // the same place in the text
}

// seek goes forward to a place of the text; not ok says that it lies before, behind the end or within a character.
func (c *content) seek(text int) (ok bool) {
	if text < c.text {
		return false
	}
	if !c.escaped {
		if text > len(c.raw) {
			return false
		}
		c.at, c.text = text, text
	}
	for c.text < text && c.at < len(c.raw) {
		if c.raw[c.at] != '\\' {
			c.at++
			c.text++
			continue
		}
		size, r, err := escape(c.raw[c.at:])
		if err != nil {
			return false
		}
		c.at += size
		c.text += utf8.RuneLen(r)
	}
	return c.text == text && (c.at == len(c.raw) || utf8.RuneStart(c.raw[c.at]))
}
