package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Console is who may use the console, and for how long at a time.
type Console struct {
	Disabled  bool         `yaml:"disabled" doc:"There is no console: the admin address has the API for commands alone."`
	PublicURL string       `yaml:"public_url" doc:"URL under which browsers see the console, without a path, where that is not the admin address. Its host name is accepted beside those of this machine." pattern:"url"`
	TLS       ConsoleTLS   `yaml:"tls" doc:"Certificate of the admin address, for browsers and for commands. Absent: it has none, which is for loopback."`
	Link      Duration     `yaml:"link" doc:"How long a one-time link can be used." default:"10m" min:"1m" max:"24h"`
	Idle      Duration     `yaml:"idle" doc:"How long a session lives without a request. An open page that shows what happens live is one." default:"30m" min:"1m" max:"24h"`
	Life      Duration     `yaml:"life" doc:"How long a session lives at most. What a provider says of somebody's groups counts as long." default:"12h" min:"5m" max:"168h"`
	OIDC      *ConsoleOIDC `yaml:"oidc" doc:"The OpenID provider at which people log in. Absent: by one-time links alone."`
}

// ConsoleTLS is a certificate.
type ConsoleTLS struct {
	Cert string `yaml:"cert" doc:"PEM file of the certificate, with those between it and its authority. It is read again when it changes."`
	Key  string `yaml:"key" doc:"PEM file of its key, readable by nobody else."`
}

// On reports whether there is one.
func (t ConsoleTLS) On() bool { return t.Cert != "" }

// ConsoleOIDC is where people log in, and what they may do then.
type ConsoleOIDC struct {
	Issuer   string          `yaml:"issuer" doc:"The provider, exactly as it names itself in its tokens." required:"true" pattern:"url"`
	ClientID string          `yaml:"client_id" doc:"As which the provider knows the console. It lets it lead back to /login/back below the console's URL." required:"true"`
	Secret   *SecretText     `yaml:"client_secret" secret:"true" doc:"The client's secret. Absent: it has none, and PKCE alone binds a login to its client."`
	Title    string          `yaml:"title" doc:"Name of the provider on the page of the login. Default: the host of the issuer."`
	Scopes   []string        `yaml:"scopes" doc:"Asked for beside openid, such as the one that brings groups."`
	Hosts    []string        `yaml:"hosts" doc:"Hosts (name, or name:port) other than the issuer's own that its keys and tokens may come from."`
	Groups   string          `yaml:"groups_claim" doc:"The claim of the ID token that names groups: a text or texts. Dots lead into objects." default:"groups"`
	Roles    []ConsoleRole   `yaml:"roles" doc:"What groups may do. Whoever is in several has the highest role; whoever is in none, and not listed under people, has none."`
	People   []ConsolePerson `yaml:"people" doc:"People whom the log names, and what they may do beside what their groups may."`
}

// ConsoleRole gives a role to groups.
type ConsoleRole struct {
	Role   string   `yaml:"role" doc:"viewer looks; steward proposes, labels and tries; approver approves, revokes and freezes; admin erases, restores, and manages budgets and sessions. Each may do what those before it may." required:"true" enum:"viewer steward approver admin"`
	Groups []string `yaml:"groups" doc:"As the provider names them." required:"true"`
}

// ConsolePerson is somebody by their subject at the provider.
type ConsolePerson struct {
	Subject  string `yaml:"subject" doc:"The subject (sub) of their tokens." required:"true"`
	Name     string `yaml:"name" doc:"As the log names them. Absent from this list, they are an id there that tells nothing." required:"true" pattern:"id"`
	Role     string `yaml:"role" doc:"What they may do whatever their groups." enum:"viewer steward approver admin"`
	Approver string `yaml:"approver" doc:"Which of governance.approvers they are: what they approve in the console counts as that one's, while their role is approver or admin. An approver is one person." pattern:"id"`
}

// HasConsole reports whether there is a console: not where other machines could reach it without TLS and a provider.
func (c *Config) HasConsole() bool {
	return !c.Console.Disabled && (isLoopback(hostOf(c.Admin)) || c.Console.TLS.On() && c.Console.OIDC != nil)
}

// AdminURL is the URL of the admin address, at an address.
func (c *Config) AdminURL(address string) string {
	if c.Console.TLS.On() {
		return "https://" + address
	}
	return "http://" + address
}

// ClientSecret returns the secret of the console's client, the zero value if it has none. It is read anew each time.
func (c *Config) ClientSecret() (flow.Secret, error) {
	if c.Console.OIDC == nil || c.Console.OIDC.Secret == nil {
		return flow.Secret{}, nil
	}
	s := c.Console.OIDC.Secret
	return c.secret(s.place, s.Env, s.File)
}

// console checks that the console is for those alone whom configuration means.
func (v *validator) console() {
	c := &v.c.Console
	_, written := v.c.loaded.places["console"]
	beyond := isAddress(v.c.Admin) && !isLoopback(hostOf(v.c.Admin))
	if written && beyond && !c.Disabled && !v.c.HasConsole() {
		v.wrong("console", "configure console.tls and console.oidc, bind admin to 127.0.0.1, or set disabled", "the console would be reached from other machines without TLS and a provider at which people log in")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		v.wrong("console/tls", "", "cert and key go together")
	} else if c.TLS.On() {
		v.secret("console/tls/cert", "", c.TLS.Cert)
		v.secret("console/tls/key", "", c.TLS.Key)
	}
	if c.Idle > c.Life {
		v.wrong("console/idle", "", "longer than console.life")
	}
	if host, plain := urlHost(c.PublicURL); plain && !isLoopback(host) {
		v.wrong("console/public_url", "use https", "a session could be taken by whoever listens on the way")
	}
	if rest := strings.TrimPrefix(strings.TrimPrefix(c.PublicURL, "http://"), "https://"); strings.Contains(strings.TrimRight(rest, "/"), "/") {
		v.wrong("console/public_url", "give it a name of its own", "the console lies at no path")
	}
	if c.OIDC != nil {
		v.consoleOIDC(c.OIDC)
	}
}

func (v *validator) consoleOIDC(o *ConsoleOIDC) {
	const at = "console/oidc"
	if host, plain := urlHost(o.Issuer); plain && !isLoopback(host) {
		v.wrong(at+"/issuer", "use https", "a provider over plain http cannot be believed")
	}
	if ip, err := netip.ParseAddr(hostOf(v.c.Admin)); v.c.Console.PublicURL == "" && err == nil && ip.IsUnspecified() {
		v.wrong(at, "set console.public_url", "the provider has to lead back to one address, and admin is of no one machine")
	}
	if s := o.Secret; s != nil {
		if (s.Env == "") == (s.File == "") {
			v.wrong(at+"/client_secret", "the secret itself does not belong in this file", "either env or file is expected")
		}
		v.secret(at+"/client_secret", s.Env, s.File)
	}
	for i, s := range o.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			v.wrong(fmt.Sprintf("%s/scopes/%d", at, i), "one word for each", "not a scope")
		}
	}
	v.hostNames(at+"/hosts", o.Hosts)
	if len(o.Roles) == 0 && len(o.People) == 0 {
		v.wrong(at, "list some under roles or people", "nobody would have a role")
	}
	for i, r := range o.Roles {
		for j, g := range r.Groups {
			if g == "" {
				v.wrong(fmt.Sprintf("%s/roles/%d/groups/%d", at, i, j), "", "a group is named by nothing")
			}
		}
	}
	v.consolePeople(at, o.People)
}

// consolePeople checks that nobody on the log is two, and no approver is.
func (v *validator) consolePeople(at string, people []ConsolePerson) {
	approvers := map[string]bool{}
	for _, a := range v.c.Governance.Approvers {
		approvers[a.Name] = true
	}
	subjects, names, taken := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, p := range people {
		here := fmt.Sprintf("%s/people/%d", at, i)
		name := strings.ToLower(p.Name)
		switch {
		case name == "operator" || strings.HasPrefix(name, "link-") || strings.HasPrefix(name, "person-"):
			v.wrong(here+"/name", "", "the log has a meaning of its own for the name")
		case names[name] && name != "":
			v.wrong(here+"/name", "", "somebody else has the same name")
		}
		if subjects[p.Subject] && p.Subject != "" {
			v.wrong(here+"/subject", "", "the subject is listed twice")
		}
		if p.Approver != "" {
			switch {
			case !approvers[p.Approver]:
				v.wrong(here+"/approver", "list them under governance.approvers", "there is no such approver")
			case taken[p.Approver]:
				v.wrong(here+"/approver", "", "somebody else is the same approver: one approver who would be two")
			}
			taken[p.Approver] = true
		} else if approvers[p.Name] {
			v.wrong(here+"/name", "say so under approver", "an approver has the same name")
		}
		subjects[p.Subject], names[name] = true, true
	}
}
