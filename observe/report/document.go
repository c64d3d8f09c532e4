package report

import (
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Document is a report on a time: what was counted in the log, what the catalog and the configuration state, and what a person has to
// add. Its JSON is docs/spec/reports.md; HTML and CSV are made of it.
type Document struct {
	Scrim    string        `json:"scrim"` // "report/1"
	Kind     Kind          `json:"kind"`
	Title    string        `json:"title"`
	Law      string        `json:"law,omitempty"` // what asks for it
	Domain   flow.DomainID `json:"domain"`
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"` // entries of exactly this time are not in
	Made     time.Time     `json:"made"`
	Rules    Rules         `json:"rules"`
	Log      LogRange      `json:"log"`
	Sections []Section     `json:"sections"`
	Missing  []Missing     `json:"missing"` // what the law asks for and nothing here can tell
	Counts   []Count       `json:"counts"`
}

const documentForm = "report/1"

// Kind says which report it is.
type Kind string

// The kinds.
const (
	ROPA        Kind = "gdpr-ropa"
	Disclosures Kind = "hipaa-disclosures"
	CCPA        Kind = "ccpa"
	DPIA        Kind = "dpia"
	Transfers   Kind = "transfers"
	Budgets     Kind = "budgets"
	Access      Kind = "subject"
)

// Rules say by which rules the gateway decides when the report is made. Entries name those of their own time.
type Rules struct {
	Config string `json:"config"`
	Policy string `json:"policy"`
}

// Section is a table of the report.
type Section struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Law     string   `json:"law,omitempty"`  // article or paragraph
	Text    []string `json:"text,omitempty"` // paragraphs before the table
	Columns []string `json:"columns"`
	Rows    [][]Cell `json:"rows"`
}

// Cell is a text, a figure, or what an entry of the log says.
type Cell struct {
	Text   string `json:"text"`
	Figure string `json:"figure,omitempty"` // which one: "COUNT/PLACE", from 0; the text is its value
	Entry  int64  `json:"entry,omitempty"`  // number of the entry whose member At the text is
	At     string `json:"at,omitempty"`
}

// Missing is something that a person has to add.
type Missing struct {
	Law  string `json:"law"`
	What string `json:"what"`
}

// Count is a table of figures: how much there is of something in the entries of a time, by what they say of themselves. Whoever has the log can
// count again; with Keys it takes the keyset, and the log only bounds it.
type Count struct {
	ID      string   `json:"id"`
	Where   []Where  `json:"where"` // which entries, and of their levels which; all must hold
	By      []string `json:"by"`    // members that entries are put together by
	Sum     string   `json:"sum"`   // what is added up
	Keys    bool     `json:"keys,omitempty"`
	Figures []Figure `json:"figures"` // every group there is, ordered by key
}

// Where is a condition on a member: that it is one of some texts, or none of some. A member that is absent is "".
type Where struct {
	At  string   `json:"at"`
	Is  []string `json:"is,omitempty"`
	Not []string `json:"not,omitempty"`
}

// Figure is the number of one group, and the entries that it is from.
type Figure struct {
	Key     []string `json:"key"`
	Value   int64    `json:"value"`
	Entries Entries  `json:"entries"`
}

// Entries are those that a figure is from.
type Entries struct {
	Number int64      `json:"number"`
	First  int64      `json:"first"`
	Last   int64      `json:"last"`
	Ranges [][2]int64 `json:"ranges,omitempty"` // first and last of each run; left out where there are more than 32
	Digest []byte     `json:"digest"`           // SHA-256 over their numbers and leaf hashes, see docs/spec/reports.md
}

const mostRanges = 32

// LogRange says which entries were read.
type LogRange struct {
	Origin string      `json:"origin"`
	First  int64       `json:"first"` // 0: there are none
	Last   int64       `json:"last"`
	Trees  []TreeRange `json:"trees"`
}

// TreeRange is the part of the entries that is in one tree.
type TreeRange struct {
	Origin     string `json:"origin"`
	Start      int64  `json:"start"` // number of the entry that is leaf 1
	First      int64  `json:"first"` // of those that were read
	Last       int64  `json:"last"`
	Checkpoint string `json:"checkpoint"` // signed note
	Proofs     []End  `json:"proofs"`     // that entries are in it: the first and the last, and those that rows are about
}

// End proves that an entry is in its tree.
type End struct {
	Entry int64    `json:"entry"`
	Index int64    `json:"index"`
	Leaf  []byte   `json:"leaf"`
	Path  [][]byte `json:"path"`
}
