package detect

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/scrimhq/scrim/flow"
)

// Known is a value to look for, such as a name that was found elsewhere in the same task.
type Known struct {
	Text  string
	Label flow.Label
}

// Bounds of a [KnownSet].
const (
	MaxKnown      = 20_000 // values
	MaxKnownBytes = 128    // of one value
)

// ErrKnown says that known values are more or longer than a [KnownSet] takes. What cannot be looked for cannot be hidden, so
// the text must not be released as if it had been.
var ErrKnown = errors.New("known values exceed what a set takes")

const (
	knownReach = 200 // bytes that an occurrence may span, white space included
	knownGap   = 8   // bytes of white space between two of its words
)

// KnownSet is an immutable set of values to look for, a trie of words. It is safe for concurrent use; nil is the empty set.
//
// A value is found at word boundaries whatever its case and the white space (line ends too) between its words. Of a person's
// name with two or more words the family name alone is found as well, if it has four letters; one that is an English word too
// ("Young") only with a capital. Values shorter than three letters or digits, or four digits, are left out: they would be found
// everywhere. Where two values are spelled alike, or two people share a family name, the first counts.
type KnownSet struct {
	filter filter    // first words, and those of the lexicon that begin a form, which plainWords must not skip either
	marks  [256]bool // other bytes that a value begins with
	skip   [256]bool // bytes outside runs that nothing begins with
	wide   bool      // a value begins with a rune that stands alone
	nodes  []knownNode
	edges  edgeTable
	vals   []Known
}

type knownNode struct {
	val     int32 // which value ends here, counted from 1
	alone   int32 // whose family name ends here
	capital bool  // the family name needs a capital
	more    bool  // words follow
}

// noKnown is the empty set; its filter has the words of the lexicon.
var noKnown = newSet()

func newSet() *KnownSet {
	k := &KnownSet{}
	for w, is := range lexicon {
		switch is = startsOf(is); {
		case is&strongStarts != 0:
			k.filter.add(hashWord(w))
		case is != 0:
			k.filter.addWeak(hashWord(w))
		}
	}
	for b := range k.skip {
		k.skip[b] = classes[b]&cRun == 0 && b != '('
	}
	return k
}

// NewKnownSet compiles the values. It returns [ErrKnown] for more than [MaxKnown] of them or one above [MaxKnownBytes].
func NewKnownSet(vals []Known) (*KnownSet, error) { return newKnownSet(vals, true) }

// newKnownSet finds family names alone only if it is to.
func newKnownSet(vals []Known, alone bool) (*KnownSet, error) {
	if len(vals) > MaxKnown {
		return nil, fmt.Errorf("%w: %d values, at most %d", ErrKnown, len(vals), MaxKnown)
	}
	k := new(KnownSet)
	*k = *noKnown
	k.vals = append([]Known(nil), vals...)
	k.nodes = make([]knownNode, 1, 2*len(vals)+16)
	k.edges.grow(4 * len(vals))
	for i, v := range k.vals {
		if len(v.Text) > MaxKnownBytes {
			return nil, fmt.Errorf("%w: value %d of label %s has %d bytes, at most %d", ErrKnown, i, v.Label, len(v.Text), MaxKnownBytes)
		}
		if !longEnough(v.Text) {
			continue
		}
		for text := range spellings(v.Text) {
			if n := k.insert(text); n > 0 && k.nodes[n].val == 0 {
				k.nodes[n].val = int32(i + 1)
			}
		}
	}
	for i, v := range k.vals {
		name, ok := familyName(v)
		if !ok || !alone {
			continue
		}
		for text := range spellings(name) {
			if n := k.insert(text); n > 0 && k.nodes[n].alone == 0 {
				k.nodes[n].alone, k.nodes[n].capital = int32(i+1), commonWords[strings.ToLower(text)]
			}
		}
	}
	return k, nil
}

// spellings are the text, and if there is more than ASCII in it, the text composed (NFC) and as [foldText] has it, which is how
// those find it whose text comes in another form or without accents.
func spellings(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(text) {
			return
		}
		for i := range len(text) {
			if text[i] < utf8.RuneSelf {
				continue
			}
			composed, plain := norm.NFC.String(text), foldText(text)
			if composed != text && !yield(composed) || plain == text || !longEnough(plain) {
				return
			}
			yield(plain)
			return
		}
	}
}

// insert puts the text's words into the trie and returns the last node, 0 if there is no word.
func (k *KnownSet) insert(text string) int32 {
	c := scanner{s: strings.TrimSpace(strings.ToValidUTF8(text, "")), final: true}
	c.lim = len(c.s)
	var node int32
	for i := 0; i < len(c.s); {
		i = c.gap(i, len(c.s))
		var key tokenKey
		end, n := key.read(&c, i, node)
		if end == 0 {
			return 0
		}
		if node == 0 {
			k.begin(c.s[i:end])
		}
		k.nodes[node].more = true
		next, ok := k.edges.find(key[:n])
		if !ok {
			next = int32(len(k.nodes))
			k.nodes = append(k.nodes, knownNode{})
			k.edges.add(key[:n], next)
		}
		node, i = next, end
	}
	return node
}

// begin lets the scanner stop at the first word of a value.
func (k *KnownSet) begin(word string) {
	k.filter.add(hashWord(word))
	if b := word[0]; b < utf8.RuneSelf && !isAlnum(b) {
		k.marks[b], k.skip[b] = true, false
	} else if r, _ := utf8.DecodeRuneInString(word); b >= utf8.RuneSelf && !letterRune(r) {
		k.wide = true
	}
}

// match returns the longest value that begins at q.
func (k *KnownSet) match(c *scanner, q int) (h hit, found *Known) {
	c.halt = q
	if len(k.nodes) == 0 {
		return h, nil
	}
	var node int32
	for i := q; i < q+knownReach; {
		c.halt = i
		var key tokenKey
		stop, n := key.read(c, i, node)
		if stop == 0 {
			break
		}
		next, ok := k.edges.find(key[:n])
		if !ok {
			break
		}
		node, i = next, stop
		at := &k.nodes[node]
		if at.val > 0 {
			h, found = hit{stop, &byKnown}, &k.vals[at.val-1]
		} else if at.alone > 0 && (!at.capital || startsUpper(c.s[q:stop])) {
			h, found = hit{stop, &byFamilyName}, &k.vals[at.alone-1]
		}
		if !at.more {
			break
		}
		i = c.gap(i, i+knownGap)
	}
	return h, found
}

// gap skips white space from i, at most to limit.
func (c *scanner) gap(i, limit int) int {
	for i < limit {
		switch b := c.at(i); {
		case isSpace(b):
			i++
		case b == 0xC2 && c.at(i+1) == 0xA0:
			i += 2
		default:
			return i
		}
	}
	return i
}

// eachTaxonomy ranks labels that nobody sees.
var eachTaxonomy = flow.DefaultTaxonomy()

// Each calls f for every value of the set that begins at a word of the text, the longest of each place, also within what
// [Engine.Find] takes for something else. Whatever known value Find finds in the text with the set is among them.
func (k *KnownSet) Each(text string, f func(Known)) {
	if k == nil || len(k.nodes) <= 1 {
		return
	}
	c := scanner{s: text, final: true, known: k, tax: eachTaxonomy}
	at := func(q int) {
		c.open(q)
		_, val := k.match(&c, q)
		if val != nil {
			f(*val)
		}
		if (c.disguised(q) || c.haltDisguised(q)) && c.startsWord(q) {
			if d, ok := c.undisguise(q); ok && d.known != nil {
				f(*d.known)
			}
		}
	}
	for q := 0; q < len(text); {
		if q = c.plainWords(q); q >= len(text) {
			break
		}
		switch b := text[q]; {
		case isAlnum(b):
			end := q
			for end < len(text) && isAlnum(text[end]) {
				end++
			}
			// A rune that is no letter may end the word, and one that is may go on with it.
			c.open(q)
			if end < len(text) && text[end] >= utf8.RuneSelf || k.filter.may(hashWord(text[q:end])) || c.disguised(q) {
				at(q)
			}
			q = end
		case b >= utf8.RuneSelf:
			at(q)
			_, n := utf8.DecodeRuneInString(text[q:])
			q += n
		default:
			if k.marks[b] {
				at(q)
			}
			q++
		}
	}
}

// edgeTable maps the number of a node and a folded word to the number of the next node. A message makes a set of its own, so
// that making one must cost little: keys lie one after another in one slice.
type edgeTable struct {
	slots []int32 // numbers of edges, counted from 1; a power of two of them, at most half taken
	edges []edge
	keys  []byte
}

type edge struct {
	end  int32 // of its key; it begins where the one before ends
	next int32
}

var edgeSeed = maphash.MakeSeed()

func (t *edgeTable) key(i int32) []byte {
	if i == 0 {
		return t.keys[:t.edges[0].end]
	}
	return t.keys[t.edges[i-1].end:t.edges[i].end]
}

// slot returns where the key is, or where it would be put.
func (t *edgeTable) slot(key []byte) int {
	mask := len(t.slots) - 1
	for at := int(maphash.Bytes(edgeSeed, key)) & mask; ; at = (at + 1) & mask {
		if n := t.slots[at]; n == 0 || string(t.key(n-1)) == string(key) {
			return at
		}
	}
}

func (t *edgeTable) find(key []byte) (next int32, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	n := t.slots[t.slot(key)]
	if n == 0 {
		return 0, false
	}
	return t.edges[n-1].next, true
}

// add puts in a key that is not there.
func (t *edgeTable) add(key []byte, next int32) {
	if 2*(len(t.edges)+1) > len(t.slots) {
		t.grow(2 * len(t.slots))
	}
	t.keys = append(t.keys, key...)
	t.edges = append(t.edges, edge{int32(len(t.keys)), next})
	t.slots[t.slot(key)] = int32(len(t.edges))
}

// grow makes room for at least so many slots.
func (t *edgeTable) grow(n int) {
	size := 16
	for size < n {
		size *= 2
	}
	t.slots = make([]int32, size)
	for i := range t.edges {
		t.slots[t.slot(t.key(int32(i)))] = int32(i + 1)
	}
}

// tokenKey is the number of a node and a word in lower case: a key of KnownSet.edges.
type tokenKey [4 + 2*MaxKnownBytes]byte

// read takes the word, mark or lone rune at i. It returns where that ends and the length of the key; 0 where there is none, or
// one longer than any in a set.
func (t *tokenKey) read(c *scanner, i int, node int32) (end, n int) {
	t[0], t[1], t[2], t[3] = byte(node), byte(node>>8), byte(node>>16), byte(node>>24)
	n = 4
	for end = i; end-i <= MaxKnownBytes; {
		b := c.at(end)
		if b < utf8.RuneSelf {
			if isAlnum(b) {
				t[n] = b | 0x20
				n++
				end++
				continue
			}
			if end == i && b != 0 && !isSpace(b) {
				t[n] = b
				return end + 1, n + 1
			}
			break
		}
		r, size := c.rune(end)
		if size == 0 {
			return 0, 0
		}
		if lone := !letterRune(r); lone && end > i {
			break
		} else if lone {
			n += utf8.EncodeRune(t[n:], r)
			return end + size, n
		}
		n += utf8.EncodeRune(t[n:], unicode.ToLower(r))
		end += size
	}
	if end == i || end-i > MaxKnownBytes {
		return 0, 0
	}
	return end, n
}

// filter says no for most words that begin neither a value nor a form. Weak words begin a form only where weakly says so: they
// are in one of its halves only.
type filter struct{ some, sure [256]uint64 }

func (f *filter) add(h uint64) {
	f.addWeak(h)
	f.sure[h>>42&255] |= 1 << (h >> 36 & 63)
}

func (f *filter) addWeak(h uint64) { f.some[h>>56] |= 1 << (h >> 50 & 63) }

// may reports whether the word may begin something. Without mayWeakly there is no may.
func (f *filter) may(h uint64) bool { return f.mayWeakly(h) && f.surely(h) }

func (f *filter) surely(h uint64) bool { return f.sure[h>>42&255]&(1<<(h>>36&63)) != 0 }

func (f *filter) mayWeakly(h uint64) bool { return f.some[h>>56]&(1<<(h>>50&63)) != 0 }

func mix(h uint64) uint64 { return h * 0x9E3779B97F4A7C15 }

// hashWord is the same for all spellings of a word in capitals and small letters.
func hashWord(w string) uint64 {
	var h, chunk uint64
	for i := 0; i < len(w); i++ {
		if w[i] >= utf8.RuneSelf {
			return hashRunes(w)
		}
		chunk |= uint64(w[i]|0x20) << (8 * (i & 7))
		if i&7 == 7 {
			h, chunk = mix(h^chunk), 0
		}
	}
	if len(w)&7 != 0 || len(w) == 0 {
		h = mix(h ^ chunk)
	}
	return h
}

func hashRunes(w string) (h uint64) {
	for _, r := range w {
		h = mix(h ^ uint64(unicode.ToLower(r)))
	}
	return h
}

func startsUpper(w string) bool {
	r, _ := utf8.DecodeRuneInString(w)
	return unicode.IsUpper(r)
}

// longEnough leaves out values that would be found everywhere.
func longEnough(text string) bool {
	letters, digits := 0, 0
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && isDigit(byte(r)):
			digits++
		case r < utf8.RuneSelf && isLetter(byte(r)), letterRune(r):
			letters++
		case unicode.IsLetter(r): // an ideograph says as much as a few letters
			letters += 2
		}
	}
	return letters > 0 && letters+digits >= 3 || digits >= 4
}

// familyName returns the family name out of a person's full name: what stands before a comma, or the last word.
func familyName(v Known) (string, bool) {
	if v.Label != "person" && !v.Label.Within("person/name") && v.Label != "health/provider" {
		return "", false
	}
	before, _, comma := strings.Cut(v.Text, ",")
	words := strings.Fields(before)
	if comma && len(words) == 1 && !nameSuffixes[strings.ToLower(words[0])] {
		return longName(words[0])
	}
	for len(words) > 1 && nameSuffixes[strings.ToLower(strings.Trim(words[len(words)-1], ".,"))] {
		words = words[:len(words)-1]
	}
	if len(words) < 2 {
		return "", false
	}
	return longName(strings.Trim(words[len(words)-1], ".,;:'\""))
}

func longName(name string) (string, bool) {
	letters := 0
	for _, r := range name {
		if unicode.IsLetter(r) {
			letters++
		} else if r != '\'' && r != '-' && r != '’' && !unicode.IsMark(r) {
			return "", false
		}
	}
	return name, letters >= 4
}

func wordSet(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

var nameSuffixes = wordSet("jr sr ii iii iv md phd do rn dds esq dvm np pa mba msc bsc")

// commonWords are family names that are English words too.
var commonWords = wordSet(`baker bank banks bell berry best bird bishop black blue bond brown bush butler carpenter case chance chase church
	clay cook cooper cross dean drew drive early east english farmer field fields fisher flowers ford forest fortune foster fox frank free french
	friend gardner glass gold good grant gray green grey hall hand hardy hart hill hills hope house hunt hunter judge justice keys king knight
	lake lane large last light little long love low major march marsh mason masters miles mill miller mills moody moon north noble nurse page
	paper park parks peace penny pepper person pierce piper pitt pool pope porter pound power price prince rich rivers rice robin rose rush sage
	salt sharp shepherd short silver singer small smart snow south sparks speed spring stark steel stone storm story street strong summer
	summers swift taylor temple thorn turner vice walker wall walls ward waters weaver wells west wheeler white wild will winter winters wise wolf
	wood woods worth young`)
