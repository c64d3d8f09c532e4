package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity/svid"
)

// SPIFFE says whose certificates of workloads (X.509-SVIDs) are believed.
type SPIFFE struct {
	WorkloadAPI  string        `yaml:"workload_api" doc:"Address of the SPIFFE Workload API, such as unix:///run/spire/agent.sock: the bundles that it gives are believed, those of federated trust domains too, and tls.svid takes the gateway's own certificate from it." pattern:"workload-api"`
	TrustDomains []TrustDomain `yaml:"trust_domains" doc:"Trust domains whose bundle comes from a file, or all of whose workloads are one agent."`
}

// TrustDomain is a SPIFFE trust domain.
type TrustDomain struct {
	Name   string       `yaml:"name" doc:"Name of the trust domain." required:"true" pattern:"trust-domain"`
	Bundle string       `yaml:"bundle" doc:"File of its authorities, in PEM or as a SPIFFE bundle in JSON. It is read again when it changes, and nobody of the trust domain is believed while it is gone; put another in its place by renaming. Absent: the Workload API's."`
	Agent  flow.AgentID `yaml:"agent" doc:"The agent that its workloads are taken for whose SPIFFE ID no agent has. Absent: they are refused."`
}

// ClientCertificates says whether callers are asked for a certificate.
type ClientCertificates string

// The answers.
const (
	AskWhereUseful ClientCertificates = "auto"
	AskAlways      ClientCertificates = "ask"
	AskNever       ClientCertificates = "never"
)

// names reports whether workloads of a trust domain are taken for the agent.
func (s SPIFFE) names(id flow.AgentID) bool {
	return id != "" && slices.ContainsFunc(s.TrustDomains, func(td TrustDomain) bool { return td.Agent == id })
}

func isSPIFFEID(s string) bool {
	id, err := spiffeid.FromString(s)
	return err == nil && id.Path() != "" && id.String() == s
}

func isTrustDomain(s string) bool {
	td, err := spiffeid.TrustDomainFromString(s)
	return err == nil && td.Name() == s
}

func isWorkloadAPI(s string) bool {
	if strings.HasPrefix(s, "tcp:") {
		return workloadapi.ValidateAddress(s) == nil && isLoopback(hostOf(strings.TrimPrefix(s, "tcp://")))
	}
	return workloadapi.ValidateAddress(s) == nil
}

// spiffe checks trust domains, and the SPIFFE IDs of agents.
func (v *validator) spiffe(agents map[flow.AgentID]int) {
	c := v.c
	s := c.Identity.SPIFFE
	seen := map[string]bool{}
	for i, td := range s.TrustDomains {
		at := fmt.Sprintf("identity/spiffe/trust_domains/%d", i)
		if seen[td.Name] && td.Name != "" {
			v.wrong(at+"/name", "", "the trust domain is listed twice")
		}
		seen[td.Name] = true
		known(v, at+"/agent", "agent", td.Agent, agents)
		switch {
		case td.Bundle == "" && s.WorkloadAPI == "":
			v.wrong(at, "name a bundle, or a workload_api", "there is nowhere to take the trust domain's authorities from")
		case td.Bundle != "" && v.look() && isTrustDomain(td.Name):
			if _, ok := v.live(at+"/bundle", td.Bundle); !ok {
				break
			}
			if _, err := svid.ReadBundle(td.Name, c.Path(td.Bundle)); err != nil {
				v.wrong(at+"/bundle", "a PEM file of authorities' certificates is expected, or a SPIFFE bundle in JSON", "%v", err)
			}
		}
		if td.Agent != "" {
			v.warn(at+"/agent", "", "every workload of the trust domain is taken for this agent")
		}
	}
	ids := map[string]bool{}
	for i := range c.Agents {
		id, at := c.Agents[i].SPIFFE, fmt.Sprintf("agents/%d/spiffe", i)
		if id == "" || !isSPIFFEID(id) {
			continue
		}
		if ids[id] {
			v.wrong(at, "", "another agent has the same SPIFFE ID")
		}
		ids[id] = true
		if s.WorkloadAPI == "" && !seen[spiffeid.RequireFromString(id).TrustDomain().Name()] {
			v.wrong(at, "list its trust domain under identity.spiffe.trust_domains, or name a workload_api", "there is nowhere to take the trust domain's authorities from")
		}
	}
	v.certificates(len(ids) > 0 || len(s.TrustDomains) > 0)
}

// certificates checks what the gateway shows and asks for in a TLS handshake.
func (v *validator) certificates(spiffe bool) {
	t := v.c.TLS
	if t.SVID && t.Cert != "" {
		v.wrong("tls", "", "either cert and key or svid is expected")
	}
	if t.SVID && v.c.Identity.SPIFFE.WorkloadAPI == "" {
		v.wrong("tls/svid", "name its address under identity.spiffe.workload_api", "there is no Workload API to take a certificate from")
	}
	switch {
	case !spiffe && t.ClientCertificates != AskAlways:
	case !t.On():
		v.wrong("tls", "configure tls.cert and tls.key, or tls.svid", "without TLS no caller shows a certificate")
	case t.ClientCertificates == AskNever:
		v.wrong("tls/client_certificates", "set it to auto", "callers are known by certificates that they are never asked for")
	}
}

// SPIFFEBundles returns the files of trust bundles, by trust domain.
func (c *Config) SPIFFEBundles() map[string]string {
	out := map[string]string{}
	for _, td := range c.Identity.SPIFFE.TrustDomains {
		if td.Bundle != "" {
			out[td.Name] = c.Path(td.Bundle)
		}
	}
	return out
}
