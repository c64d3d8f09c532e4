package files

import (
	"hash/maphash"
	"sync"
)

// texts keeps each text once, under a number: two texts are the same if their numbers are. Number 0 is the text without letters.
type texts struct {
	seed   maphash.Seed
	shards [64]textShard
	bytes  func(int64) // told of what is taken
}

type textShard struct {
	mu sync.RWMutex
	of map[string]int64
	in []string
	_  [64]byte // shards do not share a cache line
}

// perText is what a text takes besides its letters, about.
const perText = 64

func newTexts() *texts {
	t := &texts{seed: maphash.MakeSeed(), bytes: func(int64) {}}
	for i := range t.shards {
		t.shards[i].of = map[string]int64{}
		t.shards[i].in = []string{""}
	}
	return t
}

// number is that of a text.
func (t *texts) number(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	i := maphash.Bytes(t.seed, b) & 63
	s := &t.shards[i]
	s.mu.RLock()
	n, ok := s.of[string(b)]
	s.mu.RUnlock()
	if ok {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.of[string(b)]; ok {
		return n
	}
	text := string(b)
	n = int64(len(s.in))<<6 | int64(i)
	s.of[text] = n
	s.in = append(s.in, text)
	t.bytes(int64(len(text)) + perText)
	return n
}

// text is that of a number.
func (t *texts) text(n int64) string {
	s := &t.shards[n&63]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.in[n>>6]
}

// recent is a worker's own memory of texts, so that those that come again need no lock.
type recent struct {
	of  map[string]int64
	all *texts
}

const mostRecent = 1 << 14

func (r *recent) number(b []byte) int64 {
	if n, ok := r.of[string(b)]; ok {
		return n
	}
	n := r.all.number(b)
	if len(b) <= 64 && len(r.of) < mostRecent {
		r.of[string(b)] = n
	}
	return n
}
