package budget

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
)

// Head is the end of a writer's chain.
type Head struct {
	Writer int64
	Seq    int64
	Hash   [32]byte
}

// Report is what a replay found.
type Report struct {
	Heads    []Head
	Entries  int64
	Scopes   int   // rows of sums that were recomputed
	Open     int64 // charges that are neither committed nor released
	Leased   int64 // charges in slices that were neither spent nor given back
	Findings []*Error
}

// OK reports whether nothing was found.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Err returns the first finding, or nil.
func (r Report) Err() error {
	if len(r.Findings) == 0 {
		return nil
	}
	return r.Findings[0]
}

// Replay reads every entry, recomputes every hash, sum and cap, and compares them with what the tables say. It returns an error
// only if it could not; what is wrong with the ledger is in the report.
func (l *Ledger) Replay(ctx context.Context) (Report, error) { return l.replay(ctx, true) }

// replay leaves out the stored answers if it is to be quick: they are authenticated each when they are used.
func (l *Ledger) replay(ctx context.Context, answers bool) (Report, error) {
	p := newReplay(l)
	err := l.db.View(ctx, func(tx store.Tx) error {
		passes := []func(store.Tx) error{p.writers, p.entries, p.scopes, p.sums, p.keys}
		if answers {
			passes = append(passes, p.answers)
		}
		for _, pass := range passes {
			if err := pass(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("replaying the ledger of budgets: %w", err)
	}
	return p.report, nil
}

// replay is one run over the ledger.
type replay struct {
	l      *Ledger
	report Report
	heads  map[int64]*head
	at     *head // whose entries are being read

	charges map[ID]*Entry   // of the writer at hand, not over
	leases  map[ID]*leased  // likewise
	rows    map[rowKey]*row // recomputed
	nodes   map[scopeKey]node
	plans   map[scopeKey][]*Entry

	mac         hash.Hash // by a key that only this run knows, so that no set of rows can be made to fit
	liveKeys    [32]byte  // sums of the MACs of all rows that there must be
	liveAnswers [32]byte
}

type head struct {
	Head
	name string
	last int64    // entry that was read
	hash [32]byte // of that one
}

// leased is a slice whose writer is being read.
type leased struct {
	entry *Entry
	left  int64
}

func newReplay(l *Ledger) *replay {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return &replay{
		l: l, heads: map[int64]*head{}, charges: map[ID]*Entry{}, leases: map[ID]*leased{}, rows: map[rowKey]*row{},
		nodes: map[scopeKey]node{}, plans: map[scopeKey][]*Entry{}, mac: hmac.New(sha256.New, key),
	}
}

const mostFindings = 100

func (p *replay) find(rule error, s Scope, block int64, format string, args ...any) {
	if len(p.report.Findings) < mostFindings {
		p.report.Findings = append(p.report.Findings, &Error{Rule: rule, Scope: s, Block: block, What: fmt.Sprintf(format, args...)})
	}
}

// add adds the MAC of a row to a sum over rows, which is the same in any order.
func (p *replay) add(sum *[32]byte, parts ...[]byte) {
	p.mac.Reset()
	for _, x := range parts {
		p.mac.Write(x)
	}
	m := p.mac.Sum(nil)
	carry := uint64(0)
	for i := 24; i >= 0; i -= 8 {
		a, b := binary.BigEndian.Uint64(sum[i:]), binary.BigEndian.Uint64(m[i:])
		s := a + b + carry
		if s < a || s == a && carry == 1 {
			carry = 1
		} else {
			carry = 0
		}
		binary.BigEndian.PutUint64(sum[i:], s)
	}
}

// sub takes one away again: it adds the negative.
func (p *replay) sub(sum *[32]byte, parts ...[]byte) {
	var one [32]byte
	p.add(&one, parts...)
	borrow := uint64(0)
	for i := 24; i >= 0; i -= 8 {
		a, b := binary.BigEndian.Uint64(sum[i:]), binary.BigEndian.Uint64(one[i:])
		binary.BigEndian.PutUint64(sum[i:], a-b-borrow)
		if a < b || a == b && borrow == 1 {
			borrow = 1
		} else {
			borrow = 0
		}
	}
}

// writers reads the heads and their signatures.
func (p *replay) writers(tx store.Tx) error {
	rows, err := tx.Query("SELECT id, name, seq, hash, signer, signature FROM budget_writers ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		h := &head{}
		var hash, signer, signature []byte
		if err := rows.Scan(&h.Writer, &h.name, &h.Seq, &hash, &signer, &signature); err != nil {
			return err
		}
		if len(hash) != 32 || h.Seq < 0 {
			p.find(ErrChain, Scope{}, 0, "the head of chain %d is not readable", h.Writer)
			continue
		}
		h.Hash, h.hash = [32]byte(hash), genesis(h.Writer, h.name)
		p.heads[h.Writer] = h
		p.report.Heads = append(p.report.Heads, h.Head)
		switch key := ed25519.PublicKey(signer); {
		case !p.l.trusts(key):
			p.find(ErrSignature, Scope{}, 0, "the head of chain %d is signed by a key that is not trusted", h.Writer)
		case !ed25519.Verify(key, headText(h.Writer, h.Seq, h.Hash), signature):
			p.find(ErrSignature, Scope{}, 0, "the head of chain %d is not what was signed", h.Writer)
		}
	}
	return rows.Err()
}

func (l *Ledger) trusts(key ed25519.PublicKey) bool {
	if len(key) != ed25519.PublicKeySize {
		return false
	}
	return l.public.Equal(key) || slices.ContainsFunc(l.opt.Trusted, func(k ed25519.PublicKey) bool { return k.Equal(key) })
}

// entries reads all chains.
func (p *replay) entries(tx store.Tx) error {
	rows, err := tx.Query("SELECT n, body, hash FROM budget_entries ORDER BY n")
	if err != nil {
		return err
	}
	defer rows.Close()
	witness := p.witnesses()
	for rows.Next() {
		var n int64
		var body, hash []byte
		if err := rows.Scan(&n, &body, &hash); err != nil {
			return err
		}
		p.report.Entries++
		writer, seq := n>>writerShift, n&(1<<writerShift-1)
		if p.at == nil || p.at.Writer != writer {
			p.endWriter()
			if p.at = p.heads[writer]; p.at == nil {
				p.find(ErrChain, Scope{}, 0, "entry %d of chain %d has no head", seq, writer)
				continue
			}
		}
		if seq != p.at.last+1 {
			p.find(ErrChain, Scope{}, 0, "entry %d of chain %d is missing", p.at.last+1, writer)
		}
		p.at.last = seq
		if p.at.hash = link(p.at.hash, body); string(hash) != string(p.at.hash[:]) {
			p.find(ErrChain, Scope{}, 0, "entry %d of chain %d does not follow the one before", seq, writer)
			if len(hash) == 32 {
				p.at.hash = [32]byte(hash) // so that one break is found once
			}
		}
		delete(witness, Head{writer, seq, p.at.hash})
		e, err := parseEntry(body)
		if err != nil {
			p.find(unread(err, ErrChain), Scope{}, 0, "entry %d of chain %d is not readable", seq, writer)
			continue
		}
		e.Writer, e.Seq = writer, seq
		p.entry(e, body)
	}
	p.endWriter()
	for _, h := range p.heads {
		if h.last != h.Seq || h.hash != h.Hash {
			p.find(ErrChain, Scope{}, 0, "chain %d ends at entry %d and its head says %d, or another one", h.Writer, h.last, h.Seq)
		}
	}
	for h := range witness {
		p.find(ErrRollback, Scope{}, 0, "entry %d of chain %d, which was witnessed", h.Seq, h.Writer)
	}
	return rows.Err()
}

// unread is why something was not read: a newer program wrote it, or it is broken.
func unread(err, broken error) error {
	if errors.Is(err, ErrNewer) {
		return ErrNewer
	}
	return broken
}

// witnesses are the heads that the ledger must have come by.
func (p *replay) witnesses() map[Head]bool {
	m := map[Head]bool{}
	for _, h := range p.l.opt.Witnessed {
		if h.Seq > 0 {
			m[h] = true
		}
	}
	return m
}

// endWriter counts what the chain that was read left open.
func (p *replay) endWriter() {
	p.report.Open += int64(len(p.charges))
	for _, s := range p.leases {
		p.report.Leased += s.left
	}
	clear(p.charges)
	clear(p.leases)
}

// entry does again what the entry records.
func (p *replay) entry(e *Entry, body []byte) {
	switch e.Kind {
	case Declared, Quota:
		n := e.Scope.last()
		p.nodes[n.key] = n
		e.Hash = sha256.Sum256(body)
		p.plans[n.key] = append(p.plans[n.key], e)
	case Reserved:
		if p.charges[e.ID] != nil {
			p.find(ErrChain, e.Scope, 0, "entry %d of chain %d reserves again", e.Seq, e.Writer)
			return
		}
		p.charges[e.ID] = e
		if e.Key != [32]byte{} {
			p.add(&p.liveKeys, e.Key[:], e.ID[:], e.Request[:], big(e.Writer))
		}
		if e.Lease == (ID{}) {
			p.charge(e, e, 1)
			return
		}
		s := p.leases[e.Lease]
		if s == nil || s.left < 1 || s.entry.Cost != e.Cost || s.entry.Scope != e.Scope || s.entry.Blocks != e.Blocks {
			p.find(ErrSums, e.Scope, 0, "entry %d of chain %d spends from a lease that has none for it", e.Seq, e.Writer)
			return
		}
		s.left--
	case Committed:
		if c := p.charges[e.ID]; c == nil {
			p.find(ErrChain, e.Scope, 0, "entry %d of chain %d commits what is not reserved", e.Seq, e.Writer)
		} else if (c.Key != [32]byte{}) != (e.Answer != [32]byte{}) {
			p.find(ErrChain, e.Scope, 0, "entry %d of chain %d commits without the answer to its key", e.Seq, e.Writer)
		}
		if e.Answer != [32]byte{} {
			p.add(&p.liveAnswers, e.ID[:], e.Answer[:])
		}
		delete(p.charges, e.ID)
	case Released:
		p.released(e)
	case Leased:
		p.leases[e.ID] = &leased{e, e.Count}
		p.charge(e, e, e.Count)
	case Returned:
		s := p.leases[e.ID]
		if s == nil || e.Count < 1 || e.Count > s.left {
			p.find(ErrSums, e.Scope, 0, "entry %d of chain %d gives back more than was leased", e.Seq, e.Writer)
			return
		}
		s.left -= e.Count
		p.charge(e, s.entry, -e.Count)
	}
}

func (p *replay) released(e *Entry) {
	c := p.charges[e.ID]
	if c == nil {
		p.find(ErrChain, e.Scope, 0, "entry %d of chain %d releases what is not reserved", e.Seq, e.Writer)
		return
	}
	delete(p.charges, e.ID)
	if c.Key != [32]byte{} {
		p.sub(&p.liveKeys, c.Key[:], c.ID[:], c.Request[:], big(c.Writer))
	}
	if c.Lease == (ID{}) {
		p.charge(e, c, -1)
		return
	}
	if s := p.leases[c.Lease]; s != nil {
		s.left++
	}
}

// charge adds n times what the entry of says to all of its rows.
func (p *replay) charge(e, of *Entry, n int64) {
	if n == 0 || of.Blocks.To-of.Blocks.From < 1 || of.Blocks.To-of.Blocks.From > mostBlocks || of.Cost.Valid() != nil {
		p.find(ErrSums, e.Scope, 0, "entry %d of chain %d charges nothing, or no blocks", e.Seq, e.Writer)
		return
	}
	for _, node := range of.Scope.path() {
		p.nodes[node.key] = node
		for at := of.Blocks.From; at < of.Blocks.To; at++ {
			k := rowKey{node.key, at}
			r := p.rows[k]
			if r == nil {
				r = &row{}
				p.rows[k] = r
			}
			r.entries++
			if n > 0 && !r.total.add(of.Cost, n) || n < 0 && !r.total.sub(of.Cost, -n) {
				p.find(ErrSums, node.Scope, at, "entry %d of chain %d does not fit the sums", e.Seq, e.Writer)
			}
		}
	}
}

func big(x int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(x)) }

// allowed is the most that any plan of the scope ever let each sum reach.
func allowed(plans []*Entry) (p Plan, c Caps) {
	for _, e := range plans {
		if e.Plan == nil {
			continue
		}
		p.Menu |= e.Plan.Menu
		d := e.Caps
		c.Epsilon, c.Delta, c.Slack = max(c.Epsilon, d.Epsilon), max(c.Delta, d.Delta), max(c.Slack, d.Slack)
		c.Rho, c.Mu2 = max(c.Rho, d.Rho), max(c.Mu2, d.Mu2)
		for i, x := range d.RDP {
			c.RDP[i] = max(c.RDP[i], x)
		}
	}
	return p, c
}

// fits reports whether sums of a dataset were ever allowed.
func fits(plans []*Entry, sums account.Vector) bool {
	p, c := allowed(plans)
	return sums == account.Vector{} || p.Fits(c, sums) != 0
}
