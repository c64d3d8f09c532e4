// Package live is the pages that show what happens: the overview, flows as they come, and the story of one.
//
// They show names, labels and counts, as events hold them, and no value.
package live

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/chart"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/observe/story"
	"github.com/scrimhq/scrim/store"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages. The zero value of every field is a gateway without it.
type Options struct {
	Domain  flow.DomainID
	DB      store.DB // that has the sums
	Ring    *activity.Ring
	Stories *story.Source
	LogKey  ed25519.PublicKey                        // by which receipts are verified
	Left    func(context.Context) map[string]float64 // ε that each dataset has left
	Clock   func() time.Time                         // nil: time.Now
}

type pages struct {
	Options
	row   *template.Template
	views views
}

// mostViews is how many live pages somebody may have open, in all sessions together, so that nobody takes the places of all others.
const mostViews = 8

// views counts the live pages that each has open, by name. The zero value is ready.
type views struct {
	mu   sync.Mutex // guards open
	open map[string]int
}

// begin takes a place for somebody; false: they have all that they may have.
func (v *views) begin(who string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open[who] >= mostViews {
		return false
	}
	if v.open == nil {
		v.open = map[string]int{}
	}
	v.open[who]++
	return true
}

func (v *views) end(who string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open[who]--; v.open[who] == 0 {
		delete(v.open, who)
	}
}

var funcs = template.FuncMap{
	"figure": chart.Figure,
	"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05") },
}

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	p := &pages{Options: opt, row: template.Must(template.New("").Funcs(funcs).ParseFS(templates, "templates/_row.html"))}
	g := f.Group(templates, funcs)
	filter := []page.Param{
		{Name: "domain", What: "sender's or recipient's domain"}, {Name: "from", What: "sender's domain"}, {Name: "to", What: "recipient's domain"}, {Name: "agent", What: "sender or recipient"},
		{Name: "purpose", What: "purpose"}, {Name: "outcome", What: "how it ended"}, {Name: "rule", What: "rule of a refusal"}, {Name: "level", What: "highest level shown"}, {Name: "label", What: "a label, or what lies below it"},
	}
	page.Add(g, page.Page[Overview]{Path: "/", API: "/overview", Title: "Overview", Summary: "What flowed lately between which domains, at which levels, and what was refused.", Template: "overview.html", Role: page.Viewer,
		Query: []page.Param{{Name: "span", What: "1h, 24h, 7d or 30d"}}, Model: p.overview})
	page.Add(g, page.Page[Live]{Path: "/live", Title: "Live", Summary: "The latest flows, the newest first.", Template: "live.html", Role: page.Viewer, Query: filter, Model: p.live})
	page.Add(g, page.Page[story.Story]{Path: "/flows/{ref}", Title: "Flow", Section: "/live", Summary: "The story of a flow, step by step.", Template: "flow.html", Role: page.Viewer, Model: p.flow})
	page.Do(g, page.Action[struct{}, Verified]{Path: "/flows/{ref}/verify", Name: "console/verify", Title: "Verify a receipt", Summary: "Verifies the promises and proofs of a flow's entries with the log's public key.",
		Role: page.Viewer, ReadOnly: true, Template: "verified.html", Do: p.verify})
	page.AddRaw(g, page.Raw{Path: "/live/events", Title: "Flows as they come", Summary: "Server-sent events: frames of flows, at most four a second.", Type: "text/event-stream", Role: page.Viewer, Query: filter, Serve: p.events})
}

// Row is a flow in a list.
type Row struct {
	Ref     flow.ID      `json:"reference"`
	At      time.Time    `json:"at"`
	From    flow.Party   `json:"from"`
	To      flow.Party   `json:"to"`
	Purpose flow.Purpose `json:"purpose,omitempty"`
	Outcome flow.Outcome `json:"outcome"`
	Rule    string       `json:"rule,omitempty"`
	Level   string       `json:"level,omitempty"` // highest shown
	Labels  []flow.Label `json:"labels,omitempty"`
	Method  string       `json:"method,omitempty"`
}

// mostLabels is how many labels a row tells.
const mostLabels = 4

func rowOf(ev *flow.Event) Row {
	r := Row{Ref: ev.Flow.ID, At: ev.Time, From: ev.Flow.From, To: ev.Flow.To, Purpose: ev.Flow.Purpose, Outcome: ev.Outcome, Rule: activity.Rule(ev), Method: ev.Flow.Method}
	if h := activity.Highest(ev); h >= 0 {
		r.Level = flow.Level(h).String()
	}
	for i := range ev.Levels {
		if l := ev.Levels[i].Label; ev.Levels[i].Count > 0 && !slices.Contains(r.Labels, l) && len(r.Labels) < mostLabels {
			r.Labels = append(r.Labels, l)
		}
	}
	return r
}

// Live is the page of the latest flows.
type Live struct {
	Filter   activity.Filter `json:"filter"`
	Flows    []Row           `json:"flows"`
	Place    string          `json:"place"` // after which /live/events goes on
	Watching bool            `json:"watching"`
	Outcomes []flow.Outcome  `json:"-"`
	Levels   []string        `json:"-"`
	Events   string          `json:"-"` // address of the events that come
}

const mostRows = 100

func (p *pages) live(_ context.Context, r *page.Request) (Live, error) {
	f, err := activity.ParseFilter(r.URL.Query())
	if err != nil {
		return Live{}, page.Wrong("%v", err)
	}
	m := Live{Filter: f, Flows: []Row{}, Outcomes: []flow.Outcome{flow.Released, flow.Refused, flow.Replayed, flow.Conflict, flow.Opened, flow.Segment, flow.Closed, flow.Asked, flow.Fetched, flow.Watched, flow.Changed}}
	for l := flow.Raw; ; l-- {
		m.Levels = append(m.Levels, l.String())
		if l == flow.Dropped {
			break
		}
	}
	if p.Ring == nil {
		return m, nil
	}
	m.Place, m.Watching = p.Ring.Here(), true
	for _, one := range p.Ring.Latest(f, mostRows) {
		m.Flows = append(m.Flows, rowOf(&one.Event))
	}
	q := f.Values()
	q.Set("after", m.Place)
	m.Events = "/live/events?" + q.Encode()
	return m, nil
}

// frame is what one event of the stream tells.
type frame struct {
	HTML    string `json:"html"` // rows, the newest first
	Count   int    `json:"count"`
	Skipped int    `json:"skipped"`
	Lost    uint64 `json:"lost"`
	Refused uint64 `json:"refused"`
}

// idle is how long a stream is silent at most, so that what lies between does not cut it.
const idle = 15 * time.Second

// events sends frames until whoever looks has gone, or may not look any more: then the request's context ends.
func (p *pages) events(w http.ResponseWriter, r *page.Request) {
	f, err := activity.ParseFilter(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if p.Ring == nil {
		http.Error(w, "nothing is watched here", http.StatusNotFound)
		return
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.Q("after")
	}
	if !p.views.begin(r.Who.Name) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "you have as many live pages open as one may have; close one", http.StatusTooManyRequests)
		return
	}
	defer p.views.end(r.Who.Name)
	v, err := p.Ring.View(f, after)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer v.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	say := func(text string) error {
		if err := out.SetWriteDeadline(time.Now().Add(2 * idle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		return out.Flush()
	}
	if say("retry: 2000\n\n") != nil {
		return
	}
	for {
		next, err := v.Next(r.Context(), idle)
		if err != nil {
			return
		}
		text, err := p.told(next)
		if err != nil || say(text) != nil {
			return
		}
	}
}

// told is a frame as an event.
func (p *pages) told(f activity.Frame) (string, error) {
	if len(f.Flows) == 0 && f.Skipped == 0 && f.Lost == 0 && f.Refused == 0 {
		return fmt.Sprintf("id: %s\nevent: idle\ndata: {}\n\n", f.Place), nil
	}
	var b bytes.Buffer
	for i := range f.Flows {
		if err := p.row.ExecuteTemplate(&b, "row", rowOf(&f.Flows[i].Event)); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(frame{HTML: b.String(), Count: len(f.Flows), Skipped: f.Skipped, Lost: f.Lost, Refused: f.Refused})
	return fmt.Sprintf("id: %s\nevent: flows\ndata: %s\n\n", f.Place, data), err
}

func (p *pages) flow(ctx context.Context, r *page.Request) (story.Story, error) {
	if p.Stories == nil {
		return story.Story{}, page.ErrNotFound
	}
	s, err := story.Of(ctx, *p.Stories, flow.ID(r.PathValue("ref")))
	if errors.Is(err, story.ErrUnknown) {
		return story.Story{}, fmt.Errorf("%w: %w", page.ErrNotFound, err)
	}
	return s, err
}
