package gateway

import (
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Inputs is what a later replay of a decision needs: the question and the leaves, with what was answered. It holds
// places, labels and references, no value.
type Inputs struct {
	Query  policy.Query     `json:"query"`
	Leaves []flow.Leaf      `json:"leaves"` // read back, a subject is an ordinal: see [Ordinal]
	Terms  []flow.LeafTerms `json:"terms"`  // one for each leaf

	Salt audit.Salt `json:"-"` // the event's own; see [audit.Commitment]
	List [][32]byte `json:"-"` // one for each subject
}

// Ordinal is how sealed inputs name a subject: by its place among those of the same event, counted from 0. Which one it is only the subject's own row tells
// ([audit.Share]), so that nothing here points at anybody once that is erased.
func Ordinal(n int) (s flow.SubjectRef) {
	binary.BigEndian.PutUint64(s[8:], uint64(n)+1)
	return s
}

// OrdinalOf reverses [Ordinal]. It is false for the unknown subject, and for what entries of earlier versions hold: a reference.
func OrdinalOf(s flow.SubjectRef) (int, bool) {
	n := binary.BigEndian.Uint64(s[8:])
	return int(n) - 1, [8]byte(s[:8]) == [8]byte{} && 0 < n && n <= 1<<31
}

// Sealed inputs begin with a byte that no JSON text begins with, then come the event's own salt (32 bytes), how many subjects there are and 32 bytes for each,
// the length of a head and the head: JSON with the
// query, the kinds of leaves and the distinct terms. Then come how many leaves there are and, for each, how many bytes its
// path shares with the path before it, the rest of the path, its kind, its terms and its subject. Numbers are
// unsigned varints. A subject is 0 if unknown, else counted from 1 in the order of first mention.
//
// Version 1 had neither salt nor subjects, and the 16 bytes of a reference where a subject was mentioned first.
//
// A table of a thousand rows has few kinds and few terms, and its paths differ in a few bytes, so that what a decision is
// replayed from takes less room than the message. Inputs of the earliest version are one JSON object; all can be read.
const inputsVersion = 2

// kind is what many leaves have in common.
type kind struct {
	label  flow.Label
	field  string
	origin flow.Origin
	score  uint8
	need   flow.Treatment
	needs  bool
}

func kindOfLeaf(l *flow.Leaf) kind {
	k := kind{label: l.Label, field: l.Field, origin: l.Origin, score: l.Score}
	if l.Need != nil {
		k.need, k.needs = *l.Need, true
	}
	return k
}

// grouping is leaves and terms sorted into the few that differ.
type grouping struct {
	kinds   []kind
	terms   []*flow.LeafTerms
	of      []groupOf // for each leaf
	kindsAt map[kind]int

	subjects   []flow.SubjectRef // those known, in the order of first mention
	subjectsAt map[flow.SubjectRef]int
}

type groupOf struct {
	kind, terms int
	subject     int // counted from 1; 0: unknown
}

func (g *grouping) group(leaves []flow.Leaf, terms []flow.LeafTerms) {
	if g.kindsAt == nil {
		g.kindsAt, g.subjectsAt = map[kind]int{}, map[flow.SubjectRef]int{}
	}
	clear(g.kindsAt)
	clear(g.subjectsAt)
	g.kinds, g.terms, g.of, g.subjects = g.kinds[:0], g.terms[:0], g.of[:0], g.subjects[:0]
	// Rows of a table repeat: what followed a kind before follows it again, and what terms it had it has again.
	var follows, likely []int
	last := -1
	for i := range leaves {
		k := kindOfLeaf(&leaves[i])
		at := -1
		if last >= 0 && follows[last] >= 0 && g.kinds[follows[last]] == k {
			at = follows[last]
		} else if n, ok := g.kindsAt[k]; ok {
			at = n
		} else {
			at = len(g.kinds)
			g.kindsAt[k] = at
			g.kinds, likely, follows = append(g.kinds, k), append(likely, 0), append(follows, -1)
		}
		if last >= 0 {
			follows[last] = at
		}
		last = at
		if n := likely[at]; n >= len(g.terms) || !sameTerms(g.terms[n], &terms[i]) {
			n = slices.IndexFunc(g.terms, func(t *flow.LeafTerms) bool { return sameTerms(t, &terms[i]) })
			if n < 0 {
				n = len(g.terms)
				g.terms = append(g.terms, &terms[i])
			}
			likely[at] = n
		}
		g.of = append(g.of, groupOf{at, likely[at], g.subject(leaves[i].Subject)})
	}
}

// subject is a subject's number, counted from 1.
func (g *grouping) subject(s flow.SubjectRef) int {
	if !s.Known() {
		return 0
	}
	if n := len(g.subjects); n > 0 && g.subjects[n-1] == s { // a record is about one, and comes in one piece
		return n
	}
	n, ok := g.subjectsAt[s]
	if !ok {
		g.subjects = append(g.subjects, s)
		n = len(g.subjects)
		g.subjectsAt[s] = n
	}
	return n
}

// empty forgets what came from the message.
func (g *grouping) empty() {
	clear(g.kinds[:cap(g.kinds)])
	clear(g.terms[:cap(g.terms)])
	clear(g.kindsAt)
	clear(g.subjects[:cap(g.subjects)])
	clear(g.subjectsAt)
}

// levels is what [flow.CountLevels] says of the same leaves.
func (g *grouping) levels() []flow.LevelCount {
	counts := make([]int, len(g.kinds)*len(g.terms))
	for _, of := range g.of {
		counts[of.kind*len(g.terms)+of.terms]++
	}
	var out []flow.LevelCount
	for i, n := range counts {
		if n == 0 {
			continue
		}
		t := g.terms[i%len(g.terms)]
		one := flow.LevelCount{Label: g.kinds[i/len(g.terms)].label, Level: t.Level, Param: t.Param, By: t.By}
		at, found := slices.BinarySearchFunc(out, one, flow.LevelCount.Compare)
		if !found {
			out = slices.Insert(out, at, one)
		}
		out[at].Count += n
	}
	return out
}

// policies lists the determining policies, each once, in the order of first mention.
func (g *grouping) policies() (ids []flow.PolicyID) {
	for _, t := range g.terms {
		for _, id := range t.Policies {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// appendInputs appends the sealed form of [Inputs], whose leaves and terms were grouped; [DecodeInputs] reads it.
func appendInputs(dst []byte, q policy.Query, leaves []flow.Leaf, g *grouping, salt audit.Salt, list [][32]byte) ([]byte, error) {
	query, err := stdjson.Marshal(q)
	if err != nil {
		return nil, err
	}
	head := g.head(make([]byte, 0, 1024), query)
	dst = append(append(dst, inputsVersion), salt[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for i := range list {
		dst = append(dst, list[i][:]...)
	}
	dst = append(binary.AppendUvarint(dst, uint64(len(head))), head...)
	dst = binary.AppendUvarint(dst, uint64(len(leaves)))
	var last flow.Path
	for i := range leaves {
		l := &leaves[i]
		shared := sharedPrefix(last, l.Path)
		last = l.Path
		dst = binary.AppendUvarint(dst, uint64(shared))
		dst = binary.AppendUvarint(dst, uint64(len(l.Path)-shared))
		dst = append(dst, l.Path[shared:]...)
		dst = binary.AppendUvarint(dst, uint64(g.of[i].kind))
		dst = binary.AppendUvarint(dst, uint64(g.of[i].terms))
		dst = binary.AppendUvarint(dst, uint64(g.of[i].subject))
	}
	return dst, nil
}

// EncodeInputs returns the form of inputs that is sealed; [DecodeInputs] reads it.
func EncodeInputs(in Inputs) ([]byte, error) {
	if len(in.Leaves) != len(in.Terms) {
		return nil, errInputs
	}
	var g grouping
	g.group(in.Leaves, in.Terms)
	return appendInputs(nil, in.Query, in.Leaves, &g, in.Salt, in.List)
}

func sharedPrefix(a, b flow.Path) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// inputsHead is the JSON at the beginning of sealed inputs.
type inputsHead struct {
	Query policy.Query      `json:"query"`
	Kinds []leafKind        `json:"kinds"`
	Terms []*flow.LeafTerms `json:"terms"`
}

// leafKind is a leaf without its place.
type leafKind struct {
	Label  flow.Label      `json:"label"`
	Field  string          `json:"field,omitempty"`
	Origin flow.Origin     `json:"origin"`
	Score  uint8           `json:"score,omitempty"`
	Need   *flow.Treatment `json:"need,omitempty"`
}

// head appends what [inputsHead] reads. It is written by hand since every message has one.
func (g *grouping) head(b, query []byte) []byte {
	b = append(append(append(b, `{"query":`...), query...), `,"kinds":[`...)
	for i := range g.kinds {
		k := &g.kinds[i]
		b = json.AppendString(append(comma(b, i), `{"label":`...), string(k.label))
		if k.field != "" {
			b = json.AppendString(append(b, `,"field":`...), k.field)
		}
		b = json.AppendString(append(b, `,"origin":`...), k.origin.String())
		if k.score > 0 {
			b = strconv.AppendUint(append(b, `,"score":`...), uint64(k.score), 10)
		}
		if k.needs {
			b = append(appendTreatment(append(b, `,"need":{`...), k.need), '}')
		}
		b = append(b, '}')
	}
	b = append(b, `],"terms":[`...)
	for i, t := range g.terms {
		b = appendTreatment(append(comma(b, i), '{'), t.Treatment)
		b = json.AppendString(append(b, `,"by":`...), t.By.String())
		if len(t.Policies) > 0 {
			b = append(b, `,"policies":[`...)
			for j, id := range t.Policies {
				b = json.AppendString(comma(b, j), string(id))
			}
			b = append(b, ']')
		}
		if t.Reason != "" {
			b = json.AppendString(append(b, `,"reason":`...), t.Reason)
		}
		if t.Handle != 0 {
			b = strconv.AppendInt(append(b, `,"handle":`...), int64(t.Handle), 10)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func appendTreatment(b []byte, t flow.Treatment) []byte {
	b = json.AppendString(append(b, `"level":`...), t.Level.String())
	if t.Param != "" {
		b = json.AppendString(append(b, `,"param":`...), string(t.Param))
	}
	return b
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// sameTerms compares what terms say; policies are shared slices, so that their first elements tell them apart.
func sameTerms(a, b *flow.LeafTerms) bool {
	if a.Treatment != b.Treatment || a.By != b.By || a.Handle != b.Handle || a.Reason != b.Reason || len(a.Policies) != len(b.Policies) {
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
	if len(plain) == 0 || plain[0] == 0 || plain[0] > inputsVersion {
		return decodeJSONInputs(plain)
	}
	r := inputsReader{rest: plain[1:]}
	referring := plain[0] == 1
	var in Inputs
	if !referring {
		r.commitment(&in)
	}
	var h inputsHead
	if stdjson.Unmarshal(r.bytes(r.number()), &h) != nil {
		return Inputs{}, errInputs
	}
	n := r.number()
	if r.bad || n > len(r.rest) {
		return Inputs{}, errInputs
	}
	in.Query, in.Leaves, in.Terms = h.Query, make([]flow.Leaf, n), make([]flow.LeafTerms, n)
	var path []byte
	var subjects []flow.SubjectRef
	for i := range n {
		shared := r.number()
		if shared > len(path) {
			return Inputs{}, errInputs
		}
		path = append(path[:shared], r.bytes(r.number())...)
		kind, terms, subject := r.number(), r.number(), r.number()
		if subject == len(subjects)+1 {
			if !referring {
				subjects = append(subjects, Ordinal(len(subjects)))
			} else if raw := r.bytes(len(flow.SubjectRef{})); raw != nil {
				subjects = append(subjects, flow.SubjectRef(raw))
			}
		}
		if r.bad || kind >= len(h.Kinds) || terms >= len(h.Terms) || h.Terms[terms] == nil || subject > len(subjects) {
			return Inputs{}, errInputs
		}
		k := h.Kinds[kind]
		in.Leaves[i] = flow.Leaf{Path: flow.Path(path), Label: k.Label, Field: k.Field, Origin: k.Origin, Score: k.Score, Need: k.Need}
		if subject > 0 {
			in.Leaves[i].Subject = subjects[subject-1]
		}
		in.Terms[i] = *h.Terms[terms]
	}
	if len(r.rest) > 0 {
		return Inputs{}, errInputs
	}
	return in, nil
}

// inputsReader takes numbers and bytes from sealed inputs. After something that is not there it is bad and gives zeros.
type inputsReader struct {
	rest []byte
	bad  bool
}

// commitment reads the event's salt and what stands for its subjects.
func (r *inputsReader) commitment(in *Inputs) {
	copy(in.Salt[:], r.bytes(len(in.Salt)))
	n := r.number()
	raw := r.bytes(32 * n)
	if r.bad || n == 0 {
		return
	}
	in.List = make([][32]byte, n)
	for i := range in.List {
		in.List[i] = [32]byte(raw[32*i:])
	}
}

func (r *inputsReader) number() int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<30 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *inputsReader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// decodeJSONInputs reads what was written before there was a version.
func decodeJSONInputs(plain []byte) (Inputs, error) {
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
