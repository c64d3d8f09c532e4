package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/gateway/identity"
)

// terms are what a gateway's policy says of protected values, or that it looks at nothing.
type terms struct {
	level       string // "raw", "masked", "tokenized"
	transparent bool
	hide        bool // protected values may not be seen in an answer
	home        bool // the caller is an agent of the gateway's own domain, which masks for it all the same
	capability  bool // calls come by a capability, which was handed on three times
}

var (
	unmasked    = terms{level: "raw"}
	masked      = terms{level: "masked", hide: true}
	tokenized   = terms{level: "tokenized", hide: true}
	transparent = terms{level: "raw", transparent: true}
	credential  = terms{level: "masked", hide: true, home: true}
	capable     = terms{level: "masked", hide: true, home: true, capability: true}
)

const openPolicies = `
@id("text") @exception("measured") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
@id("internal") permit (principal, action in Action::"upto_raw", resource) when { resource.tier == "internal" };
@id("home") permit (principal in Domain::"here", action in Action::"upto_raw", resource);
`

func (t terms) policies() string {
	if t.home {
		return strings.Replace(openPolicies, `principal in Domain::"here"`, `principal == Agent::"stub"`, 1) +
			`@id("caller") permit (principal == Agent::"caller", action in Action::"upto_masked", resource) when { resource.tier == "confidential" };` + "\n"
	}
	actions := `Action::"upto_raw"`
	switch t.level {
	case "masked":
		actions = `Action::"upto_masked"`
	case "tokenized":
		return openPolicies + `@id("abroad") permit (principal in Domain::"elsewhere", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" };` + "\n"
	}
	return openPolicies + `@id("abroad") permit (principal in Domain::"elsewhere", action in ` + actions + `, resource) when { resource.tier == "confidential" };` + "\n"
}

const orderSchema = `{"type":"object","properties":{
 "note":{"type":"string","x-scrim-label":"business/category"},
 "items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string","x-scrim-label":"public"},"count":{"type":"number","x-scrim-label":"public"}}}}}}`

// recordSchema declares what is in an answer. What "contact" holds is more than its label says, so that detection has
// something to find where the schema does not help.
const recordSchema = `{"type":"object","properties":{
 "batch":{"type":"string","x-scrim-label":"public"},
 "records":{"type":"array","items":{"type":"object","properties":{
  "id":{"type":"string","x-scrim-label":"public"},
  "status":{"type":"string","x-scrim-label":"business/category"},
  "quantity":{"type":"number","x-scrim-label":"business/quantity"},
  "amount":{"type":"number","x-scrim-label":"finance/amount"},
  "updated":{"type":"string","x-scrim-label":"time/event"},
  "city":{"type":"string","x-scrim-label":"location/city"},
  "remark":{"type":"string","x-scrim-label":"business/category"},
  "name":{"type":"string","x-scrim-label":"person/name"},
  "email":{"type":"string","x-scrim-label":"person/contact/email"},
  "contact":{"type":"string","x-scrim-label":"business/category"}}}}}}`

// writeConfig writes the configuration of a gateway before the stub agent and returns the caller's key. The stub is the
// gateway's own agent, the caller one of another domain.
func writeConfig(dir, stub, protocol string, t terms) (string, error) {
	key, digest := identity.NewKey()
	domain := "elsewhere"
	if t.home {
		domain = "here"
	}
	file := fmt.Sprintf(`version: 1
domain: here
data: ./data
timeouts: {idle: 30m}
limits: {flows: 20000}
agents:
  - id: caller
    domain: %s
    purposes: [work]
    default_purpose: work
    criticality: critical
    keys: [{sha256: "%s"}]
  - id: stub
    %s: {url: "%s"}
purposes:
  work: {}
`, domain, digest, protocol, stub)
	what := `data: "*"`
	if protocol == "mcp" {
		what = `tool: "*"`
	}
	file += fmt.Sprintf("schemas:\n  - {file: order.json, agent: stub, %s, direction: request}\n  - {file: records.json, agent: stub, %s, direction: response}\n", what, what)
	if t.transparent {
		file += "transparent:\n  - {agent: stub, path: \"/**\", reason: measured}\n"
	}
	for name, content := range map[string]string{
		"scrim.yaml": file, "order.json": orderSchema, "records.json": recordSchema, "policies/bench.cedar": t.policies(),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			return "", err
		}
	}
	return key.Expose(), nil
}
