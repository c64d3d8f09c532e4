package config

import (
	"cmp"
	"fmt"
	"hash"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// validator checks what the fields mean together. It runs also over what could not be decoded, so zero values pass.
type validator struct {
	c        *Config
	mistakes Mistakes
	warnings Mistakes
	hash     hash.Hash
}

// at returns where the value of a path stands, or the nearest thing around it.
func (v *validator) at(path string) place {
	for {
		if p, ok := v.c.loaded.places[path]; ok {
			return p
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return place{1, 1}
		}
		path = path[:i]
	}
}

func (v *validator) wrong(path, hint, format string, args ...any) {
	p := v.at(path)
	v.mistakes = append(v.mistakes, Mistake{File: v.c.loaded.file, Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (v *validator) warn(path, hint, format string, args ...any) {
	p := v.at(path)
	v.warnings = append(v.warnings, Mistake{File: v.c.loaded.file, Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

// known checks a reference, and names the nearest where it leads nowhere. An id that is not well formed is not repeated.
func known[K ~string, V any](v *validator, path, what string, id K, among map[K]V) {
	if _, ok := among[id]; ok || id == "" {
		return
	}
	var names []string
	for k := range among {
		names = append(names, string(k))
	}
	slices.Sort(names)
	shown := ""
	if patterns["id"].re.MatchString(string(id)) {
		shown = " " + strconv.Quote(string(id))
	}
	v.wrong(path, cmp.Or(nearHint(string(id), names), "it must be listed under "+what+"s"), "there is no %s%s", what, shown)
}

func (v *validator) validate() {
	v.addresses()
	v.console()
	v.store()
	v.reach()
	v.hierarchies()
	agents := v.agents()
	v.groups(agents)
	v.hooks(agents)
	v.grants(agents)
	v.governance()
	v.erasure()
	v.peers()
	v.capabilities()
	v.hops(agents)
	v.identity(agents)
	v.spiffe(agents)
	v.taxonomy()
	v.files(agents)
	v.defaults()
	v.bundles()
	v.datasets(agents)
	v.reported(agents)
	v.fetched()
	v.handles()
	v.logReaders()
	v.exposure()
	v.detection("detection/")
	v.models()
	v.terms()
	v.alarms(agents)
	v.lineage()
	v.telemetry()
	v.witness()
	v.cosigners()
	v.retention()
	v.reports()
}

// retention checks that nothing of a task is kept for longer than the rows that tell whom the task was about: an erasure finds it by them.
func (v *validator) retention() {
	r := &v.c.Retention
	for _, kept := range []struct {
		name string
		long Duration
	}{{"answers", r.Answers}, {"tasks", r.Tasks}} {
		if r.Journal > 0 && kept.long > r.Journal {
			v.wrong("retention/"+kept.name, "an erasure finds by the journal's rows what else is about a person", "longer than retention.journal")
		}
	}
}

// fetched checks where files are fetched from.
func (v *validator) fetched() {
	f := &v.c.LinkedFiles
	for i, host := range f.Fetch {
		name := strings.TrimPrefix(host, "*.")
		if name != strings.ToLower(name) || name == "" || strings.ContainsAny(name, "*/:@ ") && !strings.HasPrefix(name, "[") {
			v.wrong(fmt.Sprintf("files/fetch/%d", i), "a name in lower case without a port, such as files.example.org or *.example.org", "not the name of a host")
		}
	}
	for i, network := range f.Networks {
		if _, err := netip.ParsePrefix(network); err != nil {
			v.wrong(fmt.Sprintf("files/networks/%d", i), "such as 10.1.0.0/16; one address is /32", "not a range of addresses")
		}
	}
	for i, port := range f.Ports {
		if port < 1 || port > 65535 {
			v.wrong(fmt.Sprintf("files/ports/%d", i), "", "not a port")
		}
	}
}

func (v *validator) addresses() {
	c := v.c
	if c.Listen == c.Admin && c.Listen != "" && !strings.HasSuffix(c.Listen, ":0") {
		v.wrong("admin", "", "listen and admin are the same address")
	}
	if c.Metrics != "" && !strings.HasSuffix(c.Metrics, ":0") && (c.Metrics == c.Listen || c.Metrics == c.Admin) {
		v.wrong("metrics", "", "it is the address of something else, too")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		v.wrong("tls", "", "cert and key go together")
	} else if c.TLS.SVID {
		v.plainPublicURL()
	} else if c.TLS.On() {
		v.secret("tls/cert", "", c.TLS.Cert)
		v.secret("tls/key", "", c.TLS.Key)
		v.plainPublicURL()
	} else if isAddress(c.Listen) && !isLoopback(hostOf(c.Listen)) && !strings.HasPrefix(c.PublicURL, "https://") {
		v.warn("listen", "configure tls, or let a proxy with TLS stand before the gateway and say so in public_url", "agents call without TLS from other machines")
	}
	if isAddress(c.Admin) && !isLoopback(hostOf(c.Admin)) {
		v.warn("admin", "bind it to 127.0.0.1", "the admin API can be reached from other machines")
	}
}

func (v *validator) plainPublicURL() {
	if strings.HasPrefix(v.c.PublicURL, "http://") {
		v.warn("public_url", "write https://", "agents are shown an address without TLS, and there is none")
	}
}

// hierarchies checks purposes, their groups and roles.
func (v *validator) hierarchies() {
	c := v.c
	purposes := map[flow.Purpose][]flow.Purpose{}
	for name, p := range c.Purposes {
		purposes[name] = p.Parents
	}
	checkParents(v, "purpose", purposes)
	roles := map[flow.Role][]flow.Role{}
	for name, r := range c.Roles {
		roles[name] = r.Parents
	}
	checkParents(v, "role", roles)
	group := map[flow.Purpose]string{}
	for _, name := range slices.Sorted(maps.Keys(c.PurposeGroups)) {
		for i, p := range c.PurposeGroups[name] {
			at := fmt.Sprintf("purpose_groups/%s/%d", name, i)
			known(v, at, "purpose", p, c.Purposes)
			if other, ok := group[p]; ok {
				v.wrong(at, "", "the purpose is in another group too, %q", other)
			}
			group[p] = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.PurposeGroups)) {
		if _, ok := c.Purposes[flow.Purpose(name)]; ok && group[flow.Purpose(name)] != name {
			v.wrong("purpose_groups/"+name, "a purpose in no group is a group of its own name", "the group has the name of a purpose that is not in it")
		}
	}
}

// checkParents looks for parents that are not there, and for circles.
func checkParents[K ~string](v *validator, what string, parents map[K][]K) {
	const open, done = 1, 2
	mark := map[K]int{}
	var visit func(k K)
	visit = func(k K) {
		mark[k] = open
		for i, p := range parents[k] {
			at := fmt.Sprintf("%ss/%s/parents/%d", what, k, i)
			known(v, at, what, p, parents)
			if _, ok := parents[p]; ok && mark[p] == 0 {
				visit(p)
			} else if mark[p] == open {
				v.wrong(at, "", "the %s is its own parent, over others or directly", what)
			}
		}
		mark[k] = done
	}
	for _, k := range slices.Sorted(maps.Keys(parents)) {
		if mark[k] == 0 {
			visit(k)
		}
	}
}

// agents checks each agent, and returns them by id.
func (v *validator) agents() map[flow.AgentID]int {
	ids := map[flow.AgentID]int{}
	keys := map[string]bool{}
	subjects := map[Subject]bool{}
	for i := range v.c.Agents {
		a, at := &v.c.Agents[i], fmt.Sprintf("agents/%d", i)
		if _, twice := ids[a.ID]; twice && a.ID != "" {
			v.wrong(at+"/id", "", "there is another agent of this id")
		}
		ids[a.ID] = i
		v.reserved(at+"/id", a.ID)
		for j, r := range a.Roles {
			if _, taken := v.c.loaded.origins[at+"/roles"]; taken {
				break // looked at where it is written
			}
			known(v, fmt.Sprintf("%s/roles/%d", at, j), "role", r, v.c.Roles)
		}
		v.agentPurposes(a, at)
		v.endpoints(a, at)
		for j, k := range a.Keys {
			if keys[k.SHA256] && k.SHA256 != "" {
				v.wrong(fmt.Sprintf("%s/keys/%d", at, j), "a key says which agent calls, so no two have one", "the key is listed twice")
			}
			keys[k.SHA256] = true
		}
		if a.JWT != nil {
			if subjects[*a.JWT] {
				v.wrong(at+"/jwt", "", "another agent has the same issuer and subject")
			}
			subjects[*a.JWT] = true
			if !slices.ContainsFunc(v.c.Identity.JWT, func(is Issuer) bool { return is.Issuer == a.JWT.Issuer }) {
				v.wrong(at+"/jwt/issuer", "list it under identity.jwt", "the issuer is not known")
			}
		}
		if v.c.Mode == Learn && a.Domain != v.c.Domain {
			v.wrong(at, "set mode to enforce, or leave agents of other domains out", "learn mode watches without enforcing, so it is for one domain only")
		}
		if a.A2A == nil && !a.Serves() && len(a.Keys) == 0 && a.JWT == nil && a.SPIFFE == "" && !v.c.Identity.SPIFFE.names(a.ID) && v.c.Identity.Anonymous != a.ID && !v.c.Hooks.names(a.ID) && !v.c.carried(a) && !v.c.Capabilities.names(a.ID) {
			v.warn(at, "give it a2a or mcp, keys or jwt", "the agent can neither be reached nor call")
		}
	}
	return ids
}

func (v *validator) agentPurposes(a *Agent, at string) {
	_, written := v.c.loaded.places[at+"/purposes"]
	for j, p := range a.Purposes {
		if !written {
			break // taken over from the default
		}
		known(v, fmt.Sprintf("%s/purposes/%d", at, j), "purpose", p, v.c.Purposes)
	}
	if p := a.DefaultPurpose; p != "" {
		if !slices.Contains(a.Purposes, p) {
			v.wrong(at+"/default_purpose", "add it to purposes", "the default is not one of the agent's purposes")
		} else if !written {
			known(v, at+"/default_purpose", "purpose", p, v.c.Purposes)
		}
	}
}

// endpoints checks where an agent is reached, and with which credential.
func (v *validator) endpoints(a *Agent, at string) {
	if a.A2A != nil {
		v.cards(a, at+"/a2a/card")
		v.loops(a.A2A.URL, at+"/a2a/url")
		v.authorities(at+"/a2a/ca_file", a.A2A.CAFile)
	}
	if a.MCP != nil {
		v.loops(a.MCP.URL, at+"/mcp/url")
		v.authorities(at+"/mcp/ca_file", a.MCP.CAFile)
	}
	if a.A2A != nil && a.A2A.Credential != nil {
		v.credential(a.A2A.Credential, a.A2A.URL, at+"/a2a/credential")
	}
	m := a.MCP
	if m == nil {
		return
	}
	if (m.URL == "") == (len(m.Command) == 0) {
		v.wrong(at+"/mcp", "", "either url or command is expected")
	}
	if len(m.Command) > 0 && m.Transport == SSE {
		v.wrong(at+"/mcp/transport", "", "a transport is for a url")
	}
	if len(m.Command) == 0 && len(m.Env) > 0 {
		v.wrong(at+"/mcp/env", "", "env is for a command")
	}
	if m.Credential != nil {
		if len(m.Command) > 0 {
			v.wrong(at+"/mcp/credential", "hand a program its secrets under env", "a credential is for a url")
		}
		v.credential(m.Credential, m.URL, at+"/mcp/credential")
	}
	for _, name := range slices.Sorted(maps.Keys(m.Env)) {
		e := m.Env[name]
		given := 0
		for _, s := range []string{e.Value, e.Env, e.File} {
			if s != "" {
				given++
			}
		}
		if given > 1 {
			v.wrong(at+"/mcp/env/"+name, "", "one of value, env and file is expected")
		}
		v.secret(at+"/mcp/env/"+name, e.Env, e.File)
	}
}

func (v *validator) credential(c *Credential, url, at string) {
	if (c.Env == "") == (c.File == "") {
		v.wrong(at, "the secret itself does not belong in this file", "either env or file is expected")
	}
	v.secret(at, c.Env, c.File)
	if host, plain := urlHost(url); plain && !isLoopback(host) {
		v.warn(at, "use https", "the credential would travel unencrypted")
	}
}

func (v *validator) identity(agents map[flow.AgentID]int) {
	id := v.c.Identity
	if id.Anonymous != "" {
		known(v, "identity/anonymous", "agent", id.Anonymous, agents)
		v.warn("identity/anonymous", "", "callers without credentials are let in")
	}
	seen := map[string]bool{}
	for i, is := range id.JWT {
		at := fmt.Sprintf("identity/jwt/%d", i)
		if seen[is.Issuer] && is.Issuer != "" {
			v.wrong(at+"/issuer", "", "the issuer is listed twice")
		}
		seen[is.Issuer] = true
		if (is.Audience == "") == !is.PerResource {
			v.wrong(at, "", "either audience or resource_audience is expected")
		}
		v.keySource(is, at)
		if host, plain := urlHost(is.JWKSURL); plain && !isLoopback(host) {
			v.wrong(at+"/jwks_url", "use https", "keys fetched over plain http cannot be believed")
		}
		if is.JWKSFile != "" {
			v.readable(at+"/jwks_file", is.JWKSFile)
		}
	}
}

// keySource checks where an issuer's keys come from.
func (v *validator) keySource(is Issuer, at string) {
	ways := 0
	for _, there := range []bool{is.JWKSFile != "", is.JWKSURL != "", is.Discover} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		v.wrong(at, "", "one of jwks_file, jwks_url and discover is expected")
	}
	if host, plain := urlHost(is.Issuer); is.Discover && plain && !isLoopback(host) {
		v.wrong(at+"/issuer", "use https", "keys found over plain http cannot be believed")
	}
	if len(is.KeyHosts) > 0 && !is.Discover {
		v.wrong(at+"/key_hosts", "set discover", "only discovered keys are elsewhere than configuration says")
	}
	v.hostNames(at+"/key_hosts", is.KeyHosts)
	for i, s := range is.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			v.wrong(fmt.Sprintf("%s/scopes/%d", at, i), "one word for each", "not a scope")
		}
	}
}

// hostNames checks names of hosts, each with or without a port.
func (v *validator) hostNames(at string, hosts []string) {
	for i, host := range hosts {
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || host == "" {
			v.wrong(fmt.Sprintf("%s/%d", at, i), "such as keys.example.org or keys.example.org:8443", "not the name of a host")
		}
	}
}

func (v *validator) taxonomy() {
	tax := flow.DefaultTaxonomy()
	seen := map[flow.Label]bool{}
	for i, c := range v.c.Classes {
		at := fmt.Sprintf("taxonomy/%d", i)
		if seen[c.Label] && c.Label != "" {
			v.wrong(at, "", "the label is listed twice")
			continue
		}
		seen[c.Label] = true
		if c.Label == "" || !patterns["label"].fits(string(c.Label)) {
			continue // noted already
		}
		next, err := tax.With([]flow.Class{c.class()})
		if err != nil {
			v.wrong(at, "", "%s", strings.TrimPrefix(err.Error(), flow.ErrTaxonomy.Error()+": "))
			continue
		}
		tax = next
	}
	v.c.loaded.taxonomy = tax
}

// class returns the class as package flow has it; the fields are the same.
func (c Class) class() flow.Class {
	return flow.Class{
		Label: c.Label, Title: c.Title, Tier: c.Tier, Family: c.Family, Kind: c.Kind, Bits: c.Bits, DPV: c.DPV,
		Special: c.Special, Default: c.Default, KeepFirst: c.KeepFirst, Word: c.Word,
	}
}
