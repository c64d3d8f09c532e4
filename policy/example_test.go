package policy_test

import (
	"fmt"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

func Example() {
	policies := fstest.MapFS{"claims.cedar": {Data: []byte(`
		@id("claims-names")
		@reason("the insurer joins claims without names")
		@token("oneway")
		permit (
			principal in Role::"claims",
			action in Action::"upto_tokenized",
			resource in DataClass::"person/name"
		) when { context.purpose in Purpose::"billing" };
	`)}}
	insurer := flow.Party{Agent: "claims-agent", Domain: "insurer", Roles: []flow.Role{"claims"}}
	set, err := policy.Load(policies, policy.Options{Entities: policy.Entities{
		Agents:   []flow.Party{insurer},
		Purposes: map[flow.Purpose][]flow.Purpose{"billing": nil, "prior-authorisation": {"billing"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	terms, err := set.Decide(policy.Query{Flow: flow.Flow{
		From:    flow.Party{Agent: "desk", Domain: "hospital"},
		To:      insurer,
		Purpose: "prior-authorisation",
		Task:    flow.Task{Criticality: flow.Routine},
	}}, []flow.Leaf{{Path: "/patient/name", Label: "person/name/family"}, {Path: "/patient/phone", Label: "person/contact/phone"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range terms.Leaves {
		fmt.Printf("%s: %s\n", t.Treatment, t.Reason)
	}
	// Output:
	// tokenized(oneway): the insurer joins claims without names
	// dropped: no policy permits it
}

func ExampleLoad_mistakes() {
	_, err := policy.Load(fstest.MapFS{"names.cedar": {Data: []byte(`permit (
    principal,
    action in Action::"upto_tokenised",
    resource in DataClass::"person/nmae"
) when { context.purpos == Purpose::"billing" };`)}}, policy.Options{})
	fmt.Println(err)
	// Output:
	// names.cedar:3:15: Action::"upto_tokenised" is not an action (did you mean "upto_tokenized"?)
	// names.cedar:4:17: data class "person/nmae" is not known (did you mean "person/name"?)
	// names.cedar:5:18: attribute 'purpos' is not in the context (did you mean "purpose"?)
	// names.cedar:5:28: purpose "billing" is not known
}
