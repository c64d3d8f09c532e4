package facade

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// admitted is what the facade found of a request before it was on record.
type admitted struct {
	f      *Facade
	e      *gateway.Entering
	sights map[string][]sight // by table
}

// Admit implements [gateway.Inner]. A request is refused by what policy says alone, and no data is read for it: whether
// there is such a row does not show.
func (f *Facade) Admit(_ context.Context, e *gateway.Entering) (any, error) {
	a := &admitted{f: f, e: e, sights: map[string][]sight{}}
	if e.Tool == "" {
		for _, t := range f.tables {
			s, err := a.look(t)
			if err != nil {
				return nil, err
			}
			a.sights[t.Name] = s
		}
		return a, nil
	}
	t, op := f.named(e.Tool)
	if t == nil {
		return nil, gateway.Refuse(gateway.RuleFace, nil, "There is nothing of this name for this caller.")
	}
	s, ok := e.Kept.([]sight)
	if !ok {
		var err error
		if s, err = a.look(t); err != nil {
			return nil, err
		}
	}
	a.sights[t.Name] = s
	q, err := t.read(e.Doc, e.Arguments, op, f.opt.Rows)
	if err != nil {
		return nil, err
	}
	return a, a.holds(t, s, q)
}

// Unknown implements [gateway.Inner]: a column of which the caller is shown nothing is refused by its name alone, like one that is
// not there, before anything is said of what it is compared with.
func (f *Facade) Unknown(_ context.Context, e *gateway.Entering) (int, flow.Path, error) {
	t, op := f.named(e.Tool)
	member, ok := map[operation]string{search: "where", get: "key"}[op]
	if t == nil || !ok || e.Arguments < 0 {
		return -1, "", nil
	}
	above, ok := e.Doc.Member(e.Arguments, member)
	if !ok {
		return -1, "", nil
	}
	s, err := (&admitted{f: f, e: e}).look(t)
	if err != nil {
		return -1, "", err
	}
	e.Kept = s
	for n := range e.Doc.Children(above) {
		if i := t.column(string(e.Doc.Key(n))); i >= 0 && !s[i].seen {
			return n, at(member, "*"), nil
		}
	}
	return -1, "", nil
}

// look finds what the caller may do with each column. Only what would be shown as it is may be asked about: not what is
// coarser, nor what exposure memory may make so, nor texts of which parts may be hidden.
func (a *admitted) look(t *table) ([]sight, error) {
	leaves := t.leaves()
	terms, err := a.e.Terms(leaves)
	if err != nil {
		return nil, err
	}
	out := make([]sight, len(leaves))
	for i, l := range terms {
		c := &t.columns[i]
		out[i].seen = l.Level != flow.Dropped
		out[i].asked = l.Level == flow.Raw && !c.prose && !a.e.Remembered(c.field.Label)
		out[i].token = out[i].asked || l.Level == flow.Tokenized && c.class.Family == flow.Identifier
	}
	return out, nil
}

// holds refuses what would be an oracle.
func (a *admitted) holds(t *table, s []sight, q *asked) error {
	visible := false
	for i := range t.columns {
		visible = visible || s[i].seen && (q.columns == nil || slices.Contains(q.columns, i))
	}
	for _, i := range q.columns {
		if !s[i].seen {
			return unfit(at("columns"), noColumn)
		}
	}
	if !visible {
		return unfit(at("columns"), "None of the columns would be shown to this caller.")
	}
	for _, o := range q.order {
		if !s[o.column].asked {
			return unfit(at("order"), noColumn)
		}
	}
	for _, w := range q.where {
		if err := a.compared(&t.columns[w.column], s[w.column], w); err != nil {
			return err
		}
	}
	return nil
}

// compared refuses a condition on a column that the caller would not be shown as it is, unless all that it is compared
// with are the caller's own tokens; and one whose values do not come as they were written.
func (a *admitted) compared(c *column, s sight, w filter) error {
	place := w.place
	if len(w.paths) == 0 {
		if !s.asked {
			return unfit(place, noColumn)
		}
		return nil
	}
	for _, p := range w.paths {
		v, ok := a.value(p)
		switch {
		case !ok: // a value that the road did not see
			return unfit(place, noColumn)
		case v.Opened && (s.asked || s.token && (w.op == Equal || w.op == OneOf)):
		case !s.asked:
			return unfit(place, "This caller is not shown the column as it is, so it can be compared with tokens of it alone, and only for being equal.")
		case v.Level != flow.Raw:
			return unfit(place, "The gateway's policy does not let this value come as it was written, so nothing can be compared with it.")
		}
	}
	return nil
}

func (a *admitted) value(p flow.Path) (gateway.Entered, bool) {
	found, ok := gateway.Entered{}, false
	for _, v := range a.e.Values {
		if v.Path != p {
			continue
		}
		if ok && (v.Level != found.Level || v.Opened != found.Opened) {
			return found, false // more than one leaf is there: whichever is stricter, it is not what was asked
		}
		found, ok = v, true
	}
	return found, ok
}

// Shows implements [gateway.Inner]: a table is there for who is shown one of its columns.
func (f *Facade) Shows(_ string, leaves []flow.Leaf, terms []flow.LeafTerms) bool {
	for i := range leaves {
		if leaves[i].Field != "" && terms[i].Level != flow.Dropped {
			return true
		}
	}
	return false
}

// query is the reading that answers a request; false: no row can answer it.
func (a *admitted) query(t *table, q *asked, op operation) (*Query, bool, error) {
	out := &Query{Table: t.Source, Bytes: a.f.opt.Bytes}
	for _, w := range q.where {
		cond := Condition{Column: t.columns[w.column].source, Op: w.op}
		for _, v := range w.values {
			if w.op != IsNull {
				var ok bool
				if v, ok = t.columns[w.column].normal(v); !ok && w.op == OneOf {
					continue
				} else if !ok {
					return nil, false, nil
				}
			}
			cond.Values = append(cond.Values, v)
		}
		if len(cond.Values) == 0 {
			return nil, false, nil
		}
		out.Where = append(out.Where, cond)
	}
	out.Limit = q.limit
	if op == get {
		return out, true, nil
	}
	for _, o := range q.order {
		out.Order = append(out.Order, Order{Column: t.columns[o.column].source, Descending: o.descending})
	}
	if a.open(t) {
		for _, i := range t.key {
			out.Order = append(out.Order, Order{Column: t.columns[i].source, Given: true})
			out.Where = append(out.Where, Condition{Column: t.columns[i].source, Op: IsNull, Values: []string{"false"}}) // who has no key is on no page
		}
	} else { // by a key that is kept back rows would tell its order
		out.Order = append(out.Order, Order{Scattered: true})
		out.Secret = a.e.Secret("order of " + string(a.f.opt.Server) + " " + t.Name)
		for _, i := range t.key {
			out.Scatter = append(out.Scatter, t.columns[i].source)
		}
	}
	var err error
	if q.cursor != "" {
		out.After, err = a.resume(t, q, out)
	}
	return out, true, err
}

// open reports whether the caller is shown the table's key as it is, so that rows may come in its order.
func (a *admitted) open(t *table) bool {
	for _, i := range t.key {
		if !a.sights[t.Name][i].asked {
			return false
		}
	}
	return true
}

// of is whose a cursor is and of what: it opens with the same caller, purpose and question alone.
func (a *admitted) of(t *table, q *asked, out *Query) []byte {
	f := &a.e.Back.Flow
	h := sha256.New()
	for _, word := range []string{"facade", string(a.f.opt.Server), t.Name, string(f.To.Agent), string(f.To.Domain), string(f.Purpose)} {
		fmt.Fprintf(h, "%d:%s", len(word), word)
	}
	fmt.Fprintf(h, "%v|%v|%q", q.order, out.Order, out.Secret)
	for _, w := range out.Where {
		fmt.Fprintf(h, "|%d:%q %d %d:%q", len(w.Column.Name), w.Column.Name, w.Op, len(w.Values), w.Values)
	}
	return h.Sum(nil)
}
