package files

import (
	"hash/maphash"
	"math"
	"sync"
)

// texts keeps each text once, under a number: two texts are the same if their numbers are. Number 0 is the text without letters.
type texts struct {
	seed   maphash.Seed
	shards [textShards]textShard
	bytes  func(int64) // told of what is taken
}

const textShards = 64

// textShard is a hash table with open addressing. A slot is half a hash and the place of a text + 1, so that most texts that are not
// meant are passed over without being looked at.
type textShard struct {
	mu    sync.RWMutex
	slots []uint64
	in    []string
	_     [64]byte // shards do not share a cache line
}

// perText is what a text takes besides its letters, about.
const perText = 40

func newTexts() *texts {
	t := &texts{seed: maphash.MakeSeed(), bytes: func(int64) {}}
	for i := range t.shards {
		t.shards[i].slots = make([]uint64, 64)
		t.shards[i].in = []string{""}
	}
	return t
}

// number is that of a text.
func (t *texts) number(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	return t.hashed(b, maphash.Bytes(t.seed, b))
}

func (t *texts) hashed(b []byte, h uint64) int64 {
	i := h % textShards
	s := &t.shards[i]
	s.mu.RLock()
	at, _ := s.find(b, h>>32)
	s.mu.RUnlock()
	if at == 0 {
		at = s.add(t, b, h>>32)
	}
	return int64(at)<<6 | int64(i)
}

// find is the place of a text, or 0 and a free slot.
func (s *textShard) find(b []byte, tag uint64) (at, slot uint64) {
	mask := uint64(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		v := s.slots[i]
		if v == 0 {
			return 0, i
		}
		if v>>32 == tag && s.in[v&math.MaxUint32] == string(b) {
			return v & math.MaxUint32, i
		}
	}
}

func (s *textShard) add(t *texts, b []byte, tag uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, slot := s.find(b, tag)
	if at > 0 {
		return at
	}
	if len(s.in) > math.MaxUint32 {
		panic("files: more texts than there are numbers") // of more than 100 GiB, which no memory limit lets through
	}
	at = uint64(len(s.in))
	s.slots[slot] = tag<<32 | at
	s.in = append(s.in, string(b))
	t.bytes(int64(len(b)) + perText)
	if 3*len(s.in) > 2*len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, 2*len(old))
		mask := uint64(len(s.slots) - 1)
		for _, v := range old {
			if v == 0 {
				continue
			}
			i := v >> 32 & mask
			for s.slots[i] != 0 {
				i = (i + 1) & mask
			}
			s.slots[i] = v
		}
	}
	return at
}

// text is that of a number.
func (t *texts) text(n int64) string {
	s := &t.shards[n%textShards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.in[n>>6]
}

// recent is a worker's own memory of texts, so that those that come again soon need no lock: one for each of some hashes.
type recent struct {
	all  *texts
	last [recentTexts]recentText
}

type recentText struct {
	text   string
	number int64
}

const (
	recentTexts = 2048
	longRecent  = 64 // bytes of a text that is remembered
)

func (r *recent) number(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	h := maphash.Bytes(r.all.seed, b)
	e := &r.last[h>>6%recentTexts]
	if e.text == string(b) {
		return e.number
	}
	n := r.all.hashed(b, h)
	if len(b) <= longRecent {
		*e = recentText{r.all.text(n), n}
	}
	return n
}
