package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed report.gohtml
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"time":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") },
	"anchor": func(figure string) string { return "f-" + strings.ReplaceAll(figure, "/", "-") },
	"where":  func(e Entries) string { return e.where() },
	"digest": func(e Entries) string { return e.digest() },
	"key":    func(c Count, f Figure) string { return c.says(f) },
	"fid":    func(c Count, i int) string { return fmt.Sprintf("f-%s-%d", c.ID, i) },
	"value":  func(c Count, f Figure) string { return c.shown(f.Value) },
	"base64": func(b []byte) string { return base64.StdEncoding.EncodeToString(b) },
	"conds":  func(c Count) string { return c.conditions() },
}).Parse(pageText))

// renderHTML writes the page, but for its signature.
func renderHTML(d *Document) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("writing a report's page: %w", err)
	}
	return b.Bytes(), nil
}

const noteHTML = `<pre id="note">`

func endHTML(signed []byte) []byte {
	return fmt.Appendf(nil, noteHTML+"%s</pre>\n</main>\n</body>\n</html>\n", template.HTMLEscapeString(string(signed)))
}

// where tells which entries they are.
func (e Entries) where() string {
	if e.Ranges == nil {
		return fmt.Sprintf("%d of %d–%d", e.Number, e.First, e.Last)
	}
	var b strings.Builder
	for i, r := range e.Ranges {
		if i > 0 {
			b.WriteString(", ")
		}
		if r[0] == r[1] {
			fmt.Fprint(&b, r[0])
		} else {
			fmt.Fprintf(&b, "%d–%d", r[0], r[1])
		}
	}
	return b.String()
}

func (e Entries) digest() string { return base64.StdEncoding.EncodeToString(e.Digest) }

// says is a figure's group in words.
func (c *Count) says(f Figure) string {
	var parts []string
	for i, at := range c.By {
		if i < len(f.Key) {
			parts = append(parts, fmt.Sprintf("%s %q", at, f.Key[i]))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *Count) conditions() string {
	var parts []string
	for _, w := range c.Where {
		if len(w.Is) > 0 {
			parts = append(parts, fmt.Sprintf("%s is %s", w.At, quoted(w.Is)))
		} else {
			parts = append(parts, fmt.Sprintf("%s is not %s", w.At, quoted(w.Not)))
		}
	}
	return strings.Join(parts, " and ")
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, " or ")
}
