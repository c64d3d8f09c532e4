package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Terms is how agents may ask on which terms data would pass, before they send any, and what domains may agree on.
type Terms struct {
	Rate     int      `yaml:"rate" doc:"Questions that one agent may ask in a minute; all of them may come at once." default:"60" min:"1" max:"100000"`
	Variants int      `yaml:"variants" doc:"Other choices of the agent's own, such as another purpose, that are decided for one question, so that the answer can say what would show more." default:"16" min:"1" max:"64"`
	Accept   []Accept `yaml:"accept" doc:"Contracts that peers may offer and that are agreed on without a person. All others wait for scrim contract accept."`
}

// Accept bounds what is agreed on without a person.
type Accept struct {
	Peer     flow.DomainID         `yaml:"peer" doc:"The domain that offers." required:"true" pattern:"id"`
	Names    []string              `yaml:"names" doc:"Names of contracts. A policy that wants a contract asks for it by name, so list none that opens more than this peer is to have." required:"true"`
	Purposes []flow.Purpose        `yaml:"purposes" doc:"Purposes that it may be for." required:"true"`
	Gives    map[flow.Label]string `yaml:"gives" keys:"labels" doc:"The most that this domain is to give, by label: a level. What is under no label that is listed is not given."`
	Life     Duration              `yaml:"life" doc:"How long from now it may last." default:"90d" min:"1m"`
	Duties   bool                  `yaml:"duties" doc:"It may bind this domain to keep data for a time only, and to notify somebody."`
}

func (v *validator) terms() {
	for i, a := range v.c.Terms.Accept {
		at := fmt.Sprintf("terms/accept/%d", i)
		if a.Peer == v.c.Domain && a.Peer != "" {
			v.wrong(at+"/peer", "", "a domain has no contract with itself")
		}
		for j, p := range a.Purposes {
			known(v, fmt.Sprintf("%s/purposes/%d", at, j), "purpose", p, v.c.Purposes)
		}
		for _, l := range slices.Sorted(maps.Keys(a.Gives)) {
			if _, err := flow.ParseLevel(a.Gives[l]); err != nil {
				v.wrong(at+"/gives/"+string(l), "", "%v", err)
			}
		}
	}
}
