package budgets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// Block is one part of a dataset, with a budget of its own.
type Block struct {
	Block   int64     `json:"block"`
	Begins  time.Time `json:"begins,omitzero"`
	Left    float64   `json:"left"`
	Entries int64     `json:"entries"`
	Link    string    `json:"link"`
	Shown   bool      `json:"shown"`
}

// Consumer is a scope below a dataset: what it spent, and its quota.
type Consumer struct {
	Scope   budget.Scope `json:"scope"`
	Level   string       `json:"level"`
	Depth   int          `json:"depth"`
	Name    string       `json:"name"`
	Spent   api.Amount   `json:"spent_epsilon"` // added up simply, which overstates what many small answers cost together
	Share   float64      `json:"share"`         // of what the dataset spent, by the same sum
	Quota   api.Amount   `json:"quota_epsilon,omitempty"`
	Delta   api.Amount   `json:"quota_delta,omitempty"`
	Left    float64      `json:"left"`
	Entries int64        `json:"entries"`
	Link    string       `json:"link"`
}

// Dataset is the page of one dataset.
type Dataset struct {
	Dataset   string            `json:"dataset"`
	Unit      string            `json:"unit"`
	Window    time.Duration     `json:"window_ns,omitempty"`
	Refresh   bool              `json:"refresh"`
	Epsilon   api.Amount        `json:"claim_epsilon"`
	Delta     api.Amount        `json:"claim_delta"`
	Block     int64             `json:"block"`
	Blocks    []Block           `json:"blocks"`
	MoreBlock bool              `json:"more_blocks"`
	Scope     budget.Scope      `json:"scope"`
	Standing  api.StandingView  `json:"standing"`
	State     string            `json:"state"`
	Points    []Point           `json:"points"`
	Untold    bool              `json:"untold"` // there are too many series to keep this one
	Behind    int64             `json:"behind"`
	Days      int64             `json:"days"`
	Forecast  *api.ForecastView `json:"forecast,omitempty"`
	Consumers []Consumer        `json:"consumers"`
	Next      string            `json:"next,omitempty"`
	Refusals  []recent.Refusal  `json:"refusals"`
	Looked    recent.Seen       `json:"looked_at"`
	Streams   []stream.Info     `json:"streams"`
	Versions  *Versions         `json:"versions,omitempty"`
	Governed  bool              `json:"governed"`
	Agents    []string          `json:"agents,omitempty"` // that questions can be explained for
}

// Versions say when the data counts as changed.
type Versions struct {
	From  time.Time     `json:"from"`
	Every time.Duration `json:"every_ns,omitempty"`
}

func (p *pages) dataset(ctx context.Context, r *page.Request) (out Dataset, err error) {
	if p.Spending == nil {
		return out, page.ErrNotFound
	}
	b, err := p.declared(ctx, r.PathValue("dataset"))
	if err != nil {
		return out, err
	}
	out = Dataset{
		Dataset: b.Dataset, Unit: b.Unit.Name, Window: b.Unit.Window, Refresh: b.Refresh, Governed: p.Governed != nil && p.Governed(),
		Epsilon: api.Amount(flow.Decimal(b.Claim.Epsilon, 9)), Delta: api.Amount(flow.Decimal(b.Claim.Delta, 15)),
		Scope:    budget.Scope{Dataset: b.Dataset, Domain: flow.DomainID(r.Q("domain")), Workflow: r.Q("workflow"), Agent: r.Q("agent"), Contract: r.Q("contract")},
		Refusals: []recent.Refusal{}, Streams: []stream.Info{}, Consumers: []Consumer{},
	}
	if out.Days, err = page.Number(r, "days", int64(7)); err != nil {
		return out, err
	}
	if out.Days < 1 || out.Days > 3660 {
		return out, page.Wrong("days: it is not between 1 and 3660")
	}
	if out.Behind, err = p.burn.follow(ctx); err != nil {
		return out, err
	}
	whole, err := p.blocks(ctx, r, b, &out)
	if err != nil {
		return out, err
	}
	if err = p.standing(ctx, whole, &out); err != nil {
		return out, err
	}
	if err = p.consumers(ctx, r, whole, &out); err != nil {
		return out, err
	}
	return out, p.beside(ctx, &out)
}

func (p *pages) declared(ctx context.Context, name string) (*budget.Budget, error) {
	all, err := p.Spending.Ledger.Budgets(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(b budget.Budget) bool { return b.Dataset == name })
	if i < 0 {
		return nil, page.ErrNotFound
	}
	return &all[i], nil
}

// blocks fills in the blocks and which of them is shown, and returns the dataset's own standing there.
func (p *pages) blocks(ctx context.Context, r *page.Request, b *budget.Budget, out *Dataset) (budget.Standing, error) {
	standings, err := p.Spending.Ledger.Remaining(ctx, budget.Scope{Dataset: b.Dataset}, budget.Range{})
	if err != nil {
		return budget.Standing{}, known(err)
	}
	least := slices.MinFunc(standings, func(x, y budget.Standing) int {
		return cmp.Or(cmp.Compare(x.Left(), y.Left()), cmp.Compare(y.Block, x.Block))
	})
	if out.Block, err = page.Number(r, "block", least.Block); err != nil {
		return budget.Standing{}, err
	}
	i := slices.IndexFunc(standings, func(s budget.Standing) bool { return s.Block == out.Block })
	if i < 0 {
		return budget.Standing{}, page.ErrNotFound
	}
	own := standings[i]
	out.MoreBlock = len(standings) > blocksPage
	for _, st := range slices.Backward(standings[max(0, len(standings)-blocksPage):]) {
		one := Block{Block: st.Block, Left: st.Left(), Entries: st.Entries, Shown: st.Block == out.Block, Link: address(b.Dataset, url.Values{"block": {itoa(st.Block)}})}
		if b.Blocks.Kind == budget.BlocksTime {
			one.Begins = b.Blocks.From.Add(time.Duration(st.Block) * b.Blocks.Width).UTC()
		}
		out.Blocks = append(out.Blocks, one)
	}
	return own, nil
}

// standing fills in where the scope that is shown stands, and how it came there.
func (p *pages) standing(ctx context.Context, whole budget.Standing, out *Dataset) error {
	st := whole
	if out.Scope.Domain != "" || out.Scope.Workflow != "" || out.Scope.Agent != "" || out.Scope.Contract != "" {
		path, err := p.Spending.Ledger.Remaining(ctx, out.Scope, budget.Range{From: out.Block, To: out.Block + 1})
		if err != nil {
			return known(err)
		}
		st = path[len(path)-1]
	}
	out.Standing, out.State = p.Spending.View(st), stateOf(st.Left())
	out.Points = p.burn.points(st.Scope, out.Block, p.Clock())
	out.Untold = p.burn.untold(st)
	if st.Plan != nil {
		now := p.Clock()
		f := p.burn.forecast(st, now.Add(-time.Duration(out.Days)*24*time.Hour), now)
		out.Forecast = &f
	}
	return nil
}

// untold reports whether a place has no series though something was charged to it.
func (b *burn) untold(st budget.Standing) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left && st.Entries > 0 && b.series[place{st.Scope, st.Block}] == nil
}

func (p *pages) consumers(ctx context.Context, r *page.Request, whole budget.Standing, out *Dataset) error {
	after := budget.Scope{Dataset: out.Dataset}
	if c := r.Q("after"); c != "" {
		if err := json.Unmarshal([]byte(c), &after); err != nil {
			return page.Wrong("after: it is not what the page before gave")
		}
		after.Dataset = out.Dataset
	}
	all, more, err := p.Spending.Ledger.ScopesAfter(ctx, budget.ScopeQuery{After: after, Most: consumersPage, Blocks: budget.Range{From: out.Block, To: out.Block + 1}})
	if err != nil {
		return known(err)
	}
	for _, st := range all {
		c := Consumer{
			Scope: st.Scope, Level: st.Level.String(), Depth: depth(st.Level), Name: lastName(st.Scope), Left: st.Left(), Entries: st.Entries,
			Spent: amount(st.Spent.Epsilon, 9), Link: address(out.Dataset, scopeQuery(st.Scope, out.Block)),
		}
		if st.Plan != nil {
			c.Quota, c.Delta = amount(st.Plan.Epsilon, 9), amount(st.Plan.Delta, 15)
		}
		if e := whole.Spent.Epsilon; e > 0 && e != account.Infinite && st.Spent.Epsilon != account.Infinite {
			c.Share = float64(st.Spent.Epsilon) / float64(e)
		} else if whole.Entries > 0 {
			c.Share = float64(st.Entries) / float64(whole.Entries)
		}
		out.Consumers = append(out.Consumers, c)
	}
	if more {
		cursor, err := json.Marshal(all[len(all)-1].Scope)
		if err != nil {
			return err
		}
		q := scopeQuery(out.Scope, out.Block)
		q.Set("after", string(cursor))
		out.Next = address(out.Dataset, q)
	}
	return nil
}

// beside fills in refusals, streams, versions and who may ask.
func (p *pages) beside(ctx context.Context, out *Dataset) error {
	seen, err := p.seen(ctx)
	if err != nil {
		return err
	}
	for _, f := range seen.Refusals {
		if of(f.Reason, out.Dataset) && len(out.Refusals) < 50 {
			out.Refusals = append(out.Refusals, f)
		}
	}
	seen.Refusals, seen.Shown, seen.Tables = nil, nil, nil
	out.Looked = seen
	if p.Streams != nil {
		all, err := p.Streams.List(ctx)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Dataset == out.Dataset {
				out.Streams = append(out.Streams, s)
			}
		}
	}
	if p.Snapshot == nil {
		return nil
	}
	snap := p.Snapshot()
	if d := snap.Datasets[out.Dataset]; d != nil {
		if !d.Schedule.From.IsZero() {
			out.Versions = &Versions{From: d.Schedule.From.UTC(), Every: d.Schedule.Every}
		}
		if p.Questions != nil {
			for id := range snap.Agents {
				out.Agents = append(out.Agents, string(id))
			}
			slices.Sort(out.Agents)
		}
	}
	return nil
}

// of reports whether a refusal's reason is about a dataset: the ledger names the scope after the rule.
func of(reason, dataset string) bool {
	_, scope, ok := strings.Cut(reason, budget.ErrExhausted.Error()+": ")
	if !ok {
		return false
	}
	rest, ok := strings.CutPrefix(scope, dataset)
	return ok && (rest == "" || strings.ContainsRune("/,: ", rune(rest[0])))
}

func depth(l budget.Level) int {
	switch l {
	case budget.Workflow:
		return 1
	case budget.Agent:
		return 2
	case budget.Contract:
		return 1
	}
	return 0
}

func lastName(s budget.Scope) string {
	switch {
	case s.Contract != "":
		return s.Contract
	case s.Agent != "":
		return s.Agent
	case s.Workflow != "":
		return s.Workflow
	}
	return string(s.Domain)
}

func amount(n int64, places int) api.Amount {
	if n == account.Infinite {
		return "infinite"
	}
	return api.Amount(flow.Decimal(n, places))
}

// chart is what the script that draws the line reads, from an attribute.
func chart(points []Point) (string, error) {
	c := struct {
		T      []int64   `json:"t"`
		Left   []float64 `json:"left"`
		Plan   []float64 `json:"plan"`
		Replan []int64   `json:"replan"`
	}{[]int64{}, []float64{}, []float64{}, []int64{}}
	for _, pt := range points {
		c.T, c.Left, c.Plan = append(c.T, pt.At.Unix()), append(c.Left, pt.Left), append(c.Plan, pt.Plan)
		if pt.Replan {
			c.Replan = append(c.Replan, pt.At.Unix())
		}
	}
	b, err := json.Marshal(c)
	return string(b), err
}

// Entry is one line of the ledger.
type Entry struct {
	Seq     int64        `json:"seq"`
	At      time.Time    `json:"at"`
	Kind    string       `json:"kind"`
	Scope   string       `json:"scope"`
	Blocks  budget.Range `json:"blocks"`
	Epsilon api.Amount   `json:"epsilon,omitempty"`
	Rho     api.Amount   `json:"rho,omitempty"`
	Count   int64        `json:"count,omitempty"`
	Plan    string       `json:"plan,omitempty"`
	Charge  string       `json:"charge,omitempty"`
}

// Entries is a page of the ledger.
type Entries struct {
	Dataset string  `json:"dataset"`
	Writer  int64   `json:"writer"`
	Writers []int64 `json:"writers"`
	Entries []Entry `json:"entries"`
	Older   string  `json:"older,omitempty"`
	Scanned int64   `json:"scanned"`
}

var errChain = errors.New("the ledger has no such chain")

func (p *pages) entries(ctx context.Context, r *page.Request) (out Entries, err error) {
	out = Entries{Dataset: r.PathValue("dataset"), Entries: []Entry{}}
	if p.Spending == nil {
		return out, page.ErrNotFound
	}
	if _, err := p.declared(ctx, out.Dataset); err != nil {
		return out, err
	}
	heads, err := p.Spending.Ledger.Heads(ctx)
	if err != nil {
		return out, err
	}
	end := int64(0)
	if out.Writer, err = page.Number(r, "writer", int64(0)); err != nil {
		return out, err
	}
	for _, h := range heads {
		out.Writers = append(out.Writers, h.Writer)
		if out.Writer == 0 && h.Seq > 0 || out.Writer == h.Writer {
			out.Writer, end = h.Writer, h.Seq
		}
	}
	if len(heads) > 0 && out.Writer != 0 && !slices.Contains(out.Writers, out.Writer) {
		return out, page.Wrong("writer: %v", errChain)
	}
	before, err := page.Number(r, "before", end+1)
	if err != nil {
		return out, err
	}
	before = min(before, end+1)
	last, err := p.scan(ctx, &out, before)
	if err == nil && last > 1 {
		out.Older = "/budgets/" + url.PathEscape(out.Dataset) + "/entries?" + url.Values{"writer": {itoa(out.Writer)}, "before": {itoa(last)}}.Encode()
	}
	return out, err
}

// scan reads a chain backwards, a stretch at a time, and returns the number of the last entry that it looked at.
func (p *pages) scan(ctx context.Context, out *Entries, before int64) (int64, error) {
	const stretch = 200
	for before > 1 && len(out.Entries) < entriesPage && out.Scanned < mostScanned {
		from := max(1, before-stretch)
		var part []Entry
		for e, err := range p.Spending.Ledger.Entries(ctx, budget.Query{Writer: out.Writer, After: from - 1}) {
			if err != nil {
				return 0, err
			}
			if e.Seq >= before {
				break
			}
			out.Scanned++
			if e.Scope.Dataset == out.Dataset {
				part = append(part, entryView(&e))
			}
		}
		slices.Reverse(part)
		if room := entriesPage - len(out.Entries); len(part) > room {
			out.Entries = append(out.Entries, part[:room]...)
			return part[room-1].Seq, nil
		}
		out.Entries, before = append(out.Entries, part...), from
	}
	return before, nil
}

func entryView(e *budget.Entry) Entry {
	v := Entry{Seq: e.Seq, At: e.At.UTC(), Kind: e.Kind.String(), Scope: e.Scope.String(), Blocks: e.Blocks, Count: e.Count}
	if e.ID != (budget.ID{}) {
		v.Charge = e.ID.String()
	}
	if e.Cost != (account.Vector{}) {
		v.Epsilon, v.Rho = amount(e.Cost.Epsilon, 9), amount(e.Cost.Rho, 9)
	}
	switch {
	case e.Plan != nil:
		v.Plan = "ε " + flow.Decimal(e.Plan.Epsilon, 9) + ", δ " + flow.Decimal(e.Plan.Delta, 15)
	case e.Kind == budget.Quota:
		v.Plan = "none"
	}
	return v
}
