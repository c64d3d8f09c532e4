package run

import (
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
)

// publishable checks that others can be held to what this domain publishes: nobody would take a bundle whose policies do not hold here.
func publishable(c *config.Config, set *policy.Set) error {
	for i := range c.Publish {
		name := c.Publish[i].Name
		content, ok := c.Content(name)
		if !ok {
			continue
		}
		b := bundle.Bundle{Issuer: c.Domain, Name: name, Content: *content}
		if _, err := set.CheckOutside(b.Outside()); err != nil {
			return fmt.Errorf("publish %s: %w", name, err)
		}
	}
	return nil
}

// heldLabels gives columns of datasets that questions are asked about the labels that bundles say they have beside their own.
func heldLabels(c *config.Config, s *gateway.Snapshot) {
	more := map[string]map[string][]flow.Label{}
	for _, out := range c.Outside() {
		for _, d := range out.Datasets {
			for table := range c.Datasets[d.Name].Tables {
				of := config.LineageOf(d.Name, table)
				if more[of] == nil {
					more[of] = map[string][]flow.Label{}
				}
				for column, labels := range d.Columns {
					more[of][column] = append(more[of][column], labels...)
				}
			}
		}
	}
	if len(more) == 0 {
		return
	}
	for name, d := range s.Datasets {
		q, changed := raise(c.Taxonomy(), name, d.Query, more)
		switch {
		case !changed:
		case q == nil:
			delete(s.Datasets, name)
		default:
			one := *d
			one.Query = q
			s.Datasets[name] = &one
		}
	}
}
