package capability

import "strconv"

// Rule names a rule of the profile. The list is closed, and each rule is itself an error, so that
// errors.Is(err, capability.RuleExpired) asks which one was broken.
type Rule string

// The rules. docs/spec/capabilities.md says what each demands.
const (
	RuleForm       Rule = "form"        // header, claims, constraint or encoding are not as the profile writes them
	RuleSize       Rule = "size"        // a token, the chain or the proof is longer than allowed
	RuleAlgorithm  Rule = "algorithm"   // alg is not EdDSA or Ed25519
	RuleType       Rule = "type"        // typ is not that of a token, or of a proof
	RuleCritical   Rule = "critical"    // crit names a header parameter; none is understood
	RuleAnchor     Rule = "anchor"      // no key is trusted under the root's issuer and key id
	RuleSignature  Rule = "signature"   // the signature does not verify
	RuleIssuer     Rule = "issuer"      // iss is not the anchor's domain, or not the parent's holder
	RuleParent     Rule = "parent"      // par_hash is not the hash of the token before
	RuleRepeated   Rule = "repeated"    // a token id occurs twice in one chain
	RuleDepth      Rule = "depth"       // a link is deeper than it says, than its parent allows, or than the verifier does
	RuleExpired    Rule = "expired"     // the time is past exp
	RuleEarly      Rule = "early"       // the time is before nbf or iat, by more than the allowed skew
	RuleLifetime   Rule = "lifetime"    // exp is not after iat, or too long after it; iat is before the parent's
	RuleWidened    Rule = "widened"     // a link admits what its parent does not; Member says of what
	RuleAudience   Rule = "audience"    // not to be presented here
	RuleNotGranted Rule = "not-granted" // a link does not admit the request; Member says for what
	RuleProof      Rule = "proof"       // the proof is for another leaf, body, method or target, or signed by another key
	RuleProofTime  Rule = "proof-time"  // the proof is too old, or from the future
	RuleNonce      Rule = "nonce"       // the proof lacks the nonce that this gateway gave
)

// Rules returns the closed list of rules.
func Rules() []Rule {
	return []Rule{RuleForm, RuleSize, RuleAlgorithm, RuleType, RuleCritical, RuleAnchor, RuleSignature, RuleIssuer, RuleParent,
		RuleRepeated, RuleDepth, RuleExpired, RuleEarly, RuleLifetime, RuleWidened, RuleAudience, RuleNotGranted, RuleProof, RuleProofTime, RuleNonce}
}

// Error implements error.
func (r Rule) Error() string { return "capability rule " + string(r) }

// Places of an [Error] that are no link.
const (
	WholeChain = -1
	OfProof    = -2
)

// Error says which rule was broken, and where. It holds nothing that was read from a token.
type Error struct {
	Rule   Rule
	Link   int    // 0 is the root; or WholeChain, or OfProof
	Member string // what the rule is about, in this package's own words: "purposes", "exp", "cnf"; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	at := "link " + strconv.Itoa(e.Link)
	switch e.Link {
	case WholeChain:
		at = "chain"
	case OfProof:
		at = "proof"
	}
	text := "capability " + at + " breaks rule " + string(e.Rule)
	if e.Member != "" {
		text += ": " + e.Member
	}
	return text
}

// Unwrap returns the rule.
func (e *Error) Unwrap() error { return e.Rule }

func broken(r Rule, member string) *Error { return &Error{Rule: r, Link: WholeChain, Member: member} }

// at returns the error as one of the link.
func (e *Error) at(link int) *Error {
	if e == nil {
		return nil
	}
	return &Error{Rule: e.Rule, Link: link, Member: e.Member}
}
