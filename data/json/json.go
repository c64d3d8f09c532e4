// Package json reads raw JSON into a flat tape and writes changes back by splicing bytes.
//
// A document is parsed once, strictly (RFC 8259, UTF-8, no member name twice), into [Doc.Nodes]: one [Node] for each
// value, in the order of the text, with the place of its bytes. While parsing, a [Matcher] such as a schema or a wire
// table is walked along, so that each node carries the matcher's [State] for its place. [Edits] then change single
// values, and every byte outside an edit leaves as it came: number precision, order, white space and escapes included.
//
// Nothing of the input is ever part of an error.
package json

import (
	"errors"
	"strconv"
)

// Limits bound what [Doc.Parse] accepts. A field that is zero or negative means its default.
type Limits struct {
	Bytes  int // length of the whole document in bytes; default 4 MiB, never above 2 GiB - 1
	Depth  int // arrays and objects within each other; default 64
	Nodes  int // values of any kind; default 200,000
	Number int // length of one number in bytes; default 128
}

// Defaults of [Limits].
const (
	DefaultBytes  = 4 << 20
	DefaultDepth  = 64
	DefaultNodes  = 200_000
	DefaultNumber = 128
)

// Error is why a document, a line or an edit was refused, and where. It holds a place and a reason, never input.
type Error struct {
	Offset int   // bytes before the fault, from the start of the document, or of the stream for [Lines]
	Err    error // one of the errors of this package
}

// Error names the reason and the place.
func (e *Error) Error() string { return e.Err.Error() + " at byte " + strconv.Itoa(e.Offset) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Reasons for an [Error].
var (
	ErrSyntax    = errors.New("json: not valid JSON")
	ErrUTF8      = errors.New("json: text is not valid Unicode")
	ErrDuplicate = errors.New("json: member name given twice in one object")
	ErrTooBig    = errors.New("json: too many bytes")
	ErrTooDeep   = errors.New("json: nested too deep")
	ErrTooMany   = errors.New("json: too many values")
	ErrNumber    = errors.New("json: number is too long")
	ErrEdit      = errors.New("json: edit does not fit the document")
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

var kindNames = [...]string{"null", "false", "true", "number", "string", "array", "object"}

// State is a place as a [Matcher] numbers it. What 0 means is the matcher's choice.
type State int32

// Matcher follows the parser through a document and says for each place which [State] it has.
//
// It is called once for each value, parents first, in the order of the text; also in documents that turn out to be
// invalid further on. A Matcher used by several parsers at once must be safe for that; an immutable table is.
type Matcher interface {
	// Root returns the state of the whole document.
	Root() State
	// Member returns the state of the member called key of an object in state parent. Key is unescaped; it must be
	// neither kept nor changed.
	Member(parent State, key []byte) State
	// Element returns the state of element index, counted from 0, of an array in state parent.
	Element(parent State, index int) State
}

// Node is one value of a document. Offsets count bytes of [Doc.Src].
type Node struct {
	Kind       Kind
	Escaped    bool  // a string with at least one backslash
	KeyEscaped bool  // a member name with at least one backslash
	State      State // what the matcher said; 0 without one
	Start, End int32 // the value, quotes and brackets included
	KeyStart   int32 // the member's name, quotes included; -1 unless the parent is an object
	KeyEnd     int32
	Parent     int32 // index of the array or object around it; -1 for the root
	Next       int32 // index after its last descendant: the next sibling, if there is one
	Index      int32 // how many siblings come before it
}

// Doc is a parsed document. The zero value is ready for [Doc.Parse]. A Doc may be parsed into again, which takes no
// memory once it has seen a document as large. Reading is safe for concurrent use, parsing is not.
//
// Methods that take a node's index panic, as a slice would, when there is no such node.
type Doc struct {
	Src   []byte // as given to Parse; it must stay unchanged as long as the Doc is used
	Nodes []Node // the values in the order of the text; the root is 0

	gen  uint32 // counts parses, so that edits of an earlier document are noticed
	buf  []byte // member names without their escapes
	keys keySet
}
