package json

import (
	"io"
	"iter"

	"github.com/scrimhq/scrim/flow"
)

type keySet struct{}

// Parse reads src, a whole document with nothing but white space around it, and replaces what d held.
//
// M is walked along and may be nil. Src is kept, not copied. The rules are those of RFC 8259, and stricter where it
// leaves a choice: UTF-8 without byte order mark, no unpaired surrogate escapes, no member name twice in an object
// (compared without escapes). The error is an [*Error] with one of the reasons of this package; d is empty then.
func (d *Doc) Parse(src []byte, m Matcher, lim Limits) error { return nil }

// Text returns the content of string n without its escapes, and "" for other kinds.
func (d *Doc) Text(n int) string { return "" }

// AppendText appends the content of string n without its escapes; nothing for other kinds.
func (d *Doc) AppendText(dst []byte, n int) []byte { return nil }

// Key returns the name of member n without its escapes, or nil if n is not a member of an object. The result may be
// part of Src and must not be changed.
func (d *Doc) Key(n int) []byte { return nil }

// Raw returns the bytes of value n as they stand in Src. They must not be changed.
func (d *Doc) Raw(n int) []byte { return nil }

// Member finds the member called key, unescaped, of object obj. It is false also if obj is not an object.
func (d *Doc) Member(obj int, key string) (int, bool) { return 0, false }

// Children yields the indices of the members or elements of n, in order; none for scalars.
func (d *Doc) Children(n int) iter.Seq[int] { return nil }

// Pointer returns the place of n as a JSON Pointer (RFC 6901) that may be printed: the names of members for which
// declared is false appear as "*". A nil declared means that all names may be shown. The root is "".
func (d *Doc) Pointer(n int, declared func(n int) bool) flow.Path { return "" }

// Span is a stretch of a string's content, in bytes without escapes, and the text to put there.
type Span struct {
	Start, End int
	Text       string
}

// Edits collects changes to a parsed document.
type Edits struct{ Doc *Doc }

// Edit returns an empty set of changes to d.
func (d *Doc) Edit() *Edits { return &Edits{Doc: d} }

// Reset forgets all edits and turns to d, keeping memory for reuse.
func (e *Edits) Reset(d *Doc) {}

// Replace puts raw, which must be valid JSON, in place of value n.
func (e *Edits) Replace(n int, raw []byte) {}

// ReplaceText puts a string with content s in place of value n.
func (e *Edits) ReplaceText(n int, s string) {}

// ReplaceSpans replaces parts of string n; bytes outside the spans keep their escapes.
func (e *Edits) ReplaceSpans(n int, spans []Span) {}

// ReplaceKey renames member n.
func (e *Edits) ReplaceKey(n int, s string) {}

// Remove takes member n away together with its comma; an array element or the root becomes null.
func (e *Edits) Remove(n int) {}

// Append adds a last member to object obj.
func (e *Edits) Append(obj int, key string, raw []byte) {}

// Empty reports whether there is nothing to change.
func (e *Edits) Empty() bool { return true }

// Apply appends the changed document to dst.
func (e *Edits) Apply(dst []byte) ([]byte, error) { return nil, nil }

// AppendString appends s as a JSON string with the fewest escapes.
func AppendString(dst []byte, s string) []byte { return nil }

// Lines reads newline-delimited JSON.
type Lines struct{}

// NewLines reads lines of at most max bytes from r; 0 means [DefaultBytes].
func NewLines(r io.Reader, max int) *Lines { return &Lines{} }

// Next returns the next line without its end, valid until the next call.
func (l *Lines) Next() ([]byte, error) { return nil, io.EOF }

// AppendLine appends raw, which must be valid JSON, as one line with its end.
func AppendLine(dst, raw []byte) []byte { return nil }
