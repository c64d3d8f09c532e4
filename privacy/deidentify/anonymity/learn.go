package anonymity

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// learner gives numbers to texts. Whoever finds a text waits for nobody; learning one takes a lock.
type learner struct {
	seed  maphash.Seed
	slots atomic.Pointer[slots]
	null  atomic.Pointer[entry]

	mu  sync.Mutex // held while adding
	all []*entry   // by code
}

type entry struct {
	hash uint64
	text string
	code uint32
	null bool
}

// slots is an open-addressing table, at most half full, whose entries are set once.
type slots struct {
	at    []atomic.Pointer[entry]
	shift uint8
}

// maxLearnt is how many different values a column may have.
const maxLearnt = 1 << 26

func (l *learner) begin() {
	l.seed = maphash.MakeSeed()
	l.slots.Store(newSlots(64))
}

func newSlots(size int) *slots {
	return &slots{at: make([]atomic.Pointer[entry], size), shift: uint8(64 - bits.Len(uint(size-1)))}
}

func (s *slots) enter(e *entry) {
	mask := uint64(len(s.at) - 1)
	i := e.hash >> s.shift
	for s.at[i&mask].Load() != nil {
		i++
	}
	s.at[i&mask].Store(e)
}

func (l *learner) find(text []byte) (uint32, bool) {
	h := maphash.Bytes(l.seed, text)
	s := l.slots.Load()
	mask := uint64(len(s.at) - 1)
	for i := h >> s.shift; ; i++ {
		e := s.at[i&mask].Load()
		if e == nil {
			return 0, false
		}
		if e.hash == h && e.text == string(text) {
			return e.code, true
		}
	}
}

func (l *learner) missing() (uint32, bool) {
	if e := l.null.Load(); e != nil {
		return e.code, true
	}
	return 0, false
}

// add learns a text, or the null, unless another goroutine has done so meanwhile.
func (l *learner) add(text string, null bool) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if null {
		if code, ok := l.missing(); ok {
			return code, nil
		}
	} else if code, ok := l.find([]byte(text)); ok {
		return code, nil
	}
	if len(l.all) >= maxLearnt {
		return 0, fmt.Errorf("%w: %w", ErrTable, errMany)
	}
	e := &entry{hash: maphash.String(l.seed, text), text: text, code: uint32(len(l.all)), null: null}
	l.all = append(l.all, e)
	if null {
		l.null.Store(e)
		return e.code, nil
	}
	if s := l.slots.Load(); len(l.all)*2 <= len(s.at) {
		s.enter(e)
	} else {
		l.rebuild()
	}
	return e.code, nil
}

// rebuild enters everything into a table twice as large.
func (l *learner) rebuild() {
	next := newSlots(1 << bits.Len(uint(len(l.all)*2)))
	for _, e := range l.all {
		if !e.null {
			next.enter(e)
		}
	}
	l.slots.Store(next)
}

func (l *learner) entries() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*entry(nil), l.all...)
}

// renumber gives every entry its final code. The list of entries is needed no more.
func (l *learner) renumber(from []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all {
		e.code = from[e.code]
	}
	l.all = nil
}

// setMissing makes null mean the same as a text.
func (l *learner) setMissing(code uint32) { l.null.Store(&entry{code: code, null: true}) }
