package feature

import "encoding/binary"

// Gaz says in which lists a word occurs.
type Gaz uint16

const (
	Given      Gaz = 1 << iota // a given name
	GivenTop                   // a frequent one of its country
	Family                     // a family name
	FamilyTop                  // a frequent one of its country
	City                       // a place by itself, or a word pair that is one
	PlacePart                  // a word of a place's name
	Country                    // a country
	Region                     // a region, or a word of one
	National                   // a nationality, people, language or religion
	Trade                      // a word of professions
	OrgWord                    // a word of organisations' names
	OrgForm                    // a legal form
	StreetWord                 // a word of streets' names
	Common                     // an ordinary word in small letters
	Honorific                  // "Mr", "Dr"

	persons = Given | GivenTop | Family | FamilyTop
	places  = City | PlacePart | Country | Region
	rest    = National | Trade | OrgWord | OrgForm | StreetWord | Honorific
)

// Gazetteer maps hashes of words, and of pairs of words, to lists. It keeps no word: a slot is fifteen bits of the hash and
// the lists. A word that is in no list is taken for one that is about once in 2,000 times.
type Gazetteer struct{ slots string } // four bytes a slot

// Pair is the hash of two words, one after the other.
func Pair(a, b uint32) uint32 { return (a^0x5bd1e995)*0x9E3779B1 ^ b*0x85EBCA6B }

// Lookup returns the lists of a word.
func (g Gazetteer) Lookup(hash uint32) Gaz {
	if len(g.slots) == 0 {
		return 0
	}
	n := uint32(len(g.slots) / 4)
	mixed := hash * 0x9E3779B1
	mark := uint16(mixed) | 1
	for at := uint32(uint64(mixed) * uint64(n) >> 32); ; at++ {
		if at == n {
			at = 0
		}
		slot := g.slots[4*at : 4*at+4]
		m := uint16(slot[0]) | uint16(slot[1])<<8
		if m == mark {
			return Gaz(slot[2]) | Gaz(slot[3])<<8
		}
		if m == 0 {
			return 0
		}
	}
}

// MakeGazetteer builds the table of the entries, the same whatever their order.
func MakeGazetteer(entries map[uint32]Gaz, order []uint32) []byte {
	n := uint32(len(entries)*5/4 + 16)
	table := make([]byte, 4*n)
	for _, hash := range order {
		mixed := hash * 0x9E3779B1
		mark := uint16(mixed) | 1
		for at := uint32(uint64(mixed) * uint64(n) >> 32); ; at++ {
			if at == n {
				at = 0
			}
			m := binary.LittleEndian.Uint16(table[4*at:])
			if m == 0 {
				binary.LittleEndian.PutUint16(table[4*at:], mark)
			}
			if m == 0 || m == mark {
				bits := binary.LittleEndian.Uint16(table[4*at+2:]) | uint16(entries[hash])
				binary.LittleEndian.PutUint16(table[4*at+2:], bits)
				break
			}
		}
	}
	return table
}
