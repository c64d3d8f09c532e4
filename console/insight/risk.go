package insight

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/store"
)

// Score is a way to say how much recipients may know. It says how its figures are made and what they are not, so that nobody takes
// them for more than they are. What comes later adds one to [Options.Scores].
type Score struct {
	ID, Title string
	Made      string // how the figures are made
	Not       string // what they are not
	Empty     string // what it means that there are none
	Of        func(context.Context) (Figures, error)
}

// Figures are a score's table.
type Figures struct {
	Columns []string `json:"columns"`
	Rows    [][]Cell `json:"rows"`
	More    bool     `json:"more,omitempty"` // rows that are not here
	Note    string   `json:"note,omitempty"` // from when and of what the figures are
}

// Cell is a text or a number, a level, and maybe an address.
type Cell struct {
	Text  string      `json:"text"`
	Num   bool        `json:"num,omitempty"`
	Level *flow.Level `json:"level,omitempty"`
	Link  string      `json:"link,omitempty"`
}

// Scored is a score with its figures.
type Scored struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Made  string `json:"made"`
	Not   string `json:"not"`
	Empty string `json:"empty,omitempty"`
	Figures
}

// Risk is the page.
type Risk struct {
	Scores []Scored `json:"scores"`
}

const mostRows = 200

func (p *pages) riskPages(g *page.Group) {
	page.Add(g, page.Page[Risk]{
		Path: "/risk", Title: "Risk", Summary: "What recipients hold together, what was made coarser for it, tables and answers that left, and alarms: figures, how each is made, and what it is not.",
		Template: "risk.html", Role: page.Viewer, Model: func(ctx context.Context, _ *page.Request) (out Risk, err error) {
			for _, s := range append(p.scores(), p.Scores...) {
				f, err := s.Of(ctx)
				if err != nil {
					return out, fmt.Errorf("%s: %w", s.ID, err)
				}
				if f.Rows == nil {
					f.Rows = [][]Cell{}
				}
				if f.More = f.More || len(f.Rows) > mostRows; f.More {
					f.Rows = f.Rows[:min(len(f.Rows), mostRows)]
				}
				out.Scores = append(out.Scores, Scored{s.ID, s.Title, s.Made, s.Not, s.Empty, f})
			}
			return out, nil
		},
	})
}

func (p *pages) scores() []Score {
	return []Score{
		{
			ID: "held", Title: "What recipients hold", Of: p.heldFigures,
			Made:  "The exposure memory keeps, for each recipient domain and person, which labels it was shown at which level. These are its rows, counted.",
			Not:   "Not what a recipient knows: what it has from elsewhere, from tables, or from before the memory was in force is not in it. Tasks about somebody unknown count as people.",
			Empty: "Nothing is held, or no exposure rules are in force. The next step is exposure in the configuration.",
		},
		{
			ID: "coarser", Title: "Combinations that were made coarser", Of: p.coarserFigures,
			Made:  "Values that a recipient was shown at a coarser level because of what its domain held already, counted in the newest entries of the log.",
			Not:   "Not how many people would have been singled out: a rule says which combinations may, for everybody alike.",
			Empty: "No combination was made coarser among these entries.",
		},
		{
			ID: "tables", Title: "Tables that left", Of: p.tableFigures,
			Made:  "What the manifests of released tables promise, as the log has it: k and l of their groups, t, and the highest risk of one row, measured on what was published.",
			Not:   "Not a promise about two tables together, nor about somebody who knows more than the quasi-identifiers that the plan names.",
			Empty: "No table was released among these entries.",
		},
		{
			ID: "answers", Title: "Privacy loss by recipient", Of: p.lossFigures,
			Made:  "What the ledger charged to each domain for answers with noise: ε added up simply, which overstates what many answers cost together.",
			Not:   "Not a guarantee for one recipient: only the budget of the whole dataset is, because recipients may talk to each other.",
			Empty: "No domain was charged for an answer.",
		},
		{
			ID: "alarms", Title: "Alarms", Of: p.alarmFigures,
			Made:  "Alarms of the last 30 days, at most 1,000, by what was noticed and whose behaviour it was.",
			Not:   "Not proof of ill will: a wrong configuration probes too.",
			Empty: "Nothing was noticed in 30 days.",
		},
	}
}

func text(s string) Cell         { return Cell{Text: s} }
func num(n int64) Cell           { return Cell{Text: strconv.FormatInt(n, 10), Num: true} }
func level(l flow.Level) Cell    { return Cell{Text: l.String(), Level: &l} }
func linked(s, link string) Cell { return Cell{Text: s, Link: link} }
func flowCell(id flow.ID) Cell   { return linked(string(id), "/flows/"+url.PathEscape(string(id))) }
func window(s recent.Seen) string {
	if s.Last == 0 {
		return ""
	}
	note := fmt.Sprintf("Entries %d to %d of the log.", s.First, s.Last)
	if s.Behind > 0 {
		note += fmt.Sprintf(" %d are still being read.", s.Behind)
	}
	return note
}

func (p *pages) look(ctx context.Context) (recent.Seen, error) {
	if p.Recent == nil {
		return recent.Seen{}, nil
	}
	return p.Recent.Look(ctx)
}

func (p *pages) coarserFigures(ctx context.Context) (Figures, error) {
	f := Figures{Columns: []string{"Recipient", "Label", "Shown as", "Values"}}
	s, err := p.look(ctx)
	f.Note = window(s)
	for _, one := range s.Shown {
		if one.By == flow.ByExposure {
			f.Rows = append(f.Rows, []Cell{text(string(one.Domain)), text(string(one.Label)), level(one.Level), num(one.Values)})
		}
	}
	return f, err
}

func (p *pages) tableFigures(ctx context.Context) (Figures, error) {
	f := Figures{Columns: []string{"Time", "Table", "To", "Rows", "k", "l", "Highest risk", "Story"}}
	s, err := p.look(ctx)
	f.Note = window(s)
	for _, t := range s.Tables {
		f.Rows = append(f.Rows, []Cell{
			text(t.Time.UTC().Format(time.DateTime)), text(t.Of), text(string(t.To.Agent) + " of " + string(t.To.Domain)), num(t.Table.Out), num(int64(t.Table.K)), num(int64(t.Table.L)),
			{Text: strconv.FormatFloat(float64(t.Table.Risk)/10, 'f', 1, 64) + " %", Num: true}, flowCell(t.Flow),
		})
	}
	return f, err
}

func (p *pages) lossFigures(ctx context.Context) (Figures, error) {
	f := Figures{Columns: []string{"Recipient", "Dataset", "ε added up", "Entries"}}
	if p.Spending == nil {
		return f, nil
	}
	all, err := p.Spending.Ledger.Budgets(ctx)
	if err != nil {
		return f, err
	}
	for _, b := range all {
		standings, more, err := p.Spending.Ledger.ScopesAfter(ctx, budget.ScopeQuery{After: budget.Scope{Dataset: b.Dataset}, Level: budget.Domain, Most: mostRows})
		if err != nil {
			return f, err
		}
		f.More = f.More || more
		sums := map[flow.DomainID]budget.Standing{}
		for _, st := range standings { // of each block
			have := sums[st.Scope.Domain]
			have.Spent, have.Entries = have.Spent.Add(st.Spent), have.Entries+st.Entries
			sums[st.Scope.Domain] = have
		}
		for domain, st := range sums {
			if st.Entries == 0 {
				continue
			}
			spent := flow.Decimal(st.Spent.Epsilon, 9)
			if st.Spent.Epsilon == account.Infinite {
				spent = "no bound by this sum"
			}
			f.Rows = append(f.Rows, []Cell{
				text(string(domain)), linked(b.Dataset, "/budgets/"+url.PathEscape(b.Dataset)+"?"+url.Values{"domain": {string(domain)}}.Encode()), {Text: spent, Num: true}, num(st.Entries),
			})
		}
	}
	slices.SortFunc(f.Rows, func(a, b []Cell) int {
		return cmp.Or(cmp.Compare(a[0].Text, b[0].Text), cmp.Compare(a[1].Text, b[1].Text))
	})
	return f, nil
}

func (p *pages) alarmFigures(ctx context.Context) (Figures, error) {
	f := Figures{Columns: []string{"Noticed", "Whose behaviour", "Alarms", "Newest"}}
	if p.Ledger.DB == nil {
		return f, nil
	}
	all, err := alarm.Raised(ctx, p.Ledger.DB, p.Clock().AddDate(0, 0, -30), 1000)
	if err != nil {
		return f, err
	}
	type key struct {
		kind   alarm.Kind
		domain flow.DomainID
		agent  flow.AgentID
	}
	count, newest := map[key]int64{}, map[key]time.Time{}
	var order []key
	for _, a := range all { // the newest first
		k := key{a.Kind, a.Domain, a.Agent}
		if count[k]++; count[k] == 1 {
			newest[k] = a.Time
			order = append(order, k)
		}
	}
	for _, k := range order {
		who := string(k.domain)
		if k.agent != "" {
			who = string(k.agent) + " of " + who
		}
		f.Rows = append(f.Rows, []Cell{text(string(k.kind)), text(who), num(count[k]), text(newest[k].UTC().Format(time.DateTime))})
	}
	return f, nil
}

// held counts what audiences hold, now and then: it reads all that is kept.
type held struct {
	db    store.DB
	begin func(func(context.Context))
	clock func() time.Time

	mu   sync.Mutex
	busy bool
	at   time.Time
	all  []exposure.HeldLabel
	err  error
}

const (
	freshFor = time.Minute
	patience = 20 * time.Millisecond
)

func (h *held) look(ctx context.Context) ([]exposure.HeldLabel, time.Time, error) {
	h.mu.Lock()
	start := !h.busy && h.clock().Sub(h.at) > freshFor
	h.busy = h.busy || start
	h.mu.Unlock()
	if start {
		done := make(chan struct{})
		work := func(ctx context.Context) {
			defer close(done)
			now := h.clock()
			var all []exposure.HeldLabel
			err := h.db.View(ctx, func(tx store.Tx) (err error) {
				all, err = exposure.Census(tx, now)
				return err
			})
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.busy, h.err = false, err; err == nil {
				h.all, h.at = all, now
			}
		}
		if h.begin == nil {
			work(ctx)
		} else {
			h.begin(work)
		}
		wait := time.NewTimer(patience)
		defer wait.Stop()
		select {
		case <-done:
		case <-wait.C:
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all, h.at, h.err
}

func (p *pages) heldFigures(ctx context.Context) (Figures, error) {
	f := Figures{Columns: []string{"Recipient", "Label", "Level", "People", "Facts"}}
	if p.Ledger.DB == nil {
		return f, nil
	}
	all, at, err := p.held.look(ctx)
	if err != nil {
		return f, err
	}
	if at.IsZero() {
		f.Note = "It is being counted; load the page again in a moment."
		return f, nil
	}
	f.Note = "As of " + at.UTC().Format(time.DateTime) + "."
	for _, h := range all {
		f.Rows = append(f.Rows, []Cell{text(string(h.Audience)), text(string(h.Label)), level(h.Level), num(h.Subjects), num(h.Facts)})
	}
	return f, nil
}
