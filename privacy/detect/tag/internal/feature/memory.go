package feature

// Seen says as what a word was met before in the same text.
type Seen uint8

const (
	SeenPerson Seen = 1 << iota
	SeenPlace
	SeenOrganisation
	SeenSmall // in small letters, as no name
	SeenName  // as part of a person's name that is sure
)

// maxMemory bounds how many words of one text are remembered.
const maxMemory = 4096

// Memory is the words of one text. The zero Memory is empty.
type Memory struct {
	slots []memorySlot // a power of two, at most half taken
	taken int
}

type memorySlot struct {
	hash uint32
	seen Seen
}

// Reset forgets everything.
func (m *Memory) Reset() {
	clear(m.slots)
	m.taken = 0
}

// Clone returns a memory of its own.
func (m *Memory) Clone() Memory {
	return Memory{append([]memorySlot(nil), m.slots...), m.taken}
}

// Of returns as what a word was met.
func (m *Memory) Of(hash uint32) Seen {
	if m.taken == 0 {
		return 0
	}
	mask := uint32(len(m.slots) - 1)
	for at := hash * 0x9E3779B1 >> 8 & mask; ; at = (at + 1) & mask {
		s := m.slots[at]
		if s.seen == 0 {
			return 0
		}
		if s.hash == hash {
			return s.seen
		}
	}
}

// Add notes that a word was met.
func (m *Memory) Add(hash uint32, seen Seen) {
	if m.taken >= maxMemory {
		return
	}
	if 2*(m.taken+1) > len(m.slots) {
		old := m.slots
		m.slots, m.taken = make([]memorySlot, max(32, 2*len(old))), 0
		for _, s := range old {
			if s.seen != 0 {
				m.put(s.hash, s.seen)
			}
		}
	}
	m.put(hash, seen)
}

func (m *Memory) put(hash uint32, seen Seen) {
	mask := uint32(len(m.slots) - 1)
	at := hash * 0x9E3779B1 >> 8 & mask
	for ; m.slots[at].seen != 0; at = (at + 1) & mask {
		if m.slots[at].hash == hash {
			m.slots[at].seen |= seen
			return
		}
	}
	m.slots[at] = memorySlot{hash, seen}
	m.taken++
}

// see notes a token as what it was taken for.
func (m *Memory) see(t *Token, tag Tag) {
	if t.Shape > Mixed || t.Shape < Lower || t.Shape == Initial {
		return
	}
	switch {
	case tag == Person:
		m.Add(t.Hash, SeenPerson)
	case tag == Place:
		m.Add(t.Hash, SeenPlace)
	case tag == Organisation:
		m.Add(t.Hash, SeenOrganisation)
	case tag == O && t.Shape == Lower && t.Gaz&persons != 0:
		m.Add(t.Hash, SeenSmall)
	}
}
