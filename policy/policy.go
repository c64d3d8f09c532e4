// Package policy says whether a flow may happen, and on which terms.
//
// Policies are written in Cedar and validated strictly against a schema that is generated from the taxonomy and from
// the entities of the configuration. Decisions see labels and parties, never values. There are two chains of actions:
// a permit names Action::"upto_LEVEL" and allows that level and everything that reveals less, a forbid names
// Action::"atleast_LEVEL" and takes away that level and everything that reveals more. For each leaf the levels of its
// family are asked from raw downwards, and the first one that is allowed holds, within what the recipient needs and what
// the tier of the data and the criticality of the task admit ([flow.TierCap]).
//
// What is not permitted is dropped. A policy that cannot be evaluated denies every level it speaks of, a permit and a
// forbid alike. Adding a forbid never reveals more (TestAddingAForbidNeverRevealsMore).
//
// Annotations of the policies that determine a level carry parameters and words. Two of them say what a permit is for, and
// both only on a permit: @exception and @below_score.
//
//	@id("name")            names the policy; without it its name is file:line
//	@generalize("year")    the parameter of generalized, see [flow.Param]
//	@token("oneway")       the parameter of tokenized
//	@mask("keep:4")        the parameter of masked
//	@reason("words")       told to the recipient and the operator
//	@legal_basis("term")   added to the duties; several are separated by commas
//	@retain("P30D")        how long the recipient may keep the data; without it, for the task only
//	@handle("PT15M")       the part goes by reference only, which lasts so long and is redeemed on terms of its own
//	@notify("who")         whom the recipient must notify; several are separated by commas
//	@exception("why")      a permit whose resource is exactly this class or field lifts the tier's cap
//	@below_score("60")     a permit for what was found in text with a score below 60 percent, and for nothing else
//	@shadow("true")        decided and recorded, never enforced; so are all policies in files named *.shadow.cedar
package policy

import (
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Field is a column or member that the catalog knows.
type Field struct {
	Name    string // "dataset/column"
	Dataset string // the dataset, as dataset actions and policies name it
	Label   flow.Label
	Use     Use
}

// Dataset is what policies know of a dataset as a whole.
type Dataset struct {
	Name   string
	Formal bool // its rows are to leave only through the ledger of a formal guarantee
	Use    Use
}

// Use is what a data contract says data may be used for. Policies may ask for it; that it holds is not up to them.
type Use struct {
	Purposes   []flow.Purpose // none: not restricted
	Techniques []string       // none: not restricted
	Retain     time.Duration  // how long recipients may keep it; 0: not said
}

// Entities is the snapshot of everything in the configuration that policies may name. [Load] copies what it keeps.
type Entities struct {
	Agents      []flow.Party
	Purposes    map[flow.Purpose][]flow.Purpose // each with its parents
	Fields      []Field
	Datasets    []Dataset                 // those of Fields are known without being named here
	RoleParents map[flow.Role][]flow.Role // roles that no agent holds yet are known by being named here
}

// Options are what policies are loaded against. The zero value knows the default taxonomy and no entities.
type Options struct {
	Taxonomy  *flow.Taxonomy // nil: [flow.DefaultTaxonomy]
	Entities  Entities
	CacheSize int       // decisions kept; 0: 65,536; negative: none
	Outside   []Outside // what other domains ask to be kept to beside the policies
}

// Query is what is asked about one flow, besides its leaves. Its principal is the recipient, Flow.To.
type Query struct {
	Flow         flow.Flow
	Consent      bool     // verified consent of the subjects
	Approved     bool     // a person approved this flow
	Capabilities []string // names that the root grant of the caller's capability gives
	Contracts    []string // in force between the two domains for this flow: the id of each, and "domain:name" with the other domain's
}

// OpenQuery asks whether the recipient of a flow may have a token replaced by the value behind it.
type OpenQuery struct {
	Query
	Label     flow.Label
	MintedFor flow.DomainID // the domain that was given the token
	SameTask  bool          // the token was minted in this task
	Supplier  flow.AgentID  // who supplied the value; empty: not known
}
