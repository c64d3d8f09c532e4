package a2a

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

// Choose returns where and how to call the agent in a version of A2A: the interface of its card that has the first of
// the bindings, or the next. A card leads nowhere but below the configured address, or, for gRPC, to its host; an
// interface that lies elsewhere is taken to be reached at the configured address. An agent without a card speaks
// JSON-RPC there, unless its card must be signed.
//
// The error is a [gateway.Refusal]: by [gateway.RuleVersion] if the agent has other versions only, by
// [gateway.RuleUpstream] if it has none of the bindings.
func (c *Cards) Choose(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot, version string, bindings ...string) (card.Interface, error) {
	all := []card.Interface{{URL: a.A2A.URL.String(), Binding: card.JSONRPC, Version: version}}
	got, err := c.get(ctx, a, s)
	switch {
	case err == nil:
		all = got.interfaces
	case a.Card.Signature == gateway.SignatureRequire:
		return card.Interface{}, err
	}
	return choose(all, a.A2A.URL, version, bindings)
}

// known returns the versions of A2A that the agent's card names, as far as it was fetched; nil if it was not.
func (c *Cards) known(a *gateway.Agent) (spoken []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[a.Party.Agent]; k != nil {
		for _, i := range k.interfaces {
			spoken = append(spoken, i.Version)
		}
	}
	return spoken
}

// required returns the extensions that the agent's card requires, as far as it was fetched.
func (c *Cards) required(a *gateway.Agent) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[a.Party.Agent]; k != nil {
		return k.required
	}
	return nil
}

func choose(all []card.Interface, configured *url.URL, version string, bindings []string) (card.Interface, error) {
	spoken := slices.DeleteFunc(slices.Clone(all), func(i card.Interface) bool { return i.Version != version })
	if len(spoken) == 0 {
		return card.Interface{}, gateway.Refuse(gateway.RuleVersion, nil, "The agent does not speak A2A %s.", version)
	}
	elsewhere := card.Interface{}
	for _, binding := range bindings {
		for _, i := range spoken {
			switch {
			case i.Binding != binding:
			case below(i, configured):
				return i, nil
			case elsewhere.Binding == "" && binding != card.GRPC:
				elsewhere = i
			}
		}
	}
	if elsewhere.Binding == "" {
		return card.Interface{}, gateway.Refuse(gateway.RuleUpstream, nil, "The agent speaks A2A %s in no binding that is carried to it.", version)
	}
	elsewhere.URL = configured.String()
	return elsewhere, nil
}

// below reports whether an interface lies under the configured address: a host may serve more than this agent. Where
// gRPC is served, the host is all that an address says; its port is commonly another one than that of HTTP.
func below(i card.Interface, configured *url.URL) bool {
	address := i.URL
	if i.Binding == card.GRPC && !strings.Contains(address, "://") {
		address = "grpc://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	if i.Binding == card.GRPC {
		return u.Hostname() != "" && strings.EqualFold(u.Hostname(), configured.Hostname()) && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
	}
	if u.Scheme != configured.Scheme || u.Host != configured.Host || strings.Contains(u.Path, "..") {
		return false
	}
	base := strings.TrimSuffix(configured.Path, "/")
	return u.Path == base || strings.HasPrefix(u.Path, base+"/")
}
