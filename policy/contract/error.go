package contract

// Rule names what an offer, a contract or the end of one did not keep to.
type Rule string

// The rules, in the order in which they are looked at.
const (
	RuleSize      Rule = "size"      // longer than any is
	RuleForm      Rule = "form"      // not the one spelling that the form has
	RuleType      Rule = "type"      // signed, and something else
	RuleAlgorithm Rule = "algorithm" // not signed with Ed25519
	RuleContent   Rule = "content"   // a member is not as it has to be
	RuleSigner    Rule = "signer"    // signed by who is no party, by one party twice, or by an unknown key
	RuleSignature Rule = "signature" // the key did not sign these bytes
	RuleAnother   Rule = "another"   // of another negotiation, name or pair of parties
	RuleVersion   Rule = "version"   // not the answer to the offer that was made last
	RuleWidens    Rule = "widens"    // wider than what it answers
	RuleTime      Rule = "time"      // its time is over, or too long
)

var ruleTexts = map[Rule]string{
	RuleSize:      "it is longer than any contract is",
	RuleForm:      "it is not of the form that docs/spec/terms.md gives",
	RuleType:      "it is signed as something else",
	RuleAlgorithm: "it is not signed with Ed25519",
	RuleContent:   "a member is not as it has to be",
	RuleSigner:    "who signed it is no party to it, or with a key that is not known",
	RuleSignature: "a signature does not verify",
	RuleAnother:   "it belongs to another negotiation",
	RuleVersion:   "it is not the answer to what was offered last",
	RuleWidens:    "it is wider than what it answers",
	RuleTime:      "its time is over, or longer than may be",
}

// Error says which rule was broken, and where. It repeats nothing of what it is about.
type Error struct {
	Rule  Rule
	Place string // member; "" for the whole
}

// Error implements error.
func (e *Error) Error() string {
	text := "the contract is refused: " + ruleTexts[e.Rule]
	if e.Place != "" {
		text += " (" + e.Place + ")"
	}
	return text
}

// Is compares rules.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Rule == e.Rule && (t.Place == "" || t.Place == e.Place)
}

func broke(r Rule, place string) error { return &Error{Rule: r, Place: place} }
