package gateway

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/vault"
)

// openWhole puts the original in place of a structured value that is nothing but a stand-in.
func (c *changer) openWhole(i int) error {
	t, terms := &c.targets[i], &c.terms[i]
	if other, err := c.ofAnother(t.stand); err != nil {
		return err
	} else if other {
		return c.withhold(i)
	}
	value, ok, err := c.open(t.stand)
	if err != nil {
		return err
	}
	if !ok && terms.Level <= flow.Masked && (terms.By == flow.ByCapability || c.m.Query.Flow.To.Domain != c.m.Snapshot.Domain) {
		return c.value(i) // not even a stand-in may be shown abroad
	}
	terms.Treatment, terms.By = flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}, flow.ByPolicy
	if !ok {
		c.reserve(t.stand)
	}
	if ok {
		terms.Treatment = flow.Treatment{Level: flow.Raw}
		t.view.edits.ReplaceText(t.node, value)
		if c.m.Names != nil {
			c.cameHome = append(c.cameHome, opened{place{t.view, t.node}, value})
		}
	}
	return nil
}

// open returns the original of a stand-in if it comes home from the domain it was minted for and policy lets this
// recipient see it. What is opened is remembered: it is replaced again in everything that leaves the task.
func (c *changer) open(s *standIn) (string, bool, error) {
	f := &c.m.Query.Flow
	if f.To.Domain != c.m.Snapshot.Domain || !f.CrossesDomain() || c.m.Again {
		return "", false, nil
	}
	original, found, err := c.original(c.ctx, s)
	if err == nil && !found {
		c.unknown++
	}
	if err != nil || !found {
		return "", false, err
	}
	if !c.m.Authority.shows(original.label, flow.Raw) || !c.m.sentBy.shows(original.label, flow.Raw) {
		return "", false, nil
	}
	may, _, _, err := c.m.Snapshot.Policy.MayOpen(policy.OpenQuery{
		Query: c.m.Query, Label: original.label, MintedFor: f.From.Domain, SameTask: original.sameTask, Supplier: original.supplier,
	})
	if err != nil || !may {
		return "", false, err
	}
	value := original.value.Expose()
	if len(value) > detect.MaxKnownBytes {
		return "", false, nil // it could not be found again in what leaves the task, so it stays closed
	}
	if err := c.task.Remember(value, original.label, original.supplier); err != nil {
		if canMask(err) {
			return "", false, nil // what cannot be remembered could not be replaced again, so it stays closed
		}
		return "", false, err
	}
	c.opened++
	return value, true, nil
}

// withhold puts a placeholder where a token is that the recipient must not have. A part of the token would do harm too.
func (c *changer) withhold(i int) error {
	t, terms, n := &c.targets[i], &c.terms[i], c.targets[i].node
	t.stand = nil // the note tells of it
	class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label)
	word := deidentify.Placeholder(class)
	terms.Treatment = flow.Treatment{Level: min(terms.Level, flow.Masked)}
	if terms.Level == flow.Dropped || !t.view.schema[n].Accepts(t.view.doc.Nodes[n].State, json.String, word) {
		terms.Treatment = flow.Treatment{}
		return c.takeOut(t.view, n, c.why(terms))
	}
	t.view.edits.ReplaceText(n, word)
	return nil
}

// ofAnother reports whether a stand-in that leaves the domain is a token that this domain minted for somebody else: two
// domains that hold one token can tell that it is one value.
func (c *changer) ofAnother(s *standIn) (bool, error) {
	f := &c.m.Query.Flow
	if !s.Token || f.From.Domain != c.m.Snapshot.Domain || !f.CrossesDomain() {
		return false, nil
	}
	o, err := c.g.vault.Resolve(c.ctx, s.Text)
	switch {
	case errors.Is(err, vault.ErrNoToken):
		return false, nil
	case err != nil:
		return false, refuse(RuleInternal, "", err, "The gateway could not look at a token, so the flow did not happen.")
	}
	return o.Recipient != f.To.Domain, nil
}

type original struct {
	value    flow.Secret
	label    flow.Label
	supplier flow.AgentID
	sameTask bool
}

// original looks a stand-in up: surrogates in this task's memory, tokens in the vault. A token counts as of this task
// where its value was supplied in it.
func (c *changer) original(ctx context.Context, s *standIn) (original, bool, error) {
	from := c.m.Query.Flow.From.Domain
	if !s.Token && !s.format {
		o, ok := c.task.Original(from, s.Text)
		return original{o.Value, o.Label, o.Supplier, true}, ok, nil
	}
	var o vault.Opened
	var err error
	if s.format {
		o, err = c.g.vault.ResolveFormat(ctx, from, s.label, s.Text)
	} else {
		o, err = c.g.vault.Resolve(ctx, s.Text)
	}
	if errors.Is(err, vault.ErrNoToken) || err == nil && o.Recipient != from {
		return original{}, false, nil
	}
	if err != nil {
		return original{}, false, refuse(RuleInternal, "", err, "The gateway could not open a token, so the flow did not happen.")
	}
	out := original{value: o.Value, label: o.Label}
	out.supplier, out.sameTask = c.task.Supplier(o.Value)
	return out, true, nil
}

// standsFor reports whether a stand-in in a text may stay: not where the sender's or recipient's right lets less than that be
// shown of what it stands for. A stand-in that nothing is known of says nothing.
func (c *changer) standsFor(s *standIn) bool {
	if c.m.Authority == nil && c.m.sentBy == nil {
		return true
	}
	label := s.label
	if o, found, err := c.original(c.ctx, s); err == nil && found {
		label = o.label
	}
	return label == "" || c.m.Authority.shows(label, flow.Tokenized) && c.m.sentBy.shows(label, flow.Tokenized)
}
