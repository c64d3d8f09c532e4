package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/policy/change"
)

// person is an approver as others know them.
type person struct{ name, sha256 string }

// people checks that approvers are people of their own: no two of them are one, and none is the operator or an agent. Command draws a credential.
func (v *validator) people(place, command string, all []person) {
	names, sums := map[string]bool{}, map[string]bool{}
	for i, p := range all {
		at := fmt.Sprintf("%s/%d", place, i)
		name, sum := strings.ToLower(p.name), strings.ToLower(p.sha256)
		if names[name] && name != "" {
			v.wrong(at+"/name", "", "another approver has the same name: two approvers who are one")
		}
		if sums[sum] && sum != "" {
			v.wrong(at+"/sha256", fmt.Sprintf("draw one for each with %q", command), "another approver has the same credential: two approvers who are one")
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
