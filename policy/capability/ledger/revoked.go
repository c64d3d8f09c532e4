package ledger

import (
	"crypto/sha256"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// lists are all lists that are known. They are replaced, never changed.
type lists struct {
	own   *list
	peers map[flow.DomainID]*known
}

// known is a peer's list, and when it came. The time keeps the monotonic reading, so that a clock that is set back makes no list younger.
type known struct {
	*list
	came   time.Time
	stored time.Time // when the one in the store was issued
}

// with returns the lists with another one for a peer.
func (ls *lists) with(d flow.DomainID, k *known) *lists {
	next := &lists{own: ls.own, peers: make(map[flow.DomainID]*known, len(ls.peers)+1)}
	for name, p := range ls.peers {
		next.peers[name] = p
	}
	if k == nil {
		delete(next.peers, d)
	} else {
		next.peers[d] = k
	}
	return next
}

// Revoked asks whether a link of the chain, or the task, is revoked. It must be asked for every call, and again for every part of
// an answer that comes in parts. It takes no lock and does no I/O.
//
// The own list counts for every chain. The list of the root's issuer counts too: so a peer can revoke nothing but chains of
// its own. It returns an [*Error] of [ErrRevoked], or of [ErrStale] if the issuer is a peer whose list is missing or too old.
func (l *Ledger) Revoked(vd *capability.Verified, task flow.TaskID) error {
	if vd == nil || len(vd.Links) == 0 {
		return &Error{Rule: ErrStale, Link: Whole, What: "there is no chain"}
	}
	if err := l.forgotten(vd); err != nil {
		return err
	}
	ls := l.lists.Load()
	theirs, err := l.listOf(ls, vd.Issuer)
	if err != nil {
		return err
	}
	asked := [...]*list{ls.own, theirs}
	all := asked[:]
	byToken := len(ls.own.denied[OfToken]) > 0
	if theirs == nil {
		all = asked[:1]
	} else {
		byToken = byToken || len(theirs.denied[OfToken]) > 0
	}
	for i := range vd.Links {
		link := &vd.Links[i]
		var token digest
		if byToken {
			token = sha256.Sum256([]byte(link.ID))
		}
		for _, one := range all {
			switch {
			case one.has(OfHolder, digest(link.Holder)):
				return &Error{Rule: ErrRevoked, Link: i, What: "holder", Domain: one.issuer}
			case byToken && one.has(OfToken, token):
				return &Error{Rule: ErrRevoked, Link: i, What: "token", Domain: one.issuer}
			}
		}
	}
	return deniedTask(ls.own, theirs, task)
}

// RevokedTask asks whether a task is revoked, for a flow from a domain that shows no capability. A peer's list counts for flows from
// that peer; that it is missing or too old closes nothing, since no right hangs on it.
func (l *Ledger) RevokedTask(from flow.DomainID, task flow.TaskID) error {
	ls := l.lists.Load()
	var theirs *list
	if k := ls.peers[from]; k != nil {
		theirs = k.list
	}
	return deniedTask(ls.own, theirs, task)
}

func deniedTask(own, theirs *list, task flow.TaskID) error {
	if task == "" {
		return nil
	}
	var sum digest
	for _, one := range []*list{own, theirs} {
		if one == nil || len(one.denied[OfTask]) == 0 {
			continue
		}
		if sum == (digest{}) {
			sum = sha256.Sum256([]byte(task))
		}
		if one.has(OfTask, sum) {
			return &Error{Rule: ErrRevoked, Link: Whole, What: "task", Domain: one.issuer}
		}
	}
	return nil
}

// listOf returns the list of a root's issuer; nil for our own, which is asked in any case.
func (l *Ledger) listOf(ls *lists, issuer flow.DomainID) (*list, error) {
	if issuer == l.opt.Domain {
		return nil, nil
	}
	k := ls.peers[issuer]
	if k == nil {
		return nil, &Error{Rule: ErrStale, Link: Whole, What: "there is none", Domain: issuer}
	}
	if !l.fresh(k.issued, k.came, l.opt.Clock()) {
		return nil, &Error{Rule: ErrStale, Link: Whole, Domain: issuer}
	}
	return k.list, nil
}

// fresh reports whether a list may still be believed. One that seems to come from the future, since the clock was set back, may not.
func (l *Ledger) fresh(issued, came, now time.Time) bool {
	most := time.Duration(l.stale.Load())
	return now.Sub(issued) <= most && now.Sub(came) <= most && issued.Sub(now) <= time.Duration(l.skew.Load())
}

func (one *list) has(k Kind, d digest) bool {
	_, there := one.denied[k][d]
	return there
}

// loadLists reads the own list and the peers' lists. What is in the store was verified when it came.
func (l *Ledger) loadLists(tx store.Tx, version int64) error {
	own := &list{issuer: l.opt.Domain, version: version, denied: newEntries()}
	all, err := denials(tx)
	if err != nil {
		return err
	}
	for _, d := range all {
		sum, err := digestOf(d.Kind, d.Name)
		if err != nil {
			return err
		}
		own.denied[d.Kind][sum] = d.Until.Unix()
	}
	ls := &lists{own: own, peers: make(map[flow.DomainID]*known)}
	rows, err := tx.Query("SELECT list FROM ledger_lists")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var signed []byte
		if err := rows.Scan(&signed); err != nil {
			return err
		}
		one, err := storedList(signed)
		if err != nil {
			return err
		}
		ls.peers[one.issuer] = &known{one, l.opt.Clock(), one.issued}
	}
	l.lists.Store(ls)
	return rows.Err()
}
