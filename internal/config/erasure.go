package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/policy/change"
)

// Erasure says who has people's data erased.
type Erasure struct {
	Within    Duration   `yaml:"within" doc:"How long a request for an erasure waits for its confirmation." default:"24h" min:"1m"`
	Approvers []Approver `yaml:"approvers" doc:"Who may ask for an erasure and confirm one that another asked for. With one, the operator is the other. Absent: whoever asked confirms, in a second step."`
}

// Approver has a credential of their own for erasures.
type Approver struct {
	Name   string `yaml:"name" doc:"As the journal says who asked and who confirmed." required:"true" pattern:"id"`
	SHA256 string `yaml:"sha256" doc:"SHA-256 of the credential; \"scrim erase --new-credential\" makes both." required:"true" pattern:"sha256"`
}

// erasure checks that approvers are people of their own.
func (v *validator) erasure() {
	names, sums := map[string]bool{}, map[string]bool{}
	for i, a := range v.c.Erasure.Approvers {
		at := fmt.Sprintf("erasure/approvers/%d", i)
		name, sum := strings.ToLower(a.Name), strings.ToLower(a.SHA256)
		if names[name] && name != "" {
			v.wrong(at+"/name", "", "another approver has the same name: two approvers who are one")
		}
		if sums[sum] && sum != "" {
			v.wrong(at+"/sha256", "draw one for each with \"scrim erase --new-credential\"", "another approver has the same credential: two approvers who are one")
		}
		if name == change.Operator {
			v.wrong(at+"/name", "", "%q is who has no credential", change.Operator)
		}
		for _, agent := range v.c.Agents {
			if slices.ContainsFunc(agent.Keys, func(k APIKey) bool { return strings.EqualFold(k.SHA256, sum) }) {
				v.wrong(at+"/sha256", "", "an agent calls with the same credential")
			}
		}
		names[name], sums[sum] = true, true
	}
}
