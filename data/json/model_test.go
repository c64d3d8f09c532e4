package json

import (
	"slices"
	"strings"
)

// model says what is asked for each value, by id, as the documentation of Edits puts it: the outer wins, the later
// replacement wins, spans add up.
type model struct {
	gone     map[int]bool
	value    map[int]string // JSON
	spans    map[int][]Span
	name     map[int]string
	appended map[int][][2]string // name and JSON
}

func newModel() *model {
	return &model{map[int]bool{}, map[int]string{}, map[int][]Span{}, map[int]string{}, map[int][][2]string{}}
}

// literal is AppendString, spelt out.
func literal(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s { // invalid bytes come as U+FFFD
		switch k := strings.IndexRune("\"\\\b\f\n\r\t", c); {
		case k >= 0:
			b.WriteString(`\` + `"\bfnrt`[k:k+1])
		case c < ' ':
			b.WriteString(`\u00` + string("01"[c>>4]) + string("0123456789abcdef"[c&15]))
		default:
			b.WriteRune(c)
		}
	}
	return b.String() + `"`
}

// render writes v as edited, with the white space that is to stay.
func (m *model) render(v *ref) string {
	if m.gone[v.id] { // an element or the root; members are left out by their object
		return "null"
	}
	if s, ok := m.value[v.id]; ok {
		return s
	}
	switch v.kind {
	case String:
		if spans := m.spans[v.id]; len(spans) > 0 {
			return m.renderSpans(v, spans)
		}
		return v.raw
	case Array:
		var b strings.Builder
		for i, kid := range v.kids {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(kid.lead + m.render(kid) + kid.trail)
		}
		return "[" + v.inner + b.String() + "]"
	case Object:
		return "{" + m.renderMembers(v) + "}"
	}
	return v.raw
}

// renderMembers joins the members that stay. What is removed takes along the space in front of its comma, or, if
// nothing before it stays, the space behind it.
func (m *model) renderMembers(v *ref) string {
	var b strings.Builder
	count := 0
	tail := v.inner // the space to come before a comma or the end
	if len(v.kids) > 0 {
		tail = v.kids[0].lead
		for _, kid := range v.kids {
			if m.gone[kid.id] {
				if count > 0 {
					tail = kid.trail
				}
				continue
			}
			name := kid.nameRaw
			if s, ok := m.name[kid.id]; ok {
				name = literal(s)
			}
			if count > 0 {
				b.WriteString(tail + "," + kid.lead)
			} else {
				b.WriteString(tail)
			}
			b.WriteString(name + kid.colon + m.render(kid))
			tail = kid.trail
			count++
		}
		if count == 0 {
			tail = v.kids[0].lead
			last := v.kids[len(v.kids)-1].trail
			return tail + m.renderAppended(v, count) + last
		}
	}
	if len(v.kids) == 0 {
		return m.renderAppended(v, count) + tail
	}
	return b.String() + m.renderAppended(v, count) + tail
}

func (m *model) renderAppended(v *ref, count int) string {
	var b strings.Builder
	for _, member := range m.appended[v.id] {
		if count > 0 {
			b.WriteByte(',')
		}
		b.WriteString(literal(member[0]) + ":" + member[1])
		count++
	}
	return b.String()
}

// renderSpans takes the string apart into characters, each with its spelling in the document.
func (m *model) renderSpans(v *ref, spans []Span) string {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	raw := v.raw[1 : len(v.raw)-1]
	var b strings.Builder
	at := 0
	emit := func() {
		for len(spans) > 0 && spans[0].Start == at && spans[0].End == at {
			b.WriteString(inner(literal(spans[0].Text)))
			spans = spans[1:]
		}
	}
	skipTo := 0
	for _, c := range v.text {
		if at >= skipTo {
			emit()
			if len(spans) > 0 && spans[0].Start == at {
				skipTo = spans[0].End
				b.WriteString(inner(literal(spans[0].Text)))
				spans = spans[1:]
			}
		}
		size := len(string(c))
		if raw[0] == '\\' {
			size = 2
			if raw[1] == 'u' {
				size = 6
				if c > 0xffff {
					size = 12
				}
			}
		}
		if at >= skipTo {
			b.WriteString(raw[:size])
		}
		raw = raw[size:]
		at += len(string(c))
	}
	emit()
	return `"` + b.String() + `"`
}

func inner(lit string) string { return lit[1 : len(lit)-1] }

// meaning is what the edited document says, computed on the tree alone.
func (m *model) meaning(v *ref) *ref {
	if m.gone[v.id] {
		return &ref{kind: Null, raw: "null"}
	}
	if s, ok := m.value[v.id]; ok {
		w, _ := readRef(s, Limits{})
		return w
	}
	w := &ref{kind: v.kind, raw: v.raw, text: v.text}
	if spans := m.spans[v.id]; len(spans) > 0 {
		spans = slices.Clone(spans)
		slices.SortStableFunc(spans, func(a, b Span) int { return (a.Start-b.Start)<<20 + a.End - b.End })
		for _, s := range slices.Backward(spans) {
			w.text = w.text[:s.Start] + string([]rune(s.Text)) + w.text[s.End:]
		}
	}
	for _, kid := range v.kids {
		if v.kind == Object && m.gone[kid.id] {
			continue
		}
		k := m.meaning(kid)
		k.name = kid.name
		if s, ok := m.name[kid.id]; ok {
			k.name = string([]rune(s))
		}
		w.kids = append(w.kids, k)
	}
	for _, member := range m.appended[v.id] {
		k, _ := readRef(member[1], Limits{})
		k.name = string([]rune(member[0]))
		w.kids = append(w.kids, k)
	}
	return w
}
