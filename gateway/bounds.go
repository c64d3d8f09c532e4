package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	stdjson "encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// right is what follows from a verified chain.
type right struct {
	vd     *capability.Verified
	names  []string // that policies see as context.capabilities
	limits string   // digest of what terms depend on
	agents []flow.Party
	record *flow.Capability

	mu     sync.Mutex // guards the fields below
	levels map[flow.Label]flow.Level
}

// rights remembers what follows from chains by their leaves, which name all that was before them. What a chain is worth is
// asked anew each time; only what it says stays.
type rights struct {
	mu    sync.Mutex
	known map[[32]byte]*right
}

// Bounds of what is remembered. What is over is worked out again.
const (
	maxRights = 4096
	maxLevels = 512 // labels of one chain
)

func (rs *rights) of(own flow.DomainID, vd *capability.Verified) *right {
	key := vd.Leaf().Hash
	rs.mu.Lock()
	known := rs.known[key]
	rs.mu.Unlock()
	if known != nil && known.vd.Issuer == vd.Issuer {
		return known
	}
	known = newRight(own, vd)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.known == nil || len(rs.known) >= maxRights {
		rs.known = map[[32]byte]*right{}
	}
	rs.known[key] = known
	return known
}

func newRight(own flow.DomainID, vd *capability.Verified) *right {
	r := &right{vd: vd, record: &flow.Capability{Issuer: vd.Issuer, Tokens: make([]string, len(vd.Links))}}
	root, leaf := &vd.Root().Grant, &vd.Leaf().Grant
	for _, n := range root.Names {
		if vd.Issuer != own {
			n = string(vd.Issuer) + ":" + n // a peer gives out no names of this domain
		}
		r.names = append(r.names, n)
	}
	for i := range vd.Links {
		r.record.Tokens[i] = hex.EncodeToString(vd.Links[i].Hash[:])
		agent := flow.AgentID(vd.Links[i].Grant.Agent)
		if i > 0 && agent != flow.AgentID(vd.Links[i-1].Grant.Agent) {
			r.agents = append(r.agents, flow.Party{Agent: agent, Domain: vd.Issuer})
		}
	}
	// The leaf states every bound of those before it, and none wider.
	raw, err := stdjson.Marshal(struct {
		Names    []string
		Levels   map[flow.Label]flow.Level
		Datasets map[string][]string
	}{r.names, leaf.Levels, leaf.Datasets})
	if err != nil { // texts can be encoded; if not, it is like no other
		raw = []byte(r.record.Tokens[len(r.record.Tokens)-1])
	}
	sum := sha256.Sum256(raw)
	r.limits = hex.EncodeToString(sum[:])
	return r
}

// level is the most that the chain lets be shown of a label.
func (r *right) level(l flow.Label) flow.Level {
	r.mu.Lock()
	level, ok := r.levels[l]
	r.mu.Unlock()
	if ok {
		return level
	}
	level = r.vd.Level(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.levels == nil {
		r.levels = map[flow.Label]flow.Level{}
	}
	if len(r.levels) < maxLevels {
		r.levels[l] = level
	}
	return level
}

// meet lowers the terms of leaves to what every link of the chain lets be shown. It is done outside policy, in both
// directions, so that nothing opens because something narrowed.
func (a *Authority) meet(tax *flow.Taxonomy, leaves []flow.Leaf, terms []flow.LeafTerms) {
	if a == nil || a.Chain == nil {
		return
	}
	for i := range terms {
		if i >= len(leaves) {
			terms[i] = flow.LeafTerms{By: flow.ByCapability}
			continue
		}
		a.meetOne(tax, &leaves[i], &terms[i])
	}
}

func (a *Authority) meetOne(tax *flow.Taxonomy, leaf *flow.Leaf, terms *flow.LeafTerms) {
	class, _ := tax.Class(labelOf(leaf))
	less := capability.Within(class, terms.Treatment, a.level(leaf))
	if less == terms.Treatment {
		return
	}
	terms.Treatment, terms.By = less, flow.ByCapability
	terms.Reason = "what the caller was given the right to lets no more be shown"
}

// level is the most that the chain lets be shown of a leaf.
func (a *Authority) level(leaf *flow.Leaf) flow.Level {
	level := a.right.level(labelOf(leaf))
	if dataset, column, ok := strings.Cut(leaf.Field, "/"); ok && !a.Chain.AdmitsColumn(dataset, column) {
		return flow.Dropped
	}
	return level
}

func labelOf(leaf *flow.Leaf) flow.Label {
	if leaf.Label == "" {
		return flow.Unlabelled
	}
	return leaf.Label
}

// shows reports whether the authority lets a value of a label be shown at a level.
func (a *Authority) shows(l flow.Label, level flow.Level) bool {
	return a == nil || a.Chain == nil || !level.Reveals(a.right.level(l))
}

// holdsNow asks again, for every message, what may have changed since the call was proven: time, revocations, purpose.
func (g *Gateway) holdsNow(m *Message) error {
	a, f := m.Authority, &m.Query.Flow
	if err := g.Halted(f); err != nil {
		return err
	}
	if err := g.Serves(a, f, m.Serves); err != nil {
		return err
	}
	if a == nil {
		return nil
	}
	a.mu.Lock()
	proven := a.proven
	a.mu.Unlock()
	if !proven {
		return refuse(RuleInternal, "", errUnproven, "The gateway could not decide this flow, so it did not happen.")
	}
	if a.Chain == nil {
		return nil
	}
	if err := g.revoked(a, f.From.Domain, f.Task.ID); err != nil {
		return notAdmitted(err)
	}
	for i := range a.Chain.Links {
		grant := &a.Chain.Links[i].Grant
		switch {
		case !grant.Expires.After(g.now()):
			return notAdmitted(&capability.Error{Rule: capability.RuleExpired, Link: i, Member: "exp"})
		case grant.Purposes != nil && !slices.Contains(grant.Purposes, f.Purpose):
			return notAdmitted(&capability.Error{Rule: capability.RuleNotGranted, Link: i, Member: "purposes"})
		case grant.Criticality != nil && f.Task.Criticality > *grant.Criticality:
			return notAdmitted(&capability.Error{Rule: capability.RuleNotGranted, Link: i, Member: "criticality"})
		}
	}
	return nil
}

// publicPath is the path of the public address, which a proxy takes away.
func publicPath(base string) string {
	if base == "" {
		return ""
	}
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.EscapedPath(), "/")
}
