package trust

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/alarm"
)

// Log is how the log stands.
type Log struct {
	Absent     bool             `json:"absent,omitempty"`
	Origin     string           `json:"origin,omitempty"`
	Key        string           `json:"key,omitempty"` // in the form of note verifiers
	Rows       int64            `json:"rows"`
	Waiting    int64            `json:"waiting"` // rows that are not in the tree yet
	Oldest     time.Duration    `json:"oldest,omitempty"`
	MergeDelay time.Duration    `json:"merge_delay,omitempty"`
	Stopped    string           `json:"stopped,omitempty"` // why nothing is released
	Tree       string           `json:"tree,omitempty"`    // of Checkpoint
	Checkpoint *Checkpoint      `json:"checkpoint,omitempty"`
	Trees      []Tree           `json:"trees,omitempty"`
	Archived   []Checkpoint     `json:"archived,omitempty"` // of Tree, the newest first
	Witnesses  *api.WitnessView `json:"witnesses,omitempty"`
	Verified   Verification     `json:"verified"`
	Problem    string           `json:"problem,omitempty"` // that kept something from being read
}

// Checkpoint is what the log signed.
type Checkpoint struct {
	Size int64     `json:"size"`
	Root string    `json:"root"`
	Time time.Time `json:"time,omitzero"` // when it was archived
	Note string    `json:"note,omitempty"`
}

// Tree is the rows of one period.
type Tree struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
	First  int64  `json:"first"`
	Size   int64  `json:"size"` // leaves that are published
}

const mostArchived = 20

func (p *Pages) addLog(g *page.Group) {
	page.Add(g, page.Page[Log]{
		Path: "/log", Title: "Log", Summary: "The checkpoint that is published, what waits for it, the witnesses, the trees, and checkpoints kept by date.",
		Template: "log.html", Role: page.Viewer, Model: p.log, Query: []page.Param{{Name: "tree", What: "whose checkpoints are listed; absent: the newest"}},
	})
	page.Add(g, page.Page[Rows]{
		Path: "/log/rows", Title: "Entries of the log", Summary: "Entries of the journal, the newest first, by flow, method, outcome and who took part.",
		Template: "rows.html", Role: page.Viewer, Model: p.rows,
		Query: []page.Param{
			{Name: "before", What: "entries before this number"}, {Name: "flow", What: "of this flow"}, {Name: "method", What: "of methods that begin so, such as console/"},
			{Name: "outcome", What: "with this outcome"}, {Name: "who", What: "an agent or a domain that takes part"},
		},
	})
	page.Add(g, page.Page[Row]{
		Path: "/log/rows/{seq}", Title: "Entry of the log", Summary: "One entry with the bytes that the log has of it and their hash.",
		Template: "row.html", Role: page.Viewer, Model: p.row,
	})
	page.Add(g, page.Page[Verification]{
		Path: "/log/verification", Title: "Verification of the log", Summary: "How far the verification of the log is, and what the last one found.",
		Template: "verification.html", Role: page.Viewer, Model: flat(func(*page.Request) (Verification, error) { return p.check.now(), nil }),
	})
	page.Do(g, page.Action[struct{}, Verification]{
		Path: "/log/verification", Name: "console/verify-log", Title: "Verify the log", Role: page.Steward,
		Summary: "Begins to compare every row with its leaf and every hash with the signed roots. It goes on until it is done; there is one at a time.",
		Then:    func(struct{}, Verification) string { return "/log/verification" },
		Do: func(ctx context.Context, r *page.Request, _ struct{}) (Verification, error) {
			rows := int64(0)
			if p.Ledger.Journal != nil {
				rows, _ = p.Ledger.Journal.Rows(ctx) // for the progress alone
			}
			err := p.check.start(r.Who.Name, rows, p.now)
			return p.check.now(), err
		},
	})
	page.Add(g, page.Page[struct{}]{
		Path: "/log/receipt", Title: "Verify a receipt", Summary: "A form that verifies a receipt step by step.", Template: "receipt.html", Role: page.Viewer,
		Model: flat(func(*page.Request) (struct{}, error) { return struct{}{}, nil }),
	})
	page.Do(g, page.Action[ReceiptRequest, Checked]{
		Path: "/log/receipt", Name: "console/verify-receipt", Title: "Receipt", ReadOnly: true, Role: page.Viewer, Template: "checked.html", Do: p.verifyReceipt,
		Summary: "Verifies a pasted receipt, or that of a flow or an entry, and tells each step. The text is not kept.",
	})
	page.Add(g, page.Page[Alarms]{
		Path: "/log/alarms", Title: "Alarms", Summary: "What was noticed of callers that behave as those who probe, what it means and what to do.",
		Template: "alarms.html", Role: page.Viewer, Model: p.alarms, Query: []page.Param{{Name: "days", What: "so many days back; absent: 30"}},
	})
}

func (p *Pages) log(ctx context.Context, r *page.Request) (m Log, err error) {
	m.Verified = p.check.now()
	j := p.Ledger.Journal
	if j == nil {
		m.Absent = true
		return m, nil
	}
	m.Origin, m.Oldest, m.MergeDelay = j.Origin(), j.Waits(), j.MergeDelay()
	if m.Key, err = tile.VerifierKey(m.Origin, j.Key()); err != nil {
		return m, err
	}
	if m.Rows, err = j.Rows(ctx); err != nil {
		return m, err
	}
	if m.Oldest > 0 {
		m.Waiting = max(m.Rows-j.Sequenced(), 0)
	}
	if why := j.Healthy(); why != nil {
		m.Stopped = why.Error()
	}
	trees := j.Trees()
	for _, t := range slices.Backward(trees) {
		m.Trees = append(m.Trees, Tree{Name: t.Name, Origin: t.Origin, First: t.First, Size: p.published(ctx, t).Size})
	}
	if len(trees) > 0 {
		at := trees[len(trees)-1]
		if name := r.Q("tree"); name != "" {
			i := slices.IndexFunc(trees, func(t audit.Tree) bool { return t.Name == name })
			if i < 0 {
				return m, page.ErrNotFound
			}
			at = trees[i]
		}
		m.Tree = at.Name
		if c := p.published(ctx, at); c.Note != nil {
			m.Checkpoint = &Checkpoint{Size: c.Size, Root: c.Root.String(), Note: string(c.Note)}
		}
		kept, err := j.Archived(at.Name, mostArchived)
		if err != nil {
			m.Problem = "a checkpoint that was kept cannot be believed: verify the log"
		}
		for _, a := range kept {
			m.Archived = append(m.Archived, Checkpoint{Size: a.Size, Root: a.Root.String(), Time: a.Time, Note: string(a.Note)})
		}
	}
	if p.Witnessing != nil {
		v, err := api.ShowWitness(ctx, p.Witnessing, api.ShowRequest{})
		if err != nil {
			return m, err
		}
		m.Witnesses = &v
	}
	return m, nil
}

// published is a tree's checkpoint as readers see it; zero if there is none that the log's key signed.
func (p *Pages) published(ctx context.Context, t audit.Tree) tile.Checkpoint {
	signed, err := p.Ledger.Journal.Tree(t.Name).Checkpoint(ctx)
	if err != nil {
		return tile.Checkpoint{}
	}
	c, err := tile.ParseCheckpoint(signed, t.Origin, p.Ledger.Journal.Key())
	if err != nil {
		return tile.Checkpoint{}
	}
	return c
}

// Bounds of what is looked at for one page.
const (
	rowsShown  = 50
	rowsLooked = 4096
	rowsAtOnce = 256
	rowsTime   = 30 * time.Millisecond // after which no further step begins, so that a busy machine answers too
)

// RowsFilter says which entries.
type RowsFilter struct {
	Before  int64        `json:"before,omitempty"`
	Flow    flow.ID      `json:"flow,omitempty"`
	Method  string       `json:"method,omitempty"`
	Outcome flow.Outcome `json:"outcome,omitempty"`
	Who     string       `json:"who,omitempty"`
}

// Rows are entries of the journal.
type Rows struct {
	Filter   RowsFilter     `json:"filter"`
	Rows     []RowView      `json:"rows"`
	Looked   int64          `json:"looked"`            // how many entries were looked at
	Next     int64          `json:"next,omitempty"`    // before which entry to look on; 0: that was all
	Outcomes []flow.Outcome `json:"-"`                 // to choose from
	All      int64          `json:"all"`               // entries that there are
	Changes  bool           `json:"changes,omitempty"` // changes made in the console are asked for
}

// RowView is an entry in a list.
type RowView struct {
	Seq     int64        `json:"seq"`
	Time    time.Time    `json:"time"`
	Flow    flow.ID      `json:"flow"`
	From    flow.Party   `json:"from"`
	To      flow.Party   `json:"to"`
	Method  string       `json:"method,omitempty"`
	Outcome flow.Outcome `json:"outcome"`
	Reason  string       `json:"reason,omitempty"`
	Pruned  bool         `json:"pruned,omitempty"`
}

var outcomes = []flow.Outcome{
	flow.Released, flow.Refused, flow.Replayed, flow.Conflict, flow.Opened, flow.Segment, flow.Closed, flow.Watched, flow.Fetched, flow.Asked, flow.Issued,
	flow.Budgeted, flow.Erased, flow.Changed,
}

func (p *Pages) rows(ctx context.Context, r *page.Request) (Rows, error) {
	m := Rows{Rows: []RowView{}, Outcomes: outcomes}
	if err := page.Decode(r.URL.Query(), &m.Filter); err != nil {
		return m, err
	}
	f := &m.Filter
	if f.Before < 0 {
		return m, page.Wrong("before: it is the number of an entry")
	}
	m.Changes = f.Method == "console/"
	j := p.Ledger.Journal
	if j == nil {
		return m, nil
	}
	var err error
	if m.All, err = j.Rows(ctx); err != nil {
		return m, err
	}
	if f.Flow != "" {
		return m, p.rowsOf(ctx, &m)
	}
	to := m.All
	if f.Before > 0 {
		to = min(to, f.Before-1)
	}
	for began := time.Now(); to > 0 && m.Looked < rowsLooked && len(m.Rows) < rowsShown && time.Since(began) < rowsTime; {
		if to, err = p.lookBack(ctx, &m, to); err != nil {
			return m, err
		}
	}
	if to > 0 {
		m.Next = to + 1
	}
	return m, nil
}

// lookBack looks at one step of entries that end at a number, and returns where the next one ends.
func (p *Pages) lookBack(ctx context.Context, m *Rows, to int64) (int64, error) {
	step := int64(rowsAtOnce)
	if m.Filter.Method == "" && m.Filter.Outcome == "" && m.Filter.Who == "" {
		step = rowsShown
	}
	from := max(to-step+1, 1)
	var batch []audit.Entry
	for page, err := range audit.Pages(ctx, p.Ledger.DB, audit.Query{From: from, To: to}) {
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(page, func(e audit.Entry) bool { return e.Pruned }) {
			page = page[:0]
			for e, err := range p.Ledger.Journal.Entries(ctx, audit.Query{From: from, To: to}) {
				if err != nil {
					return 0, err
				}
				page = append(page, e)
			}
		}
		batch = append(batch, page...)
	}
	for i := len(batch) - 1; i >= 0; i-- {
		e := &batch[i]
		m.Looked++
		if !m.Filter.maybe(e.Raw) {
			continue
		}
		if !e.Pruned {
			if err := e.Decode(); err != nil {
				return 0, err
			}
		}
		if m.Filter.fits(&e.Event) {
			m.Rows = append(m.Rows, rowView(e))
		}
		if len(m.Rows) == rowsShown {
			return e.Seq - 1, nil
		}
	}
	return from - 1, nil
}

// maybe is a quick look at the bytes of an event: those of what is asked for are among them. Names that JSON escapes are looked at in the event itself.
func (f *RowsFilter) maybe(raw []byte) bool {
	for _, s := range []string{f.Method, string(f.Outcome), f.Who} {
		if plain(s) && !bytes.Contains(raw, []byte(s)) {
			return false
		}
	}
	return true
}

func plain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }) < 0
}

func (f *RowsFilter) fits(ev *flow.Event) bool {
	switch fl := &ev.Flow; {
	case !strings.HasPrefix(fl.Method, f.Method), f.Outcome != "" && ev.Outcome != f.Outcome:
		return false
	case f.Who == "":
		return true
	default:
		return slices.ContainsFunc(append([]flow.Party{fl.From, fl.To}, fl.Chain...), func(p flow.Party) bool { return string(p.Agent) == f.Who || string(p.Domain) == f.Who })
	}
}

// rowsOf lists the entries of one flow and of those that answer or continue it.
func (p *Pages) rowsOf(ctx context.Context, m *Rows) error {
	f := m.Filter
	for _, q := range []audit.Query{{Flow: f.Flow, Limit: rowsLooked}, {Parent: f.Flow, Limit: rowsLooked}} {
		for e, err := range p.Ledger.Journal.Entries(ctx, q) {
			if err != nil {
				return err
			}
			if m.Looked++; (f.Before == 0 || e.Seq < f.Before) && f.fits(&e.Event) {
				m.Rows = append(m.Rows, rowView(&e))
			}
		}
	}
	slices.SortFunc(m.Rows, func(a, b RowView) int { return cmp.Compare(b.Seq, a.Seq) })
	if m.Rows = slices.CompactFunc(m.Rows, func(a, b RowView) bool { return a.Seq == b.Seq }); len(m.Rows) > rowsShown {
		m.Rows = m.Rows[:rowsShown]
		m.Next = m.Rows[rowsShown-1].Seq
	}
	return nil
}

func rowView(e *audit.Entry) RowView {
	fl := &e.Event.Flow
	return RowView{e.Seq, e.Event.Time, fl.ID, fl.From, fl.To, fl.Method, e.Event.Outcome, e.Event.Reason, e.Pruned}
}

// Row is one entry.
type Row struct {
	RowView
	Event     flow.Event `json:"event"`
	Tree      string     `json:"tree,omitempty"` // "": it is in none yet
	Index     int64      `json:"index,omitempty"`
	Published bool       `json:"published"`      // a published checkpoint covers it
	Leaf      string     `json:"leaf,omitempty"` // the bytes that the log has
	Hash      string     `json:"hash"`           // of the leaf
	Newer     int64      `json:"newer,omitempty"`
	Older     int64      `json:"older,omitempty"`
}

func (p *Pages) row(ctx context.Context, r *page.Request) (Row, error) {
	var at struct {
		Seq int64 `json:"seq"`
	}
	j := p.Ledger.Journal
	if err := page.Decode(map[string][]string{"seq": {r.PathValue("seq")}}, &at); err != nil || at.Seq < 1 || j == nil {
		return Row{}, page.ErrNotFound
	}
	for e, err := range j.Entries(ctx, audit.Query{From: at.Seq, To: at.Seq, Limit: 1}) {
		if err != nil {
			return Row{}, err
		}
		m := Row{RowView: rowView(&e), Event: e.Event, Hash: hexOf(e.Hash), Leaf: string(e.Leaf())}
		if t, ok := j.TreeOf(e.Seq); ok {
			m.Tree, m.Index = t.Origin, t.Index(e.Seq)
			c := p.published(ctx, t)
			m.Published = m.Index < c.Size
			if m.Leaf == "" && m.Published {
				leaf, err := tile.Entry(ctx, j.Tree(t.Name), c, m.Index)
				if err != nil {
					return Row{}, err
				}
				m.Leaf = string(leaf)
			}
		}
		if rows, err := j.Rows(ctx); err == nil && e.Seq < rows {
			m.Newer = e.Seq + 1
		}
		m.Older = e.Seq - 1
		return m, nil
	}
	return Row{}, page.ErrNotFound
}

// Alarms are what was noticed.
type Alarms struct {
	Days   int           `json:"days"`
	Alarms []alarm.Alarm `json:"alarms"`
}

const mostDays = 3660

func (p *Pages) alarms(ctx context.Context, r *page.Request) (Alarms, error) {
	m := Alarms{Days: 30, Alarms: []alarm.Alarm{}}
	if err := page.Decode(r.URL.Query(), &m); err != nil {
		return m, err
	}
	if m.Days < 1 || m.Days > mostDays {
		return m, page.Wrong("days: it is a number from 1 to %d", mostDays)
	}
	if p.Ledger.DB == nil {
		return m, nil
	}
	all, err := api.ListAlarms(ctx, p.Ledger, p.now().AddDate(0, 0, -m.Days))
	m.Alarms = append(m.Alarms, all...)
	return m, err
}

// alarmWords tell what a kind of alarm means, and what to do.
func alarmWords(k alarm.Kind) [2]string {
	return map[alarm.Kind][2]string{
		alarm.Refusals: {"its calls are refused again and again", "look at the refusals: a wrong configuration is told its owner; somebody who tries doors is frozen"},
		alarm.Handles:  {"it tries references that are none of its own", "freeze it and ask its domain: references are not guessed by accident"},
		alarm.Tokens:   {"it says back stand-ins that stand for nothing", "freeze it if it goes on: it guesses tokens, or brings those of somebody else"},
		alarm.Labels:   {"it asks about many kinds of data", "compare with what its task needs, and narrow the policy"},
		alarm.Calls:    {"it calls far more often than it used to", "ask its owner; a loop is frozen until it is mended"},
		alarm.Purpose:  {"it names a purpose that it never had", "ask its owner; if nobody knows why, take the purpose from its grant"},
		alarm.Values:   {"it is sent far more than it used to be", "look at the flows and who sends them; freeze the recipient if nobody knows why"},
	}[k]
}
