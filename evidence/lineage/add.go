package lineage

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/store"
)

// Bounds of one run, over all events that tell of it.
const (
	mostOfRun = 1_000  // datasets that it reads, and as many that it writes
	mostPairs = 10_000 // of a dataset read and one written that one event brings
)

// ErrRun is the error of an event that tells of more datasets of one run, or of one job, than are followed.
var ErrRun = errors.New("the run reads and writes more datasets than are followed")

// Add takes an event into the graph, in the caller's transaction. It reports whether anything was told that was not known, by
// which labels may change. It returns [ErrFull] or [ErrRun] where there is too much, and the caller then undoes the transaction.
//
// The event must be one that [Decode] returned or that this program made. Of the own journal each run is told by one event.
func (g *Graph) Add(tx store.Tx, ev *Event, by Told) (news bool, err error) {
	a := &adding{tx: tx, opt: g.opt, by: by, now: g.opt.Clock().UnixMilli()}
	if err := a.open(); err != nil {
		return false, err
	}
	if ev.Dataset != nil {
		a.dataset(ev.Dataset)
		a.columns(ev.Dataset, a.job(Name{}, nil), nil)
	} else {
		a.run(ev)
	}
	for i := range by.Deliveries {
		a.delivery(&by.Deliveries[i])
	}
	a.close()
	if a.err != nil {
		return false, fmt.Errorf("adding to the lineage graph: %w", a.err)
	}
	return a.news, nil
}

// adding is one event on its way into the tables. After an error it does nothing.
type adding struct {
	tx   store.Tx
	opt  Options
	by   Told
	now  int64
	err  error
	news bool

	nodes, edges       int64 // that are new
	allNodes, allEdges int64
	ownNodes, ownEdges int64
}

func (a *adding) open() error {
	var n, e sql.NullInt64
	if err := a.tx.QueryRow(`SELECT CAST(SUM(nodes) AS BIGINT), CAST(SUM(edges) AS BIGINT) FROM lineage_tellers`).Scan(&n, &e); err != nil {
		return fmt.Errorf("measuring the lineage graph: %w", err)
	}
	a.allNodes, a.allEdges = n.Int64, e.Int64
	err := a.tx.QueryRow(`SELECT nodes, edges FROM lineage_tellers WHERE teller = ?`, a.by.Teller()).Scan(&a.ownNodes, &a.ownEdges)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("measuring the lineage graph: %w", err)
	}
	return nil
}

// close writes down how much there is now. One reporter has at most half of the room.
func (a *adding) close() {
	if !a.news {
		return
	}
	n, e := int64(a.opt.Nodes), int64(a.opt.Edges)
	foreign := a.by.Teller() != ""
	if a.allNodes+a.nodes > n || a.allEdges+a.edges > e || foreign && (a.ownNodes+a.nodes > n/2 || a.ownEdges+a.edges > e/2) {
		a.fail(ErrFull)
	}
	a.exec(`INSERT INTO lineage_tellers (teller, nodes, edges, turn) VALUES (?, ?, ?, 1)
		ON CONFLICT (teller) DO UPDATE SET nodes = lineage_tellers.nodes + excluded.nodes, edges = lineage_tellers.edges + excluded.edges, turn = lineage_tellers.turn + 1`,
		a.by.Teller(), a.nodes, a.edges)
}

func (a *adding) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// exec runs a statement and returns how many rows it changed.
func (a *adding) exec(query string, args ...any) int64 {
	if a.err != nil {
		return 0
	}
	n, err := a.tx.Exec(query, args...)
	if err != nil {
		a.fail(err)
	}
	return n
}

// fresh is how old the time of something may be before it is written again: most events tell what is known.
const fresh = 60_000

func (a *adding) node(n int64) {
	if n > 0 {
		a.nodes, a.news = a.nodes+n, true
	}
}

func (a *adding) edge(n int64) {
	if n > 0 {
		a.edges, a.news = a.edges+n, true
	}
}

// name makes sure that a dataset is there.
func (a *adding) name(n Name) []byte {
	id := n.id()
	a.node(a.exec(`INSERT INTO lineage_datasets (id, namespace, name, version, since, seen) VALUES (?, ?, ?, '', ?, ?) ON CONFLICT (id) DO NOTHING`,
		id, n.Namespace, n.Name, a.now, a.now))
	return id
}

func (a *adding) field(d Name, f string) []byte {
	id := d.column(f)
	a.node(a.exec(`INSERT INTO lineage_columns (id, dataset, field) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`, id, d.id(), f))
	return id
}

// dataset takes what an event says of a dataset itself: that it was seen, its version, columns and other names.
func (a *adding) dataset(d *Dataset) []byte {
	id := a.name(d.Name)
	a.exec(`UPDATE lineage_datasets SET seen = ? WHERE id = ? AND seen < ?`, a.now, id, a.now-fresh)
	if d.Version != "" {
		a.exec(`UPDATE lineage_datasets SET version = ?, seen = ? WHERE id = ? AND version <> ?`, d.Version, a.now, id, d.Version)
	}
	for _, f := range d.Schema {
		a.field(d.Name, f.Name)
	}
	others := d.Symlinks
	if d.Previous != nil {
		others = append(slices.Clone(others), *d.Previous)
	}
	for _, o := range others {
		if o == d.Name {
			continue
		}
		other := a.name(o)
		for _, pair := range [2][2][]byte{{id, other}, {other, id}} {
			a.edge(a.exec(`INSERT INTO lineage_names (one, other, since) VALUES (?, ?, ?) ON CONFLICT (one, other) DO NOTHING`, pair[0], pair[1], a.now))
		}
	}
	return id
}

func (a *adding) job(n Name, r *Run) []byte {
	id := n.job(a.by)
	a.node(a.exec(`INSERT INTO lineage_jobs (id, teller, namespace, name, since, seen, run, parent) VALUES (?, ?, ?, ?, ?, ?, '', ?) ON CONFLICT (id) DO NOTHING`,
		id, a.by.Teller(), n.Namespace, n.Name, a.now, a.now, []byte{}))
	if r == nil {
		return id
	}
	a.exec(`UPDATE lineage_jobs SET run = ?, seen = ? WHERE id = ? AND run <> ?`, r.ID, a.now, id, r.ID)
	if r.Parent != nil {
		parent := a.job(r.Parent.Job, nil)
		a.exec(`UPDATE lineage_jobs SET parent = ? WHERE id = ? AND parent <> ?`, parent, id, parent)
	}
	return id
}

// run takes an event about a run or a job.
func (a *adding) run(ev *Event) {
	job, run := a.job(ev.Job.Name, ev.Run), []byte(nil)
	if ev.Run != nil {
		run = id("run", string(job), strings.ToLower(ev.Run.ID))
	} else {
		run = id("job", string(job))
	}
	var reads, writes [][]byte
	told := map[string]bool{}
	for i := range ev.Inputs {
		reads = appendID(reads, a.dataset(&ev.Inputs[i]))
	}
	for i := range ev.Outputs {
		d := &ev.Outputs[i]
		at := a.dataset(d)
		writes = appendID(writes, at)
		told[string(at)] = a.columns(d, job, run) || told[string(at)]
	}
	if a.by.Teller() != "" {
		reads, writes = a.remember(run, reads, writes, told)
	}
	if len(reads)*len(writes) > mostPairs {
		a.fail(ErrRun)
	}
	for _, w := range writes {
		for _, r := range reads {
			a.made(w, job, r)
		}
		if t, here := told[string(w)]; here {
			a.untold(w, job, run, t)
		}
	}
}

func appendID(all [][]byte, id []byte) [][]byte {
	if slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, id) }) {
		return all
	}
	return append(all, id)
}

// remember joins what the event says a run reads and writes with what earlier events said. Of told, it makes true what was told before.
// Pairs of which both were known are made already, but there is no harm in that.
func (a *adding) remember(run []byte, reads, writes [][]byte, told map[string]bool) ([][]byte, [][]byte) {
	for i, set := range [2][][]byte{reads, writes} {
		for _, d := range set {
			n := 0
			if i == 1 && told[string(d)] {
				n = 1
			}
			a.exec(`INSERT INTO lineage_runs (id, dataset, writes, told, seen) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (id, dataset, writes) DO UPDATE SET seen = excluded.seen,
				told = CASE WHEN lineage_runs.told > excluded.told THEN lineage_runs.told ELSE excluded.told END`, run, d, i, n, a.now)
		}
	}
	if a.err != nil {
		return nil, nil
	}
	rows, err := a.tx.Query(`SELECT dataset, writes, told FROM lineage_runs WHERE id = ? ORDER BY dataset, writes`, run)
	if err != nil {
		a.fail(err)
		return nil, nil
	}
	defer rows.Close() //nolint:errcheck // what it would say is said by Err
	reads, writes = nil, nil
	for rows.Next() {
		var d []byte
		var w, t int
		if err := rows.Scan(&d, &w, &t); err != nil {
			a.fail(err)
			return nil, nil
		}
		if w == 0 {
			reads = append(reads, d)
			continue
		}
		writes = append(writes, d)
		if _, here := told[string(d)]; here && t == 1 {
			told[string(d)] = true
		}
	}
	if err := rows.Err(); err != nil {
		a.fail(err)
	}
	if len(reads) > mostOfRun || len(writes) > mostOfRun {
		a.fail(ErrRun)
	}
	return reads, writes
}

// made takes that a job made one dataset of another.
func (a *adding) made(target, job, source []byte) {
	if bytes.Equal(target, source) {
		return
	}
	n := a.exec(`INSERT INTO lineage_made (target, job, source, since, seen) VALUES (?, ?, ?, ?, ?) ON CONFLICT (target, job, source) DO NOTHING`,
		target, job, source, a.now, a.now)
	a.edge(n)
	if n == 0 {
		a.exec(`UPDATE lineage_made SET seen = ? WHERE target = ? AND job = ? AND source = ? AND seen < ?`, a.now, target, job, source, a.now-fresh)
	}
}

// untold takes that a run made a dataset and did not tell how, or that it has told now.
func (a *adding) untold(target, job, run []byte, told bool) {
	if told {
		if a.exec(`DELETE FROM lineage_untold WHERE target = ? AND job = ? AND run = ? AND field = ''`, target, job, run) > 0 {
			a.news = true
		}
		return
	}
	a.mark(target, job, run, "")
}

func (a *adding) mark(target, job, run []byte, field string) {
	a.edge(a.exec(`INSERT INTO lineage_untold (target, job, run, field) VALUES (?, ?, ?, ?) ON CONFLICT (target, job, run, field) DO NOTHING`, target, job, run, field))
}

// columns takes how the columns of a dataset were made, and reports whether that was told at all.
func (a *adding) columns(d *Dataset, job, run []byte) bool {
	if d.Columns == nil {
		return false
	}
	target, told := d.id(), false
	for i := range d.Columns.Fields {
		f := &d.Columns.Fields[i]
		if len(f.Inputs) == 0 {
			continue
		}
		told = true
		at := a.field(d.Name, f.Field)
		for _, in := range f.Inputs {
			a.made(target, job, a.lineage(target, at, 0, job, in))
		}
	}
	for _, in := range d.Columns.Dataset {
		a.made(target, job, a.lineage(target, target, 1, job, in))
	}
	if !told {
		return false
	}
	for _, f := range d.Schema { // what the facet leaves out was made of something, too
		if !d.Columns.tells(f.Name) {
			a.mark(target, job, []byte{}, f.Name)
		}
	}
	return true
}

// tells reports whether the facet says how a column was made, or a structure that it is a member of.
func (c *ColumnLineage) tells(field string) bool {
	for i := range c.Fields {
		f := &c.Fields[i]
		if len(f.Inputs) > 0 && (f.Field == field || strings.HasPrefix(field, f.Field+".")) {
			return true
		}
	}
	return false
}

// lineage takes that a column was made of another, and returns the dataset of that one.
func (a *adding) lineage(inside, target []byte, whole int, job []byte, in Input) []byte {
	origin := a.name(in.Dataset)
	source := origin
	if in.Field != "" {
		source = a.field(in.Dataset, in.Field)
	} else {
		whole |= 2
	}
	how, masking := howOf(in.How, a.by.Teller() == "")
	n := a.exec(`INSERT INTO lineage_edges (target, job, source, whole, inside, origin, how, masking, since, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (target, job, source) DO NOTHING`, target, job, source, whole, inside, origin, how, masking, a.now, a.now)
	a.edge(n)
	if n == 0 {
		a.again(target, job, source, how, masking)
	}
	return origin
}

// again takes what is told of an edge that is there: it masks if that was always said.
func (a *adding) again(target, job, source []byte, how string, masking int) {
	if masking == 0 && a.exec(`UPDATE lineage_edges SET masking = 0 WHERE target = ? AND job = ? AND source = ? AND masking = 1`, target, job, source) > 0 {
		a.news = true
	}
	if a.err != nil {
		return
	}
	var old string
	if err := a.tx.QueryRow(`SELECT how FROM lineage_edges WHERE target = ? AND job = ? AND source = ?`, target, job, source).Scan(&old); err != nil {
		a.fail(err)
		return
	}
	if all := joinHow(old, how); all != old {
		a.exec(`UPDATE lineage_edges SET how = ?, seen = ? WHERE target = ? AND job = ? AND source = ?`, all, a.now, target, job, source)
		return
	}
	a.exec(`UPDATE lineage_edges SET seen = ? WHERE target = ? AND job = ? AND source = ? AND seen < ?`, a.now, target, job, source, a.now-fresh)
}

// subtypes are those that OpenLineage names; others are kept as OTHER, so that nothing can be said in them.
var subtypes = []string{"IDENTITY", "TRANSFORMATION", "AGGREGATION", "FILTER", "JOIN", "GROUP_BY", "SORT", "WINDOW", "CONDITION", "CONDITIONAL", "CONDITIONS"}

// howOf writes down transformations, and reports by 1 whether all of them mask. Without any, nothing is known of it.
// Of the own journal it keeps what a transformation is called, too.
func howOf(all []Transformation, own bool) (how string, masking int) {
	if len(all) > 0 {
		masking = 1
	}
	for _, t := range all {
		word := "UNKNOWN"
		if t.Type == "DIRECT" || t.Type == "INDIRECT" {
			word = t.Type
		}
		if slices.Contains(subtypes, t.Subtype) {
			word += "/" + t.Subtype
		} else if t.Subtype != "" {
			word += "/OTHER"
		}
		if own && t.Description != "" && !strings.ContainsAny(t.Description, " \t\n") {
			word += ":" + t.Description
		}
		how = joinHow(how, word)
		if !t.Masking {
			masking = 0
		}
	}
	if how == "" {
		how = "UNKNOWN"
	}
	return how, masking
}

func joinHow(a, b string) string {
	all := strings.Fields(a)
	for _, w := range strings.Fields(b) {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (a *adding) delivery(d *Delivery) {
	at, times := d.Last.UnixMilli(), max(d.Count, 1)
	if d.Last.IsZero() {
		at = a.now
	}
	a.exec(`INSERT INTO lineage_deliveries (id, dataset, agent, domain, purpose, policy, level, flow, times, since, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET flow = excluded.flow, times = lineage_deliveries.times + excluded.times, seen = excluded.seen`,
		id("delivery", d.Dataset.Namespace, d.Dataset.Name, string(d.Agent), string(d.Domain), string(d.Purpose), d.Policy, d.Level),
		a.name(d.Dataset), string(d.Agent), string(d.Domain), string(d.Purpose), d.Policy, d.Level, string(d.Flow), times, at, at)
}
