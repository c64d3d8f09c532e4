package query

// Offer is a question like the one asked, that there is room for.
type Offer struct {
	Epsilon string     `json:"epsilon"`
	Groups  int64      `json:"groups,omitempty"` // bound of groups for one unit, where it differs from the question's
	More    int64      `json:"more"`             // how many such questions there is room for
	Errors  []Expected `json:"errors"`           // of its answer
	Note    string     `json:"note,omitempty"`
}
