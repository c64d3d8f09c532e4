package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// How many tokens are kept to look at. What comes when there is no room is counted and not kept: nobody pushes out another's.
const (
	mostSeen     = 16384
	mostOfIssuer = 8192
	mostOfRoot   = 512
	mostPending  = 4096
	mostTasks    = 8
)

// Seen is a token that was issued here or came here. It names its tokens and keys by digests, and no argument's value is in it.
type Seen struct {
	Token   [32]byte      // SHA-256 of its signing input
	Parent  [32]byte      // likewise; of a root: its own
	Root    [32]byte      // likewise
	Issuer  flow.DomainID // of the root
	Depth   int
	ID      string // its id, as its signer chose it
	Holder  capability.Thumbprint
	Agent   string
	Issued  time.Time
	Expires time.Time
	Here    bool      // this domain issued it, and it is on record
	First   time.Time // it was noted
	Shown   time.Time // it came last; zero: it never did
	Times   int64     // how often

	Uses  *int64     // limits that are counted here; nil: there is none
	Cost  *flow.Cost //
	Spent struct {   // of those
		Uses int64
		Cost flow.Cost
	}

	Admits  []capability.Term     // everything
	Narrows []capability.Narrowed // what its parent admits and it does not
	Tasks   []flow.TaskID         // that it is bound to, at most eight
}

// says is what is kept in words.
type says struct {
	Agent   string                `json:"agent"`
	Admits  []capability.Term     `json:"admits"`
	Narrows []capability.Narrowed `json:"narrows,omitempty"`
	Tasks   []flow.TaskID         `json:"tasks,omitempty"`
}

// sightings are the tokens that came since they were stored last.
type sightings struct {
	mu      sync.Mutex // guards the fields below
	waiting map[[32]byte]*sighting
	unkept  int64
}

type sighting struct {
	Seen
	said []byte // JSON
	news int64  // how often it came
}

// note remembers that a chain came. It is quick; the store learns of it in [Ledger.Sweep].
func (l *Ledger) note(vd *capability.Verified) {
	now := l.opt.Clock()
	l.seen.mu.Lock()
	defer l.seen.mu.Unlock()
	for i := range vd.Links {
		link := &vd.Links[i]
		s := l.seen.waiting[link.Hash]
		if s == nil {
			if len(l.seen.waiting) >= mostPending {
				l.seen.unkept++
				continue
			}
			s = l.sightingOf(vd.Issuer, vd.Links[:i+1], now)
			l.seen.waiting[link.Hash] = s
		}
		s.news, s.Shown = s.news+1, now
	}
}

// sightingOf tells of the last of the links.
func (l *Ledger) sightingOf(issuer flow.DomainID, links []capability.Link, now time.Time) *sighting {
	at := len(links) - 1
	link := &links[at]
	g := &link.Grant
	s := &sighting{Seen: Seen{
		Token: link.Hash, Parent: links[max(at-1, 0)].Hash, Root: links[0].Hash, Issuer: issuer, Depth: at, ID: link.ID, Holder: link.Holder,
		Issued: link.IssuedAt, Expires: g.Expires, First: now,
	}}
	if g.Counted == l.opt.Domain {
		s.Uses, s.Cost = g.Uses, g.Cost
	}
	said := says{Agent: g.Agent, Admits: capability.Outline(*g), Tasks: g.Tasks[:min(len(g.Tasks), mostTasks)]}
	if at > 0 {
		said.Narrows = capability.Narrowing(links[at-1].Grant, *g)
	}
	s.said, _ = json.Marshal(said) // of texts alone
	return s
}

// Issued notes a root that this domain issued, in the transaction that records it.
func (l *Ledger) Issued(tx store.Tx, root capability.Link) error {
	s := l.sightingOf(l.opt.Domain, []capability.Link{root}, l.opt.Clock())
	s.Here = true
	room, err := roomIn(tx)
	if err != nil {
		return err
	}
	return l.keepSeen(tx, s, &room)
}

// Unkept is how many sightings of tokens were not kept since the start, because there was no room.
func (l *Ledger) Unkept() int64 {
	l.seen.mu.Lock()
	defer l.seen.mu.Unlock()
	return l.seen.unkept
}

// room is how many tokens are kept.
type room struct {
	all int64
	of  map[flow.DomainID]int64
}

func roomIn(tx store.Tx) (room, error) {
	r := room{of: map[flow.DomainID]int64{}}
	rows, err := tx.Query("SELECT issuer, count(*) FROM ledger_tokens GROUP BY issuer")
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for rows.Next() {
		var d flow.DomainID
		var n int64
		if err := rows.Scan(&d, &n); err != nil {
			return r, err
		}
		r.of[d], r.all = n, r.all+n
	}
	return r, rows.Err()
}

func (l *Ledger) keepSeen(tx store.Tx, s *sighting, r *room) error {
	shown := int64(0)
	if !s.Shown.IsZero() {
		shown = s.Shown.Unix()
	}
	n, err := tx.Exec("UPDATE ledger_tokens SET times = times + ?, shown = CASE WHEN shown < ? THEN ? ELSE shown END WHERE token = ?", s.news, shown, shown, s.Token[:])
	if err != nil || n > 0 {
		return err
	}
	var family int64
	if err := tx.QueryRow("SELECT count(*) FROM ledger_tokens WHERE root = ?", s.Root[:]).Scan(&family); err != nil {
		return err
	}
	if r.all >= mostSeen || r.of[s.Issuer] >= mostOfIssuer || family >= mostOfRoot {
		l.seen.mu.Lock()
		l.seen.unkept += max(s.news, 1)
		l.seen.mu.Unlock()
		return nil
	}
	uses, epsilon, delta, here := int64(-1), int64(-1), int64(-1), 0
	if s.Uses != nil {
		uses = *s.Uses
	}
	if s.Cost != nil {
		epsilon, delta = s.Cost.EpsilonNano, s.Cost.DeltaPico
	}
	if s.Here {
		here = 1
	}
	const add = `INSERT INTO ledger_tokens (token, parent, root, issuer, depth, id, holder, issued, expires, here, seen, shown, times, uses, epsilon, delta, says)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (token) DO NOTHING`
	_, err = tx.Exec(add, s.Token[:], s.Parent[:], s.Root[:], string(s.Issuer), s.Depth, []byte(s.ID), s.Holder[:], s.Issued.Unix(), s.Expires.Unix(), here,
		s.First.Unix(), shown, s.news, uses, epsilon, delta, s.said)
	r.all, r.of[s.Issuer] = r.all+1, r.of[s.Issuer]+1
	return err
}

// Flush stores which tokens came, roots first. [Ledger.Sweep] does it too. What cannot be stored is forgotten.
func (l *Ledger) Flush(ctx context.Context) error {
	l.seen.mu.Lock()
	waiting := l.seen.waiting
	l.seen.waiting = map[[32]byte]*sighting{}
	l.seen.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	err := l.db.Update(ctx, func(tx store.Tx) error {
		r, err := roomIn(tx)
		if err != nil {
			return err
		}
		for _, s := range slices.SortedFunc(maps.Values(waiting), func(a, b *sighting) int { return cmp.Compare(a.Depth, b.Depth) }) {
			if err := l.keepSeen(tx, s, &r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting the tokens that came: %w", err)
	}
	return nil
}

// sweepSeen deletes tokens whose accounts are closed.
func (l *Ledger) sweepSeen(ctx context.Context, now time.Time) error {
	return l.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM ledger_tokens WHERE expires <= ?", now.Add(-accountGrace).Unix())
		return err
	})
}

const seenColumns = `SELECT t.token, t.parent, t.root, t.issuer, t.depth, t.id, t.holder, t.issued, t.expires, t.here, t.seen, t.shown, t.times, t.uses, t.epsilon, t.delta, t.says,
	coalesce(a.uses, 0), coalesce(a.epsilon, 0), coalesce(a.delta, 0) FROM ledger_tokens AS t LEFT JOIN ledger_accounts AS a ON a.token = t.token `

func (l *Ledger) readSeen(ctx context.Context, where string, args ...any) (all []Seen, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		all = nil
		rows, err := tx.Query(seenColumns+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			s, err := scanSeen(rows.Scan)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the tokens that are known: %w", err)
	}
	return all, nil
}

func scanSeen(scan func(...any) error) (s Seen, err error) {
	var token, parent, root, id, holder, said []byte
	var issued, expires, here, first, shown, uses, epsilon, delta int64
	err = scan(&token, &parent, &root, &s.Issuer, &s.Depth, &id, &holder, &issued, &expires, &here, &first, &shown, &s.Times, &uses, &epsilon, &delta, &said,
		&s.Spent.Uses, &s.Spent.Cost.EpsilonNano, &s.Spent.Cost.DeltaPico)
	if err != nil {
		return s, err
	}
	for _, b := range [][]byte{token, parent, root, holder} {
		if len(b) != sha256.Size {
			return s, fmt.Errorf("a digest has %d bytes", len(b))
		}
	}
	var words says
	if err := json.Unmarshal(said, &words); err != nil {
		return s, fmt.Errorf("what a token admits is not as it was written: %w", err)
	}
	s.Token, s.Parent, s.Root, s.Holder, s.ID = [32]byte(token), [32]byte(parent), [32]byte(root), capability.Thumbprint(holder), string(id)
	s.Issued, s.Expires, s.First, s.Here = time.Unix(issued, 0).UTC(), time.Unix(expires, 0).UTC(), time.Unix(first, 0).UTC(), here == 1
	if shown > 0 {
		s.Shown = time.Unix(shown, 0).UTC()
	}
	if uses >= 0 {
		s.Uses = &uses
	}
	if epsilon >= 0 {
		s.Cost = &flow.Cost{EpsilonNano: epsilon, DeltaPico: delta}
	}
	s.Agent, s.Admits, s.Narrows, s.Tasks = words.Agent, words.Admits, words.Narrows, words.Tasks
	return s, nil
}

// Page says which roots are to be listed. The zero Page is the newest.
type Page struct {
	Before time.Time     // issued not after it; zero: the newest
	After  [32]byte      // of those issued at that second, tokens above this one are left out; zero: none is
	Issuer flow.DomainID // "": of all
	Limit  int           // 0: 50
}

// Roots lists the roots that are known, the newest first.
func (l *Ledger) Roots(ctx context.Context, p Page) ([]Seen, error) {
	where, args := "WHERE t.depth = 0", []any{}
	if !p.Before.IsZero() {
		at := p.Before.Unix()
		where, args = where+" AND (t.issued < ? OR t.issued = ? AND t.token < ?)", append(args, at, at, p.After[:])
	}
	if p.Issuer != "" {
		where, args = where+" AND t.issuer = ?", append(args, string(p.Issuer))
	}
	limit := p.Limit
	if limit <= 0 {
		limit = 50
	}
	return l.readSeen(ctx, where+" ORDER BY t.issued DESC, t.token DESC LIMIT ?", append(args, limit)...)
}

// Family lists a root and what was derived from it, as far as it came here: parents before their children.
func (l *Ledger) Family(ctx context.Context, root [32]byte) ([]Seen, error) {
	return l.readSeen(ctx, "WHERE t.root = ? ORDER BY t.depth, t.issued, t.token", root[:])
}

// SeenToken returns one token; false if it is not known.
func (l *Ledger) SeenToken(ctx context.Context, token [32]byte) (Seen, bool, error) {
	all, err := l.readSeen(ctx, "WHERE t.token = ?", token[:])
	if err != nil || len(all) == 0 {
		return Seen{}, false, err
	}
	return all[0], true, nil
}

// Denied says of one token, leaving its ancestors alone, by what and by whose list it is revoked; "" if it is not.
func (l *Ledger) Denied(s Seen) (what string, by flow.DomainID) {
	ls := l.lists.Load()
	all := []*list{ls.own}
	if k := ls.peers[s.Issuer]; k != nil {
		all = append(all, k.list)
	}
	for _, one := range all {
		switch {
		case one.has(OfHolder, digest(s.Holder)):
			return "holder", one.issuer
		case one.has(OfToken, sha256.Sum256([]byte(s.ID))):
			return "token", one.issuer
		}
		for _, t := range s.Tasks {
			if len(s.Tasks) == 1 && one.has(OfTask, sha256.Sum256([]byte(t))) {
				return "task", one.issuer
			}
		}
	}
	return "", ""
}
