package trust

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// Capabilities are the roots that are known.
type Capabilities struct {
	Absent bool          `json:"absent,omitempty"`
	Roots  []Token       `json:"roots"`
	Next   string        `json:"next,omitempty"` // after which root to go on
	Issuer flow.DomainID `json:"issuer,omitempty"`
	Unkept int64         `json:"unkept,omitempty"` // sightings that were not kept for want of room
	Grants []GrantView   `json:"grants,omitempty"` // that agents of this domain may have
}

// GrantView is a grant of the configuration.
type GrantView struct {
	Name   string         `json:"name"`
	Agents []flow.AgentID `json:"agents"`
	Life   string         `json:"life"`
}

// Token is one token as it is shown: no part of it by which anybody could call.
type Token struct {
	Token   string                `json:"token"` // SHA-256 of its signing input
	Parent  string                `json:"parent,omitempty"`
	Root    string                `json:"root"`
	Issuer  flow.DomainID         `json:"issuer"`
	Depth   int                   `json:"depth"`
	ID      string                `json:"id"`
	Holder  string                `json:"holder"` // thumbprint of its key
	Agent   string                `json:"agent"`
	Issued  time.Time             `json:"issued"`
	Expires time.Time             `json:"expires"`
	Expired bool                  `json:"expired,omitempty"`
	Here    bool                  `json:"here,omitempty"` // this domain issued it
	Shown   time.Time             `json:"shown,omitzero"`
	Times   int64                 `json:"times"`
	Spent   []Limit               `json:"spent,omitempty"`
	Tasks   []flow.TaskID         `json:"tasks,omitempty"`
	Admits  []capability.Term     `json:"admits"`
	Narrows []capability.Narrowed `json:"narrows,omitempty"`
	Revoked string                `json:"revoked,omitempty"` // token, holder or task; of an ancestor: "ancestor"
	By      flow.DomainID         `json:"revoked_by,omitempty"`
	Nested  []*Token              `json:"children,omitempty"`
}

// Limit is what is used up of what is allowed.
type Limit struct {
	Name string  `json:"name"`
	Used string  `json:"used"`
	Most string  `json:"most"`
	Part float64 `json:"part"` // from 0 to 1
}

func limit(name string, used, most int64, places int) Limit {
	l := Limit{Name: name, Used: decimal(used, places), Most: decimal(most, places), Part: 1}
	if most > 0 {
		l.Part = float64(used) / float64(most)
	}
	return l
}

func (p *Pages) token(s ledger.Seen) Token {
	t := Token{
		Token: hexOf(s.Token), Root: hexOf(s.Root), Issuer: s.Issuer, Depth: s.Depth, ID: s.ID, Holder: s.Holder.String(), Agent: s.Agent, Issued: s.Issued,
		Expires: s.Expires, Expired: !s.Expires.After(p.now()), Here: s.Here, Shown: s.Shown, Times: s.Times, Tasks: s.Tasks, Admits: s.Admits, Narrows: s.Narrows,
	}
	if s.Depth > 0 {
		t.Parent = hexOf(s.Parent)
	}
	if s.Uses != nil {
		t.Spent = append(t.Spent, limit("uses", s.Spent.Uses, *s.Uses, 0))
	}
	if s.Cost != nil {
		t.Spent = append(t.Spent, limit("ε", s.Spent.Cost.EpsilonNano, s.Cost.EpsilonNano, 9))
		if s.Cost.DeltaPico > 0 {
			t.Spent = append(t.Spent, limit("δ", s.Spent.Cost.DeltaPico, s.Cost.DeltaPico, 12))
		}
	}
	t.Revoked, t.By = p.Ledger.Capabilities.Denied(s)
	return t
}

const rootsShown = 50

func (p *Pages) capabilities(ctx context.Context, r *page.Request) (Capabilities, error) {
	m := Capabilities{Roots: []Token{}, Issuer: flow.DomainID(r.Q("issuer"))}
	l := p.Ledger.Capabilities
	if l == nil {
		m.Absent = true
		return m, nil
	}
	q := ledger.Page{Issuer: m.Issuer, Limit: rootsShown + 1}
	if after := r.Q("after"); after != "" {
		h, ok := digestOf(after)
		if !ok {
			return m, page.Wrong("after: it is not the digest of a token")
		}
		last, ok, err := l.SeenToken(ctx, h)
		if err != nil {
			return m, err
		}
		if !ok {
			return m, page.Wrong("after: that token is not known any more; begin at the first page")
		}
		q.Before, q.After = last.Issued, last.Token
	}
	if err := l.Flush(ctx); err != nil {
		return m, err
	}
	roots, err := l.Roots(ctx, q)
	if err != nil {
		return m, err
	}
	if len(roots) > rootsShown {
		roots = roots[:rootsShown]
		m.Next = hexOf(roots[rootsShown-1].Token)
	}
	for _, s := range roots {
		m.Roots = append(m.Roots, p.token(s))
	}
	m.Unkept = l.Unkept()
	if p.Snapshot == nil {
		return m, nil
	}
	for _, g := range p.Snapshot().Grants {
		m.Grants = append(m.Grants, GrantView{g.Name, g.Agents, g.Lifetime.String()})
	}
	return m, nil
}

func digestOf(text string) ([32]byte, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		return [32]byte{}, false
	}
	return [32]byte(b), true
}

// TokenTree is a root with all that was derived from it, as far as it came here.
type TokenTree struct {
	At   Token  `json:"at"` // the token that was asked for
	Root *Token `json:"root"`
	Size int    `json:"size"`
}

func (p *Pages) tree(ctx context.Context, r *page.Request) (TokenTree, error) {
	var m TokenTree
	h, ok := digestOf(r.PathValue("token"))
	l := p.Ledger.Capabilities
	if !ok || l == nil {
		return m, page.ErrNotFound
	}
	if err := l.Flush(ctx); err != nil {
		return m, err
	}
	at, ok, err := l.SeenToken(ctx, h)
	if err != nil || !ok {
		return m, errors.Join(err, page.ErrNotFound)
	}
	all, err := l.Family(ctx, at.Root)
	if err != nil {
		return m, err
	}
	known := map[[32]byte]*Token{}
	for _, s := range all {
		t := p.token(s)
		known[s.Token] = &t
		parent := known[s.Parent]
		switch {
		case s.Depth == 0:
			m.Root = &t
		case parent == nil: // it was not kept for want of room
			parent = m.Root
			fallthrough
		default:
			if parent == nil {
				return m, page.ErrNotFound
			}
			if t.Revoked == "" && parent.Revoked != "" {
				t.Revoked, t.By = "ancestor", parent.By
			}
			parent.Nested = append(parent.Nested, &t)
		}
		if s.Token == h {
			m.At = t
			m.At.Nested = nil
		}
	}
	m.Size = len(all)
	return m, nil
}

// RevokeRequest names what to revoke: a token's id, a holder's key or a task.
type RevokeRequest struct {
	Kind ledger.Kind `json:"kind"`
	Name string      `json:"name"`
	Back string      `json:"back"` // digest of the token whose page asked; "": none did
}

// About is the kind: which one it was is on the log by its digest, as its list has it.
func (r *RevokeRequest) About() string { return r.Kind.String() }

func (p *Pages) revoke(ctx context.Context, _ *page.Request, in RevokeRequest) (revocations.Revoked, error) {
	if p.Ledger.Capabilities == nil {
		return revocations.Revoked{}, errAbsent
	}
	in.Name = strings.TrimSpace(in.Name)
	out, err := api.Revoke(ctx, p.Ledger, p.domain(), api.RevokeRequest{Denials: []ledger.Denial{{Kind: in.Kind, Name: in.Name}}})
	return out, told(err, ledger.ErrName, ledger.ErrUntil, ledger.ErrFull)
}

// Revocations are what this domain revokes, and how far it and its peers know.
type Revocations struct {
	Absent bool            `json:"absent,omitempty"`
	Limit  string          `json:"limit,omitempty"` // how old a peer's list may be; none of its roots counts after that
	Own    api.Revocations `json:"own"`
}

func (p *Pages) revocations(ctx context.Context, _ *page.Request) (m Revocations, err error) {
	l := p.Ledger.Capabilities
	if l == nil {
		m.Absent = true
		return m, nil
	}
	m.Limit = l.StaleAfter().String()
	m.Own, err = api.ListRevocations(ctx, p.Ledger)
	return m, err
}

// ExplainRequest is a capability that somebody pasted. It is not kept, and not shown again.
type ExplainRequest struct {
	Capability string `json:"capability"`
}

// Explained is what a capability says.
type Explained struct {
	Read     bool    `json:"read"` // it is a capability
	Problem  string  `json:"problem,omitempty"`
	Believed bool    `json:"believed"` // this gateway would take it from whoever proves to hold its key
	Refused  string  `json:"refused,omitempty"`
	Links    []Token `json:"links,omitempty"` // root first; not to be believed unless Believed
}

func (p *Pages) explain(ctx context.Context, _ *page.Request, in ExplainRequest) (Explained, error) {
	text := strings.Join(strings.Fields(in.Capability), "")
	var m Explained
	chain, err := capability.ParseChain(text)
	var links []capability.Link
	if err == nil {
		links, err = chain.Unverified()
	}
	if err != nil {
		m.Problem = "it is no capability: it was cut or changed, or it is something else, such as a proof or a key"
		if e, ok := errors.AsType[*capability.Error](err); ok {
			m.Problem += " (" + e.Error() + ")"
		}
		return m, nil
	}
	m.Read = true
	if p.Capabilities == nil {
		m.Refused = "this gateway takes no capabilities"
	} else {
		c := p.Capabilities.Check(ctx, api.CheckRequest{Capability: text})
		m.Refused = c.Refused
		m.Believed = c.Refused == ""
	}
	for i, l := range links {
		t := Token{
			Token: hexOf(l.Hash), Root: hexOf(links[0].Hash), Depth: i, ID: l.ID, Holder: l.Holder.String(), Agent: l.Grant.Agent, Issued: l.IssuedAt, Expires: l.Grant.Expires,
			Expired: !l.Grant.Expires.After(p.now()), Admits: capability.Outline(l.Grant),
		}
		if i > 0 {
			t.Narrows = capability.Narrowing(links[i-1].Grant, l.Grant)
		}
		m.Links = append(m.Links, t)
	}
	return m, nil
}

// MintRequest asks for a root for an agent of this domain.
type MintRequest struct {
	Agent flow.AgentID `json:"agent"`
	Grant string       `json:"grant"`
	Key   string       `json:"key"` // public, a JWK
}

// About names the agent.
func (m *MintRequest) About() string { return string(m.Agent) }

func (p *Pages) mint(ctx context.Context, _ *page.Request, in MintRequest) (api.Minted, error) {
	if p.Capabilities == nil {
		return api.Minted{}, errAbsent
	}
	key := strings.TrimSpace(in.Key)
	if !json.Valid([]byte(key)) {
		return api.Minted{}, page.Wrong("key: it is not a public key as a JWK, which scrim cap key FILE writes to FILE.pub")
	}
	out, err := p.Capabilities.Mint(ctx, api.MintRequest{Agent: in.Agent, Grant: in.Grant, Key: json.RawMessage(key)})
	return out, told(err, api.ErrMint)
}

func (p *Pages) addCapabilities(g *page.Group) {
	page.Add(g, page.Page[Capabilities]{
		Path: "/capabilities", Title: "Capabilities", Summary: "Roots of capabilities that were issued here or came here, the newest first.",
		Template: "capabilities.html", Role: page.Viewer, Model: p.capabilities,
		Query: []page.Param{{Name: "issuer", What: "of this domain"}, {Name: "after", What: "after this root, by its digest"}},
	})
	page.Add(g, page.Page[TokenTree]{
		Path: "/capabilities/{token}", Title: "Capability", Summary: "A root and all that was derived from it, as far as it came here: who holds it, what each link gave up, what is used up.",
		Template: "tree.html", Role: page.Viewer, Model: p.tree,
	})
	page.Add(g, page.Page[Revocations]{
		Path: "/revocations", Title: "Revocations", Summary: "What this domain revokes, and how old the lists of its peers are.", Section: "/capabilities",
		Template: "revocations.html", Role: page.Viewer, Model: p.revocations,
	})
	page.Do(g, page.Action[RevokeRequest, revocations.Revoked]{
		Path: "/capabilities/revoke", Name: "console/revoke", Title: "Revoke", Role: page.Approver, Do: p.revoke,
		Summary: "Revokes a token, a holder's key or a task, here at once and at the peers as soon as they can be reached. It cannot be taken back.",
		Then: func(in RevokeRequest, _ revocations.Revoked) string {
			if _, ok := digestOf(in.Back); ok {
				return "/capabilities/" + in.Back
			}
			return "/revocations"
		},
	})
	page.Do(g, page.Action[ExplainRequest, Explained]{
		Path: "/capabilities/explain", Name: "console/explain-capability", Title: "What a capability says", ReadOnly: true, Role: page.Viewer, Template: "explained.html", Do: p.explain,
		Summary: "Verifies a pasted capability and says what each link admits. The text is not kept, and no part of it that could be used is shown.",
	})
	page.Do(g, page.Action[MintRequest, api.Minted]{
		Path: "/capabilities/mint", Name: "console/mint", Title: "Issued", Role: page.Admin, Template: "minted.html", Do: p.mint,
		Summary: "Issues a root to an agent of this domain, for the holder of a key, as far as its grant in the configuration goes.",
	})
}
