package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/gateway/a2a/card"
)

// Card says when an agent's card is believed, and how much of it is passed on.
type Card struct {
	Signature CardSignature `yaml:"signature" doc:"verify: callers are told what was found. require: a card that no believed key signed is refused, and its agent not called. ignore: it is not looked at." default:"verify" enum:"verify require ignore"`
	KeysFile  string        `yaml:"keys_file" doc:"File of the public keys that the card may be signed with: a JSON Web Key, or a set of them."`
	Keys      string        `yaml:"keys" doc:"The same, written here."`
	KeyIDs    []string      `yaml:"key_ids" doc:"Ids of the keys that count. Absent: all of them."`
	FetchKeys bool          `yaml:"fetch_keys" doc:"Keys are also fetched from the agent's own host, where a signature says so (jku)."`
	KeyHosts  []string      `yaml:"key_hosts" doc:"Other hosts (host or host:port) that keys are fetched from, where a signature says so."`
	Original  bool          `yaml:"show_original" doc:"Callers of an own agent get its signed card along with the rewritten one. It shows the agent's own addresses."`
}

// CardSignature says what a card's signature is worth.
type CardSignature string

// The values.
const (
	VerifySignature  CardSignature = "verify"
	RequireSignature CardSignature = "require"
	IgnoreSignature  CardSignature = "ignore"
)

// Egress is where the gateway goes when a message names the address of a webhook, or a card that of its keys.
type Egress struct {
	Allow     []string `yaml:"allow" doc:"Networks (CIDR) that are not public and may be called all the same. A cloud's metadata address has to be listed by itself." pattern:"prefix"`
	Ports     []int    `yaml:"ports" doc:"Ports that may be called; 0 is any. Absent: 443, and 80 with plain_http." min:"0" max:"65535"`
	PlainHTTP bool     `yaml:"plain_http" doc:"http may be called, not only https."`
}

// Push is how push notifications are relayed.
type Push struct {
	URL   string   `yaml:"url" doc:"Base URL under which agents reach the gateway's /push/. Default: what callers see the gateway under." pattern:"url"`
	Keep  Duration `yaml:"keep" doc:"How long a notification is tried to be delivered." default:"24h" min:"1m"`
	Tries int      `yaml:"tries" doc:"How often, at growing distances." default:"12" min:"1" max:"100"`
	Queue int      `yaml:"queue" doc:"How many notifications wait at most; agents are told to come back with more." default:"10000" min:"1" max:"1000000"`
}

// CardKeys returns the public keys that the agent's card may be signed with; nil if none are pinned.
func (c *Config) CardKeys(a *Agent) []byte { return c.loaded.cardKeys[a.ID] }

// Prefixes returns networks as they were written.
func Prefixes(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		if p, ok := prefix(t); ok {
			all = append(all, p)
		}
	}
	return all
}

// prefix reads a network, or one address.
func prefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && p == p.Masked()
}

func isPrefix(s string) bool {
	_, ok := prefix(s)
	return ok
}

// BehindProxy reports whether the gateway's address is what trusted proxies say it is.
func (c *Config) BehindProxy() bool {
	_, written := c.loaded.places["public_url"]
	return len(c.Proxies) > 0 && !written
}

// cards checks what is said of agents' cards, and reads the keys.
func (v *validator) cards(a *Agent, at string) {
	c := &a.A2A.Card
	if c.Keys != "" && c.KeysFile != "" {
		v.wrong(at+"/keys", "", "either keys or keys_file is expected")
	}
	raw, from := []byte(c.Keys), at+"/keys"
	if c.KeysFile != "" {
		if !v.look() {
			return
		}
		from = at + "/keys_file"
		var ok bool
		if raw, ok = v.read(from, c.KeysFile); !ok {
			return
		}
	}
	if len(raw) > 0 {
		keys, err := card.ParseKeys(raw)
		switch {
		case err != nil:
			v.wrong(from, "", "%v", err)
		case keys.Only(c.KeyIDs).Empty():
			v.wrong(at+"/key_ids", "", "none of the keys has one of these ids")
		default:
			v.c.loaded.cardKeys[a.ID] = raw
		}
	}
	if c.Signature == RequireSignature && len(raw) == 0 && !c.FetchKeys && len(c.KeyHosts) == 0 {
		v.wrong(at+"/signature", "add keys, keys_file, fetch_keys or key_hosts", "a signature is required, and no key would be believed")
	}
}

// loops looks for addresses of agents that are the gateway's own.
func (v *validator) loops(address, at string) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return
	}
	const hint = "name the agent itself; the gateway stands before it"
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if listen, p, err := net.SplitHostPort(v.c.Listen); err == nil && p == port && p != "0" {
		any := listen == "" || listen == "0.0.0.0" || listen == "::"
		if strings.EqualFold(listen, host) || isLoopback(host) && (any || isLoopback(listen)) {
			v.wrong(at, hint, "this is the address of the gateway itself")
			return
		}
	}
	own, err := url.Parse(v.c.PublicURL)
	if err != nil || !strings.EqualFold(own.Host, u.Host) || own.Scheme != u.Scheme {
		return
	}
	for _, face := range []string{"/a2a/", "/mcp/", "/out/"} {
		if strings.HasPrefix(u.Path+"/", own.Path+face) {
			v.wrong(at, hint, "this is an address of the gateway itself")
			return
		}
	}
}

// reach checks the networks beyond the agents.
func (v *validator) reach() {
	for i, t := range v.c.Egress.Allow {
		if p, ok := prefix(t); ok && p.Bits() == 0 {
			v.warn(fmt.Sprintf("egress/allow/%d", i), "list the networks that are meant", "callers can lead the gateway to any address")
		}
	}
	for i, t := range v.c.Proxies {
		if p, ok := prefix(t); ok && p.Bits() == 0 {
			v.warn(fmt.Sprintf("trusted_proxies/%d", i), "list the proxies' own addresses", "every caller can say what the gateway's address is")
		}
	}
}
