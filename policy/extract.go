package policy

// Model is what a table guarantees of everybody in it. The zero value guarantees nothing.
type Model struct {
	K    int `json:"k"`    // rows that nobody can tell apart by the quasi-identifiers, at least; 0 and 1: none
	L    int `json:"l"`    // different values of each sensitive column among them, at least; 0 and 1: none
	T    int `json:"t"`    // how far a sensitive column's values among them may be from the whole table's, in thousandths; 0: not bounded
	Risk int `json:"risk"` // highest chance to find somebody who is known to be in the table, in thousandths; 0: not bounded
}
