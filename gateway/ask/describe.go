package ask

import (
	"context"
	stdjson "encoding/json"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Listed is one dataset in a list.
type Listed struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit"` // what the claim is about
	Formal bool     `json:"formal"`
	Tables []string `json:"tables"`
}

// Described is a dataset as its askers may know it: nothing in it depends on the data.
type Described struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Window  string    `json:"window,omitempty"` // of a unit that is bounded in time
	Formal  bool      `json:"formal"`
	Claim   string    `json:"claim"`
	Epsilon string    `json:"epsilon"` // all answers together, to everybody
	Delta   string    `json:"delta"`
	Costs   Asked     `json:"question"`
	Limits  Limits    `json:"limits"`
	Blocks  *Blocks   `json:"blocks,omitempty"`
	Data    *Versions `json:"versions,omitempty"`
	Tables  []Table   `json:"tables"`
}

// Asked is what a question costs that says nothing, and at most.
type Asked struct {
	Epsilon   string `json:"epsilon,omitempty"`
	Most      string `json:"most"`
	Delta     string `json:"delta"`
	Selection string `json:"selection"`
}

// Limits are how much a unit contributes to an answer.
type Limits struct {
	Rows       int64 `json:"rows"`
	MostRows   int64 `json:"most_rows"`
	Groups     int64 `json:"groups"`
	MostGroups int64 `json:"most_groups"`
	Cells      int   `json:"cells"`
}

// Blocks are the blocks of time that have a budget each.
type Blocks struct {
	From  time.Time `json:"from"`
	Width string    `json:"width"`
}

// Versions are when the data counts as changed: until then the same question has the same answer and costs nothing.
type Versions struct {
	From  time.Time `json:"from"`
	Every string    `json:"every,omitempty"`
}

// Table is one table.
type Table struct {
	Name      string     `json:"name"`
	Public    bool       `json:"public,omitempty"`
	Unit      []string   `json:"unit,omitempty"`
	Reference *Reference `json:"reference,omitempty"`
	Time      string     `json:"time,omitempty"`
	Columns   []Column   `json:"columns"`
}

// Reference is a foreign key by which tables may be joined.
type Reference struct {
	Column string `json:"column"`
	Table  string `json:"table"`
	To     string `json:"to"`
}

// Column is one column.
type Column struct {
	Name   string     `json:"name"`
	Type   string     `json:"type"`
	Places int        `json:"places,omitempty"`
	Min    string     `json:"min,omitempty"` // what is less counts as this
	Max    string     `json:"max,omitempty"`
	Values []string   `json:"values,omitempty"` // all there are
	Label  flow.Label `json:"label"`
	Group  bool       `json:"group"` // whether it may be a group of an answer
}

// List tells which datasets the caller may ask about.
func (s *Service) List(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, ListTool)
	if err := parse(a.Arguments, &struct{}{}); err != nil {
		return nil, err
	}
	if err := a.proven(ctx); err != nil {
		return nil, err
	}
	out := struct {
		Datasets []Listed `json:"datasets"`
	}{[]Listed{}}
	for _, name := range a.datasets() {
		d := a.Snapshot.Datasets[name].Query
		one := Listed{Name: name, Unit: d.Unit, Formal: d.Formal}
		for i := range d.Tables {
			one.Tables = append(one.Tables, d.Tables[i].Name)
		}
		out.Datasets = append(out.Datasets, one)
	}
	if err := a.told(ctx, "which datasets there are"); err != nil {
		return nil, err
	}
	return stdjson.Marshal(out)
}

// named returns the dataset that the arguments name and nothing else.
func (a *asking) named(ctx context.Context) (*gateway.Dataset, error) {
	var args struct {
		Dataset string `json:"dataset"`
	}
	if err := parse(a.Arguments, &args); err != nil {
		return nil, err
	}
	if args.Dataset == "" || len(args.Dataset) > maxName {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The question names no dataset.")
	}
	if err := a.proven(ctx); err != nil {
		return nil, err
	}
	return a.may(args.Dataset)
}

// Describe tells what questions about a dataset may use.
func (s *Service) Describe(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, DescribeTool)
	d, err := a.named(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.told(ctx, "what a dataset has"); err != nil {
		return nil, err
	}
	return stdjson.Marshal(describe(d))
}

func describe(d *gateway.Dataset) *Described {
	q := d.Query
	out := &Described{
		Name: q.Name, Unit: q.Unit, Formal: q.Formal, Claim: claim(d), Epsilon: amount(d.Plan.Epsilon), Delta: femto(d.Plan.Delta),
		Costs:  Asked{Most: amount(d.Costs.Most), Delta: femto(d.Costs.Delta), Selection: femto(d.Costs.Selection)},
		Limits: Limits{q.Limits.Rows, q.Limits.MostRows, q.Limits.Groups, q.Limits.MostGroups, q.Limits.MostCells},
	}
	if d.Costs.Epsilon > 0 {
		out.Costs.Epsilon = amount(d.Costs.Epsilon)
	}
	if q.Window > 0 {
		out.Window = q.Window.String()
	}
	if d.Blocks.Kind == budget.BlocksTime {
		out.Blocks = &Blocks{d.Blocks.From, d.Blocks.Width.String()}
	}
	if !d.Schedule.From.IsZero() {
		out.Data = &Versions{From: d.Schedule.From}
		if d.Schedule.Every > 0 {
			out.Data.Every = d.Schedule.Every.String()
		}
	}
	for i := range q.Tables {
		out.Tables = append(out.Tables, describeTable(&q.Tables[i]))
	}
	return out
}

func describeTable(t *query.Table) Table {
	out := Table{Name: t.Name, Public: t.Public, Unit: t.Unit, Time: t.Time}
	if t.Via != nil {
		out.Unit, out.Reference = nil, &Reference{t.Via.Column, t.Via.Table, t.Via.To}
	}
	for _, c := range t.Columns {
		one := Column{Name: c.Name, Type: kindWords[c.Type.Kind], Places: c.Type.Places, Label: c.Label, Group: !c.NoKey}
		if c.Bounded {
			one.Min, one.Max = literal(c.Type.Min, c.Type), literal(c.Type.Max, c.Type)
		}
		for _, v := range c.Values {
			if c.Type.Kind == relation.Text {
				one.Values = append(one.Values, v.Text)
			} else {
				one.Values = append(one.Values, literal(v.Int, c.Type))
			}
		}
		out.Columns = append(out.Columns, one)
	}
	return out
}

var kindWords = map[relation.Kind]string{
	relation.Number: "number", relation.Text: "text", relation.Truth: "truth", relation.Date: "date", relation.Time: "time",
}

// literal writes a value as configuration does.
func literal(x int64, t relation.Type) string {
	switch t.Kind {
	case relation.Truth:
		return strconv.FormatBool(x != 0)
	case relation.Date:
		return time.Unix(x*24*60*60, 0).UTC().Format(time.DateOnly)
	case relation.Time:
		return time.UnixMicro(x).UTC().Format(time.RFC3339Nano)
	}
	if x < 0 {
		return "-" + decimal(-x, t.Places)
	}
	return decimal(x, t.Places)
}
