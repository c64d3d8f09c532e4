package gateway

import (
	"errors"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/vault"
)

// removedText stands where a whole text or a span was dropped.
const removedText = "[removed]"

// changer carries terms out on a collected message.
type changer struct {
	*collector
	terms   []flow.LeafTerms // by leaf; a level that cannot be carried out is lowered here
	opened  int
	unknown int          // stand-ins that stand for nothing
	gone    map[int]bool // lists of pictures that were taken out
	groups  *grouping

	contracts []string    // ids of those that bind the flow
	duties    flow.Duties // that the recipient takes on
	room      *handleRoom // for parts that go by reference; nil: nobody asked yet
	exposed   exposed
}

const undeclared = "No schema declares this place, and leaving it out would change the question. Declare it, or mark it x-scrim-droppable."

// unheard is the first place that is declared, but not to this caller: it must be refused as others are.
func (c *changer) unheard() (int, flow.Path, error) {
	if c.m.Unknown == nil {
		return -1, "", nil
	}
	return c.m.Unknown(c.ctx)
}

// carryOut edits the documents so that every leaf is at its level.
func (c *changer) carryOut() error {
	unknown, place, err := c.unheard()
	if err != nil {
		return err
	}
	for _, d := range c.dropped {
		if unknown >= 0 && (d.view != c.views[0] || d.node > unknown) {
			break
		}
		if err := c.takeOut(d.view, d.node, undeclared); err != nil {
			return err
		}
	}
	if unknown >= 0 {
		return refuse(RuleSchema, place, nil, undeclared)
	}
	for i := range c.targets {
		if err := c.one(i); err != nil {
			return err
		}
	}
	for i := range c.texts {
		if err := c.text(&c.texts[i]); err != nil {
			return err
		}
	}
	for i := len(c.views) - 1; i >= 0; i-- { // innermost first
		v := c.views[i]
		if err := c.keepSigned(v); err != nil {
			return err
		}
		if v.parent == nil || v.edits.Empty() {
			continue
		}
		out, err := v.edits.Apply(nil)
		if err != nil {
			return err
		}
		v.parent.edits.ReplaceText(v.node, inForm(v.form, string(out)))
	}
	return nil
}

// one carries out a leaf that is not part of a text.
func (c *changer) one(i int) error {
	t, terms := &c.targets[i], &c.terms[i]
	switch t.kind {
	case wholeValue:
		if t.stand != nil {
			return c.openWhole(i)
		}
		return c.value(i)
	case memberName:
		if _, ok := c.exposed.was[i]; ok {
			c.leaveOut(i)
			return nil
		}
		return c.memberName(t, terms, c.leaves[i])
	case filePart:
		return c.file(t, terms)
	case fetchedFile:
		if terms.Level < flow.Tokenized {
			return c.file(t, terms)
		}
	case declared:
		if terms.Level != flow.Raw {
			return refuse(RulePolicy, c.leaves[i].Path, nil, "%s", c.why(terms))
		}
	}
	return nil
}

// value carries out the terms of one structured scalar.
func (c *changer) value(i int) error {
	t, terms, leaf := &c.targets[i], &c.terms[i], c.leaves[i]
	if was, ok := c.exposed.was[i]; ok {
		return c.coarser(i, was)
	}
	if terms.Level == flow.Raw {
		return nil
	}
	if terms.Level == flow.Dropped {
		return c.takeOut(t.view, t.node, c.why(terms))
	}
	class, _ := c.m.Snapshot.Taxonomy.Class(leaf.Label)
	old := scalarAt(t.view.doc, t.node, t.value)
	out, err := c.changed(class, terms, leaf, old)
	if err != nil {
		return err
	}
	if out == old {
		return nil
	}
	n := t.node
	if sc := t.view.schema[n]; !sc.Accepts(t.view.doc.Nodes[n].State, kindOf(out), out.Text) {
		terms.Level, terms.Param, terms.By = flow.Dropped, "", flow.BySchema
		return c.takeOut(t.view, n, "The level that the terms allow does not fit the recipient's schema, and the place is required.")
	}
	switch out.Kind {
	case deidentify.String:
		t.view.edits.ReplaceText(n, out.Text)
	case deidentify.Null:
		t.view.edits.Replace(n, []byte("null"))
	default:
		t.view.edits.Replace(n, []byte(out.Text))
	}
	return nil
}

// changed returns the scalar at its level, which is neither raw nor dropped. A stand-in that cannot be had masks.
func (c *changer) changed(class flow.Class, terms *flow.LeafTerms, leaf flow.Leaf, old deidentify.Scalar) (deidentify.Scalar, error) {
	if terms.Level == flow.Tokenized {
		if old.Kind == deidentify.String {
			token, err := c.standInFor(class, terms, leaf, old.Text)
			if err == nil {
				terms.Param = became(terms.Param, token)
				return deidentify.Scalar{Kind: deidentify.String, Text: token}, nil
			}
			if !canMask(err) {
				return deidentify.Scalar{}, err
			}
		}
		terms.Treatment = flow.Treatment{Level: flow.Masked}
	}
	if p := class.Resolve(terms.Treatment).Param; terms.Level == flow.Generalized && strings.HasPrefix(string(p), "shift:") {
		if out, ok, err := c.shifted(leaf, old, p); ok || err != nil {
			return out, err
		}
		terms.Treatment = flow.Treatment{Level: flow.Masked}
	}
	out, err := deidentify.Apply(class, terms.Treatment, old, c.m.Snapshot.Hierarchies)
	if err != nil {
		return out, refuse(RuleInternal, leaf.Path, err, "The gateway could not change this place as its terms say, so the flow did not happen.")
	}
	return out, nil
}

// became is the parameter of the stand-in that a value got: not every value has one of its own format, or one that is invented.
func became(asked flow.Param, text string) flow.Param {
	span, ok := vault.Whole(text)
	switch {
	case !ok || asked != flow.TokenFormat && asked != flow.TokenRealistic:
		return asked
	case span.Token:
		return flow.TokenReversible
	}
	return flow.TokenSurrogate
}

// shifted returns the date moved by its subject's number of days for this recipient, and false where it is to be masked: for an unknown
// subject, for what is no date known to the day, and for dates from outside. Somebody who supplies a date and is shown it again would
// have the subject's number, and with it all other dates.
func (c *changer) shifted(leaf flow.Leaf, old deidentify.Scalar, p flow.Param) (deidentify.Scalar, bool, error) {
	f := &c.m.Query.Flow
	if !leaf.Subject.Known() || leaf.Origin != flow.Catalogued || f.From.Domain != c.m.Snapshot.Domain || c.task.Supplies(anyDate) {
		return deidentify.Scalar{}, false, nil
	}
	_, n := p.Split()
	days, err := c.batch.ShiftDays(c.ctx, f.To.Domain, leaf.Subject, int(n))
	if err != nil {
		return deidentify.Scalar{}, false, err
	}
	out, ok := deidentify.Shift(old, days)
	return out, ok, nil
}

func (c *changer) standInFor(class flow.Class, terms *flow.LeafTerms, leaf flow.Leaf, value string) (string, error) {
	f := &c.m.Query.Flow
	origin := leaf.Origin
	if f.From.Domain != c.m.Snapshot.Domain || c.task.Supplies(leaf.Label) {
		origin = flow.Supplied // a token of a value from outside would tell whoever supplies candidates which is the right one
	}
	if terms.Param == flow.TokenRealistic && leaf.Origin == flow.Catalogued { // in prose nothing would tell it from a person's name
		return c.task.Realistic(f.To.Domain, class, value, f.From.Agent)
	}
	return c.batch.Token(c.ctx, vault.Scope{
		Recipient: f.To.Domain, Group: c.m.Snapshot.Group(f.Purpose), Class: class, Origin: origin,
		Subject: leaf.Subject, Param: terms.Param, Task: f.Task.ID, Supplier: f.From.Agent,
	}, value)
}

// canMask reports whether a stand-in is only over a cap, so that the value is masked instead.
func canMask(err error) bool {
	return errors.Is(err, vault.ErrTokenCap) || errors.Is(err, vault.ErrTaskFull) || errors.Is(err, vault.ErrTooLong)
}

// memberName removes a member whose name may not be shown raw: half a name is no name.
func (c *changer) memberName(t *target, terms *flow.LeafTerms, leaf flow.Leaf) error {
	if terms.Level == flow.Raw {
		return nil
	}
	if terms.Level == flow.Tokenized {
		class, _ := c.m.Snapshot.Taxonomy.Class(leaf.Label)
		if token, err := c.standInFor(class, terms, leaf, t.value); err == nil {
			t.view.edits.ReplaceKey(t.node, token)
			return nil
		} else if !canMask(err) {
			return err
		}
	}
	terms.Treatment = flow.Treatment{}
	return c.takeOut(t.view, t.node, c.why(terms))
}

// file passes a file raw or puts a text part in its place: there is no middle without looking inside.
func (c *changer) file(t *target, terms *flow.LeafTerms) error {
	if terms.Level == flow.Raw {
		return nil
	}
	v, n := t.view, t.node
	if terms.Level != flow.Dropped {
		terms.Treatment = flow.Treatment{Level: flow.Masked}
	}
	switch role := c.m.Table.Role(v.doc.Nodes[n].State); {
	case c.isLink(t):
		return c.link(t, terms)
	case role == wire.FileName:
		v.edits.Remove(n)
		return nil
	case c.m.Query.Flow.Direction == flow.Request && (terms.Level == flow.Dropped || c.m.Table.Path(v.doc.Nodes[n].State) == "params/uri"):
		return refuse(RulePolicy, c.pointer(v, n), nil, "%s", c.why(terms)) // what is asked for cannot be asked for in part
	}
	if t.doc != nil {
		if t.doc.gone {
			return nil // for something else in it
		}
		t.doc.gone = true
	}
	part := int(v.doc.Nodes[n].Parent)
	if string(v.doc.Key(part)) == "file" && c.m.Table.Rooted(v.doc.Nodes[part].State) { // A2A 0.3 has a file in an object of its own
		part = int(v.doc.Nodes[part].Parent)
	}
	for child := range v.doc.Children(part) {
		switch string(v.doc.Key(child)) {
		case "metadata", "annotations", "_meta":
		case "type", "kind":
			v.edits.ReplaceText(child, "text")
		default:
			v.edits.Remove(child)
		}
	}
	word := "[file]"
	if terms.Level == flow.Dropped {
		word = removedText
	}
	v.edits.Append(part, "text", json.AppendString(nil, word))
	return nil
}

// text carries out the terms of a text and of what was found in it.
func (c *changer) text(at *textAt) error {
	base := &c.terms[at.leaf]
	if at.opaque {
		return c.opaqueText(at, base)
	}
	switch {
	case base.Level == flow.Raw:
	case at.file != nil:
		return c.file(&c.targets[at.leaf], base)
	case base.Level == flow.Dropped && infoAt(at.view, at.node) != nil:
		return c.takeOut(at.view, at.node, c.why(base))
	case base.Level == flow.Dropped && c.m.Query.Flow.Direction == flow.Request:
		return refuse(RulePolicy, c.leaves[at.leaf].Path, nil, "%s", c.why(base))
	default:
		word := removedText
		if base.Level != flow.Dropped {
			class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[at.leaf].Label)
			word, base.Treatment = deidentify.Placeholder(class), flow.Treatment{Level: flow.Masked}
		}
		at.view.edits.ReplaceText(at.node, word)
		return nil
	}
	if at.nested {
		if at.instead != nil { // what was changed within it is put in its place later
			at.view.edits.ReplaceText(at.node, *at.instead)
		}
		return nil
	}
	if at.unread {
		base.Treatment, base.By = flow.Treatment{}, flow.BySchema
		word := removedText
		if at.file != nil {
			word = inForm(at.file.form, word)
		}
		at.view.edits.ReplaceText(at.node, word)
		return nil
	}
	var spans []json.Span
	var out strings.Builder
	for i := range at.parts {
		p := &at.parts[i]
		text, changed, err := c.part(p)
		if err != nil {
			return err
		}
		switch {
		case p.cross == nil:
		case p.tail:
			text, changed = "", p.cross.changed
		default:
			p.cross.changed = changed
		}
		out.WriteString(text)
		if changed && at.stream == nil {
			spans = append(spans, json.Span{Start: p.start, End: p.end, Text: text})
		}
	}
	if at.stream != nil {
		if text := out.String(); text != at.view.doc.Text(at.node) {
			at.view.edits.ReplaceText(at.node, text)
		}
		return nil
	}
	c.splice(at, spans)
	return nil
}

// splice puts other text in place of spans of a text that is there as a whole.
func (c *changer) splice(at *textAt, spans []json.Span) {
	switch {
	case at.instead != nil:
		at.view.edits.ReplaceText(at.node, spliced(*at.instead, c.mentioned(*at.instead, spans)))
		return
	case at.file != nil:
		if spans = c.mentioned(at.file.text, spans); len(spans) > 0 {
			at.view.edits.ReplaceText(at.node, inForm(at.file.form, spliced(at.file.text, spans)))
		}
		return
	}
	if spans = c.mentioned(at.view.doc.Text(at.node), spans); len(spans) > 0 {
		at.view.edits.ReplaceSpans(at.node, spans)
	}
}

// opaqueText takes out a text that is meant to be JSON and cannot be read: nothing declares what it holds.
func (c *changer) opaqueText(at *textAt, base *flow.LeafTerms) error {
	if c.m.Query.Flow.Direction == flow.Request {
		return refuse(RuleSchema, c.leaves[at.leaf].Path, nil, "This text is meant to be JSON but cannot be read as one document, so nothing in it is declared.")
	}
	base.Treatment, base.By = flow.Treatment{}, flow.BySchema
	if at.file != nil {
		return c.file(&c.targets[at.leaf], base)
	}
	at.view.edits.ReplaceText(at.node, removedText)
	return nil
}

// spliced puts other text in place of spans.
func spliced(text string, spans []json.Span) string {
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.Start])
		b.WriteString(s.Text)
		at = s.End
	}
	b.WriteString(text[at:])
	return b.String()
}

// part returns what stands for one stretch of a text.
func (c *changer) part(p *part) (text string, changed bool, err error) {
	switch {
	case p.stand != nil:
		if other, err := c.ofAnother(p.stand); err != nil || other {
			return removedText, true, err
		}
		value, ok, err := c.open(p.stand)
		if err != nil || !ok {
			c.reserve(p.stand)
			if err == nil && !c.standsFor(p.stand) {
				return removedText, true, nil
			}
			return p.text, false, err
		}
		return value, true, nil
	case !p.found:
		return p.text, false, nil
	}
	terms, leaf := &c.terms[p.leaf], c.leaves[p.leaf]
	if p.text == "" { // too long to be looked into: nothing is left of it but its place
		terms.Treatment = flow.Treatment{Level: min(terms.Level, flow.Masked)}
		return removedText, true, nil
	}
	switch terms.Level {
	case flow.Raw:
		return p.text, false, nil
	case flow.Dropped:
		return removedText, true, nil
	}
	class, _ := c.m.Snapshot.Taxonomy.Class(leaf.Label)
	value := p.text
	if terms.Level == flow.Tokenized && p.known != "" {
		value = p.known
	}
	out, err := c.changed(class, terms, leaf, deidentify.Scalar{Kind: deidentify.String, Text: value})
	if err != nil {
		return "", false, err
	}
	return out.Text, out.Text != p.text, nil
}

// takeOut removes a value from a result, or from a request where a schema says it may be left out. A value that its
// object cannot be without takes the object along, up to the nearest that can go.
func (c *changer) takeOut(v *view, n int, why string) error {
	request := c.m.Query.Flow.Direction == flow.Request
	refused := func() error {
		rule := RulePolicy
		if info := infoAt(v, n); info == nil || !info.Declared {
			rule = RuleSchema
		}
		return refuse(rule, c.pointer(v, n), nil, "%s", why)
	}
	for at := n; ; {
		node, info := &v.doc.Nodes[at], infoAt(v, at)
		member := node.KeyStart >= 0
		switch {
		case request && (info == nil || !info.Droppable):
			return refused()
		case info != nil && (node.Parent < 0 || infoAt(v, int(node.Parent)) == nil):
			return refused() // the root of structured content: the protocol needs it
		case info == nil || !info.Declared, member && !info.Required, !member && v.schema[at].Accepts(node.State, json.Null, ""):
			v.edits.Remove(at) // an element becomes null
			return nil
		}
		at = int(node.Parent)
	}
}

func (c *changer) why(t *flow.LeafTerms) string {
	if t.Reason != "" {
		return t.Reason
	}
	return "The terms of this flow do not let this place be shown, and leaving it out would change the question."
}

// reserve keeps the task from ever giving out a surrogate that another gateway gave out before: on its way home it
// would be taken for the other one.
func (c *changer) reserve(s *standIn) {
	if f := &c.m.Query.Flow; !s.Token && f.CrossesDomain() {
		c.task.Reserve(s.Text)
	}
}

func scalarAt(d *json.Doc, n int, text string) deidentify.Scalar {
	switch d.Nodes[n].Kind {
	case json.String:
		return deidentify.Scalar{Kind: deidentify.String, Text: text}
	case json.Number:
		return deidentify.Scalar{Kind: deidentify.Number, Text: text}
	case json.True, json.False:
		return deidentify.Scalar{Kind: deidentify.Bool, Text: text}
	}
	return deidentify.Scalar{}
}

func kindOf(s deidentify.Scalar) json.Kind {
	switch {
	case s.Kind == deidentify.String:
		return json.String
	case s.Kind == deidentify.Number:
		return json.Number
	case s.Kind == deidentify.Bool && s.Text == "true":
		return json.True
	case s.Kind == deidentify.Bool:
		return json.False
	}
	return json.Null
}
