package bundle

// Rule names what a bundle did not keep to.
type Rule string

// The rules, in the order in which they are looked at.
const (
	RuleSize      Rule = "size"      // the text is longer than any bundle
	RuleForm      Rule = "form"      // it is no compact JWS whose parts have the one form of a bundle
	RuleAlgorithm Rule = "algorithm" // it is not signed with Ed25519
	RuleType      Rule = "type"      // it is a signed text of another type
	RuleKey       Rule = "key"       // it is signed with a key that is not one of its domain's now
	RuleSignature Rule = "signature" // the key that it names did not sign it
	RuleContent   Rule = "content"   // a member is not as it has to be
	RuleIssuer    Rule = "issuer"    // it is of another domain than the one that was asked
	RuleName      Rule = "name"      // it is another bundle than the one that was asked for
	RuleExpired   Rule = "expired"   // its time is over
	RuleFuture    Rule = "future"    // it was issued later than now
	RuleRollback  Rule = "rollback"  // its version is lower than that of one seen before, or it was issued before that one
	RuleFork      Rule = "fork"      // it says something else than the one of its version, or before it, that was seen
	RuleGap       Rule = "gap"       // versions between it and the one seen before are missing
	RulePolicy    Rule = "policy"    // its policies are not valid here, or do more than forbid
)

var ruleTexts = map[Rule]string{
	RuleSize:      "the bundle is larger than allowed",
	RuleForm:      "the bundle is not of the form that docs/spec/bundles.md gives",
	RuleAlgorithm: "the bundle is not signed with Ed25519",
	RuleType:      "what was found is signed, but no bundle",
	RuleKey:       "the bundle is signed with a key that is not one of its domain's at this time",
	RuleSignature: "the signature of the bundle does not verify",
	RuleContent:   "a member of the bundle is not as it has to be",
	RuleIssuer:    "the bundle is of another domain than the one that was asked",
	RuleName:      "the bundle is another one than was asked for",
	RuleExpired:   "the bundle has expired",
	RuleFuture:    "the bundle was issued in the future; compare the clocks",
	RuleRollback:  "the bundle is older than one that was seen before",
	RuleFork:      "the bundle says something else than one that was seen before",
	RuleGap:       "versions of the bundle are missing between this one and the one that was seen before",
	RulePolicy:    "the bundle's policies cannot be kept to here",
}

// Error says which rule a bundle broke, and where. It repeats nothing of it.
type Error struct {
	Rule  Rule
	Place string // member of the bundle; "" for the whole
}

// Error implements error.
func (e *Error) Error() string {
	text := ruleTexts[e.Rule]
	if text == "" {
		text = "the bundle is refused"
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
