package json

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"
)

// Parse reads src, a whole document with nothing but white space around it, and replaces what d held.
//
// M is walked along and may be nil. Src is kept, not copied. The rules are those of RFC 8259, and stricter where it
// leaves a choice: UTF-8 without byte order mark, no unpaired surrogate escapes, no member name twice in one object
// (compared without escapes). Numbers are checked for their form and length, not for their size. The time is linear
// in len(src). The error is an [*Error] with one of the reasons of this package; d is empty then.
func (d *Doc) Parse(src []byte, m Matcher, lim Limits) error {
	lim = lim.withDefaults()
	d.gen++
	p := parser{doc: d, src: src, m: m, lim: lim, nodes: d.Nodes[:0]}
	err := ErrTooBig
	if len(src) <= lim.Bytes {
		err = p.document()
	} else {
		p.i = lim.Bytes
	}
	if err != nil {
		d.Src, d.Nodes = nil, p.nodes[:0]
		return &Error{Offset: p.i, Err: err}
	}
	d.Src, d.Nodes = src, p.nodes
	return nil
}

func (l Limits) withDefaults() Limits {
	pick := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	pick(&l.Bytes, DefaultBytes)
	pick(&l.Depth, DefaultDepth)
	pick(&l.Nodes, DefaultNodes)
	pick(&l.Number, DefaultNumber)
	l.Bytes = min(l.Bytes, math.MaxInt32) // offsets are 32 bits wide
	return l
}

// parser walks once through src. The tape is its stack: open containers are linked by Parent.
type parser struct {
	doc   *Doc
	src   []byte
	m     Matcher
	lim   Limits
	nodes []Node
	i     int  // the next byte; where the fault is, once a method has returned an error
	depth int  // open containers
	next  Node // the value to come: its parent, name, index and state
}

func (p *parser) document() error {
	p.next = Node{KeyStart: -1, KeyEnd: -1, Parent: -1}
	if p.m != nil {
		p.next.State = p.m.Root()
	}
	p.space()
	for {
		opened, err := p.value()
		if err == nil && opened {
			opened, err = p.first()
		}
		if err != nil {
			return err
		}
		if opened {
			continue
		}
		if more, err := p.follow(); err != nil || !more {
			return err
		}
	}
}

// value reads the scalar or the opening bracket at p.i and puts its node on the tape.
func (p *parser) value() (opened bool, err error) {
	if p.i >= len(p.src) {
		return false, ErrSyntax
	}
	if len(p.nodes) >= p.lim.Nodes {
		return false, ErrTooMany
	}
	start := p.i
	n := &p.next
	n.Start, n.Escaped = int32(start), false
	switch c := p.src[start]; c {
	case '"':
		n.Kind = String
		p.i, n.Escaped, err = scanString(p.src, start)
	case '{', '[':
		if p.depth++; p.depth > p.lim.Depth {
			return false, ErrTooDeep
		}
		n.Kind = Array
		if c == '{' {
			n.Kind = Object
		}
		p.i++
		opened = true
	case 't':
		n.Kind = True
		err = p.literal("true")
	case 'f':
		n.Kind = False
		err = p.literal("false")
	case 'n':
		n.Kind = Null
		err = p.literal("null")
	default:
		n.Kind = Number
		err = p.number()
	}
	if err != nil {
		return false, err
	}
	n.End, n.Next = int32(p.i), int32(len(p.nodes)+1)
	p.nodes = append(p.nodes, *n)
	return opened, nil
}

func (p *parser) literal(word string) error {
	if len(p.src)-p.i < len(word) || string(p.src[p.i:p.i+len(word)]) != word {
		return ErrSyntax
	}
	p.i += len(word)
	return nil
}

func (p *parser) number() error {
	end, ok := scanNumber(p.src, p.i)
	if ok && end-p.i > p.lim.Number {
		return ErrNumber
	}
	p.i = end
	if !ok {
		return ErrSyntax
	}
	return nil
}

// first goes on behind an opening bracket: to the first value inside, or, if there is none, behind the closing one.
func (p *parser) first() (more bool, err error) {
	self := int32(len(p.nodes) - 1)
	p.space()
	if p.i < len(p.src) && p.src[p.i] == closing[p.nodes[self].Kind&1] {
		p.depth--
		p.i++
		p.nodes[self].End = int32(p.i)
		return false, nil
	}
	p.next.Parent, p.next.Index = self, 0
	return true, p.place()
}

// closing holds the closing brackets by the lowest bit of the kind: Array is 5, Object is 6.
var closing = [2]byte{Object & 1: '}', Array & 1: ']'}

// follow goes on behind a value: to the next one, or, closing containers, to the end of the document.
func (p *parser) follow() (more bool, err error) {
	for {
		p.space()
		self := p.next.Parent
		if self < 0 {
			if p.i < len(p.src) {
				return false, ErrSyntax
			}
			return false, nil
		}
		if p.i >= len(p.src) {
			return false, ErrSyntax
		}
		open := &p.nodes[self]
		switch c := p.src[p.i]; {
		case c == ',':
			p.i++
			p.space()
			p.next.Index++
			return true, p.place()
		case c != closing[open.Kind&1]:
			return false, ErrSyntax
		}
		p.i++
		p.depth--
		open.End, open.Next = int32(p.i), int32(len(p.nodes))
		if open.Kind == Object && p.next.Index > 0 {
			if err := p.distinct(int(self), int(p.next.Index)+1); err != nil {
				return false, err
			}
		}
		p.next.Parent, p.next.Index = open.Parent, open.Index
	}
}

// place reads the member name in front of the next value, if it is a member, and asks the matcher where that is.
func (p *parser) place() (err error) {
	n := &p.next
	around := &p.nodes[n.Parent]
	if around.Kind == Array {
		n.KeyStart, n.KeyEnd, n.KeyEscaped = -1, -1, false
		if p.m != nil {
			n.State = p.m.Element(around.State, int(n.Index))
		}
		return nil
	}
	if p.i >= len(p.src) || p.src[p.i] != '"' {
		return ErrSyntax
	}
	n.KeyStart = int32(p.i)
	if p.i, n.KeyEscaped, err = scanString(p.src, p.i); err != nil {
		return err
	}
	n.KeyEnd = int32(p.i)
	p.space()
	if p.i >= len(p.src) || p.src[p.i] != ':' {
		return ErrSyntax
	}
	p.i++
	p.space()
	if p.m != nil {
		key := p.src[n.KeyStart+1 : n.KeyEnd-1]
		if n.KeyEscaped {
			p.doc.buf = appendUnescaped(p.doc.buf[:0], key)
			key = p.doc.buf
		}
		n.State = p.m.Member(around.State, key)
	}
	return nil
}

func (p *parser) space() {
	i := p.i
	for i < len(p.src) && p.src[i] <= ' ' && isSpace(p.src[i]) {
		i++
	}
	p.i = i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// fewMembers is up to how many member names are compared pair by pair.
const fewMembers = 16

// distinct checks that the count members of object obj, just read, have different names.
func (p *parser) distinct(obj, count int) error {
	if count <= fewMembers {
		if at, ok := p.distinctFew(obj); ok {
			if at < 0 {
				return nil
			}
			p.i = int(p.nodes[at].KeyStart)
			return ErrDuplicate
		}
	}
	keys := &p.doc.keys
	keys.names = keys.names[:0]
	p.doc.buf = p.doc.buf[:0]
	for n := obj + 1; n < len(p.nodes); n = int(p.nodes[n].Next) {
		var name []byte
		p.doc.buf, name = p.nodes[n].name(p.src, p.doc.buf)
		keys.names = append(keys.names, name)
	}
	again := keys.repeated()
	if again < 0 {
		return nil
	}
	for n := obj + 1; ; n = int(p.nodes[n].Next) {
		if int(p.nodes[n].Index) == again {
			p.i = int(p.nodes[n].KeyStart)
			return ErrDuplicate
		}
	}
}

// distinctFew compares the names of at most fewMembers members by their first 8 bytes, and wholly where these are
// equal. It returns the second node of an equal pair or -1; not ok says that there are escapes to take out first.
func (p *parser) distinctFew(obj int) (again int, ok bool) {
	var heads [fewMembers]uint64
	var where [fewMembers]int32
	k := 0
	for n := obj + 1; n < len(p.nodes); n = int(p.nodes[n].Next) {
		node := &p.nodes[n]
		if node.KeyEscaped {
			return 0, false
		}
		head := load8(p.src, int(node.KeyStart)+1)
		if size := node.KeyEnd - node.KeyStart - 2; size < 8 {
			head &= 1<<(8*size) - 1
		}
		for j := range heads[:k] {
			if heads[j] == head {
				other := &p.nodes[where[j]]
				if bytes.Equal(p.src[other.KeyStart:other.KeyEnd], p.src[node.KeyStart:node.KeyEnd]) {
					return n, true
				}
			}
		}
		heads[k], where[k] = head, int32(n)
		k++
	}
	return -1, true
}

// name returns the member's name without its escapes; if there are any, it is appended to buf.
func (n *Node) name(src, buf []byte) (rest, name []byte) {
	raw := src[n.KeyStart+1 : n.KeyEnd-1]
	if !n.KeyEscaped {
		return buf, raw
	}
	from := len(buf)
	buf = appendUnescaped(buf, raw)
	return buf, buf[from:len(buf):len(buf)]
}

// keySet finds equal names in linear time, however they were chosen: its hash is keyed at random.
type keySet struct {
	names [][]byte
	slots []int32 // open addressing; 0 is free, otherwise 1 + an index into names
	seed  maphash.Seed
}

// repeated returns the index of the first name that equals an earlier one, or -1, and forgets the names.
func (k *keySet) repeated() int {
	if k.seed == (maphash.Seed{}) {
		k.seed = maphash.MakeSeed()
	}
	defer clear(k.names)
	size := 1 << bits.Len(uint(2*len(k.names)))
	if cap(k.slots) < size {
		k.slots = make([]int32, size)
	}
	k.slots = k.slots[:size]
	clear(k.slots)
	mask := uint64(size - 1)
	for i, name := range k.names {
		h := maphash.Bytes(k.seed, name) & mask
		for ; k.slots[h] != 0; h = (h + 1) & mask {
			if bytes.Equal(k.names[k.slots[h]-1], name) {
				return i
			}
		}
		k.slots[h] = int32(i + 1)
	}
	return -1
}
