package detect

import "github.com/scrimhq/scrim/flow"

// Rules change what an [Engine] finds: types and lists of the user's own, values that are never found, and built-in types that
// are switched off or labelled otherwise.
type Rules struct {
	Types   []Custom
	Lists   []WordList
	Allow   []Allow
	Builtin map[string]Change // by the name of a built-in type

	// MinScore is that of each built-in type without one of its own in Builtin. Types and lists of one's own, values that a task
	// knows, private keys and what is Long are found all the same.
	MinScore float64
}

func (r *Rules) none() bool {
	return r == nil || len(r.Types)+len(r.Lists)+len(r.Allow)+len(r.Builtin) == 0 && r.MinScore == 0
}

// Custom is a type of finding given by patterns. A match begins where a word or a mark does, does not end within a word, and
// is at most [Holdback] bytes long; of several the longest counts.
type Custom struct {
	Name      string // lower-case words with dashes, none of the built-in types
	Label     flow.Label
	Patterns  []string  // RE2, without ^ and $
	Before    []string  // words of which one must stand within 64 bytes before a match,
	After     []string  // or of these one after it; with neither, no word is needed
	Check     string    // name of a check of package idnumber; "": none
	Checksum  *Checksum // or a check by weights
	Score     float64   // 0: .8, with a check .9
	Languages []string  // of texts that it is for; none: all
}

// Checksum is a check by weights: the sum of each digit times its weight leaves the remainder when divided by the modulus.
type Checksum struct {
	Weights   []int
	Modulus   int
	Remainder int
}

// WordList is a type of finding given by its values, which are always found, whatever their case and white space.
type WordList struct {
	Name      string
	Label     flow.Label
	Words     []string
	Languages []string
}

// Allow is what is not found, though a rule would. It holds for no known value, no value of a list and nothing [Long].
type Allow struct {
	Values   []string // whatever their case
	Exact    []string // as they are written
	Patterns []string // RE2, of the whole finding
	Types    []string // that it holds for; none: all
}

// Change changes a built-in type.
type Change struct {
	Off      bool
	Label    flow.Label // instead of its own; a laxer one only with Weaken
	Weaken   bool
	MinScore float64 // findings below are none
}

// Bounds of [Rules].
const (
	MaxCustomTypes = 64   // types and lists
	MaxPatterns    = 256  // of all types, and as many of all allow-lists
	MaxPattern     = 1024 // bytes of one
	MaxCues        = 64   // words before and after, of one type
	MaxAllowed     = 20_000
	maxProgram     = 4000 // instructions of a compiled pattern
)

// RuleError says what is wrong with a rule, without repeating what it says.
type RuleError struct {
	Path string // such as "types/0/patterns/1"
	What string
	Hint string
}

// Error returns the place and what is wrong there.
func (e *RuleError) Error() string { return e.Path + ": " + e.What }
