package gateway

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// fileText is a file of a message that is text and so can be looked into.
type fileText struct {
	form *base64.Encoding // as it stood in the message
	text string
}

func (f *fileText) encoding() *base64.Encoding {
	if f == nil {
		return nil
	}
	return f.form
}

// text returns what there is to read.
func (at *textAt) text() string {
	if at.file != nil {
		return at.file.text
	}
	return at.view.doc.Text(at.node)
}

// inForm writes a text as it stood: in base64, or as it is.
func inForm(form *base64.Encoding, text string) string {
	if form == nil {
		return text
	}
	return form.EncodeToString([]byte(text))
}

// readFile puts a file's content aside as a text, if its media type says that it is text and it is. Anything else is
// opaque: pictures, archives, documents with a form of their own, text in other encodings, and a chunk of a file whose
// rest is still to come, since what a cut divides would not be found.
func (c *collector) readFile(v *view, n int) bool {
	form, content := fromBase64(v.doc.Text(n))
	if form == nil || !textual(mediaOf(v.doc, n), content) || !c.wholeFile(v.doc, n, content) {
		return false
	}
	text := string(content)
	i := c.add(flow.Leaf{Path: c.pointer(v, n), Label: flow.FreeText, Origin: flow.Detected}, target{view: v, node: n, kind: wholeText})
	c.texts = append(c.texts, textAt{view: v, node: n, leaf: i, file: &fileText{form, text}})
	return true
}

// base64 is strict, so that one text has one spelling: what follows the last character cannot carry anything.
var base64Forms = []*base64.Encoding{
	base64.StdEncoding.Strict(), base64.RawStdEncoding.Strict(), base64.URLEncoding.Strict(), base64.RawURLEncoding.Strict(),
}

func fromBase64(s string) (*base64.Encoding, []byte) {
	if strings.ContainsAny(s, "\r\n") { // the package passes over line ends, and a rewritten file would lose them
		return nil, nil
	}
	for _, form := range base64Forms {
		if b, err := form.DecodeString(s); err == nil {
			return form, b
		}
	}
	return nil, nil
}

// mediaOf returns the media type that the part of a file names, in lower case; "" if it names none.
func mediaOf(d *json.Doc, n int) string {
	part := int(d.Nodes[n].Parent)
	for _, name := range []string{"mediaType", "mimeType"} {
		if m, ok := d.Member(part, name); ok && d.Nodes[m].Kind == json.String {
			return strings.ToLower(d.Text(m))
		}
	}
	return ""
}

// textTypes are media types outside text/ whose content is text that says what it says.
var textTypes = []string{
	"application/json", "application/jsonl", "application/x-ndjson", "application/x-jsonlines", "application/csv",
	"application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/sql", "application/markdown",
}

// escapedTypes are text that can spell a word so that only their readers see it.
var escapedTypes = []string{"text/rtf", "text/richtext"}

// textual reports whether a file is text that can be looked into: its media type says so, and it is UTF-8 without
// control characters. A file without one is not: its reader may go by a name or a guess of its own.
func textual(media string, content []byte) bool {
	if !utf8.Valid(content) || strings.ContainsFunc(string(content), control) {
		return false
	}
	essence, params, _ := strings.Cut(media, ";")
	essence = strings.TrimSpace(essence)
	if _, charset, ok := strings.Cut(params, "charset="); ok {
		charset, _, _ = strings.Cut(charset, ";")
		switch strings.Trim(strings.TrimSpace(charset), `"`) {
		case "utf-8", "utf8", "us-ascii":
		default:
			return false
		}
	}
	switch {
	case slices.Contains(escapedTypes, essence):
		return false
	case strings.HasPrefix(essence, "text/"), slices.Contains(textTypes, essence):
		return true
	}
	return strings.HasSuffix(essence, "+json") || strings.HasSuffix(essence, "+xml") || strings.HasSuffix(essence, "+yaml")
}

func control(r rune) bool {
	return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' || r == 0x7F
}

// wholeFile reports whether all of a file is there. Within an update of an artifact a part that is appended goes on with
// one before it, and one that is not marked as the last may be gone on with unless it comes to an end of its own.
func (c *collector) wholeFile(d *json.Doc, n int, content []byte) bool {
	for at := int(d.Nodes[n].Parent); at > 0; at = int(d.Nodes[at].Parent) {
		if string(d.Key(at)) != "artifact" || c.m.Table.Path(d.Nodes[at].State) == "" {
			continue
		}
		update := int(d.Nodes[at].Parent)
		if more, ok := d.Member(update, "append"); ok && d.Nodes[more].Kind == json.True {
			return false
		}
		if last, ok := d.Member(update, "lastChunk"); ok && d.Nodes[last].Kind == json.True {
			return true
		}
		return len(content) > 0 && strings.IndexByte("\n}]>", content[len(content)-1]) >= 0
	}
	return true
}
