package gateway

import (
	stdjson "encoding/json"
	"errors"
	"strconv"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Inputs is what a later replay of a decision needs: the question and the leaves, with what was answered. It holds
// places, labels and references, no value.
type Inputs struct {
	Query  policy.Query     `json:"query"`
	Leaves []flow.Leaf      `json:"leaves"`
	Terms  []flow.LeafTerms `json:"terms"` // one for each leaf
}

// appendInputs appends the JSON form of [Inputs]. Terms that say the same are written once: a table of a thousand rows
// has few of them. It is written by hand because it is made for every message; [DecodeInputs] reads it.
func appendInputs(dst []byte, q policy.Query, leaves []flow.Leaf, terms []flow.LeafTerms) ([]byte, error) {
	query, err := stdjson.Marshal(q)
	if err != nil {
		return nil, err
	}
	dst = append(append(dst, `{"query":`...), query...)
	dst = append(dst, `,"leaves":[`...)
	for i := range leaves {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendLeaf(dst, &leaves[i])
	}
	dst = append(dst, `],"terms":[`...)
	var distinct []*flow.LeafTerms
	of := make([]int, len(terms))
	for i := range terms {
		of[i] = -1
		for j, d := range distinct {
			if sameTerms(d, &terms[i]) {
				of[i] = j
				break
			}
		}
		if of[i] >= 0 {
			continue
		}
		of[i] = len(distinct)
		distinct = append(distinct, &terms[i])
		raw, err := stdjson.Marshal(&terms[i])
		if err != nil {
			return nil, err
		}
		if of[i] > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, raw...)
	}
	dst = append(dst, `],"of":[`...)
	for i, n := range of {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, "]}"...), nil
}

func appendLeaf(dst []byte, l *flow.Leaf) []byte {
	dst = append(dst, `{"path":`...)
	dst = json.AppendString(dst, string(l.Path))
	dst = append(dst, `,"label":`...)
	dst = json.AppendString(dst, string(l.Label))
	if l.Field != "" {
		dst = append(dst, `,"field":`...)
		dst = json.AppendString(dst, l.Field)
	}
	dst = append(dst, `,"origin":"`...)
	dst = append(dst, l.Origin.String()...)
	dst = append(dst, `","subject":"`...)
	dst = append(dst, l.Subject.String()...)
	dst = append(dst, '"')
	if l.Need != nil {
		dst = append(dst, `,"need":{"level":"`...)
		dst = append(dst, l.Need.Level.String()...)
		dst = append(dst, '"')
		if l.Need.Param != "" {
			dst = append(dst, `,"param":`...)
			dst = json.AppendString(dst, string(l.Need.Param))
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// sameTerms compares what terms say; policies are shared slices, so that their first elements tell them apart.
func sameTerms(a, b *flow.LeafTerms) bool {
	if a.Treatment != b.Treatment || a.By != b.By || a.Reason != b.Reason || len(a.Policies) != len(b.Policies) {
		return false
	}
	for i := range a.Policies {
		if a.Policies[i] != b.Policies[i] {
			return false
		}
	}
	return true
}

// DecodeInputs reads the unsealed inputs of a journal entry.
func DecodeInputs(plain []byte) (Inputs, error) {
	var raw struct {
		Inputs
		Of []int `json:"of"` // for each leaf, which of the terms
	}
	if err := stdjson.Unmarshal(plain, &raw); err != nil {
		return Inputs{}, errInputs
	}
	if len(raw.Of) != len(raw.Leaves) {
		return Inputs{}, errInputs
	}
	terms := make([]flow.LeafTerms, len(raw.Of))
	for i, n := range raw.Of {
		if n < 0 || n >= len(raw.Terms) {
			return Inputs{}, errInputs
		}
		terms[i] = raw.Terms[n]
	}
	raw.Terms = terms
	return raw.Inputs, nil
}

var errInputs = errors.New("sealed inputs are not readable")
