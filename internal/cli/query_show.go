package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// showAnswer prints what came back for people.
func (e *env) showAnswer(act string, body []byte) error {
	show := map[string]func([]byte) error{
		ask.QueryTool: e.showRows, ask.ExplainTool: e.showExplanation, ask.ListTool: e.showDatasets, ask.DescribeTool: e.showDataset, ask.BudgetTool: e.showLeft,
	}[act]
	if err := show(body); err != nil {
		return fmt.Errorf("the gateway's answer cannot be read; is it of another version? --json prints it as it is")
	}
	return nil
}

func (e *env) showRows(body []byte) error {
	var a struct {
		query.Answer
		Queries []query.QueryAnswer `json:"queries"` // of several together
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	if len(a.Queries) == 0 {
		a.Queries = []query.QueryAnswer{{Columns: a.Columns, Rows: a.Rows}}
	}
	for i, one := range a.Queries {
		if i > 0 {
			fmt.Fprintln(e.out)
		}
		e.showTable(one)
	}
	fmt.Fprintf(e.out, "\nε %s, δ %s for one %s; %s\n", a.Privacy.Epsilon, a.Privacy.Delta, a.Privacy.Unit, a.Privacy.Claim)
	for _, note := range a.Notes {
		fmt.Fprintln(e.out, printable(note))
	}
	return nil
}

func (e *env) showTable(a query.QueryAnswer) {
	t := table{head: true}
	var names []string
	for _, c := range a.Columns {
		names = append(names, printable(c.Name))
	}
	t.add(names...)
	for _, row := range a.Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, printable(cellText(c)))
		}
		t.add(cells...)
	}
	t.write(e.out, e.style(e.out), "")
}

// cellText is a value with the ends of its interval.
func cellText(c query.Cell) string {
	if len(c.Bars) > 0 {
		var bars []string
		for _, b := range c.Bars {
			bars = append(bars, fmt.Sprintf("%s–%s: %s", b.From, b.To, b.Value))
		}
		return strings.Join(bars, ", ")
	}
	switch {
	case c.Value == nil:
		return "NULL"
	case c.Low != "" || c.High != "":
		return fmt.Sprintf("%s [%s, %s]", *c.Value, c.Low, c.High)
	}
	return *c.Value
}

func (e *env) showExplanation(body []byte) error {
	var x ask.Explanation
	if err := json.Unmarshal(body, &x); err != nil || x.Explanation == nil {
		return fmt.Errorf("no explanation: %w", err)
	}
	t := table{head: true}
	t.add("number", "95 % within", "")
	for _, one := range x.Errors {
		t.add(one.Of, "± "+one.HalfWidth, one.Per)
	}
	t.write(e.out, e.style(e.out), "")
	fmt.Fprintf(e.out, "\ngroups: %s; a %s counts with %d rows in each of %d groups at most\n", x.Groups, x.Privacy.Unit, x.Bounds.Rows, x.Bounds.Groups)
	fmt.Fprintf(e.out, "cost: ε %s, δ %s; %s\n", x.Cost.Epsilon, x.Cost.Delta, x.Privacy.Claim)
	e.showStandings(x.Budget)
	if x.Fits != nil && !*x.Fits {
		fmt.Fprintln(e.out, "there is no room for this question")
		e.showOffers(x.Explanation)
	} else if x.Remaining != nil {
		fmt.Fprintf(e.out, "room for %s of them\n", manyOf(x.Remaining.More))
	}
	for _, note := range x.Notes {
		fmt.Fprintln(e.out, printable(note))
	}
	return nil
}

func (e *env) showOffers(x *query.Explanation) {
	if x.Offer == nil {
		return
	}
	for _, o := range append([]query.Offer{*x.Offer}, x.Others...) {
		fmt.Fprintf(e.out, "there is room for: %s, with --epsilon %s", o.Note, o.Epsilon)
		if o.Groups > 0 {
			fmt.Fprintf(e.out, " --groups %d", o.Groups)
		}
		for _, one := range o.Errors {
			fmt.Fprintf(e.out, "; %s ± %s", one.Of, one.HalfWidth)
		}
		fmt.Fprintln(e.out)
	}
}

func manyOf(n int64) string {
	if n == math.MaxInt64 || n >= 1_000_000 {
		return "a million or more"
	}
	return strconv.FormatInt(n, 10)
}

func (e *env) showStandings(all []ask.Standing) {
	for _, s := range all {
		fmt.Fprintf(e.out, "left of the %s's ε %s, δ %s: %.1f%%\n", s.Of, s.Epsilon, s.Delta, 100*s.Left)
	}
}

func (e *env) showDatasets(body []byte) error {
	var out struct {
		Datasets []ask.Listed `json:"datasets"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return err
	}
	t := table{head: true}
	t.add("dataset", "unit", "tables", "claim")
	for _, d := range out.Datasets {
		claim := "formal"
		if !d.Formal {
			claim = "none"
		}
		t.add(d.Name, d.Unit, strings.Join(d.Tables, ", "), claim)
	}
	t.write(e.out, e.style(e.out), "")
	return nil
}

func (e *env) showDataset(body []byte) error {
	var d ask.Described
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s: all answers together are (%s, %s)-differentially private for one %s; a question costs %s at most\n", d.Name, d.Epsilon, d.Delta, d.Unit, d.Costs.Most)
	for _, one := range d.Tables {
		whose := strings.Join(one.Unit, ", ")
		switch {
		case one.Public:
			whose = "public"
		case one.Reference != nil:
			whose = fmt.Sprintf("%s → %s.%s", one.Reference.Column, one.Reference.Table, one.Reference.To)
		}
		fmt.Fprintf(e.out, "\n%s (%s)\n", one.Name, whose)
		t := table{head: true}
		t.add("column", "type", "bounds", "values", "label")
		for _, c := range one.Columns {
			bounds := ""
			if c.Min != "" || c.Max != "" {
				bounds = c.Min + " … " + c.Max
			}
			t.add(c.Name, c.Type, bounds, shortened(c.Values), string(c.Label))
		}
		t.write(e.out, e.style(e.out), "  ")
	}
	return nil
}

// shortened lists some of many values.
func shortened(values []string) string {
	const some = 6
	if len(values) > some {
		return strings.Join(values[:some], ", ") + fmt.Sprintf(", … (%d)", len(values))
	}
	return strings.Join(values, ", ")
}

func (e *env) showLeft(body []byte) error {
	var b ask.Budgets
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s: all answers together are (%s, %s)-differentially private for one %s\n", b.Dataset, b.Epsilon, b.Delta, b.Unit)
	e.showStandings(b.Budget)
	if b.Note != "" {
		fmt.Fprintln(e.out, b.Note)
	}
	return nil
}
