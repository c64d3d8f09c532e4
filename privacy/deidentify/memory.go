package deidentify

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// Memory holds the stand-ins that one release has given out: each is drawn at random, and one value has one. It is used by any
// number of techniques of the release, and dies with it. The zero value holds a million. It is safe for concurrent use, and prints as [secret].
type Memory struct {
	Limit int // values; 0: a million

	mu     sync.Mutex // guards the fields below
	of     map[memoryKey]string
	used   map[memoryKey]struct{}
	counts map[string]uint64
}

// memoryKey is a value of a kind, or a stand-in of a kind.
type memoryKey struct{ kind, text string }

// Format implements [fmt.Formatter].
func (*Memory) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// maxDraws is after how many draws that were all taken a memory gives up.
const maxDraws = 64

// standIn appends the value's stand-in of the kind, drawing one at first use. Draw is given how many of the kind there are, and is asked again
// for what is taken or equal to the value.
func (m *Memory) standIn(dst []byte, kind, value string, draw func(taken uint64) string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := memoryKey{kind, value}
	if text, ok := m.of[key]; ok {
		return append(dst, text...), nil
	}
	if m.of == nil {
		m.of, m.used, m.counts = map[memoryKey]string{}, map[memoryKey]struct{}{}, map[string]uint64{}
	}
	limit := m.Limit
	if limit <= 0 {
		limit = 1_000_000
	}
	if len(m.of) >= limit {
		return nil, ErrFull
	}
	for range maxDraws {
		text := draw(m.counts[kind])
		name := memoryKey{kind, NormalText(text)}
		if _, taken := m.used[name]; taken || name.text == value {
			continue
		}
		m.used[name], m.of[key] = struct{}{}, text
		m.counts[kind]++
		return append(dst, text...), nil
	}
	return nil, ErrFull
}

// Surrogate returns the technique that puts "Person 3" in the place of a value, with the class's word. Numbers are drawn at random.
func Surrogate(m *Memory, c flow.Class) Technique {
	word := strings.Trim(Placeholder(c), "[]")
	title := strings.ToUpper(word[:1]) + word[1:]
	kind := "surrogate " + string(c.Label)
	return &simple{says: Says{
		Name: "surrogate", Does: "a word and a number, such as Person 3, the same for one value within one release", Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenSurrogate},
		Remembers: true, Random: true,
		Preserves: []string{"equality within one release", "of what kind the value was"},
		Reveals:   []string{"which rows have equal values, and how often each occurs", "how many distinct values there are, nearly"},
		Threat:    "stops everybody, whoever keeps the table's keys included: nothing is derived from the value. Not a guess by how often a value occurs",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		dst, err := m.standIn(dst, kind, Normal(c, string(v.Text)), func(taken uint64) string {
			top := uint64(30)
			for top < 2*(taken+1) {
				top *= 3
			}
			return fmt.Sprintf("%s %d", title, 1+below(top))
		})
		return dst, String, err
	}}
}

// below returns a number from 0 to n-1, each as likely, from crypto/rand.
func below(n uint64) uint64 {
	var b [8]byte
	over := -n % n // 2⁶⁴ mod n: so many numbers would make the low ones likelier
	for {
		_, _ = rand.Read(b[:]) // never fails
		if x := binary.LittleEndian.Uint64(b[:]); x >= over {
			return x % n
		}
	}
}
