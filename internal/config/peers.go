package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
)

// Peer is another domain that is believed for what it signs.
type Peer struct {
	Domain      flow.DomainID `yaml:"domain" doc:"Its name." required:"true" pattern:"id"`
	URL         string        `yaml:"url" doc:"URL of its document, or of a gateway that has it at /.well-known/scrim/domain.json." required:"true" pattern:"url"`
	Fingerprint string        `yaml:"fingerprint" doc:"Fingerprint of its identity, as scrim domain show prints it there. Have it told by somebody whom you know." required:"true"`
}

// Peering is how this domain meets others.
type Peering struct {
	Listen   string   `yaml:"listen" doc:"Address (host:port) on which gateways of peers reach this one: TLS 1.3 with certificates on both sides. Absent: none can." pattern:"address"`
	Gateways []string `yaml:"gateways" doc:"https URLs of this domain's gateways, as its document tells them to peers. Default: https:// and the address of listen, unless that is of no one machine." pattern:"url"`
	Refresh  Duration `yaml:"refresh" doc:"How often a peer's document is looked at." default:"15m" min:"1s"`
	Document Duration `yaml:"document" doc:"How long this domain's document counts. It is made anew when a quarter of that is over, or when it changes." default:"7d" min:"5m"`
}

// DomainKeys is how the domain's signing keys follow one another.
type DomainKeys struct {
	Lead    Duration `yaml:"lead" doc:"How long a new key is published before anything is signed with it. No shorter than the time in which peers look." default:"1h" min:"1s"`
	Overlap Duration `yaml:"overlap" doc:"How long what earlier keys signed still counts after that: no shorter than the longest life of a capability." default:"48h" min:"1s"`
	Every   Duration `yaml:"every" doc:"How often another key is made by itself. Absent: only by scrim domain rotate." min:"0s"`
}

// DomainCA is about certificates that the domain's own authority makes, once scrim ca init made it.
type DomainCA struct {
	Gateway string   `yaml:"gateway" doc:"Name of this gateway in its certificate, spiffe://DOMAIN/gateway/NAME." default:"gateway" pattern:"id"`
	Life    Duration `yaml:"life" doc:"How long a gateway's certificate counts. It is made anew, in memory, when two thirds of that are over." default:"24h" min:"10m"`
}

// GatewayURLs returns where peers' gateways reach this domain.
func (c *Config) GatewayURLs() []string {
	if len(c.Peering.Gateways) > 0 {
		var all []string
		for _, u := range c.Peering.Gateways {
			all = append(all, strings.TrimRight(u, "/"))
		}
		return all
	}
	host := hostOf(c.Peering.Listen)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() || strings.HasSuffix(c.Peering.Listen, ":0") {
		return nil
	}
	return []string{"https://" + c.Peering.Listen}
}

// peers checks who is a peer, and whether this domain can have any.
func (v *validator) peers() {
	c := v.c
	if (len(c.Peers) > 0 || c.Peering.Listen != "" || len(c.Peering.Gateways) > 0) && c.Domain != "" && !domain.ValidName(c.Domain) {
		v.wrong("domain", "lower-case letters, digits, dots, dashes and underscores, for it stands in certificates", "a domain of this name can have no peers")
	}
	seen := map[flow.DomainID]bool{}
	for i, p := range c.Peers {
		at := fmt.Sprintf("peers/%d", i)
		switch {
		case p.Domain == "":
		case p.Domain == c.Domain:
			v.wrong(at+"/domain", "", "a domain is not its own peer")
		case seen[p.Domain]:
			v.wrong(at+"/domain", "", "the domain is listed twice")
		case !domain.ValidName(p.Domain):
			v.wrong(at+"/domain", "lower-case letters, digits, dots, dashes and underscores", "no domain with peers has this name")
		}
		seen[p.Domain] = true
		if _, err := domain.ParseFingerprint(p.Fingerprint); err != nil && p.Fingerprint != "" {
			v.wrong(at+"/fingerprint", "eight groups of four letters and digits, as scrim domain show prints it there", "not a fingerprint")
		}
	}
	for i, u := range c.Peering.Gateways {
		if u != "" && !strings.HasPrefix(u, "https://") {
			v.wrong(fmt.Sprintf("peering/gateways/%d", i), "", "gateways meet over https alone")
		}
	}
	if len(c.Peering.Gateways) > 16 {
		v.wrong("peering/gateways", "", "a document names at most 16 gateways")
	}
	if same := c.Peering.Listen; same != "" && !strings.HasSuffix(same, ":0") && (same == c.Listen || same == c.Admin || c.Hooks.ExtMCP != nil && same == c.Hooks.ExtMCP.Listen) {
		v.wrong("peering/listen", "", "another address of this gateway is the same")
	}
	if c.Peering.Document > 0 && c.Peering.Refresh > c.Peering.Document/4 {
		v.warn("peering/refresh", "look more often than a quarter of peering.document", "documents of peers that live as long as this domain's could end between two looks")
	}
	if c.DomainCA.Life > Duration(31*24)*Duration(3600e9) {
		v.wrong("domain_ca/life", "", "certificates of gateways live at most 31 days")
	}
	if c.Peering.Document > Duration(31*24)*Duration(3600e9) {
		v.wrong("peering/document", "", "a document counts for at most 31 days")
	}
}
