package run

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/internal/config"
)

// Erasures is who erases people, by the rules of a configuration.
func (st *State) Erasures(c *config.Config) *erasure.Office {
	return st.erasures(c, func() erasure.Rules { return erasureRules(c) })
}

func (st *State) erasures(c *config.Config, rules func() erasure.Rules) *erasure.Office {
	return erasure.New(erasure.Options{DB: st.DB, Journal: st.Log, Vault: st.Vault, Keys: st.Keys, Domain: c.Domain, Rules: rules})
}

func erasureRules(c *config.Config) erasure.Rules {
	r := erasure.Rules{Within: time.Duration(c.Erasure.Within)}
	for _, a := range c.Erasure.Approvers {
		one := erasure.Approver{Name: a.Name}
		if n, err := hex.Decode(one.SHA256[:], []byte(a.SHA256)); err != nil || n != len(one.SHA256) {
			continue // no credential fits; the configuration was checked for it
		}
		r.Approvers = append(r.Approvers, one)
	}
	return r
}

// erasing is who erases people by the rules in force.
func (r *Gateway) erasing() *erasure.Office {
	return r.erasures(r.Config(), func() erasure.Rules {
		rules, s := erasureRules(r.Config()), r.Gateway.Snapshot()
		rules.PolicyHash, rules.ConfigHash = s.Policy.Hash(), s.ConfigHash
		return rules
	})
}

// finishErasures scrubs what an erasure that was interrupted left in files.
func (st *State) finishErasures(ctx context.Context) error { return erasure.Finish(ctx, st.DB) }
