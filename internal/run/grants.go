package run

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/grants"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// grants is the endpoint where agents get the roots of their capabilities.
func (r *Gateway) grants() *grants.Endpoint {
	return &grants.Endpoint{
		Gateway: r.Gateway,
		Signer:  func() (crypto.Signer, string) { return r.Gateway.Snapshot().Peers.Own() },
		Blind: func(p identity.Principal) string {
			mac, err := r.Keys.MAC("principal")
			if err != nil {
				return "" // nothing is told, rather than a name
			}
			sum := mac.MAC(nil, []byte(p.Issuer+"\x00"+p.Subject))
			return base64.RawURLEncoding.EncodeToString(sum[:16])
		},
	}
}

// Mint implements [api.Capabilities].
func (r *Gateway) Mint(ctx context.Context, req api.MintRequest) (api.Minted, error) {
	key, err := capability.ParseHolderJWK(req.Key)
	if err != nil {
		return api.Minted{}, fmt.Errorf("%w: %w", api.ErrMint, err)
	}
	caller, ok := r.configured(req.Agent)
	if !ok {
		return api.Minted{}, fmt.Errorf("%w: there is no agent of this domain of that name", api.ErrMint)
	}
	answer, ref, err := r.grants().Issue(ctx, caller, grants.Order{Grant: req.Grant, Holder: key, Less: req.Less})
	if err != nil {
		return api.Minted{}, fmt.Errorf("%w: %w", api.ErrMint, err)
	}
	out := api.Minted{Capability: answer.AccessToken, Reference: ref}
	links, err := capability.Chain{capability.Token(answer.AccessToken)}.Unverified()
	if err != nil {
		return api.Minted{}, err
	}
	out.Sentence = links[0].String()
	return out, nil
}

// configured is an agent of the domain as configuration knows it, with all that it may claim.
func (r *Gateway) configured(id flow.AgentID) (identity.Caller, bool) {
	c := r.Config()
	for i := range c.Agents {
		if a := &c.Agents[i]; a.ID == id && c.Own(*a) {
			return identity.Caller{Party: a.Party(), Purposes: a.Purposes, Default: a.DefaultPurpose, Criticality: a.Criticality}, true
		}
	}
	return identity.Caller{}, false
}

// Check implements [api.Capabilities].
func (r *Gateway) Check(_ context.Context, req api.CheckRequest) api.Checked {
	vd, err := r.check(req.Capability)
	if err != nil {
		return api.Checked{Refused: err.Error()}
	}
	return api.Checked{Issuer: vd.Issuer, Sentence: vd.String()}
}

func (r *Gateway) check(text string) (*capability.Verified, error) {
	chain, err := capability.ParseChain(text)
	if err != nil {
		return nil, err
	}
	s := r.Gateway.Snapshot()
	if s.Capability.Verifier == nil {
		return nil, errors.New("this gateway takes no capabilities")
	}
	vd, err := s.Capability.Verifier.Verify(chain)
	if err != nil {
		return nil, err
	}
	if err := vd.Presentable(s.Domain); err != nil {
		return nil, err
	}
	return vd, r.Capabilities.Revoked(vd, "")
}
