package capability_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// anchors believe one key of one domain.
type anchors struct {
	domain flow.DomainID
	key    ed25519.PublicKey
}

func (a anchors) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return a.key, d == a.domain && kid == "2026-03"
}

// A hospital gives its intake agent a capability, which hands a narrower one to a sub-agent; the insurer's gateway verifies both.
func Example() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	hospitalPublic, hospital, _ := ed25519.GenerateKey(nil)
	intakePublic, intake, _ := ed25519.GenerateKey(nil)
	summaryPublic, summary, _ := ed25519.GenerateKey(nil)

	root, err := capability.Mint(hospital, "2026-03", "hospital", intakePublic, capability.Grant{
		Agent: "intake", Recipients: []string{"insurer/*"}, Purposes: []flow.Purpose{"treatment-authorisation", "billing"},
		Levels:  map[flow.Label]flow.Level{"person": flow.Tokenized, "health": flow.Raw},
		Expires: now.Add(15 * time.Minute), MaxDepth: 2,
	}, now)
	if err != nil {
		panic(err)
	}
	chain, err := capability.Derive(capability.Chain{root}, intake, summaryPublic, capability.Grant{ // what is left out is taken over
		Agent: "intake/summary", Purposes: []flow.Purpose{"treatment-authorisation"}, Levels: map[flow.Label]flow.Level{"health/code": flow.Generalized},
	}, now)
	if err != nil {
		panic(err)
	}
	call := capability.Bound{Audience: "insurer", Method: "POST", Body: capability.BodyHash([]byte(`{"ask":1}`))}
	proof, err := capability.Prove(chain[1], summary, call, now)
	if err != nil {
		panic(err)
	}

	v := capability.NewVerifier(anchors{"hospital", hospitalPublic}, capability.Options{Clock: func() time.Time { return now }})
	vd, err := v.Verify(chain)
	if err != nil {
		panic(err)
	}
	if _, err := v.Proof(vd, proof, call); err != nil {
		panic(err)
	}
	request := capability.Request{At: now, Audience: "insurer", From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "prior-auth", Domain: "insurer"}, Purpose: "treatment-authorisation"}
	fmt.Println(vd.Admits(request), vd.Level("health/code"), vd.Level("person/name"))
	request.Purpose = "billing"
	fmt.Println(vd.Admits(request))
	// Output:
	// <nil> generalized dropped
	// capability link 1 breaks rule not-granted: purposes
}

// A holder cannot give more than it has, and an error says what of.
func ExampleDerive() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	_, hospital, _ := ed25519.GenerateKey(nil)
	intakePublic, intake, _ := ed25519.GenerateKey(nil)
	otherPublic, _, _ := ed25519.GenerateKey(nil)
	uses := int64(3)
	root, err := capability.Mint(hospital, "k", "hospital", intakePublic, capability.Grant{Agent: "intake", Uses: &uses, Counted: "insurer", Expires: now.Add(time.Minute), MaxDepth: 1}, now)
	if err != nil {
		panic(err)
	}
	more := int64(4)
	_, err = capability.Derive(capability.Chain{root}, intake, otherPublic, capability.Grant{Uses: &more}, now)
	fmt.Println(err, errors.Is(err, capability.RuleWidened))
	// Output: capability link 1 breaks rule widened: uses true
}

func ExampleSentence() {
	uses := int64(3)
	fmt.Println(capability.Sentence(capability.Grant{
		Agent: "intake", Recipients: []string{"insurer/prior-auth"}, Purposes: []flow.Purpose{"treatment-authorisation"},
		Levels: map[flow.Label]flow.Level{"person/name": flow.Tokenized, "health": flow.Raw}, Uses: &uses, Counted: "insurer",
		Tools:   map[string]capability.Arguments{"prior-auth/submit": {"code": capability.OneOf(capability.Text("A1"), capability.Text("B2")), "file": capability.SubPath("/claims").Optionally()}},
		Expires: time.Date(2026, 3, 2, 9, 15, 0, 0, time.UTC), MaxDepth: 2,
	}))
	// Output: intake may, until 2026-03-02 09:15:00 UTC, send to insurer/prior-auth for treatment-authorisation: health raw, person/name at most tokenized, all else dropped; calls prior-auth/submit (code "A1" or "B2"; file at or under "/claims" or absent); counted at insurer: 3 uses; handed on down to depth 2; not bounded: tasks, criticality, datasets, techniques, cost, audience
}
