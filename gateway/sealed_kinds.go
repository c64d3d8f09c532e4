package gateway

import (
	"encoding/binary"
	stdjson "encoding/json"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// InputKind is a number of leaves of one decision that no policy can tell apart, with what was decided of them.
type InputKind struct {
	Leaf  flow.Leaf // without path and subject
	Terms flow.LeafTerms
	Count int64
}

// KindsReader reads sealed inputs as kinds of leaves, without the places and subjects of each. It remembers what it read, since one message is
// much like another. It is for one goroutine; the zero value is ready.
type KindsReader struct {
	known map[string]*kindsHead // by kinds and terms as they are written
	last  uint64                // head that was read anew
	count []int64
}

// InputKinds is what [KindsReader] reads of one decision.
type InputKinds struct {
	Query policy.Query
	All   []InputKind
	Like  string // of two decisions that one reader read, the same only if All is the same but for Count; "" says nothing
}

// kindsHead is the part of a head that many messages share. It is not changed once it is known.
type kindsHead struct {
	id    uint64
	Kinds []leafKind
	Terms []*flow.LeafTerms
}

// mostHeads bounds what a reader remembers.
const mostHeads = 4096

// Read reads the unsealed inputs of a journal entry: the question, and the kinds of its leaves. What it returns shares slices with later answers and
// must not be changed.
func (r *KindsReader) Read(plain []byte) (InputKinds, error) {
	if len(plain) == 0 || plain[0] != inputsVersion {
		return kindsOfAll(plain)
	}
	in := inputsReader{rest: plain[1:]}
	in.bytes(32)
	in.bytes(32 * in.number())
	query, h, err := r.head(in.bytes(in.number()))
	if err != nil || in.bad {
		return InputKinds{}, errInputs
	}
	n := in.number()
	if in.bad || n > len(in.rest) {
		return InputKinds{}, errInputs
	}
	width := len(h.Terms)
	if size := len(h.Kinds) * width; size > 1<<16 && size > 4*n {
		return kindsOfAll(plain)
	} else if cap(r.count) < size {
		r.count = make([]int64, size)
	}
	r.count = r.count[:len(h.Kinds)*width]
	clear(r.count)
	path, subjects := 0, 0
	for range n {
		shared, more := in.number(), in.number()
		in.bytes(more)
		kind, terms, subject := in.number(), in.number(), in.number()
		if in.bad || shared > path || kind >= len(h.Kinds) || terms >= width || subject > subjects+1 {
			return InputKinds{}, errInputs
		}
		path, subjects = shared+more, max(subjects, subject)
		r.count[kind*width+terms]++
	}
	if len(in.rest) > 0 {
		return InputKinds{}, errInputs
	}
	out := InputKinds{Query: query}
	out.All, out.Like = r.kinds(h)
	return out, nil
}

func (r *KindsReader) kinds(h *kindsHead) ([]InputKind, string) {
	like := binary.AppendUvarint(make([]byte, 0, 64), h.id)
	out := make([]InputKind, 0, len(h.Kinds))
	for i, count := range r.count {
		if count > 0 {
			k, t := &h.Kinds[i/len(h.Terms)], h.Terms[i%len(h.Terms)]
			out = append(out, InputKind{flow.Leaf{Label: k.Label, Field: k.Field, Origin: k.Origin, Score: k.Score, Need: k.Need}, *t, count})
			like = binary.AppendUvarint(like, uint64(i))
		}
	}
	return out, string(like)
}

// head reads the question, and looks up the rest where it knows it.
func (r *KindsReader) head(b []byte) (policy.Query, *kindsHead, error) {
	var q struct {
		Query policy.Query       `json:"query"`
		Kinds stdjson.RawMessage `json:"kinds"`
		Terms stdjson.RawMessage `json:"terms"`
	}
	if err := stdjson.Unmarshal(b, &q); err != nil {
		return policy.Query{}, nil, err
	}
	key := string(q.Kinds) + string(q.Terms)
	if h := r.known[key]; h != nil {
		return q.Query, h, nil
	}
	var h kindsHead
	if err := stdjson.Unmarshal(q.Kinds, &h.Kinds); err != nil {
		return policy.Query{}, nil, err
	}
	if err := stdjson.Unmarshal(q.Terms, &h.Terms); err != nil {
		return policy.Query{}, nil, err
	}
	for _, t := range h.Terms {
		if t == nil {
			return policy.Query{}, nil, errInputs
		}
	}
	if len(r.known) >= mostHeads || r.known == nil {
		r.known = map[string]*kindsHead{}
	}
	r.last++
	h.id = r.last
	r.known[key] = &h
	return q.Query, &h, nil
}

// kindsOfAll reads inputs of any version leaf by leaf.
func kindsOfAll(plain []byte) (InputKinds, error) {
	in, err := DecodeInputs(plain)
	if err != nil {
		return InputKinds{}, err
	}
	var g grouping
	g.group(in.Leaves, in.Terms)
	at := map[groupOf]int{}
	var out []InputKind
	for i, of := range g.of {
		of.subject = 0
		n, ok := at[of]
		if !ok {
			n = len(out)
			at[of] = n
			leaf := in.Leaves[i]
			leaf.Path, leaf.Subject = "", flow.SubjectRef{}
			out = append(out, InputKind{Leaf: leaf, Terms: in.Terms[i]})
		}
		out[n].Count++
	}
	return InputKinds{Query: in.Query, All: out}, nil
}
