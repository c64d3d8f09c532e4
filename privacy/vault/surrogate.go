package vault

import (
	"crypto/rand"
	"math/big"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// valueKey says which values of a task have one surrogate.
type valueKey struct {
	recipient string
	kind      string // label, or "person/name" for all names
	value     string // normalised
}

type nameKey struct{ recipient, text string }

// surrogate is one stand-in of a task. All fields but durable are fixed.
type surrogate struct {
	valueKey
	Original
	text    string // "[person 3]"
	word    string
	durable bool
}

// Original is what a surrogate stands for.
type Original struct {
	Value    flow.Secret
	Label    flow.Label
	Supplier flow.AgentID
}

const nameLabel flow.Label = "person/name"

// Surrogate returns the stand-in of a value for a recipient domain: "[person 3]" for names of people and organizations, "[email k7q2]" for anything else,
// with the class's word. One value has one stand-in within the task and recipient domain; values are compared without regard to case and spaces, and, for
// numbers, to separators. Names of all kinds (given, family) are one kind: for a part of a known full name pass the full name.
//
// Numbers and letters are drawn at random: an order of first mention would line up what two recipients of the same text hold,
// and gaps in it would tell of persons mentioned elsewhere. The range of numbers grows with their count, which the recipient sees anyhow.
//
// It returns [ErrScope] without a recipient, [ErrTooLong], [ErrTaskFull] or [ErrDone].
func (t *Task) Surrogate(recipient flow.DomainID, c flow.Class, value string, supplier flow.AgentID) (string, error) {
	return t.standIn(recipient, c, value, supplier, "")
}

// standIn returns the surrogate of a value, or, with the kind of an invention, its realistic stand-in.
func (t *Task) standIn(recipient flow.DomainID, c flow.Class, value string, supplier flow.AgentID, invention string) (string, error) {
	switch {
	case t.b.done:
		return "", ErrDone
	case recipient == "":
		return "", ErrScope
	case len(value) > maxValue:
		return "", ErrTooLong
	}
	kind := string(c.Label)
	if c.Label.Within(nameLabel) && invention == "" {
		kind = string(nameLabel)
	} else if separators(c) {
		kind += " digits"
	}
	if invention != "" {
		kind = "realistic " + kind
	}
	key := valueKey{string(recipient), kind, normalKind(kind, value)}
	t.used = true
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	g, ok := t.s.surrogates[key]
	if !ok {
		if err := t.s.room(len(value), t.b.v.opt.TaskValues); err != nil {
			return "", err
		}
		g = &surrogate{
			valueKey: key, word: strings.Trim(deidentify.Placeholder(c), "[]"),
			Original: Original{Value: flow.NewSecret(value), Label: c.Label, Supplier: supplier},
		}
		if invention == "" {
			g.text = t.s.draw(g.recipient, g.word, kind == string(nameLabel) || kind == "organization")
		} else {
			g.word = invented + invention
			if g.text, ok = t.s.invent(key, invention, t.b.v.opt.Locale); !ok {
				return "", ErrTaskFull
			}
		}
		t.s.add(g)
	}
	if !g.durable {
		use(t.surrogates, g)
	}
	return g.text, nil
}

// Original returns what a surrogate, given to the recipient domain in this task, stands for. Case is ignored, since models write "[Person 3]" at the beginning of a sentence.
func (t *Task) Original(recipient flow.DomainID, text string) (Original, bool) {
	t.used = true
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	g, ok := t.s.byName[nameKey{string(recipient), strings.ToLower(text)}]
	if !ok {
		return Original{}, false
	}
	return g.Original, true
}

// add puts the surrogate in. The caller holds s.mu, or the only reference to s.
func (s *taskState) add(g *surrogate) {
	s.touched.Store(true)
	s.surrogates[g.valueKey] = g
	s.byName[nameKey{g.recipient, strings.ToLower(g.text)}] = g
	s.counts[nameKey{g.recipient, g.word}]++
	s.bytes += len(g.Value.Expose())
}

// draw returns an unused stand-in. At most half of the range it draws from is taken, so that few draws are needed.
func (s *taskState) draw(recipient, word string, numbered bool) string {
	taken := int64(s.counts[nameKey{recipient, word}])
	for {
		text := "[" + word + " " + randomPairs(taken) + "]"
		if numbered {
			top := int64(30)
			for top < 2*(taken+1) {
				top *= 3
			}
			text = "[" + word + " " + strconv.FormatInt(1+random(top), 10) + "]"
		}
		if _, ok := s.byName[nameKey{recipient, text}]; !ok && !s.reserved[strings.ToLower(text)] {
			return text
		}
	}
}

// Letters and digits in turn spell no word and are not mistaken for one another.
const (
	pairLetters = "abcdefghjkmnpqrstvwxyz"
	pairDigits  = "23456789"
)

// randomPairs returns two pairs of a letter and a digit, or more once half of those are taken.
func randomPairs(taken int64) string {
	pairs := 2
	for all := int64(len(pairLetters)*len(pairDigits)) * int64(len(pairLetters)*len(pairDigits)); all < 2*(taken+1); pairs++ {
		all *= int64(len(pairLetters) * len(pairDigits))
	}
	var b strings.Builder
	for range pairs {
		b.WriteByte(pairLetters[random(int64(len(pairLetters)))])
		b.WriteByte(pairDigits[random(int64(len(pairDigits)))])
	}
	return b.String()
}

func random(n int64) int64 {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil { // crypto/rand.Reader never fails
		panic(err)
	}
	return i.Int64()
}

// normal is the form in which values of the class are compared.
func normal(c flow.Class, value string) string { return deidentify.Normal(c, value) }

func separators(c flow.Class) bool { return deidentify.Separated(c) }

func normalKind(kind, value string) string {
	if strings.HasSuffix(kind, " digits") {
		return deidentify.NormalDigits(value)
	}
	return deidentify.NormalText(value)
}

// maxReserved bounds how many surrogates of others a task keeps clear of.
const maxReserved = 1024

// Reserve keeps the task from drawing a surrogate that somebody else gave out, as long as its memory is in the cache.
func (t *Task) Reserve(text string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if t.s.reserved == nil {
		t.s.reserved = map[string]bool{}
	}
	if len(t.s.reserved) < maxReserved {
		t.s.reserved[strings.ToLower(text)] = true
	}
}
