package catalog

import (
	"regexp"

	"github.com/scrimhq/scrim/flow"
)

// node is one subschema as written. It is immutable once its schema is parsed, and may be shared by merged schemas.
type node struct {
	place   string // JSON Pointer, for mistakes
	foreign bool
	never   bool // the schema "false"
	bare    bool // "true" or "{}"

	// What it declares within.
	props      map[string]*node
	required   []string
	patterns   []patternNode
	additional *node // nil: declares nothing
	names      *node // propertyNames
	prefix     []*node
	items      *node

	// What else holds for the same place.
	ref  *node
	all  []*node
	alts [][]*node // each group: at least one holds
	some []*node   // may hold: then, else, dependentSchemas

	// What it says of the place.
	label     flow.Label
	need      *flow.Treatment
	droppable bool
	signed    bool
	subject   string
	unit      string
	field     *Field

	checks checks
}

type patternNode struct {
	re   *regexp.Regexp
	node *node
}

// checks are the assertions of one node on a value.
type checks struct {
	types             Types // 0: anything
	enum              []scalar
	hasEnum           bool
	isConst           bool // enum came from const
	format            string
	pattern           *regexp.Regexp
	minLen, maxLen    int // characters; maxLen -1: none
	min, max          *float64
	overMin, underMax *float64 // exclusive
	multiple          float64
}
