package trace

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

// Traced is what one row of the journal says of lineage.
type Traced struct {
	Seq    int64
	Events []*lineage.Event // in order; none where the row is about no run

	graph int             // which of Events goes into the graph; -1: none
	told  []given         // what its recipient got
	gave  flow.LevelCount // the most revealing level of it, or the technique as its label
	ev    *flow.Event
}

// given is a column that an agent was given.
type given struct {
	label  flow.Label
	column lineage.Column
}

// translate makes the events of a row.
func (t *Tracer) translate(ctx context.Context, e *audit.Entry) (Traced, error) {
	out := Traced{Seq: e.Seq, graph: -1, ev: &e.Event}
	ev := &e.Event
	switch ev.Outcome {
	case flow.Released, flow.Watched, flow.Replayed, flow.Closed, flow.Refused, flow.Conflict:
		return out, t.finished(ctx, e, &out)
	case flow.Opened:
		started := t.event(ctx, e, lineage.Start)
		out.Events = append(out.Events, started)
	case flow.Segment:
		if ev.Flow.Protocol == protocolStream {
			return out, t.finished(ctx, e, &out)
		}
		now := t.event(ctx, e, lineage.Running)
		if err := t.output(ctx, e, now, &out, []*audit.Entry{e}); err != nil {
			return out, err
		}
		out.Events, out.graph = append(out.Events, now), 0
	}
	return out, nil
}

// finished makes the events of a row that ends a run: its start too, unless a row said that before.
func (t *Tracer) finished(ctx context.Context, e *audit.Entry, out *Traced) error {
	ev := &e.Event
	if ev.Outcome != flow.Closed {
		began := t.event(ctx, e, lineage.Start)
		began.Time = began.Time.Add(-max(ev.Took, 0))
		out.Events = append(out.Events, began)
	}
	kind := lineage.Complete
	switch {
	case ev.Outcome == flow.Refused || ev.Outcome == flow.Conflict:
		kind = lineage.Fail
	case ev.Outcome == flow.Closed && ev.Flow.Protocol != protocolTable && ev.Reason != "":
		kind = lineage.Abort
	}
	end := t.event(ctx, e, kind)
	rows := []*audit.Entry{e}
	switch {
	case kind == lineage.Fail:
		rows = nil
	case ev.Outcome == flow.Closed:
		var err error
		if rows, err = t.rowsOf(ctx, e); err != nil {
			return err
		}
	}
	if rows != nil {
		if err := t.output(ctx, e, end, out, rows); err != nil {
			return err
		}
		out.graph = len(out.Events)
	}
	out.Events = append(out.Events, end)
	return nil
}

// mostRows bounds how many rows of a stream are read again when it ends. Each was followed when it came; what is beyond is
// missing in the last event alone.
const mostRows = 2_000

// rowsOf returns the rows of a run up to the one that ends it, that one last.
func (t *Tracer) rowsOf(ctx context.Context, e *audit.Entry) ([]*audit.Entry, error) {
	var rows []*audit.Entry
	for row, err := range t.opt.Entries(ctx, audit.Query{Flow: e.Event.Flow.ID, To: e.Seq, Limit: mostRows}) {
		if err != nil {
			return nil, fmt.Errorf("reading the rows of a run: %w", err)
		}
		if row.Seq < e.Seq && row.Event.Outcome != flow.Refused {
			rows = append(rows, &row)
		}
	}
	return append(rows, e), nil
}

// event makes an event of a row without datasets.
func (t *Tracer) event(ctx context.Context, e *audit.Entry, kind lineage.Type) *lineage.Event {
	f := &e.Event.Flow
	return &lineage.Event{
		Type: kind, Time: e.Event.Time.UTC(), Producer: Producer,
		Run: &lineage.Run{ID: RunID(f.ID), Parent: t.parent(ctx, f), Facets: t.runFacets(e.Seq, &e.Event)},
		Job: &lineage.Job{Name: t.job(f), Facets: jobFacets(f)},
	}
}

// parent is the run before: of an answer its question, of a hop the hop before, which lies in the sender's domain.
func (t *Tracer) parent(ctx context.Context, f *flow.Flow) *lineage.Parent {
	if f.Parent == "" {
		return nil
	}
	p := &lineage.Parent{Run: RunID(f.Parent), Job: lineage.Name{Namespace: Namespace(t.opt.Domain), Name: "flow"}}
	switch before := t.flowOf(ctx, f.Parent); {
	case len(f.Parent) > len(hopParent) && f.Parent[:len(hopParent)] == hopParent:
		p.Job = lineage.Name{Namespace: Namespace(f.From.Domain), Name: "hop"}
	case before != nil:
		p.Job = t.job(&before.Flow)
	}
	return p
}

// flowOf finds the first row of a flow; nil where there is none.
func (t *Tracer) flowOf(ctx context.Context, id flow.ID) *flow.Event {
	for e, err := range t.opt.Entries(ctx, audit.Query{Flow: id, Limit: 1}) {
		if err == nil {
			return &e.Event
		}
	}
	return nil
}

// output says what a run read and wrote, by the decisions of its rows.
func (t *Tracer) output(ctx context.Context, e *audit.Entry, into *lineage.Event, out *Traced, rows []*audit.Entry) error {
	ev := &e.Event
	if ev.Flow.Protocol == protocolStream {
		t.publish(ev, into)
		return nil
	}
	q := t.question(ctx, ev)
	if q != nil && ev.Flow.Direction == flow.Response && e.Sealed == nil && ev.Outcome != flow.Closed {
		t.answer(ev, q, into, out)
		return nil
	}
	var m made
	if ev.Flow.Protocol == protocolTable && e.Sealed != nil {
		rows = rows[len(rows)-1:] // which says what became of the table; the row before, what might
	}
	for _, row := range rows {
		if row.Sealed == nil {
			continue
		}
		d, err := t.opt.Open(*row)
		if err != nil {
			return fmt.Errorf("entry %d: opening what was decided: %w", row.Seq, err)
		}
		t.take(&m, &row.Event, d)
	}
	if len(m.leaves) == 0 {
		return nil
	}
	held, err := t.holds(ctx, &ev.Flow, &m, e.Seq)
	if err != nil {
		return err
	}
	columns := m.lineage(held)
	if q != nil && ev.Flow.Direction == flow.Response {
		t.asked(q, columns)
	}
	t.write(ev, &m, columns, into, out)
	return nil
}

// write names the datasets of a run.
func (t *Tracer) write(ev *flow.Event, m *made, columns *lineage.ColumnLineage, into *lineage.Event, out *Traced) {
	labels := map[lineage.Column]flow.Label{}
	name := received(&ev.Flow)
	if ev.Flow.Protocol == protocolTable {
		name = lineage.Name{Namespace: Namespace(ev.Flow.To.Domain), Name: "release/" + clean(string(ev.Flow.ID))}
	}
	to := lineage.Dataset{Name: name, Columns: columns}
	var tags []tag
	for _, l := range m.leaves {
		labels[l.source] = l.label
		one := given{l.label, lineage.Column{Dataset: name, Field: l.field}}
		tags = append(tags, tag{l.field, l.label})
		out.told = append(out.told, one)
		if l.how.Level.Reveals(out.gave.Level) {
			out.gave.Level = l.how.Level
		}
	}
	for _, f := range columns.Fields {
		to.Schema = append(to.Schema, lineage.Field{Name: f.Field})
	}
	to.Facets = tagged(once(tags))
	if ev.Table != nil && ev.Outcome == flow.Closed {
		to.Rows = &ev.Table.Out
	}
	into.Inputs, into.Outputs = datasets(columns, labels, tagged), []lineage.Dataset{to}
}

func once(all []tag) (out []tag) {
	had := map[tag]bool{}
	for _, t := range all {
		if !had[t] {
			had[t] = true
			out = append(out, t)
		}
	}
	return out
}

// question is what a flow asks or answers; of an answer that does not say so itself, what the flow before asked.
func (t *Tracer) question(ctx context.Context, ev *flow.Event) *flow.Question {
	if ev.Question != nil || ev.Flow.Direction != flow.Response || ev.Flow.Parent == "" {
		return ev.Question
	}
	if before := t.flowOf(ctx, ev.Flow.Parent); before != nil {
		return before.Question
	}
	return nil
}

// read returns what a question reads: columns of a dataset, or what a stream of it released.
func (t *Tracer) read(q *flow.Question) (from lineage.Name, inputs []lineage.Input) {
	by := []lineage.Transformation{aggregated(q.Technique)}
	if q.Stream != "" {
		from = t.published(q.Dataset, q.Stream)
		return from, []lineage.Input{{Column: lineage.Column{Dataset: from, Field: releasedField}, How: []lineage.Transformation{{Type: "DIRECT", Subtype: "IDENTITY"}}}}
	}
	from = t.dataset(q.Dataset)
	for _, c := range q.Columns {
		inputs = append(inputs, lineage.Input{Column: lineage.Column{Dataset: from, Field: clean(c)}, How: by})
	}
	return from, inputs
}

// Fields of what is counted.
const (
	answerField   = "answer"
	releasedField = "released"
)

// answer says of an answer to a question what it was made of.
func (t *Tracer) answer(ev *flow.Event, q *flow.Question, into *lineage.Event, out *Traced) {
	from, inputs := t.read(q)
	name := received(&ev.Flow)
	name.Name += "/" + clean(q.Dataset)
	to := lineage.Dataset{Name: name, Schema: []lineage.Field{{Name: answerField}}}
	in := lineage.Dataset{Name: from}
	if len(inputs) > 0 {
		to.Columns = &lineage.ColumnLineage{Fields: []lineage.FieldLineage{{Field: answerField, Inputs: inputs}}}
		for _, i := range inputs {
			in.Schema = append(in.Schema, lineage.Field{Name: i.Field})
		}
	}
	into.Inputs, into.Outputs = []lineage.Dataset{in}, []lineage.Dataset{to}
	out.gave.Label = flow.Label(q.Technique)
}

// asked adds what a tool that answers questions reads to what is known of its answer.
func (t *Tracer) asked(q *flow.Question, columns *lineage.ColumnLineage) {
	_, inputs := t.read(q)
	for i := range columns.Fields {
		for _, in := range inputs {
			joined(&columns.Fields[i], in.Column, in.How[0])
		}
	}
}

// publish says of a step of a stream what it was made of.
func (t *Tracer) publish(ev *flow.Event, into *lineage.Event) {
	q := ev.Question
	if q == nil {
		return // of an earlier version, which did not say
	}
	_, inputs := t.read(&flow.Question{Dataset: q.Dataset, Technique: q.Technique, Columns: q.Columns})
	to := lineage.Dataset{Name: t.published(q.Dataset, q.Stream), Schema: []lineage.Field{{Name: releasedField}}}
	if len(inputs) > 0 {
		to.Columns = &lineage.ColumnLineage{Fields: []lineage.FieldLineage{{Field: releasedField, Inputs: inputs}}}
	}
	into.Inputs, into.Outputs = []lineage.Dataset{{Name: t.dataset(q.Dataset)}}, []lineage.Dataset{to}
}

// deliveries are what the graph keeps of who received what a row tells of.
func (out *Traced) deliveries() []lineage.Delivery {
	if out.graph < 0 || out.ev.Outcome == flow.Closed && out.ev.Flow.Protocol != protocolTable || out.ev.Flow.Protocol == protocolStream {
		return nil // the segments of a stream said it
	}
	level := out.gave.Level.String()
	if out.gave.Label != "" {
		level = string(out.gave.Label)
	}
	var all []lineage.Delivery
	for _, d := range out.Events[out.graph].Outputs {
		all = append(all, lineage.Delivery{
			Dataset: d.Name, Agent: out.ev.Flow.To.Agent, Domain: out.ev.Flow.To.Domain, Purpose: out.ev.Flow.Purpose, Policy: out.ev.PolicyHash,
			Level: level, Flow: out.ev.Flow.ID, Count: 1, First: out.ev.Time, Last: out.ev.Time,
		})
	}
	return all
}

// shape stands for all that the graph keeps of an event, so that it is told once and not with each message.
func shape(ev *lineage.Event) string {
	b := make([]byte, 0, 512)
	put := func(words ...string) {
		for _, w := range words {
			b = append(append(b, w...), 0)
		}
	}
	put(ev.Job.Namespace, ev.Job.Name.Name)
	if ev.Run.Parent != nil {
		put(ev.Run.Parent.Job.Namespace, ev.Run.Parent.Job.Name)
	}
	for _, d := range ev.Inputs {
		put("in", d.Namespace, d.Name.Name)
	}
	for _, d := range ev.Outputs {
		put("out", d.Namespace, d.Name.Name)
		if d.Columns == nil {
			continue
		}
		for _, f := range d.Columns.Fields {
			put("field", f.Field)
			for _, in := range f.Inputs {
				put("of", in.Dataset.Namespace, in.Dataset.Name, in.Field)
				for _, h := range in.How {
					put(h.Type, h.Subtype, h.Description, fmt.Sprint(h.Masking))
				}
			}
		}
	}
	return string(b)
}
