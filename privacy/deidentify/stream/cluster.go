package stream

import (
	"cmp"
	"slices"
)

// held is a record that waits.
type held struct {
	record    uint64 // its number
	place     uint64 // among records that were held, from 1
	arrived   int64  // ns since 1970
	subject   digest
	sensitive digest // zero: none
	spans     []span
	carry     any
	in        *cluster // nil: it is out
	index     int      // among the cluster's members
}

// tally counts distinct digests.
type tally map[digest]int

func (t tally) add(d digest) {
	if d != (digest{}) {
		t[d]++
	}
}

func (t tally) remove(d digest) {
	if t[d]--; t[d] <= 0 {
		delete(t, d)
	}
}

// cluster is a set of records that could be published with one generalisation.
type cluster struct {
	members   []*held
	spans     []span // cover all members; wider than needed after some left
	loss      float64
	left      int // members that left since spans were exact
	subjects  tally
	sensitive tally
}

func newCluster(dims []dimension, h *held) *cluster {
	cl := &cluster{spans: slices.Clone(h.spans), subjects: tally{}, sensitive: tally{}}
	cl.add(dims, h)
	return cl
}

func (cl *cluster) add(dims []dimension, h *held) {
	h.in, h.index = cl, len(cl.members)
	cl.members = append(cl.members, h)
	cl.subjects.add(h.subject)
	cl.sensitive.add(h.sensitive)
	widen(dims, cl.spans, h.spans)
	cl.loss = lossOf(dims, cl.spans)
}

// remove takes a member out. The spans are made exact when half of the members they were exact for have left.
func (cl *cluster) remove(dims []dimension, h *held) {
	last := len(cl.members) - 1
	cl.members[h.index] = cl.members[last]
	cl.members[h.index].index = h.index
	cl.members[last] = nil
	cl.members = cl.members[:last]
	h.in = nil
	cl.subjects.remove(h.subject)
	cl.sensitive.remove(h.sensitive)
	if cl.left++; last > 0 && cl.left >= last {
		cl.spans, cl.left = exact(dims, cl.members), 0
		cl.loss = lossOf(dims, cl.spans)
	}
}

// exact returns the least spans that cover all members.
func exact(dims []dimension, members []*held) []span {
	spans := slices.Clone(members[0].spans)
	for _, h := range members[1:] {
		widen(dims, spans, h.spans)
	}
	return spans
}

// bucket holds all records of one subject in a cluster: they stay together.
type bucket struct {
	members []*held
	spans   []span
}

func buckets(dims []dimension, members []*held) []bucket {
	at := make(map[digest]int)
	var all []bucket
	for _, h := range members {
		i, ok := at[h.subject]
		if !ok {
			i = len(all)
			at[h.subject] = i
			all = append(all, bucket{spans: slices.Clone(h.spans)})
		}
		all[i].members = append(all[i].members, h)
		widen(dims, all[i].spans, h.spans)
	}
	return all
}

// splitter cuts the records of a big cluster into classes that each meet k and l.
type splitter struct {
	dims []dimension
	k, l int
	out  [][]*held
}

// cut halves buckets where that loses least, and each half again, until no cut leaves k subjects and l sensitive values on both sides
// and loses less. A cut lies in the middle half, so that it goes no deeper than the logarithm of their number.
func (s *splitter) cut(all []bucket) {
	n := len(all)
	from, to := max(s.k, n/4), min(n-s.k, n-n/4)
	whole := slices.Clone(all[0].spans)
	for _, b := range all[1:] {
		widen(s.dims, whole, b.spans)
	}
	best, at, along := lossOf(s.dims, whole)*float64(n)*(1-1e-9), 0, -1
	for d := range s.dims {
		if from > to || s.dims[d].loss(whole[d]) == 0 {
			continue
		}
		s.sort(all, d)
		if loss, i := s.place(all, from, to); i > 0 && loss < best {
			best, at, along = loss, i, d
		}
	}
	if along < 0 {
		var members []*held
		for _, b := range all {
			members = append(members, b.members...)
		}
		s.out = append(s.out, members)
		return
	}
	s.sort(all, along)
	s.cut(all[:at:at])
	s.cut(all[at:])
}

// sort orders buckets along a dimension; ties by who came first, so that sorting again gives the same.
func (s *splitter) sort(all []bucket, d int) {
	slices.SortFunc(all, func(a, b bucket) int {
		if c := s.dims[d].compare(a.spans[d], b.spans[d]); c != 0 {
			return c
		}
		return cmp.Compare(a.members[0].place, b.members[0].place)
	})
}

// place returns the least loss of a cut before bucket i, from ≤ i ≤ to, and i; 0 if no cut will do.
func (s *splitter) place(all []bucket, from, to int) (float64, int) {
	n := len(all)
	behind, varied := make([]float64, n+1), make([]bool, n+1) // of buckets i … n-1: loss; l sensitive values
	s.sweep(all, n-1, -1, func(i int, loss float64, ok bool) { behind[i], varied[i] = loss, ok })
	best, at := 0.0, 0
	s.sweep(all, 0, 1, func(i int, loss float64, ok bool) {
		if i++; i < from || i > to || !ok || !varied[i] {
			return
		}
		if sum := loss*float64(i) + behind[i]*float64(n-i); at == 0 || sum < best {
			best, at = sum, i
		}
	})
	return best, at
}

// sweep goes over buckets from one end and tells, at each, the loss of those so far and whether they have l sensitive values.
func (s *splitter) sweep(all []bucket, from, by int, tell func(i int, loss float64, ok bool)) {
	spans, seen := slices.Clone(all[from].spans), tally{}
	for i := from; i >= 0 && i < len(all); i += by {
		widen(s.dims, spans, all[i].spans)
		if s.l > 1 {
			for _, h := range all[i].members {
				seen.add(h.sensitive)
			}
		}
		tell(i, lossOf(s.dims, spans), s.l <= 1 || len(seen) >= s.l)
	}
}
