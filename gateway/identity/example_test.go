package identity_test

import (
	"fmt"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

func Example() {
	key, digest := identity.NewKey() // the key goes to the agent's owner, the digest into configuration
	auth, err := identity.New(identity.Options{Keys: []identity.Key{{ID: "desk-2026", SHA256: digest, Grant: identity.Grant{
		Party:    flow.Party{Agent: "desk", Domain: "hospital"},
		Purposes: []flow.Purpose{"care", "billing"}, Criticality: flow.Routine,
	}}}})
	if err != nil {
		panic(err)
	}
	r, _ := http.NewRequest(http.MethodPost, "/a2a/insurer", nil)
	r.Header.Set("Authorization", "Bearer "+key.Expose())
	r.Header.Set(identity.HeaderPurpose, "billing")
	r.Header.Set(identity.HeaderCriticality, "critical")
	caller, err := auth.Authenticate(r.Context(), r)
	if err != nil {
		panic(err)
	}
	purpose, criticality := caller.ChooseFrom(r.Header)
	fmt.Println(caller.Party.Agent, purpose, criticality) // critical was not granted, so that low holds
	// Output: desk billing low
}
