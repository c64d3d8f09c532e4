package domain

// Rule names what a document did not keep to.
type Rule string

// The rules, in the order in which they are looked at.
const (
	RuleSize        Rule = "size"        // the text is longer than any document
	RuleForm        Rule = "form"        // it is no compact JWS with the members of a document, each once
	RuleAlgorithm   Rule = "algorithm"   // it is not signed with Ed25519
	RuleType        Rule = "type"        // it is a signed text of another type
	RuleContent     Rule = "content"     // a member is not as it has to be
	RuleSignature   Rule = "signature"   // the key in its header did not sign it
	RuleExpired     Rule = "expired"     // its time is over
	RuleFuture      Rule = "future"      // it was issued later than now
	RuleFingerprint Rule = "fingerprint" // another identity key signed it than the one that was pinned
	RuleDomain      Rule = "domain"      // it is of another domain than the one that was pinned
	RuleRollback    Rule = "rollback"    // its version is lower than that of one seen before
	RuleFork        Rule = "fork"        // it has the version of one seen before, and says something else
	RuleCertificate Rule = "certificate" // a certificate is not that of a gateway of the domain
)

var ruleTexts = map[Rule]string{
	RuleSize:        "the domain's document is longer than any is",
	RuleForm:        "the domain's document is not of the form that docs/spec/domains.md gives",
	RuleAlgorithm:   "the domain's document is not signed with Ed25519",
	RuleType:        "what was found is signed, but no domain's document",
	RuleContent:     "a member of the domain's document is not as it has to be",
	RuleSignature:   "the signature of the domain's document does not verify",
	RuleExpired:     "the domain's document has expired",
	RuleFuture:      "the domain's document was issued in the future; compare the clocks",
	RuleFingerprint: "the domain's document is signed by another identity key than the pinned one",
	RuleDomain:      "the document is that of another domain",
	RuleRollback:    "the domain's document is older than one that was seen before",
	RuleFork:        "the domain's document has the version of one that was seen before, and says something else",
	RuleCertificate: "the certificate is not one of a gateway of the domain",
}

// Error says which rule a document or a certificate broke, and where. It repeats nothing of it.
type Error struct {
	Rule  Rule
	Place string // member of the document; "" for the whole
}

// Error implements error.
func (e *Error) Error() string {
	text := ruleTexts[e.Rule]
	if text == "" {
		text = "the domain's document is refused"
	}
	if e.Place != "" {
		return text + ": " + e.Place
	}
	return text
}

// Is compares rules, so that [errors.Is] finds an error of the same rule at any place.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Rule == e.Rule && (t.Place == "" || t.Place == e.Place)
}

func refused(r Rule) error  { return &Error{Rule: r} }
func at(place string) error { return &Error{Rule: RuleContent, Place: place} }
