// Package idnumber knows the numbers that states and registries give to people and things: their length and spelling, and
// the checks that tell one from any other number of its length.
//
// [Match] says which kind a compact spelling is (letters and digits alone, in capitals). It has no state, looks at each
// character a bounded number of times and never keeps its input. What a check cannot tell, a cue in the text must: see
// [Kind.Gate].
package idnumber

import (
	"bytes"

	"github.com/scrimhq/scrim/flow"
)

// Gate says what must come together before a number is taken for one of a kind.
type Gate uint8

// The gates.
const (
	Always  Gate = iota // form and check are enough
	Written             // it is written in the groups that are usual for it, or a cue stands before it
	Cued                // a cue stands before it
)

// Kind is a kind of number.
type Kind struct {
	Name   string     // country or "x" for all, and the name in lower case: "pl-pesel"
	Title  string     // what it is, in words
	Label  flow.Label // of the default taxonomy
	Gate   Gate
	Groups []string // spellings that count as written: sizes of groups with what stands between them, "3.3.3-2"
	Cues   []string // words that announce it, in lower case

	form  form
	check func(b []byte) bool // after the form fits
}

// form is the length of a number and what stands where: 9 a digit, A a letter, X either, other characters themselves.
type form string

func (f form) fits(b []byte) bool {
	if len(f) != len(b) {
		return false
	}
	for i := range len(f) {
		digit := b[i]-'0' < 10
		switch c := f[i]; c {
		case '9':
			if !digit {
				return false
			}
		case 'A':
			if digit {
				return false
			}
		case 'X':
		default:
			if b[i] != c {
				return false
			}
		}
	}
	return true
}

// Longest is the length of the longest number, Shortest that of the shortest.
const Longest, Shortest = 18, 8

// shape is a form as sets of places: where a digit must stand, where a letter must, and whether a certain one must somewhere.
type shape struct {
	digits, letters uint32
	fixed           bool
}

func (f form) shape() (s shape) {
	for i := range len(f) {
		switch c := f[i]; {
		case c == 'X':
		case c-'0' < 10:
			s.digits |= 1 << i
			s.fixed = s.fixed || c != '9'
		default:
			s.letters |= 1 << i
			s.fixed = s.fixed || c != 'A'
		}
	}
	return s
}

// listed is a kind with its shape, which says no to most numbers.
type listed struct {
	*Kind
	shape
}

// byLength lists the kinds of each length, those first that need least beside their form.
var byLength = func() (t [Longest + 1][]listed) {
	for gate := Always; gate <= Cued; gate++ {
		for _, group := range [][]Kind{europe, northern, eastern, americas, asia, things} {
			for i := range group {
				if k := &group[i]; k.Gate == gate {
					t[len(k.form)] = append(t[len(k.form)], listed{k, k.form.shape()})
				}
			}
		}
	}
	return t
}()

// Kinds returns all kinds.
func Kinds() (all []*Kind) {
	for _, list := range byLength {
		for _, k := range list {
			all = append(all, k.Kind)
		}
	}
	return all
}

// Match calls yield with each kind that a number can be, until it returns false. B has letters and digits alone, letters
// in capitals. What is checked is a copy, so that b can stay on the stack of whoever looks at every number of a text.
func Match(b []byte, yield func(*Kind) bool) {
	match(b, func(*Kind) bool { return true }, yield)
}

// First returns the first kind that a number can be, of those that may allows, or nil. May is asked before anything is checked
// that costs more than to ask.
func First(b []byte, may func(*Kind) bool) (first *Kind) {
	match(b, may, func(k *Kind) bool {
		first = k
		return false
	})
	return first
}

func match(b []byte, may, yield func(*Kind) bool) {
	if len(b) > Longest {
		return
	}
	digits := uint32(0)
	for i, c := range b {
		if isDigit(c) {
			digits |= 1 << i
		}
	}
	var own []byte
	list := byLength[len(b)]
	for i := range list {
		k := &list[i]
		if digits&k.letters != 0 || digits&k.digits != k.digits || k.fixed && !k.form.fits(b) || !may(k.Kind) {
			continue
		}
		if k.check != nil && own == nil {
			own = bytes.Clone(b)
		}
		if (k.check == nil || k.check(own)) && !yield(k.Kind) {
			return
		}
	}
}
