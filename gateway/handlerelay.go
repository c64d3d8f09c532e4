package gateway

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// PartMedia is the media type of a whole part in the JSON of its protocol, as it is redeemed by reference.
const PartMedia = "application/vnd.scrim.part+json"

// HeaderRedeemID is the redeemer's own id of a redemption: the same again takes no use.
const HeaderRedeemID = "Scrim-Flow-Id"

// foreignAt looks whether a part is a reference that the gateway of a foreign agent put into the agent's answer. The recipient gets one of
// this gateway's own in its place: what is behind it goes down the road of this domain when it is redeemed, and neither side has an id of
// the other. Only addresses where the agent itself is called are believed.
func (c *collector) foreignAt(d *json.Doc, p *handlePart) {
	f := &c.m.Query.Flow
	if p.kept != nil || f.Direction != flow.Response || f.From.Domain == c.m.Snapshot.Domain {
		return
	}
	said, ok := saidHandle(d, p.node)
	if !ok || !c.m.Snapshot.redeemedAt(f, said.URL) || !said.Expires.After(c.g.now()) {
		return
	}
	p.content, p.media, p.foreign = -1, said.Media, &said
}

// saidHandle reads what a part says of the reference that it is.
func saidHandle(d *json.Doc, part int) (h flow.Handle, ok bool) {
	for _, at := range [][2]string{{"metadata", card.PrivacyExtension}, {"_meta", wire.MetaNote}} {
		n, ok := d.Member(part, at[0])
		if !ok || d.Nodes[n].Kind != json.Object {
			continue
		}
		if n, ok = d.Member(n, at[1]); !ok || d.Nodes[n].Kind != json.Object {
			continue
		}
		if n, ok = d.Member(n, "handle"); !ok || d.Nodes[n].Kind != json.Object || len(d.Raw(n)) > 4096 {
			continue
		}
		if stdjson.Unmarshal(d.Raw(n), &h) != nil || HandleID(h.URL) == "" || h.Ref != flow.HandleScheme+HandleID(h.URL) {
			return flow.Handle{}, false
		}
		if h.Media != "" && !wire.IsMediaType(h.Media) || h.Size != "" && !slices.Contains(sizeClasses, h.Size) || h.Uses < 0 {
			return flow.Handle{}, false
		}
		return h, true
	}
	return flow.Handle{}, false
}

// sizeClasses are all that [sizeClass] says of what a message can hold.
var sizeClasses = []string{"1KiB", "4KiB", "16KiB", "64KiB", "256KiB", "1MiB", "4MiB", "16MiB", "64MiB", "256MiB", "1024MiB"}

// upstreamOf is how the sender of an answer is called.
func (s *Snapshot) upstreamOf(f *flow.Flow) *Upstream {
	a := s.Agents[f.From.Agent]
	switch {
	case a == nil || a.Party.Domain != f.From.Domain:
		return nil
	case strings.HasPrefix(f.Protocol, "mcp"):
		return a.MCP
	}
	return a.A2A
}

// redeemedAt reports whether an address is one of the gateway at which the sender of an answer is called.
func (s *Snapshot) redeemedAt(f *flow.Flow, address string) bool {
	up := s.upstreamOf(f)
	if up == nil || up.URL == nil || len(address) > 2048 {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme == up.URL.Scheme && strings.EqualFold(u.Host, up.URL.Host) && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.Contains(u.Path, "..")
}

// planForeign makes a reference of this gateway's in place of a foreign one. It lasts no longer, and is redeemed no oftener.
func (c *changer) planForeign(p *handlePart) error {
	rules := c.m.Snapshot.Handles.complete()
	if !c.stoodFor() {
		return nil
	}
	switch ok, err := c.roomPlanned(headClass, rules); {
	case err != nil:
		return refuse(RuleInternal, "", err, "The gateway could not look for room for this part, so the flow did not happen.")
	case !ok:
		return nil
	}
	uses := p.foreign.Uses
	if uses == 0 || rules.Uses > 0 && rules.Uses < uses {
		uses = rules.Uses
	}
	life := min(rules.Life, c.g.retention.Tasks, p.foreign.Expires.Sub(c.g.now()))
	p.goes = c.newHandle(p.media, uses, life)
	p.goes.said.Size = p.foreign.Size
	return nil
}

var errForeign = errors.New("the other gateway did not give the part")

// fetchForeign gets the part behind another gateway's reference. That it is asked for is on record first.
func (r *redeeming) fetchForeign(ctx context.Context, address string) ([]byte, error) {
	if !r.snap.redeemedAt(&r.head.Flow, address) {
		return nil, noSuchHandle(errForeign)
	}
	if err := r.g.Mark(ctx, r.snap, r.flow, flow.Fetched, 0, "a part that went by reference", nil); err != nil {
		return nil, err
	}
	id := newHandleID()
	if r.Request != "" {
		id = r.g.vault.Subject("scrim/handle-foreign", r.id+"\x00"+r.redeemer.String()+"\x00"+r.Request).String()
	}
	to := flow.Flow{ID: r.flow.ID, From: r.Caller.Party, To: r.head.Flow.From, Purpose: r.flow.Purpose, Task: r.flow.Task, Protocol: r.flow.Protocol, Trace: r.flow.Trace}
	ctx, err := r.g.Onward(ctx, r.snap, r.Authority, to, nil) // a peer's gateway is told who asks, and by what right
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	extra := map[string]string{"Accept": PartMedia, HeaderRedeemID: id, identity.HeaderCriticality: r.flow.Task.Criticality.String()}
	if r.flow.Purpose != "" {
		extra[identity.HeaderPurpose] = string(r.flow.Purpose)
	}
	res, err := r.snap.upstreamOf(&r.head.Flow).SendTo(ctx, http.MethodGet, address, nil, extra, nil)
	if err != nil {
		return nil, noSuchHandle(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, noSuchHandle(errForeign)
	}
	part, err := ReadAnswer(res, r.snap.Limits.Bytes, PartMedia)
	if err != nil {
		return nil, noSuchHandle(err)
	}
	d := json.Borrow()
	defer d.Return()
	if err := d.Parse(part, nil, r.snap.Limits); err != nil || d.Nodes[0].Kind != json.Object {
		return nil, noSuchHandle(errForeign) // it goes into a message, and must not reach out of its place there
	}
	return part, nil
}
