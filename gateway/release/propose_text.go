package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// technique returns what a plan writes for a column's terms, and what there is to say about it.
func (p *proposal) technique(l *line, class flow.Class) (says, note string) {
	t, label := class.Resolve(l.terms.Treatment), p.labelled(l)
	kind, n := t.Param.Split()
	switch t.Level {
	case flow.Raw:
		return "technique: keep" + label, ""
	case flow.Dropped:
		return "technique: drop", ""
	case flow.Masked:
		if kind == "keep" {
			return fmt.Sprintf("technique: mask, keep: %d", n) + label, ""
		}
	case flow.Tokenized:
		return standIn(l, class, t.Param, label)
	case flow.Generalized:
		if says := coarser(kind, n, label); says != "" {
			return says, ""
		}
		if kind == "shift" {
			if by := p.subject(); by != "" {
				return fmt.Sprintf("technique: shift-date, days: %d, subject: %s", n, by) + label, "check that subject is whom a row is about"
			}
			return "technique: placeholder" + label, "to shift dates name the subject's column: {technique: shift-date, days: …, subject: …}"
		}
		return "technique: placeholder" + label, "to generalise it write {technique: generalize, hierarchy: FILE, steps: …}"
	}
	return "technique: placeholder" + label, ""
}

func coarser(kind string, n int64, label string) string {
	switch kind {
	case "day", "month", "quarter", "year", "decade":
		return "technique: shorten-date, to: " + kind + label
	case "bucket":
		return fmt.Sprintf("technique: bucket, width: %d, lower: true", n) + label
	case "round":
		return fmt.Sprintf("technique: round, to: %d", n) + label
	case "top", "bottom":
		return fmt.Sprintf("technique: top-bottom, %s: %d", kind, n) + label
	case "prefix":
		if label != "" {
			return fmt.Sprintf("technique: prefix, keep: %d", n) + label
		}
	case "net":
		return fmt.Sprintf("technique: network, bits: %d", n) + label
	}
	return ""
}

// standIn returns the technique of a token. What no contract names has none that is derived from its values.
func standIn(l *line, class flow.Class, param flow.Param, label string) (says, note string) {
	derived := l.leaf.Origin == flow.Catalogued && label != ""
	switch {
	case param == flow.TokenRealistic && label != "" && deidentify.InventionOf(class) != "":
		return "technique: realistic" + label, ""
	case param == flow.TokenFormat && derived && class.Kind == flow.Digits:
		return "technique: format" + label, ""
	case (param == flow.TokenFormat || param == flow.TokenReversible) && derived:
		return "technique: token" + label, ""
	case param == flow.TokenOneWay && derived:
		return "technique: one-way" + label, ""
	case param != flow.TokenSurrogate && param != flow.TokenRealistic:
		note = "no contract names the column, so that nothing derived from its values leaves"
	}
	return "technique: surrogate" + label, note
}

// subject is the column that most likely says whom a row is about.
func (p *proposal) subject() string {
	for _, label := range []flow.Label{"health/record-number", "health/member-number", "government-id", "technical/record-id"} {
		for i := range p.lines {
			if l := &p.lines[i]; l.leaf.Origin == flow.Catalogued && l.leaf.Label.Within(label) {
				q, _ := quoted(l.raw.Name)
				return q
			}
		}
	}
	return ""
}

// levels are the steps by which a quasi-identifier of the class becomes coarser; without any: the value, then "*".
func levels(class flow.Class, width int) string {
	switch class.Kind {
	case flow.Number:
		kind, n := class.Default.Split()
		if class.Label.Within("person/age") {
			return ", intervals: [5, 10, 20], top: 90"
		}
		if kind == "bucket" && n < 1<<24 {
			return fmt.Sprintf(", intervals: [%d, %d, %d]", n, 5*n, 10*n)
		}
		return ", intervals: [10, 50, 100]"
	case flow.Date:
		return ", dates: [month, year, decade]"
	case flow.Postal:
		if width >= 2 && width <= 12 {
			var steps []string
			for n := width; n >= max(width-3, 1); n-- {
				steps = append(steps, fmt.Sprint(n))
			}
			return ", prefix: [" + strings.Join(steps, ", ") + "]"
		}
	}
	return ""
}

// text is the plan.
func (p *proposal) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# A plan for %s, for %s, proposed from policy %s.\n", oneLine(string(p.order.To)), oneLine(string(p.order.Purpose)), oneLine(p.alone.Terms.PolicyHash))
	b.WriteString("# Read it before you use it: a column that is marked was labelled by looking at some rows, which can be wrong.\nversion: 1\ncolumns:\n")
	for i := range p.lines {
		l := &p.lines[i]
		q, _ := quoted(l.raw.Name)
		fmt.Fprintf(&b, "  %s: {%s} # %s\n", q, l.says, p.comment(l))
	}
	for _, name := range slices.Sorted(maps.Keys(p.skipped)) {
		fmt.Fprintf(&b, "  # %s of the table %s, and is left out\n", name, p.skipped[name])
	}
	b.WriteString("rest: drop\n")
	if p.model.K < 2 || p.count(Quasi) == 0 {
		return b.Bytes()
	}
	b.WriteString("# subject: COLUMN # whom a row is about, if somebody may have several rows: else every row counts as somebody else\nprivacy:\n")
	fmt.Fprintf(&b, "  - {model: k-anonymity, k: %d} # %s\n", p.model.K, p.why())
	for i := range p.lines {
		if l := &p.lines[i]; l.role == Sensitive {
			q, _ := quoted(l.raw.Name)
			fmt.Fprintf(&b, "  - {model: l-diversity, column: %s, l: %d} # %s\n", q, p.model.L, p.why())
		}
	}
	b.WriteString("suppression: 5% # of rows, at most, where the models cannot be met otherwise\nuncovered: error\nsuppressed: left-out\n")
	return b.Bytes()
}

func (p *proposal) why() string {
	if p.k > 1 {
		return "as asked for"
	}
	return "the least with which rows may leave"
}

// comment says what the line rests on.
func (p *proposal) comment(l *line) string {
	var parts []string
	switch {
	case l.found:
		parts = append(parts, string(l.leaf.Label)+", found: REVIEW")
	case l.leaf.Label == flow.Unlabelled:
		parts = append(parts, "unlabelled: nothing says what it is")
	default:
		parts = append(parts, string(l.leaf.Label)+", by contract")
	}
	terms := l.terms.Treatment.String()
	if l.covered {
		terms += " within the model"
	}
	if len(l.terms.Policies) > 0 {
		ids := make([]string, len(l.terms.Policies))
		for i, id := range l.terms.Policies {
			ids[i] = string(id)
		}
		terms += " by " + strings.Join(ids, ", ")
	} else if l.terms.Reason != "" {
		terms += ": " + l.terms.Reason
	}
	if parts = append(parts, terms); l.note != "" {
		parts = append(parts, l.note)
	}
	return oneLine(strings.Join(parts, "; "))
}

// quoted writes a name as a YAML text in double quotes, and reports whether that can be done.
func quoted(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String(), true
}

// oneLine is a text without anything that would end a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return ' '
	}, s)
}

// Columns returns a source's columns, of which [Propose] makes a plan: with what [Found] says of them, and how long the values are in
// the first rows. The values stay here.
func Columns(ctx context.Context, src table.Source, found map[string]flow.Label) (_ []Raw, err error) {
	r, err := src.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var out []Raw
	for _, c := range r.Columns() {
		out = append(out, Raw{Name: c.Name, Found: found[c.Name]})
	}
	chunk, err := r.Next(ctx)
	if errors.Is(err, io.EOF) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var b table.Batch
	if err := r.Read(ctx, chunk, &b); err != nil {
		return nil, err
	}
	for i := range min(len(out), b.Width) {
		out[i].Width = widthOf(&b, i)
	}
	return out, nil
}

func widthOf(b *table.Batch, column int) (width int) {
	for row := range min(b.Rows, looked) {
		cell := b.Row(row)[column]
		if cell.Kind == table.Null || len(cell.Text) == 0 {
			continue
		}
		n := utf8.RuneCount(cell.Text)
		if width != 0 && n != width {
			return 0
		}
		width = n
	}
	return width
}
