package lineage

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the graph's tables.
func Schema() store.Schema { return store.Schema{Name: "evidence/lineage", FS: migrations} }

// ErrFull is the error of an event for which the graph has no room. Nothing of it was taken.
var ErrFull = errors.New("the lineage graph is full")

// Options may be left zero.
type Options struct {
	Nodes int // datasets, columns and jobs together; 0: 1,000,000
	Edges int // between columns, and between datasets; 0: 2,000,000
	// Keep is how long a run is remembered whose events may still come; 0: 30 days.
	Keep time.Duration
	// Clock gives the time at which something was told; nil: time.Now.
	Clock func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Nodes <= 0 {
		o.Nodes = 1_000_000
	}
	if o.Edges <= 0 {
		o.Edges = 2_000_000
	}
	if o.Keep <= 0 {
		o.Keep = 30 * 24 * time.Hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Graph is the graph in the store. It is safe for concurrent use.
type Graph struct {
	db  store.DB
	opt Options
}

// New returns the graph that is kept in a database with the tables of [Schema].
func New(db store.DB, opt Options) *Graph { return &Graph{db: db, opt: opt.withDefaults()} }

// Told is whose word an event is. The zero value is this gateway's own journal.
type Told struct {
	Agent  flow.AgentID
	Domain flow.DomainID

	Deliveries []Delivery // who received what the event wrote; of the own journal alone
}

// Teller is who told, as "agent@domain"; "" for the own journal.
func (t Told) Teller() string {
	if t.Agent == "" && t.Domain == "" {
		return ""
	}
	return string(t.Agent) + "@" + string(t.Domain)
}

// Tell takes an event into the graph, in a transaction of its own. See [Graph.Add].
func (g *Graph) Tell(ctx context.Context, ev *Event, by Told) (news bool, err error) {
	err = g.db.Update(ctx, func(tx store.Tx) (err error) {
		news, err = g.Add(tx, ev, by)
		return err
	})
	return news && err == nil, err
}

// Sweep forgets runs of which nothing was told for long. What they did stays.
func (g *Graph) Sweep(ctx context.Context) error {
	before := g.opt.Clock().Add(-g.opt.Keep).UnixMilli()
	return g.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`DELETE FROM lineage_runs WHERE seen < ?`, before)
		return err
	})
}

// Reach bounds a question to the graph. The zero value reaches as far as is allowed.
type Reach struct {
	Steps    int // from dataset to dataset; 0: 64
	Datasets int // 0: 2,000
	Edges    int // 0: 50,000
}

// Picture is a part of the graph: what a column was made of, or what was made of it.
type Picture struct {
	Datasets   []Seen     `json:"datasets"` // by namespace and name
	Links      []Link     `json:"links"`    // in the order of their ends
	Deliveries []Delivery `json:"deliveries"`
	Cut        bool       `json:"cut"` // there is more than was asked for
}

// Seen is a dataset of a picture, with the columns that belong to it.
type Seen struct {
	Name
	Columns []string  `json:"columns"`
	Version string    `json:"version,omitempty"`
	Others  []Name    `json:"others,omitempty"` // other names of the same data
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// Link is that a job made one column of another. Without a field it is the dataset as a whole.
type Link struct {
	From    Column    `json:"from"`
	To      Column    `json:"to"`
	Job     Name      `json:"job"`              // without a name: no job was told
	Teller  string    `json:"teller,omitempty"` // "agent@domain"; "": the own journal
	Run     string    `json:"run,omitempty"`    // the job's newest
	How     string    `json:"how"`              // "DIRECT/IDENTITY", several with a space between; "": nobody said how
	Masking bool      `json:"masking"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// id stands for a list of words.
func id(kind string, words ...string) []byte {
	h := sha256.New()
	h.Write([]byte(kind))
	for _, w := range words {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(w)))
		h.Write(n[:])
		h.Write([]byte(w))
	}
	return h.Sum(nil)[:16]
}

func (n Name) id() []byte             { return id("dataset", n.Namespace, n.Name) }
func (n Name) column(f string) []byte { return id("column", n.Namespace, n.Name, f) }
func (n Name) job(by Told) []byte     { return id("job", by.Teller(), n.Namespace, n.Name) }
