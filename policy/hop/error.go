package hop

import "fmt"

// Rule is why a statement is not believed, one word of a closed list that may only grow.
type Rule string

// The rules, in the order in which they are applied.
const (
	RuleSize       Rule = "size"       // over a bound
	RuleForm       Rule = "form"       // not a statement, or not written in the one way
	RuleAlgorithm  Rule = "algorithm"  // not EdDSA
	RuleType       Rule = "type"       // a token of another kind
	RuleVersion    Rule = "version"    // another version of the format
	RuleIssuer     Rule = "issuer"     // not the domain that the connection shows
	RuleAudience   Rule = "audience"   // made for another domain
	RuleTime       Rule = "time"       // not yet, not any more, or for too long
	RuleHops       Rule = "hops"       // came through too many gateways
	RuleKey        Rule = "key"        // signed by a key that is not known
	RuleSignature  Rule = "signature"  // the signature does not hold
	RuleMethod     Rule = "method"     // made for another method or target
	RuleBody       Rule = "body"       // made for another body
	RuleCapability Rule = "capability" // another chain goes along than it says, or none
)

// Error says which rule a statement breaks. It never repeats anything that the statement says.
type Error struct {
	Rule Rule
	Why  string // in words of this package
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("hop statement breaks rule %s: %s", e.Rule, e.Why) }

func broken(rule Rule, format string, args ...any) error {
	return &Error{Rule: rule, Why: fmt.Sprintf(format, args...)}
}
