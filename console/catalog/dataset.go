package catalog

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Use is what a contract says of the use of data.
type Use struct {
	Owners     []string       `json:"owners,omitempty"`
	Purposes   []flow.Purpose `json:"purposes,omitempty"` // none: not restricted here
	LegalBasis []string       `json:"legal_basis,omitempty"`
	Retention  string         `json:"retention,omitempty"`
	Techniques []string       `json:"techniques,omitempty"` // none: not restricted here
	Recipients []string       `json:"recipients,omitempty"`
	Transfers  []string       `json:"transfers,omitempty"`
	Review     time.Time      `json:"review,omitzero"`
}

func useOf(g catalog.Governance) Use {
	u := Use{
		Owners: g.Owners, Purposes: g.Purposes, LegalBasis: g.LegalBasis, Techniques: g.Techniques, Recipients: g.Recipients, Transfers: g.Transfers, Review: g.Review,
	}
	if g.Retention > 0 {
		u.Retention = strconv.FormatFloat(g.Retention.Hours()/24, 'g', -1, 64) + " days"
	}
	return u
}

// Column is one column of a dataset.
type Column struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Label       string `json:"label"`
	Unlabelled  bool   `json:"unlabelled,omitempty"`
	Tier        string `json:"tier"`
	Type        string `json:"type,omitempty"`
	Key         bool   `json:"key,omitempty"`
	Required    bool   `json:"required,omitempty"`
	IsUnit      bool   `json:"is_unit,omitempty"`
	References  string `json:"references,omitempty"`
	Bounds      string `json:"bounds,omitempty"`
	Own         *Use   `json:"own,omitempty"` // what it says otherwise than its dataset
}

// Shown is a dataset.
type Shown struct {
	Asset        Asset    `json:"asset"`
	Contract     string   `json:"contract"`
	Version      string   `json:"version"`
	Status       string   `json:"status"`
	Description  string   `json:"description,omitempty"`
	Source       string   `json:"source,omitempty"` // what the source calls it
	Use          Use      `json:"use"`
	Epsilon      string   `json:"epsilon,omitempty"`
	Delta        string   `json:"delta,omitempty"`
	Per          string   `json:"per,omitempty"`
	Rows         int64    `json:"rows,omitempty"` // of one unit that count
	Groups       int64    `json:"groups,omitempty"`
	UnitColumn   string   `json:"unit_column,omitempty"`
	Columns      []Column `json:"columns"`
	Found        int      `json:"found"`
	Next         string   `json:"next,omitempty"`
	Q            string   `json:"q,omitempty"`
	Alternatives int      `json:"alternatives,omitempty"` // other contracts with a dataset of this name
}

func (p *pages) dataset(_ context.Context, r *page.Request) (Shown, error) {
	s := p.snapshot()
	if s == nil || s.Catalog == nil {
		return Shown{}, page.ErrNotFound
	}
	from, err := page.Number(r, "from", 0)
	if err != nil {
		return Shown{}, err
	}
	var out Shown
	found := false
	for _, k := range s.Catalog.Contracts() {
		d, ok := k.Dataset(r.PathValue("dataset"))
		switch {
		case !ok:
		case found:
			out.Alternatives++
		default:
			found = true
			out = show(k, &d, p.Clock())
			out.columns(r, &d, from)
		}
	}
	if !found {
		return out, page.ErrNotFound
	}
	return out, nil
}

func show(k *catalog.Contract, d *catalog.Dataset, now time.Time) Shown {
	out := Shown{
		Asset: ofDataset(k, d, now), Contract: k.ID, Version: k.Version, Status: k.Status, Description: d.Description, Source: d.PhysicalName, Use: useOf(d.Governance),
		Rows: d.Contribution.Rows, Groups: d.Contribution.Groups, UnitColumn: d.UnitColumn,
	}
	if out.Description == "" {
		out.Description = k.Description
	}
	if b := d.Budget; b != (catalog.Budget{}) {
		out.Epsilon, out.Delta = flow.Decimal(b.Total.EpsilonNano, 9), flow.Decimal(b.Total.DeltaPico, 12)
		if b.Per > 0 {
			out.Per = b.Per.String()
		}
	}
	return out
}

func (out *Shown) columns(r *page.Request, d *catalog.Dataset, from int) {
	out.Q = r.Q("q")
	out.Columns = []Column{}
	want := strings.ToLower(out.Q)
	for i := range d.Fields {
		f := &d.Fields[i]
		if want != "" && !strings.Contains(strings.ToLower(f.Column+"\n"+string(f.Label)), want) {
			continue
		}
		out.Found++
		switch {
		case out.Found <= from:
		case len(out.Columns) < perPage:
			out.Columns = append(out.Columns, column(d, f))
		default:
			out.Next = next(r, from+perPage)
		}
	}
}

func column(d *catalog.Dataset, f *catalog.Field) Column {
	c := Column{
		Name: f.Column, Description: f.Description, Label: string(f.Label), Unlabelled: f.Label == flow.Unlabelled, Tier: f.Tier.String(), Type: f.Logical,
		Key: f.Key, Required: f.Required, IsUnit: f.IsUnit, References: f.References,
	}
	if c.Type == "" {
		c.Type = f.PhysicalType
	}
	if f.Bounds.Known {
		c.Bounds = strconv.FormatFloat(f.Bounds.Min, 'g', -1, 64) + " to " + strconv.FormatFloat(f.Bounds.Max, 'g', -1, 64)
	}
	if own, of := useOf(f.Governance), useOf(d.Governance); !same(own, of) {
		c.Own = &own
	}
	return c
}

func same(a, b Use) bool {
	return slices.Equal(a.Purposes, b.Purposes) && slices.Equal(a.LegalBasis, b.LegalBasis) && a.Retention == b.Retention && slices.Equal(a.Techniques, b.Techniques)
}

// Messages is what a schema says.
type Messages struct {
	Asset  Asset        `json:"asset"`
	Labels []LabelCount `json:"labels"`
	Signed int          `json:"signed,omitempty"` // places that pass as they are or not at all
}

// LabelCount is how many places have a label.
type LabelCount struct {
	Label    string `json:"label"`
	Tier     string `json:"tier"`
	Places   int    `json:"places"`
	Required int    `json:"required"`
}

func (p *pages) schema(_ context.Context, r *page.Request) (Messages, error) {
	s := p.snapshot()
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || s == nil || s.Catalog == nil {
		return Messages{}, page.ErrNotFound
	}
	all := s.Catalog.Bindings()
	if n >= len(all) {
		return Messages{}, page.ErrNotFound
	}
	out := Messages{Asset: ofBinding(s, n, all[n]), Labels: []LabelCount{}}
	byLabel := map[flow.Label]*LabelCount{}
	for info, must := range all[n].Schema.Values() {
		c := byLabel[info.Label]
		if c == nil {
			class, _ := s.Taxonomy.Class(info.Label)
			c = &LabelCount{Label: string(info.Label), Tier: class.Tier.String()}
			byLabel[info.Label] = c
		}
		c.Places++
		if must {
			c.Required++
		}
		if info.Signed {
			out.Signed++
		}
	}
	for _, l := range slices.Sorted(maps.Keys(byLabel)) {
		out.Labels = append(out.Labels, *byLabel[l])
	}
	return out, nil
}
