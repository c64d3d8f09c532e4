package show

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/agent"
	sdk "github.com/scrimhq/scrim/agent/a2a"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// summariser is what intake calls the sub-agent that it hands a part of its work to.
const summariser = "summariser"

// question is what the sub-agent asks the insurer.
const question = "Is Eleanor Whitfield, born 1957-03-14, covered for J1745?"

// delegation is what became of a capability that was handed on.
type delegation struct {
	root, child string   // what they admit, in words
	seen        string   // of the question, by the insurer's agent
	chain       []string // of agents, in the insurer's journal
	entry       int64
	twice       refusal // the second use of a capability for one
	wider       string  // the rule that a child broke that the sub-agent made for itself
	revoked     time.Duration
	dead        refusal
}

// delegated has intake get a capability, hand a narrower one to a sub-agent, and take it back.
func (s *system) delegated(ctx context.Context, f *facts) error {
	d := &f.delegation
	if err := s.heard(ctx, demo.Insurer, demo.Hospital); err != nil {
		return err
	}
	home := agent.Gateway{URL: s.base[demo.Hospital], Domain: demo.Hospital}
	intake, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{home}, Bearer: s.keys[demo.Hospital][demo.Intake]})
	if err != nil {
		return err
	}
	root, err := intake.Obtain(ctx, demo.Hospital, agent.Ask{Grant: "prior-authorisation"})
	if err != nil {
		return fmt.Errorf("getting a capability: %w", err)
	}
	key := agent.NewKey() // the sub-agent makes it, and tells intake the public half
	one := int64(1)
	child, err := intake.Hand(root, agent.Recipient{Key: key.Public(), Word: summariser}, capability.Grant{
		Levels: map[flow.Label]flow.Level{"*": flow.Generalized, "person": flow.Masked, "health": flow.Raw, "text": flow.Raw}, Uses: &one, Counted: demo.Insurer, Expires: time.Now().Add(2 * time.Minute),
	})
	if err != nil {
		return fmt.Errorf("handing a capability on: %w", err)
	}
	if d.root, d.child, err = sentences(root, child); err != nil {
		return err
	}
	sub, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{home}})
	if err != nil {
		return err
	}
	if err := s.used(ctx, sub, child, d); err != nil {
		return err
	}
	if err := s.overreached(ctx, sub, child, key, d); err != nil {
		return err
	}
	return s.revokedRoot(ctx, intake, sub, root, key, d)
}

// heard waits until a domain has the list of what another revoked; before, it believes none of its tokens. A gateway asks a
// new peer within seconds.
func (s *system) heard(ctx context.Context, at, of flow.DomainID) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		for _, st := range s.gateways[at].Capabilities.Statuses() {
			if st.Domain == of && !st.Stale {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not get the revocations of %s", at, of)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func sentences(root, child capability.Chain) (string, string, error) {
	r, err := root.Unverified()
	if err != nil {
		return "", "", err
	}
	c, err := child.Unverified()
	if err != nil {
		return "", "", err
	}
	return r[0].String(), c[1].String(), nil
}

// used has the sub-agent ask the insurer once.
func (s *system) used(ctx context.Context, sub *agent.Client, child capability.Chain, d *delegation) error {
	before := len(s.world.Received(demo.PriorAuth))
	if err := s.asks(ctx, sub, child); err != nil {
		return fmt.Errorf("the sub-agent's question: %w", err)
	}
	got := s.world.Received(demo.PriorAuth)
	if len(got) <= before {
		return errors.New("the sub-agent's question did not arrive")
	}
	c, err := read(got[len(got)-1].Body)
	if err != nil {
		return err
	}
	d.seen = c.prose
	for e, err := range s.gateways[demo.Insurer].Log.Entries(ctx, audit.Query{}) {
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		if chain := e.Event.Flow.Chain; len(chain) > 0 && e.Event.Outcome == flow.Released && e.Event.Flow.Direction == flow.Request {
			d.chain, d.entry = nil, e.Seq
			for _, p := range chain {
				d.chain = append(d.chain, string(p.Agent))
			}
		}
	}
	if d.entry == 0 {
		return errors.New("the insurer's journal does not tell of the sub-agent")
	}
	return nil
}

// asks sends the question through the hospital's gateway with a capability and nothing else.
func (s *system) asks(ctx context.Context, sub *agent.Client, chain capability.Chain) error {
	return s.asksAt(ctx, sub, s.door(demo.Intake, demo.PriorAuth), chain)
}

func (s *system) asksAt(ctx context.Context, sub *agent.Client, base string, chain capability.Chain) error {
	ctx = agent.WithCapability(ctx, chain)
	client, err := sdk.Dial(ctx, sub, base, sdk.Options{Purpose: "prior-authorization"})
	if err != nil {
		return err
	}
	defer func() { _ = client.Destroy() }() // it holds nothing
	_, err = client.SendMessage(ctx, &a2a.SendMessageRequest{Message: a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart(question))})
	return err
}

// overreached has the sub-agent use its capability once more than it may, and make itself a wider one.
func (s *system) overreached(ctx context.Context, sub *agent.Client, child capability.Chain, key *agent.Key, d *delegation) error {
	err := s.asks(ctx, sub, child)
	if err == nil {
		return errors.New("a capability for one use was used twice")
	}
	if d.twice, err = s.lastRefusal(ctx, demo.Insurer, gateway.RuleCapability); err != nil {
		return err
	}
	_, err = agent.Hand(child, key, agent.Recipient{Key: key.Public()}, capability.Grant{Levels: map[flow.Label]flow.Level{"*": flow.Raw}}, time.Now())
	broken, ok := errors.AsType[*capability.Error](err)
	if !ok {
		return fmt.Errorf("a wider capability was made, or not for being wider: %w", err)
	}
	d.wider = string(broken.Rule)
	return nil
}

// revokedRoot takes the root back, and waits until the other domain's gateway refuses what came of it.
func (s *system) revokedRoot(ctx context.Context, intake, sub *agent.Client, root capability.Chain, key *agent.Key, d *delegation) error {
	child, err := intake.Hand(root, agent.Recipient{Key: key.Public(), Word: summariser}, capability.Grant{})
	if err != nil {
		return err
	}
	if err := s.asks(ctx, sub, child); err != nil {
		return fmt.Errorf("the sub-agent's second question: %w", err)
	}
	links, err := root.Unverified()
	if err != nil {
		return err
	}
	began := time.Now()
	g := s.gateways[demo.Hospital]
	if _, err := api.Revoke(ctx, g.Ledger(), demo.Hospital, api.RevokeRequest{Denials: []ledger.Denial{{Kind: ledger.OfToken, Name: links[0].ID}}}); err != nil {
		return fmt.Errorf("revoking the root: %w", err)
	}
	// The hospital's own gateway refuses at once. The insurer's is asked without it, as by an agent that wants round it.
	there, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{{URL: s.base[demo.Insurer], Domain: demo.Insurer}}})
	if err != nil {
		return err
	}
	for time.Since(began) < 30*time.Second {
		if err := s.asksAt(ctx, there, s.base[demo.Insurer]+"/a2a/"+string(demo.PriorAuth), child); err != nil {
			d.revoked = time.Since(began)
			d.dead, err = s.lastRefusal(ctx, demo.Insurer, gateway.RuleCapability)
			return err
		}
	}
	return errors.New("a capability whose root was revoked is still taken")
}

// lastRefusal is the newest refusal by a rule in a domain's journal.
func (s *system) lastRefusal(ctx context.Context, d flow.DomainID, rule gateway.Rule) (refusal, error) {
	var r refusal
	for e, err := range s.gateways[d].Log.Entries(ctx, audit.Query{}) {
		if err != nil {
			return r, fmt.Errorf("reading the journal: %w", err)
		}
		if e.Event.Outcome == flow.Refused && strings.HasPrefix(e.Event.Reason, string(rule)) {
			r = refusal{by: d, text: strings.TrimSpace(strings.TrimPrefix(e.Event.Reason, string(rule))), reference: string(e.Event.Flow.ID), entry: e.Seq}
		}
	}
	if r.entry == 0 {
		return r, fmt.Errorf("%s refused nothing by rule %s", d, rule)
	}
	return r, nil
}

func (p *printer) delegated(f *facts) {
	d := &f.delegation
	p.heading(6, "A right that only narrows")
	p.para(3, "", plain, words(plain, "Intake got a capability from its own gateway and handed a narrower one to a sub-agent, with no gateway asked. The hospital's gateway "+
		"checked it, changed the message, and vouched for it towards the insurer's, over certificates of their own."))
	p.line("")
	p.para(3, "intake", faint, words(plain, d.root))
	p.para(3, "sub-agent", faint, words(plain, d.child))
	p.para(3, "it asked", faint, words(plain, question))
	p.para(3, "insurer read", faint, words(other, d.seen))
	p.para(3, "on record", faint, words(plain, fmt.Sprintf("as %s, entry %d of the insurer's journal", strings.Join(d.chain, ", then "), d.entry)))
	p.line("")
	p.para(3, "asked again", bold, append(words(bad, "refused"), words(plain, fmt.Sprintf("by the gateway of the %s, which counts: %s (reference %s, entry %d)", d.twice.by, d.twice.text, d.twice.reference, d.twice.entry))...))
	p.para(3, "made wider", bold, append(words(bad, "refused"), words(plain, "before it was signed; a forged one breaks rule "+d.wider+" at every gateway")...))
	p.para(3, "root revoked", bold, append(words(bad, "refused"), words(plain, fmt.Sprintf("by the gateway of the %s %s after the hospital revoked it: %s (entry %d)", d.dead.by, soon(d.revoked), d.dead.text, d.dead.entry))...))
}

// soon is a time span in words that do not depend on the machine.
func soon(d time.Duration) string {
	if d < time.Second {
		return "less than a second"
	}
	return d.Round(100 * time.Millisecond).String()
}
