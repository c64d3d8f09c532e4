package catalog

// Asset is what kind of thing a dataset is.
type Asset uint8

// The kinds of asset. What a contract calls otherwise, or not at all, is a table.
const (
	Table   Asset = iota // a table
	View                 // a view
	Topic                // a topic of a message broker
	File                 // a file
	AsSkill              // what an A2A skill takes or gives
	AsTool               // what an MCP tool takes or gives
	Message              // a type of message
)

var assetNames = [...]string{"table", "view", "topic", "file", "skill", "tool", "message"}

// String returns the kind's name, which is its physicalType in a contract.
func (a Asset) String() string {
	if int(a) < len(assetNames) {
		return assetNames[a]
	}
	return "unknown"
}

// assetOf returns the kind that a contract's physicalType names.
func assetOf(physicalType string) Asset {
	for i, name := range assetNames {
		if name == physicalType {
			return Asset(i)
		}
	}
	return Table
}

// Server is where a contract's data lie. It holds no credentials.
type Server struct {
	Name        string // by which the contract knows it
	Type        string // postgres, local, api, custom, or another word of the standard
	Description string
	Environment string // prod, test
	Location    string // URL, of an api
	Host        string
	Port        int
	Database    string
	Schema      string
	Path        string // of local files
	Format      string // csv, json, parquet, sqlite
}

// Contribution bounds what one unit adds to an answer about a dataset. 0: not said.
type Contribution struct {
	Rows   int64 // of the dataset
	Groups int64 // of an answer
}

// Property is a customProperty that Scrim does not read itself, or scrim.found: what an inventory saw.
type Property struct {
	Name  string
	Value any // as YAML says it: text, number, truth, list or map by text
}
