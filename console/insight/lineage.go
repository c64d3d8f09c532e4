package insight

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/chart"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/draw"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
)

const (
	datasetsPage = 50
	usualSteps   = 3
	mostLinks    = 500 // that a page lists
	mostStarts   = 8   // datasets of one flow

	mostDatasets, mostEdges = 300, 3000 // of a picture; what lies beyond is said to be there
)

// Listed is a dataset with the address of its picture.
type Listed struct {
	lineage.Seen
	Link string `json:"link"`
}

// Lineage is the page: a picture around a dataset, column or flow, or a list of datasets to choose from.
type Lineage struct {
	Kept      bool                    `json:"kept"` // lineage is kept here
	Namespace string                  `json:"namespace,omitempty"`
	Dataset   string                  `json:"dataset,omitempty"`
	Column    string                  `json:"column,omitempty"`
	Direction string                  `json:"direction"` // both, upstream, downstream
	Steps     int                     `json:"steps"`
	Columns   bool                    `json:"columns"`
	Flow      flow.ID                 `json:"flow,omitempty"`
	Agent     string                  `json:"agent,omitempty"`
	Search    string                  `json:"search,omitempty"`
	Found     []Listed                `json:"found,omitempty"`
	Next      string                  `json:"next,omitempty"`
	Picture   *lineage.Picture        `json:"picture,omitempty"`
	More      bool                    `json:"more,omitempty"` // links that are not listed
	Unknown   bool                    `json:"unknown,omitempty"`
	Followed  trace.Progress          `json:"followed"`
	Exports   []Export                `json:"exports,omitempty"`
	Chart     *chart.Graph            `json:"-"`
	Links     map[lineage.Name]string `json:"-"`
}

// Export is a picture to take away.
type Export struct {
	Format string `json:"format"`
	Link   string `json:"link"`
}

func (p *pages) lineagePages(g *page.Group) {
	query := []page.Param{
		{Name: "dataset", What: "whose picture"}, {Name: "namespace", What: "of the dataset; absent: the own domain's"}, {Name: "column", What: "of the dataset; absent: all"},
		{Name: "direction", What: "upstream, downstream or both"}, {Name: "steps", What: "from dataset to dataset, 1 to 64; absent: 3"}, {Name: "columns", What: "true: draw columns"},
		{Name: "flow", What: "the datasets that a flow read and wrote"}, {Name: "agent", What: "what an agent sent and was given"}, {Name: "search", What: "how names of datasets begin"},
		{Name: "after", What: "datasets after this one, as the page before gave it"},
	}
	page.Add(g, page.Page[Lineage]{
		Path: "/lineage", Title: "Lineage", Summary: "Where data came from, what was made of it, and who received it.",
		Template: "lineage.html", Role: page.Viewer, Query: query, Model: p.lineage,
	})
	page.AddRaw(g, page.Raw{
		Path: "/lineage/export", Title: "Lineage to take away", Summary: "A picture in another form: Mermaid, SVG, PROV-JSON, JSON, or of a flow its events in OpenLineage.",
		Type: "application/octet-stream", Role: page.Viewer, Query: append(query, page.Param{Name: "format", What: "mermaid, svg, prov, json, openlineage"}), Serve: p.export,
	})
}

func (p *pages) lineage(ctx context.Context, r *page.Request) (out Lineage, err error) {
	out = Lineage{
		Namespace: r.Q("namespace"), Dataset: r.Q("dataset"), Column: r.Q("column"), Direction: r.Q("direction"), Steps: usualSteps, Columns: r.Q("columns") == "true",
		Flow: flow.ID(r.Q("flow")), Agent: r.Q("agent"), Search: r.Q("search"),
	}
	if out.Kept = p.Lineage != nil; !out.Kept {
		return out, nil
	}
	switch out.Direction {
	case "":
		out.Direction = "both"
	case "both", api.Upstream, api.Downstream:
	default:
		return out, page.Wrong("direction: it is not one of both, upstream, downstream")
	}
	if s := r.Q("steps"); s != "" {
		if out.Steps, err = strconv.Atoi(s); err != nil || out.Steps < 1 || out.Steps > 64 {
			return out, page.Wrong("steps: it is not a number from 1 to 64")
		}
	}
	if out.Followed, err = p.Lineage.Tracer.Progress(ctx); err != nil {
		return out, err
	}
	starts, err := p.starts(ctx, &out)
	if err != nil {
		return out, err
	}
	if len(starts) > 0 {
		if err := p.picture(ctx, &out, starts); err != nil {
			return out, err
		}
	}
	if out.Picture == nil && !out.Unknown {
		return out, p.find(ctx, r, &out)
	}
	return out, nil
}

// starts are the datasets around which the picture is drawn.
func (p *pages) starts(ctx context.Context, out *Lineage) ([]lineage.Name, error) {
	if out.Dataset != "" {
		if out.Namespace == "" {
			out.Namespace = trace.Namespace(p.Lineage.Domain)
		}
		return []lineage.Name{{Namespace: out.Namespace, Name: out.Dataset}}, nil
	}
	if out.Flow == "" {
		return nil, nil
	}
	events, err := p.events(ctx, out.Flow)
	if err != nil {
		return nil, err
	}
	var all []lineage.Name
	for _, ev := range events {
		for _, d := range slices.Concat(ev.Outputs, ev.Inputs) {
			if !slices.Contains(all, d.Name) && len(all) < mostStarts {
				all = append(all, d.Name)
			}
		}
	}
	out.Unknown = len(all) == 0
	return all, nil
}

// events are those of a flow, in the form of OpenLineage.
func (p *pages) events(ctx context.Context, id flow.ID) (all []*lineage.Event, err error) {
	if p.Ledger.Journal == nil {
		return nil, nil
	}
	for e, err := range p.Ledger.Journal.Entries(ctx, audit.Query{Flow: id, Limit: 20}) {
		if err != nil {
			return nil, err
		}
		rows, err := p.Lineage.Tracer.Rows(ctx, e.Seq-1, 1)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Seq == e.Seq {
				all = append(all, row.Events...)
			}
		}
	}
	return all, nil
}

// picture puts what lies around the starts together and draws it.
func (p *pages) picture(ctx context.Context, out *Lineage, starts []lineage.Name) error {
	whole := &lineage.Picture{Datasets: []lineage.Seen{}, Links: []lineage.Link{}, Deliveries: []lineage.Delivery{}}
	for _, n := range starts {
		for _, dir := range []string{api.Upstream, api.Downstream} {
			if out.Direction != "both" && out.Direction != dir {
				continue
			}
			ask := p.Lineage.Graph.Upstream
			if dir == api.Downstream {
				ask = p.Lineage.Graph.Downstream
			}
			one, err := ask(ctx, lineage.Column{Dataset: n, Field: out.Column}, lineage.Reach{Steps: out.Steps, Datasets: mostDatasets, Edges: mostEdges})
			if errors.Is(err, lineage.ErrUnknown) {
				continue
			}
			if err != nil {
				return err
			}
			join(whole, one)
		}
	}
	if len(whole.Datasets) == 0 {
		out.Unknown = true
		return nil
	}
	if !out.Columns && out.Column == "" {
		whole = draw.Coarse(whole)
	}
	out.Picture = whole
	out.Links = map[lineage.Name]string{}
	for _, d := range whole.Datasets {
		out.Links[d.Name] = p.around(d.Name, out)
	}
	out.Chart = graph(whole, starts, out)
	if out.More = len(whole.Links) > mostLinks; out.More {
		short := *whole
		short.Links = whole.Links[:mostLinks]
		out.Picture = &short
	}
	for _, f := range append(draw.Formats(), "openlineage") {
		if f == "openlineage" && out.Flow == "" {
			continue
		}
		q := out.query()
		q.Set("format", f)
		out.Exports = append(out.Exports, Export{f, "/lineage/export?" + q.Encode()})
	}
	return nil
}

// join adds what one picture has and the other has not.
func join(to, from *lineage.Picture) {
	for _, d := range from.Datasets {
		i := slices.IndexFunc(to.Datasets, func(o lineage.Seen) bool { return o.Name == d.Name })
		if i < 0 {
			to.Datasets = append(to.Datasets, d)
			continue
		}
		for _, c := range d.Columns {
			if !slices.Contains(to.Datasets[i].Columns, c) {
				to.Datasets[i].Columns = append(to.Datasets[i].Columns, c)
			}
		}
	}
	type end struct {
		from, to lineage.Column
		job      lineage.Name
		teller   string
	}
	had := map[end]bool{}
	for _, l := range to.Links {
		had[end{l.From, l.To, l.Job, l.Teller}] = true
	}
	for _, l := range from.Links {
		if k := (end{l.From, l.To, l.Job, l.Teller}); !had[k] {
			had[k] = true
			to.Links = append(to.Links, l)
		}
	}
	seen := map[lineage.Delivery]bool{}
	for _, d := range to.Deliveries {
		seen[d] = true
	}
	for _, d := range from.Deliveries {
		if !seen[d] {
			seen[d] = true
			to.Deliveries = append(to.Deliveries, d)
		}
	}
	to.Cut = to.Cut || from.Cut
}

func (p *pages) around(n lineage.Name, out *Lineage) string {
	q := url.Values{"dataset": {n.Name}, "namespace": {n.Namespace}}
	if out.Steps != usualSteps {
		q.Set("steps", strconv.Itoa(out.Steps))
	}
	if out.Columns {
		q.Set("columns", "true")
	}
	return "/lineage?" + q.Encode()
}

// query is the address of what is shown.
func (out *Lineage) query() url.Values {
	q := url.Values{}
	for _, m := range []struct{ name, text string }{
		{"namespace", out.Namespace}, {"dataset", out.Dataset}, {"column", out.Column}, {"direction", out.Direction}, {"flow", string(out.Flow)},
	} {
		if m.text != "" {
			q.Set(m.name, m.text)
		}
	}
	q.Set("steps", strconv.Itoa(out.Steps))
	if out.Columns {
		q.Set("columns", "true")
	}
	return q
}

// graph draws datasets, or their columns, and who received them.
func graph(pic *lineage.Picture, starts []lineage.Name, out *Lineage) *chart.Graph {
	g := &chart.Graph{Title: "Lineage", Desc: "From left to right: what was made of what, and at the right who received it."}
	id := func(c lineage.Column) string { return c.Dataset.Namespace + "\n" + c.Dataset.Name + "\n" + c.Field }
	have := map[string]bool{}
	vertex := func(c lineage.Column) string {
		k := id(c)
		if !have[k] {
			have[k] = true
			v := chart.Vertex{ID: k, Text: c.Dataset.Name, Note: strings.TrimPrefix(c.Dataset.Namespace, "scrim://"), Href: out.Links[c.Dataset]}
			if c.Field != "" {
				v.Text, v.Note = c.Field, c.Dataset.Name
			}
			if slices.Contains(starts, c.Dataset) && c.Field == "" {
				v.Class = "chosen"
			}
			g.Vertices = append(g.Vertices, v)
		}
		return k
	}
	for _, s := range starts {
		if slices.ContainsFunc(pic.Datasets, func(d lineage.Seen) bool { return d.Name == s }) && len(pic.Links) == 0 {
			vertex(lineage.Column{Dataset: s})
		}
	}
	for _, l := range pic.Links {
		e := chart.Edge{From: vertex(l.From), To: vertex(l.To), Text: how(&l)}
		if l.Masking {
			e.Class = "masked"
		}
		g.Edges = append(g.Edges, e)
	}
	for _, d := range pic.Deliveries {
		to := "to\n" + string(d.Agent) + "\n" + string(d.Domain)
		if !have[to] {
			have[to] = true
			v := chart.Vertex{ID: to, Text: string(d.Agent), Note: string(d.Domain)}
			if d.Flow != "" {
				v.Href = "/flows/" + url.PathEscape(string(d.Flow))
			}
			g.Vertices = append(g.Vertices, v)
		}
		from := id(lineage.Column{Dataset: d.Dataset})
		if !have[from] {
			from = vertex(lineage.Column{Dataset: d.Dataset})
		}
		g.Edges = append(g.Edges, chart.Edge{From: from, To: to, Text: strings.TrimSpace(d.Level + " " + string(d.Purpose) + " " + strconv.FormatInt(d.Count, 10) + "×")})
	}
	return g
}

func how(l *lineage.Link) string {
	words := strings.ToLower(l.How)
	if words == "" {
		words = "not told how"
	}
	if l.Masking {
		words += ", masked"
	}
	return words
}

// find lists datasets by how their names begin.
func (p *pages) find(ctx context.Context, r *page.Request, out *Lineage) error {
	q := lineage.FindQuery{Prefix: out.Search, Most: datasetsPage}
	if out.Agent != "" {
		q.Prefix = "agents/" + out.Agent + "/"
	}
	if c := r.Q("after"); c != "" {
		if err := json.Unmarshal([]byte(c), &q.After); err != nil {
			return page.Wrong("after: it is not what the page before gave")
		}
	}
	all, more, err := p.Lineage.Graph.Find(ctx, q)
	if err != nil {
		return err
	}
	for _, d := range all {
		out.Found = append(out.Found, Listed{d, p.around(d.Name, out)})
	}
	if more {
		last, err := json.Marshal(all[len(all)-1].Name)
		if err != nil {
			return err
		}
		next := url.Values{"after": {string(last)}}
		if out.Search != "" {
			next.Set("search", out.Search)
		}
		if out.Agent != "" {
			next.Set("agent", out.Agent)
		}
		out.Next = "/lineage?" + next.Encode()
	}
	return nil
}

var endings = map[string]struct{ ending, media string }{
	"mermaid": {"mmd", "text/plain; charset=utf-8"}, "svg": {"svg", "image/svg+xml"}, "prov": {"prov.json", "application/json"}, "json": {"json", "application/json"},
	"openlineage": {"openlineage.jsonl", "application/jsonl"},
}

func (p *pages) export(w http.ResponseWriter, r *page.Request) {
	format, ok := endings[r.Q("format")]
	if !ok || p.Lineage == nil {
		http.Error(w, "format: it is not one of mermaid, svg, prov, json, openlineage", http.StatusUnprocessableEntity)
		return
	}
	var b bytes.Buffer
	err := p.exported(r.Context(), r, &b)
	switch {
	case errors.Is(err, page.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, "the picture cannot be written", http.StatusUnprocessableEntity)
	default:
		w.Header().Set("Content-Type", format.media)
		w.Header().Set("Content-Disposition", `attachment; filename="lineage.`+format.ending+`"`)
		_, _ = w.Write(b.Bytes()) // whoever asked has gone
	}
}

func (p *pages) exported(ctx context.Context, r *page.Request, b *bytes.Buffer) error {
	m, err := p.lineage(ctx, r)
	if err != nil {
		return err
	}
	if r.Q("format") == "openlineage" {
		events, err := p.events(ctx, m.Flow)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return page.ErrNotFound
		}
		lines := json.NewEncoder(b)
		for _, ev := range events {
			if err := lines.Encode(ev); err != nil {
				return err
			}
		}
		return nil
	}
	if m.Picture == nil {
		return page.ErrNotFound
	}
	return draw.Write(b, r.Q("format"), m.Picture)
}
