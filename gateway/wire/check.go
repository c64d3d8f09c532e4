package wire

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
)

// check is a rule for the values of a place.
type check struct {
	name  string   // of one of the rules below
	words []string // or the vocabulary itself
}

// Longest values that a place which is not content may hold, in bytes.
const (
	maxID     = 256
	maxName   = 128
	maxURI    = 200
	maxMedia  = 127
	maxOpaque = 64 << 10

	maxVisible = 4 << 10
)

// visibleText reports whether a text is printable ASCII without blanks and without escapes.
func visibleText(raw []byte) bool {
	return !bytes.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' })
}

// Allows reports whether node n is what its place may hold.
//
// For a [Protocol] place that is a value of its vocabulary, for ids, names and traces one of their grammar, which has
// no white space, for a [Structure] an object or array as declared. For content it is the right kind of JSON value;
// what it says is for policy to judge. Null, which both protocols read as absent, is allowed everywhere.
// A [Refuse] place allows nothing else.
func (t *Table) Allows(s json.State, d *json.Doc, n int) bool {
	p := t.at(s)
	kind := d.Nodes[n].Kind
	if kind == json.Null {
		return true
	}
	if p.role.checked() {
		return p.check.allows(d, n)
	}
	switch p.role {
	case Structure:
		return p.allows(kind)
	case Text, Bytes, FileURL, FileName:
		return kind == json.String
	case Opaque:
		return !p.root || kind == json.String && d.Nodes[n].End-d.Nodes[n].Start <= maxOpaque
	case Refuse:
		return false
	default:
		return true
	}
}

// allows reports whether the structure is of the kind: an array, an object, or, where a list of one may go without its
// brackets, either.
func (p *place) allows(kind json.Kind) bool {
	if kind == json.Array {
		return p.element != 0
	}
	return kind == json.Object && (p.element == 0 || p.named != 0 || p.members != nil)
}

func (c check) allows(d *json.Doc, n int) bool {
	node := &d.Nodes[n]
	switch c.name {
	case "bool":
		return node.Kind == json.True || node.Kind == json.False
	case "int":
		return node.Kind == json.Number && integer(d.Raw(n))
	case "visible":
		return node.Kind == json.String && node.End-node.Start <= maxVisible && visibleText(d.Raw(n))
	case "number":
		return node.Kind == json.Number && len(d.Raw(n)) <= 20
	case "unit":
		f, err := strconv.ParseFloat(string(d.Raw(n)), 64)
		return node.Kind == json.Number && len(d.Raw(n)) <= 8 && err == nil && 0 <= f && f <= 1
	case "rpcid":
		if node.Kind == json.Number {
			return integer(d.Raw(n))
		}
	}
	return node.Kind == json.String && c.text(textOf(d, n))
}

func (c check) text(s []byte) bool {
	switch c.name {
	case "":
		return len(s) == 0 || slices.Contains(c.words, string(s)) // the empty word is a default that was written out
	case "id", "rpcid":
		return len(s) <= maxID && visible(s)
	case "name":
		return isName(s)
	case "version":
		return 0 < len(s) && len(s) <= 16 && len(bytes.Trim(s, "0123456789.-")) == 0
	case "time":
		return timestamp(string(s))
	case "pixels":
		return pixels(s)
	case "media":
		return mediaType(string(s))
	case "mediarange":
		return mediaRange(string(s))
	case "extension":
		return extension(string(s))
	case "traceparent":
		return traceparent(s)
	default:
		return false
	}
}

// IsName reports whether a text has the form that both protocols give the names of tools and skills. One that has not
// is refused at its place, and does not belong on record either: it may be a value.
func IsName(s string) bool { return isName([]byte(s)) }

func isName(s []byte) bool { return 0 < len(s) && len(s) <= maxName && made(s, ".-_/") }

// textOf returns a string's content, without a copy where nothing in it is escaped.
func textOf(d *json.Doc, n int) []byte {
	if node := &d.Nodes[n]; !node.Escaped {
		return d.Src[node.Start+1 : node.End-1]
	}
	return d.AppendText(nil, n)
}

func integer(raw []byte) bool {
	digits := bytes.TrimPrefix(raw, []byte("-"))
	return 0 < len(digits) && len(digits) <= 16 && len(bytes.Trim(digits, "0123456789")) == 0
}

// visible reports whether s is of printing ASCII without space.
func visible(s []byte) bool {
	return bytes.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// made reports whether s is of ASCII letters, digits and the extra characters.
func made[T string | []byte](s T, extra string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

// timestamp accepts RFC 3339 with up to nine digits of a second, and a full date.
func timestamp(s string) bool {
	if len(s) > len("2006-01-02T15:04:05.999999999+00:00") {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	for _, form := range []string{time.DateOnly, "2006-01-02T15:04:05"} { // the last is how servers of A2A 0.3 leave the zone out
		if err != nil {
			_, err = time.Parse(form, s)
		}
	}
	return err == nil
}

var (
	mediaTypes  = []string{"application", "audio", "example", "font", "haptics", "image", "message", "model", "multipart", "text", "video"}
	mediaParams = []string{"charset", "version", "format", "delsp", "q", "codecs", "boundary"}
	mediaWords  = []string{"*/*", "text", "file", "data", "image", "audio", "video"}
)

// mediaType accepts a registered top-level type, a subtype, and of parameters those that describe a format.
func mediaType(s string) bool {
	if s == "" || len(s) > maxMedia {
		return s == ""
	}
	essence, params, _ := strings.Cut(s, ";")
	top, sub, _ := strings.Cut(essence, "/")
	sub = strings.TrimRight(sub, " ")
	if !slices.Contains(mediaTypes, strings.ToLower(top)) || sub == "" || len(sub) > 80 || !made(sub, "!#$&-^_.+") {
		return false
	}
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		value = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
		if !slices.Contains(mediaParams, strings.ToLower(name)) || value == "" || len(value) > 32 || !made(value, "-_.:+") {
			return false
		}
	}
	return true
}

// mediaRange accepts also what an Accept header may hold, and the bare words that older agents use.
func mediaRange(s string) bool {
	if top, ok := strings.CutSuffix(s, "/*"); ok && slices.Contains(mediaTypes, top) {
		return true
	}
	return slices.Contains(mediaWords, s) || mediaType(s)
}

// extension accepts an absolute URI that names something and carries nothing: no query, fragment, user or escapes.
func extension(s string) bool {
	if len(s) > maxURI {
		return false
	}
	for _, scheme := range []string{"https://", "http://", "urn:"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok {
			return rest != "" && made(rest, "-._~/:")
		}
	}
	return false
}

// pixels accepts the size of a picture, such as 48x48, or any.
func pixels(s []byte) bool {
	w, h, ok := bytes.Cut(s, []byte("x"))
	number := func(b []byte) bool { return 0 < len(b) && len(b) <= 5 && len(bytes.Trim(b, "0123456789")) == 0 }
	return string(s) == "any" || ok && number(w) && number(h)
}

func traceparent(s []byte) bool {
	if len(s) != 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	for i, c := range s {
		if i != 2 && i != 35 && i != 52 && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// IsMediaType reports whether s is a media type as a part of a message may have it.
func IsMediaType(s string) bool { return s != "" && mediaType(s) }

// IsTraceparent reports whether s has the form of a W3C traceparent.
func IsTraceparent(s string) bool { return traceparent([]byte(s)) }

// IsExtension reports whether s has the form of an extension's URI: it names something and carries nothing.
func IsExtension(s string) bool { return extension(s) }
