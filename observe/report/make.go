package report

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// House is what documents are made of, beside the journal. Log and Signer are needed.
type House struct {
	Source
	Log      *audit.Log
	Signer   crypto.Signer // the log's key
	Settings Settings
	Rules    Rules
	Policy   *policy.Set                                                 // nil: of policies only their names are told
	Catalog  *catalog.Catalog                                            // nil: there is none
	Taxonomy *flow.Taxonomy                                              // nil: the built-in one
	Clock    func() time.Time                                            // nil: time.Now
	Sets     func(ctx context.Context, hash string) (*policy.Set, error) // policies that were in force, by their hash; a nil set: they are not known
}

// Query says which document, and about which time.
type Query struct {
	Kind Kind
	From time.Time        // zero: as long ago as the kind's law looks back
	To   time.Time        // zero or later than now: now
	Of   *flow.SubjectRef // of [Access] and [Disclosures]: whom it is about
	Unit string           // what kind of thing Of is
}

// ErrKind is the error of a kind that there is not.
var ErrKind = errors.New("no such report")

// ErrOf is the error of a report about one person that names nobody, and of one about everybody that names one.
var ErrOf = errors.New("subject is about one person, hipaa-disclosures about one or all, and every other report about nobody in particular")

// Check returns [ErrKind] or [ErrOf] where there is no such document.
func (q *Query) Check() error {
	k, ok := kinds[q.Kind]
	switch {
	case !ok:
		return ErrKind
	case q.Of == nil && k.one || q.Of != nil && !k.one && !k.either:
		return ErrOf
	}
	return nil
}

// draft is a document that is being made.
type draft struct {
	*House
	Document
	of      *flow.SubjectRef
	unit    string
	people  map[flow.SubjectRef]int32
	tallies []*tally
	most    int
	pairs   int
	prove   []int64 // entries that rows are about, in order
	seen    []seen  // of one person
	sets    map[string]*policy.Set
}

// Make makes a document. Everything up to now is published in the log first, so that whoever has the log can count again. Its error is [ErrMuch],
// [ErrTimes], [ErrKind] or [ErrOf] where the asker can mend it.
func Make(ctx context.Context, h House, q Query) (*Document, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	k := kinds[q.Kind]
	if h.Clock == nil {
		h.Clock = time.Now
	}
	if h.Taxonomy == nil {
		h.Taxonomy = flow.DefaultTaxonomy()
	}
	now := h.Clock().UTC().Truncate(time.Second)
	if q.To.IsZero() || q.To.After(now) {
		q.To = now.Add(time.Second) // what happened in this very second too
	}
	if q.From.IsZero() {
		q.From = q.To.AddDate(-k.years, 0, 0)
	}
	if q.To.Before(q.From) {
		return nil, ErrTimes
	}
	d := &draft{House: &h, of: q.Of, unit: q.Unit, people: map[flow.SubjectRef]int32{}, sets: map[string]*policy.Set{}, most: mostFigures, pairs: mostMembers, Document: Document{
		Scrim: documentForm, Kind: q.Kind, Title: k.title, Law: k.law, Domain: h.Domain, From: q.From.UTC(), To: q.To.UTC(), Made: now, Rules: h.Rules,
		Sections: []Section{}, Missing: []Missing{}, Counts: []Count{},
	}}
	for _, c := range k.counts(d) {
		d.tallies = append(d.tallies, newTally(c, &d.most, &d.pairs))
	}
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	for _, t := range d.tallies {
		d.Counts = append(d.Counts, t.done())
	}
	k.write(d)
	d.missing()
	return &d.Document, d.proofs(ctx)
}

// read counts the entries of the time.
func (d *draft) read(ctx context.Context) error {
	if _, err := d.House.Log.Checkpoint(ctx); err != nil {
		return fmt.Errorf("publishing the log: %w", err)
	}
	d.Document.Log = LogRange{Origin: d.House.Log.Origin(), Trees: []TreeRange{}}
	last, err := d.covered(ctx)
	if err != nil || last == 0 {
		return err
	}
	b := &breach{s: &d.Source, q: BreachQuery{Since: d.From}}
	from, err := b.begin(ctx)
	if err != nil {
		return err
	}
	from = min(from, last)
	d.Document.Log.First, d.Document.Log.Last = from, last
	var page []audit.Entry
	for e, err := range d.entries(ctx, audit.Query{From: from, To: last}) {
		if err != nil {
			return err
		}
		if e.Event.Time.Before(d.From) || !e.Event.Time.Before(d.To) {
			continue
		}
		if page = append(page, e); len(page) == 64 {
			if err := d.take(ctx, page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return d.take(ctx, page)
}

// covered is the last entry under a published checkpoint; it notes the trees.
func (d *draft) covered(ctx context.Context) (last int64, err error) {
	for _, t := range d.House.Log.Trees() {
		note, err := d.House.Log.Tree(t.Name).Checkpoint(ctx)
		if err != nil {
			return 0, fmt.Errorf("reading the checkpoint of %s: %w", t.Origin, err)
		}
		c, err := tile.ReadCheckpoint(note)
		if err != nil {
			return 0, err
		}
		if c.Size < 2 {
			continue
		}
		last = t.First + c.Size - 2
		d.Document.Log.Trees = append(d.Document.Log.Trees, TreeRange{Origin: t.Origin, Start: t.First, First: t.First, Last: last, Checkpoint: string(note), Proofs: []End{}})
	}
	return last, nil
}

func (d *draft) take(ctx context.Context, page []audit.Entry) error {
	if len(page) == 0 {
		return nil
	}
	var about map[int64][]audit.Subject
	err := d.DB.View(ctx, func(tx store.Tx) (err error) {
		about, err = audit.SubjectsOf(tx, page[0].Seq, page[len(page)-1].Seq)
		return err
	})
	if err != nil {
		return err
	}
	for i := range page {
		e := &page[i]
		if err := d.learn(ctx, e.Event.PolicyHash); err != nil {
			return err
		}
		if d.of != nil {
			if err := d.look(ctx, e, about[e.Seq]); err != nil {
				return err
			}
		}
		people := d.numbered(about[e.Seq])
		for _, t := range d.tallies {
			if err := t.add(e, people); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *draft) numbered(about []audit.Subject) []int32 {
	if len(about) == 0 {
		return nil
	}
	out := make([]int32, len(about))
	for i, a := range about {
		n, there := d.people[a.Subject]
		if !there {
			n = int32(len(d.people)) //nolint:gosec // bounded by pairs
			d.people[a.Subject] = n
		}
		out[i] = n
	}
	return out
}

// proofs proves that the first and the last entry that was read are in their trees, and those that rows are about.
func (d *draft) proofs(ctx context.Context) error {
	log := &d.Document.Log
	trees := log.Trees[:0]
	for _, t := range log.Trees {
		if log.First == 0 || t.Last < log.First {
			continue
		}
		t.First = max(t.First, log.First)
		if err := d.ends(ctx, &t); err != nil {
			return err
		}
		trees = append(trees, t)
	}
	log.Trees = trees
	return nil
}

func (d *draft) ends(ctx context.Context, t *TreeRange) error {
	tree, ok := d.House.Log.TreeOf(t.First)
	if !ok || tree.Origin != t.Origin {
		return fmt.Errorf("entry %d is in no tree", t.First)
	}
	r := d.House.Log.Tree(tree.Name)
	c, err := tile.ReadCheckpoint([]byte(t.Checkpoint))
	if err != nil {
		return err
	}
	wanted := []int64{t.First}
	for _, n := range d.prove {
		if n > t.First && n < t.Last && n != wanted[len(wanted)-1] {
			wanted = append(wanted, n)
		}
	}
	if t.Last > t.First {
		wanted = append(wanted, t.Last)
	}
	for _, n := range wanted {
		index := tree.Index(n)
		leaf, err := tile.Leaf(ctx, r, c, index)
		if err != nil {
			return fmt.Errorf("proving entry %d: %w", n, err)
		}
		p, err := receipt.Prove(ctx, r, c, index)
		if err != nil {
			return err
		}
		end := End{Entry: n, Index: index, Leaf: leaf[:], Path: make([][]byte, len(p.Hashes))}
		for i, h := range p.Hashes {
			end.Path[i] = append([]byte(nil), h[:]...)
		}
		t.Proofs = append(t.Proofs, end)
	}
	return nil
}
