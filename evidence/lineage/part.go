package lineage

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/store"
)

// key is the id of a dataset, column or job.
type key [16]byte

// part is a part of the graph in memory, whole datasets at a time.
type part struct {
	tx    store.Tx
	up    bool // what made the datasets is followed; else what was made of them
	sets  map[key]*set
	order []key // of sets, as they were found
	jobs  map[key]job
	edges int
	most  int // edges
	cut   bool
}

// errEnough ends the reading of a part that is larger than was asked for.
var errEnough = errors.New("the part is large enough")

func (p *part) count() error {
	if p.edges++; p.edges > p.most {
		return errEnough
	}
	return nil
}

// set is a dataset. Of a part that goes down, edges and made are those that come from it.
type set struct {
	id        key
	row       Seen
	columns   map[key]string
	edges     []edge
	made      []made
	untold    []untold
	explained map[key]bool // jobs that told of some column how they made it
	names     []key
	cut       bool // its edges were not read
}

type edge struct {
	target, job, source key
	whole               int // as in lineage_edges
	inside, origin      key
	how                 string
	masking             bool
	since, seen         int64
}

type made struct {
	target, job, source key
	since, seen         int64
}

type untold struct {
	job   key
	field string
}

type job struct {
	name        Name
	teller, run string
}

func (r Reach) withDefaults() Reach {
	for _, n := range []struct {
		v   *int
		def int
	}{{&r.Steps, 64}, {&r.Datasets, 2_000}, {&r.Edges, 50_000}} {
		if *n.v <= 0 {
			*n.v = n.def
		}
	}
	return r
}

// load reads the part of the graph around some datasets. Beyond the reach it is cut.
func load(tx store.Tx, starts []key, up bool, r Reach) (*part, error) {
	r = r.withDefaults()
	p := &part{tx: tx, up: up, sets: map[key]*set{}, jobs: map[key]job{}}
	p.most = r.Edges
	next := p.admit(starts, r)
	for step := 0; len(next) > 0; step++ {
		if step > r.Steps {
			for _, k := range next {
				p.sets[k].cut, p.cut = true, true
			}
			break
		}
		found, err := p.around(next)
		if errors.Is(err, errEnough) {
			for _, k := range next {
				p.sets[k].cut, p.cut = true, true
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the lineage graph: %w", err)
		}
		next = p.admit(found, r)
	}
	if err := p.details(); err != nil {
		return nil, fmt.Errorf("reading the lineage graph: %w", err)
	}
	return p, nil
}

// admit makes room for datasets that are new, and returns them.
func (p *part) admit(found []key, r Reach) (fresh []key) {
	for _, k := range found {
		if p.sets[k] != nil {
			continue
		}
		s := &set{id: k, columns: map[key]string{}, explained: map[key]bool{}}
		p.sets[k] = s
		p.order = append(p.order, k)
		if len(p.sets) > r.Datasets {
			s.cut, p.cut = true, true
			continue
		}
		fresh = append(fresh, k)
	}
	return fresh
}

// many is how many ids one statement asks for.
const many = 200

// each runs a query with IN (…) for all ids, some at a time.
func (p *part) each(query string, ids []key, row func(scan func(...any) error) error) error {
	for chunk := range slices.Chunk(ids, many) {
		args := make([]any, len(chunk))
		for i := range chunk {
			args[i] = chunk[i][:]
		}
		if err := p.rows(strings.Replace(query, "(?)", "(?"+strings.Repeat(", ?", len(chunk)-1)+")", 1), args, row); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) rows(query string, args []any, row func(scan func(...any) error) error) (err error) {
	var rows *sql.Rows
	if rows, err = p.tx.Query(query, args...); err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // what it would say is said by Err
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Scan implements [sql.Scanner].
func (k *key) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(k) {
		return fmt.Errorf("an id of the lineage graph is damaged")
	}
	copy(k[:], b)
	return nil
}

// around reads the edges of datasets, and returns the datasets at their other ends.
func (p *part) around(of []key) (found []key, err error) {
	by, madeBy := "inside", "target"
	if !p.up {
		by, madeBy = "origin", "source"
	}
	err = p.each(`SELECT target, job, source, whole, inside, origin, how, masking, since, seen FROM lineage_edges WHERE `+by+` IN (?) ORDER BY target, job, source`, of, func(scan func(...any) error) error {
		var e edge
		if err := scan(&e.target, &e.job, &e.source, &e.whole, &e.inside, &e.origin, &e.how, &e.masking, &e.since, &e.seen); err != nil {
			return err
		}
		here, there := e.inside, e.origin
		if !p.up {
			here, there = there, here
		}
		p.sets[here].edges = append(p.sets[here].edges, e)
		found = append(found, there)
		return p.count()
	})
	if err != nil {
		return nil, err
	}
	err = p.each(`SELECT target, job, source, since, seen FROM lineage_made WHERE `+madeBy+` IN (?) ORDER BY target, job, source`, of, func(scan func(...any) error) error {
		var m made
		if err := scan(&m.target, &m.job, &m.source, &m.since, &m.seen); err != nil {
			return err
		}
		here, there := m.target, m.source
		if !p.up {
			here, there = there, here
		}
		p.sets[here].made = append(p.sets[here].made, m)
		found = append(found, there)
		return p.count()
	})
	if err != nil {
		return nil, err
	}
	err = p.each(`SELECT one, other FROM lineage_names WHERE one IN (?) ORDER BY one, other`, of, func(scan func(...any) error) error {
		var one, other key
		if err := scan(&one, &other); err != nil {
			return err
		}
		p.sets[one].names = append(p.sets[one].names, other)
		found = append(found, other)
		return p.count()
	})
	return found, err
}

// details reads what there is to know of the datasets themselves and of the jobs.
func (p *part) details() error {
	err := p.each(`SELECT id, namespace, name, version, since, seen FROM lineage_datasets WHERE id IN (?)`, p.order, func(scan func(...any) error) error {
		var k key
		var s Seen
		var since, seen int64
		if err := scan(&k, &s.Namespace, &s.Name.Name, &s.Version, &since, &seen); err != nil {
			return err
		}
		s.First, s.Last = time.UnixMilli(since).UTC(), time.UnixMilli(seen).UTC()
		p.sets[k].row = s
		return nil
	})
	if err != nil {
		return err
	}
	err = p.each(`SELECT id, dataset, field FROM lineage_columns WHERE dataset IN (?)`, p.order, func(scan func(...any) error) error {
		var k, d key
		var field string
		if err := scan(&k, &d, &field); err != nil {
			return err
		}
		p.sets[d].columns[k] = field
		return nil
	})
	if err != nil {
		return err
	}
	err = p.each(`SELECT target, job, field FROM lineage_untold WHERE target IN (?) ORDER BY target, job, field`, p.order, func(scan func(...any) error) error {
		var k key
		var u untold
		if err := scan(&k, &u.job, &u.field); err != nil {
			return err
		}
		p.sets[k].untold = append(p.sets[k].untold, u)
		return nil
	})
	if err != nil {
		return err
	}
	err = p.each(`SELECT DISTINCT inside, job FROM lineage_edges WHERE inside IN (?) AND whole IN (0, 2)`, p.order, func(scan func(...any) error) error {
		var k, j key
		if err := scan(&k, &j); err != nil {
			return err
		}
		p.sets[k].explained[j] = true
		return nil
	})
	if err != nil {
		return err
	}
	return p.readJobs()
}

func (p *part) readJobs() error {
	seen := map[key]bool{}
	var ids []key
	for _, k := range p.order {
		s := p.sets[k]
		for _, e := range s.edges {
			if !seen[e.job] {
				seen[e.job], ids = true, append(ids, e.job)
			}
		}
		for _, m := range s.made {
			if !seen[m.job] {
				seen[m.job], ids = true, append(ids, m.job)
			}
		}
	}
	return p.each(`SELECT id, teller, namespace, name, run FROM lineage_jobs WHERE id IN (?)`, ids, func(scan func(...any) error) error {
		var k key
		var j job
		if err := scan(&k, &j.teller, &j.name.Namespace, &j.name.Name, &j.run); err != nil {
			return err
		}
		p.jobs[k] = j
		return nil
	})
}

// same reports whether what is said of one field is said of the other: names are compared without regard to case, as many
// engines do, and a structure stands for its members. The field of a dataset as a whole is the same as all.
func same(f, g string) bool {
	if f == "" || g == "" {
		return true
	}
	if len(f) > len(g) {
		f, g = g, f
	}
	return strings.EqualFold(f, g) || len(g) > len(f) && g[len(f)] == '.' && strings.EqualFold(f, g[:len(f)])
}

// tellsOf reports whether a job that made the dataset told how it made a column, in all of its runs.
func (s *set) tellsOf(job key, field string) bool {
	for _, u := range s.untold {
		if u.job == job && (u.field == "" || same(u.field, field)) {
			return false
		}
	}
	if field == "" {
		return s.explained[job]
	}
	for i := range s.edges {
		e := &s.edges[i]
		if e.job == job && e.inside == s.id && e.whole&1 == 0 && same(s.columns[e.target], field) {
			return true
		}
	}
	return false
}
