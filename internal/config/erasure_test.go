package config

import (
	"strings"
	"testing"
)

func TestApproversOfErasuresArePeopleOfTheirOwn(t *testing.T) {
	ann, bob := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for name, c := range map[string]struct{ approvers, want string }{
		"two":                {"{name: ann, sha256: " + ann + "}, {name: bob, sha256: " + bob + "}", ""},
		"one name":           {"{name: ann, sha256: " + ann + "}, {name: ann, sha256: " + bob + "}", "has the same name"},
		"one name by case":   {"{name: ann, sha256: " + ann + "}, {name: Ann, sha256: " + bob + "}", "has the same name"},
		"one credential":     {"{name: ann, sha256: " + ann + "}, {name: bob, sha256: " + ann + "}", "has the same credential"},
		"credential by case": {"{name: ann, sha256: " + ann + "}, {name: bob, sha256: " + strings.ToUpper(ann) + "}", "has the same credential"},
		"the operator":       {"{name: operator, sha256: " + ann + "}", "who has no credential"},
		"an agent's":         {"{name: ann, sha256: " + strings.Repeat("c", 64) + "}", "an agent calls with the same credential"},
	} {
		text := "version: 1\ndomain: hospital\nagents: [{id: client, keys: [{sha256: " + strings.Repeat("c", 64) + "}]}]\nerasure: {approvers: [" + c.approvers + "]}\n"
		_, err := Parse("scrim.yaml", []byte(text), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
