package gateway

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// fileText is a file of a message that is text and so can be looked into.
type fileText struct {
	form  *base64.Encoding // as it stood in the message
	media string
	text  string
}

func (f *fileText) encoding() *base64.Encoding {
	if f == nil {
		return nil
	}
	return f.form
}

// isTable reports whether all of the file is meant to be a table.
func (f *fileText) isTable() bool {
	if f == nil {
		return false
	}
	essence, _, _ := strings.Cut(f.media, ";")
	switch strings.TrimSpace(essence) {
	case "text/csv", "application/csv", "text/tab-separated-values":
		return true
	}
	return false
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
	media := c.mediaOf(v.doc, n)
	if form == nil || !textual(media, content) || !c.wholeFile(v.doc, n, content) {
		return false
	}
	c.proseOf(v, n, flow.FreeText, &fileText{form, media, string(content)})
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

// mediaOf returns the media type that the part of a file names, in lower case; "" if it names none where the protocol has it.
func (c *collector) mediaOf(d *json.Doc, n int) string {
	part := int(d.Nodes[n].Parent)
	for _, name := range []string{"mediaType", "mimeType"} {
		if m, ok := d.Member(part, name); ok && d.Nodes[m].Kind == json.String && c.m.Table.Role(d.Nodes[m].State) == wire.Protocol {
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
	if strings.Count(params, "charset") > 1 || strings.Contains(params, "delsp") {
		return false // whichever its reader takes, and words over two lines
	}
	if _, charset, ok := strings.Cut(params, "charset="); ok {
		charset, _, _ = strings.Cut(charset, ";")
		switch strings.Trim(strings.TrimSpace(charset), `"`) {
		case "utf-8", "utf8", "us-ascii":
		default:
			return false
		}
	}
	switch {
	case slices.Contains(escapedTypes, essence), !strings.Contains(essence, "json") && spelled(essence, string(content)):
		return false
	case strings.HasPrefix(essence, "text/"), slices.Contains(textTypes, essence):
		return true
	}
	return strings.HasSuffix(essence, "+json") || strings.HasSuffix(essence, "+xml") || strings.HasSuffix(essence, "+yaml")
}

// entity is a character that markup spells out. HTML knows some of their names without a semicolon, too.
var entity = regexp.MustCompile(`&(?:#|[A-Za-z][A-Za-z0-9]{0,31};|[A-Za-z]{1,2}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|lig)|shy|nbsp|eth|ETH|thorn|THORN|ord[fm]|micro|sup[123])`)

// marks are entities that are no part of a word.
var marks = []string{"&amp;", "&lt;", "&gt;", "&quot;"}

// escape is a character that a programming language spells out.
var escape = regexp.MustCompile(`\\(?:[uUxN]|[0-7])`)

// spelled reports whether a text may hold words that only readers of its media type see, since some of their letters are
// written in another way. JSON is asked about only once it turns out that it cannot be read as such.
func spelled(media, text string) bool {
	essence, _, _ := strings.Cut(media, ";")
	is := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(essence, w) })
	}
	switch essence = strings.TrimSpace(essence); {
	case is("json", "yaml", "toml"):
		return strings.Contains(text, `\`)
	case is("html", "xml", "markdown"):
		for at := entity.FindStringIndex(text); at != nil; at = entity.FindStringIndex(text) {
			if !slices.Contains(marks, text[at[0]:at[1]]) {
				return true
			}
			text = text[at[1]:]
		}
		return false
	case essence == "text/plain", essence == "text/csv", essence == "text/tab-separated-values":
		return false
	}
	return escape.MatchString(text)
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
