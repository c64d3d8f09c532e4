package gateway

import (
	"cmp"
	"errors"
	"slices"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/vault"
)

// standIn is a token or surrogate found in a message.
type standIn struct {
	vault.Span
	format   bool       // has the format of a value of the label: for [vault.Vault.ResolveFormat]
	invented bool       // looks like a value of the label, and is one that this task gave out
	label    flow.Label // of the place, for these two
}

// disguised returns the stand-in that a whole value coming home is, although it looks like a value. What does not come home cannot be one.
func (c *collector) disguised(text string, l flow.Label) (*standIn, error) {
	f := &c.m.Query.Flow
	if f.To.Domain != c.m.Snapshot.Domain || !f.CrossesDomain() || c.m.Again || len(text) > detect.MaxKnownBytes {
		return nil, nil
	}
	s := &standIn{Span: vault.Span{End: len(text), Text: text}, label: l}
	if s.invented = c.task.Invented(f.From.Domain, l, text); s.invented {
		return s, nil
	}
	switch _, err := c.g.vault.ResolveFormat(c.ctx, f.From.Domain, l, text); {
	case errors.Is(err, vault.ErrNoToken):
		return nil, nil
	case err != nil:
		return nil, refuse(RuleInternal, "", err, "The gateway could not look at a stand-in, so the flow did not happen.")
	}
	s.format = true
	return s, nil
}

// wholeStandIn returns the stand-in if the text is nothing else.
func wholeStandIn(text string) *standIn {
	if len(text) < 4 || len(text) > 1024 {
		return nil
	}
	if span, ok := vault.Whole(text); ok {
		return &standIn{Span: span}
	}
	return nil
}

// readTexts looks at all prose of the message, now that the structured values beside it are known. JSON that stands
// in a text is content like any other, and may hold further texts.
func (c *collector) readTexts() error {
	learned := len(c.known)
	for i := 0; i < len(c.texts) && len(c.leaves) <= maxLeaves; i++ {
		if err := c.structured(i); err != nil {
			return err
		}
	}
	if teaches(c.known[:learned], c.known[learned:]) { // JSON in one text names what stands in another, and in values before it
		c.set, c.looked = nil, 0
		if err := c.knownSet(); err != nil {
			return err
		}
	}
	var whole []int
	for i := 0; i < len(c.texts) && len(c.leaves) <= maxLeaves; i++ {
		at := &c.texts[i]
		switch {
		case at.stream != nil:
			at.stream.last = at.last // several texts of one event may belong to it
			at.stream.stream.Know(c.set)
			c.findings(at, at.stream.feed(at.prose))
		case at.prose != "":
			whole = append(whole, i)
		}
	}
	if len(whole) > 0 {
		if err := c.readWhole(whole); err != nil {
			return err
		}
	}
	if err := c.join(); err != nil {
		return err
	}
	for i := range c.texts {
		if at := &c.texts[i]; !at.whole() || at.instead != nil && at.prose != "" { // held, and prose after all
			c.findings(at, at.parts)
		}
	}
	return nil
}

// teaches reports whether there is something new among what was learned. The text twin of structured content has nothing.
func teaches(before, learned []detect.Known) bool {
	if len(learned) == 0 {
		return false
	}
	had := make(map[detect.Known]bool, len(before))
	for _, k := range before {
		had[k] = true
	}
	return slices.ContainsFunc(learned, func(k detect.Known) bool { return !had[k] })
}

// structured takes a text for JSON if it is, and otherwise puts aside what there is to read as prose.
func (c *collector) structured(i int) error {
	at := &c.texts[i]
	text := at.text()
	if st := c.m.Texts.at(c, at.view, at.node); st != nil {
		whole, held := st.hold(text)
		if !held {
			at.stream, at.prose, at.last = st, whole, st.last
			return nil
		}
		at.instead, text = &whole, whole
	}
	if len(text) == 0 {
		return nil
	}
	v, opaque := c.nested(text, at.view)
	if at.opaque = opaque; opaque {
		return nil
	}
	if v == nil {
		at.prose = text
		at.opaque = at.file != nil && spelled(at.file.media, text)
		return nil
	}
	v.parent, v.node, v.form = at.view, at.node, at.file.encoding()
	c.views = append(c.views, v)
	at.nested = true
	return c.nestedContent(v)
}

func depth(v *view) (n int) {
	for ; v.parent != nil; v = v.parent {
		n++
	}
	return n
}

// nestedContent declares JSON in a text by the schemas of structured content.
func (c *collector) nestedContent(v *view) error {
	sc := catalog.Select(c.m.Schemas, v.doc, 0)
	if sc == nil {
		for child := range v.doc.Children(0) {
			c.dropped = append(c.dropped, dropped{v, child})
		}
		return nil
	}
	return c.walk(v, sc, 0, 0, sc.Root(), c.pointer(v, 0))
}

// maxTableKnown is how many values of a message without prose are looked for in its other values.
const maxTableKnown = 2000

// knownSet compiles the task's known values and those of this message.
func (c *collector) knownSet() error {
	if c.set != nil || c.public {
		return nil
	}
	known := slices.Clip(c.known) // what is appended here is not the message's own
	if len(c.texts) == 0 && len(known) > maxTableKnown {
		known = nil // a large table and no prose beside it: each value has its own label already
	}
	for _, k := range c.task.Known() {
		known = append(known, detect.Known{Text: k.Text, Label: k.Label})
	}
	if len(known) == 0 {
		return nil
	}
	set, err := detect.NewKnownSet(known)
	if err != nil {
		return refuse(RuleExhausted, "", err, "The task has more known values than the gateway can look for.")
	}
	c.set = set
	return nil
}

// part is a stretch of a text: prose, a finding with its leaf, or a stand-in.
type part struct {
	start, end int    // in the string's content; meaningless in a stream
	text       string // "" for a long finding of a stream
	known      string // the known value that was found, whatever part or spelling of it stands here
	label      flow.Label
	score      uint8 // of what was found, in percent
	found      bool
	leaf       int // index of a finding's leaf
	stand      *standIn
	cross      *crossing // it goes on in the next text
	tail       bool      // it began in a text before
}

func partOf(f *detect.Finding, text string) part {
	return part{start: f.Start, end: f.End, text: text, known: f.Known, label: f.Label, score: flow.Percent(f.Score), found: true}
}

// parts finds what is in a whole text.
func (c *collector) parts(text string) ([]part, error) {
	found, err := c.detector().Find(c.ctx, text, c.set)
	if err != nil {
		return nil, err
	}
	return partsOf(found, text), nil
}

// partsOf makes parts of what was found in a whole text, and of its stand-ins. A finding beats a stand-in that it overlaps.
func partsOf(found []detect.Finding, text string) []part {
	var out []part
	for i := range found {
		f := &found[i]
		out = append(out, partOf(f, text[f.Start:f.End]))
	}
	return withStandIns(out, text, 0)
}

// withStandIns adds the stand-ins of the text, which begins at base, where no finding overlaps them.
func withStandIns(out []part, text string, base int) []part {
	for _, s := range vault.FindTokens(text) {
		start, end := s.Start+base, s.End+base
		at, _ := slices.BinarySearchFunc(out, start, func(p part, start int) int { return p.start - start })
		if at < len(out) && out[at].start < end || at > 0 && out[at-1].end > start {
			continue
		}
		out = slices.Insert(out, at, part{start: start, end: end, text: text[s.Start:s.End], stand: &standIn{Span: s}})
	}
	return out
}

// findings makes a leaf of each finding of a text.
func (c *collector) findings(at *textAt, parts []part) {
	for i := range parts {
		if len(c.leaves) > maxLeaves {
			break // the message is refused for it
		}
		p := &parts[i]
		if p.found {
			if c.set != nil && p.score < flow.Certain { // what is known is certain, also as a part of what is not
				c.set.Each(p.text, func(detect.Known) { p.score = flow.Certain })
			}
			leaf := flow.Leaf{Path: c.leaves[at.leaf].Path, Label: p.label, Origin: flow.Detected, Score: p.score}
			p.leaf = c.add(leaf, target{view: at.view, node: at.node, kind: textSpan, value: cmp.Or(p.known, p.text)})
		}
	}
	at.parts = parts
}
