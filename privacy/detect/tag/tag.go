// Package tag finds names in free text: of people, places, postal addresses, organisations, professions and nationalities.
//
// It is a maximum-entropy Markov model over hashed features of words and lists of names, greedy from left to right: a word is
// decided from the two words after it and from all that came before in the same text. So a text that comes in pieces is tagged
// exactly as the whole, but for names that only a later sentence gives away: see [Tagger.Append]. The program in train makes
// the model from public corpora, public lists and our own templates.
//
// It reads languages that put spaces between words and knows those of the templates; others by what their names look like.
package tag

import (
	_ "embed"
	"math"
	"slices"
	"sync"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// Kind is what a span names.
type Kind uint8

const (
	Person       = Kind(feature.Person)
	Place        = Kind(feature.Place)
	Address      = Kind(feature.Address)
	Organisation = Kind(feature.Organisation)
	Profession   = Kind(feature.Profession)
	Nationality  = Kind(feature.Nationality)
	Honorific    = Kind(feature.Other) // what stands before a person's name: "Mr", "Dr."; the other names are no spans
	Kinds        = feature.Tags
)

// Span is a name in a text.
type Span struct {
	Start, End int // bytes
	Kind       Kind
	Sort       Sort
	Repeated   bool    // found since it was found elsewhere in the text
	Score      float64 // how sure, from 0 to 1
}

// Sort says more of a place, or of an honorific.
type Sort uint8

const (
	Unsorted Sort = iota
	Country
	Region
	Gendered // an honorific that says whether somebody is a man or a woman
)

// Tagger is a model at work. It is immutable and safe for concurrent use.
type Tagger struct {
	model *feature.Model
	bias  [feature.Tags]int32 // for words with a capital, and marks
	small [feature.Tags]int32 // for words in small letters
	words map[uint32]bool     // what stand-ins begin with
}

// WithStandIns returns a tagger that finds no names within what stands in for something, such as "[person 3]": a bracket, one
// of the words and a few characters.
func (t *Tagger) WithStandIns(words []string) *Tagger {
	out := *t
	out.words = map[uint32]bool{}
	for _, w := range words {
		var tok feature.Token
		if feature.Next(w, 0, true, &tok) {
			out.words[tok.Hash] = true
		}
	}
	return &out
}

//go:embed model.bin
var embedded string

// Default is the tagger that the program carries.
var Default = sync.OnceValue(func() *Tagger {
	m, err := feature.Parse(embedded)
	if err != nil {
		panic(err) // the build is broken
	}
	return newTagger(m)
})

// favours is how much evidence, in nats, a name is given in advance: what is missed leaks.
var favours = [feature.Tags]float64{feature.Person: 3.2, feature.Place: 1.2, feature.Address: 3.2, feature.Organisation: -.8, feature.Profession: -.2, feature.Nationality: 1.0}

// favoursSmall is the same for words in small letters, which are seldom names.
var favoursSmall = [feature.Tags]float64{feature.Person: .4, feature.Place: 0, feature.Address: 1.2, feature.Organisation: -1, feature.Profession: -.4, feature.Nationality: 0}

func newTagger(m *feature.Model) *Tagger {
	t := &Tagger{model: m}
	for i := range favours {
		t.bias[i] = int32(math.Round(favours[i] / m.Scale))
		t.small[i] = int32(math.Round(favoursSmall[i] / m.Scale))
	}
	return t
}

// MaxSpan is how many bytes a span may have. A longer one is cut, and goes on as another.
const MaxSpan = 128

// run is one text being tagged.
type run struct {
	t   *Tagger
	win feature.Window

	open  Span // Kind 0: none
	title Span // an honorific that a name may follow; Kind 0: none
	stand int  // how many tokens of a stand-in may still come
	code  bool // within a run of code such as "stk1_aB3", in which nobody is named
	sum   float64
	words int
	first struct {
		Shape feature.Shape
		Gaz   feature.Gaz
	} // its first word
	begins bool      // which stands at the beginning of a sentence or line
	names  [8]uint32 // hashes of its words
	weak   uint8     // which of them are ordinary words, too

	whole  bool     // all of the text is at hand
	passed []passed // words that may turn out to be names
	out    []Span
}

type passed struct {
	start, end int
	hash       uint32
}

func (r *run) begin(t *Tagger, out []Span) {
	r.t, r.out = t, out
	r.win.Gaz = t.model.Gaz
	r.win.Reset()
	r.open, r.title, r.passed, r.code = Span{}, Span{}, r.passed[:0], false
	r.stand = 0
}

var runs = sync.Pool{New: func() any { return new(run) }}

// Append finds the names in a text, in order and not overlapping. Unlike a [Stream] it knows the whole text: a person who is
// named in full somewhere is found by one of the names before that, too. It takes time linear in the text.
func (t *Tagger) Append(dst []Span, text string) []Span { return t.append(dst, text, true) }

// AppendCausal is Append that finds what a [Stream] does: a name counts from where it is first sure.
func (t *Tagger) AppendCausal(dst []Span, text string) []Span { return t.append(dst, text, false) }

func (t *Tagger) append(dst []Span, text string, whole bool) []Span {
	r := runs.Get().(*run)
	r.begin(t, dst)
	r.whole = whole
	var tok feature.Token
	for p := 0; feature.Next(text, p, true, &tok); p = tok.End {
		if r.win.Push(&tok) {
			r.decide()
		}
	}
	r.end()
	out := r.propagate(len(dst))
	r.out = nil
	runs.Put(r)
	return out
}

// end decides what waits for the words after it.
func (r *run) end() {
	for range feature.Ahead {
		if r.win.Push(&feature.Token{}) {
			r.decide()
		}
	}
	r.close()
}

// decide tags the word at hand.
func (r *run) decide() {
	var f [feature.Count]uint32
	var sums [feature.Tags]int32
	tok := r.win.Token()
	if tok.Shape == feature.None {
		return
	}
	if r.code = r.win.Code(r.code); r.code || r.standsIn(tok) {
		r.win.Decide(feature.O)
		r.close()
		r.title = Span{} // or a stream would hold all of a long run back for its sake
		return
	}
	r.win.Features(&f)
	r.t.model.Score(&f, &sums)
	best, top := feature.O, sums[0]
	bias := &r.t.bias
	if tok.Shape == feature.Lower {
		bias = &r.t.small
	}
	for i := 1; i < feature.Tags; i++ {
		if s := sums[i] + bias[i]; s > top {
			best, top = feature.Tag(i), s
		}
	}
	score := 0.0
	if best == feature.O {
		if tok.Shape >= feature.Title && tok.Shape <= feature.Mixed && tok.Shape != feature.Initial {
			if r.win.Memory.Of(tok.Hash)&feature.SeenName != 0 {
				best, score = feature.Person, repeatScore
			} else if r.whole && tok.End-tok.Start > 2 {
				r.passed = append(r.passed, passed{tok.Start, tok.End, tok.Hash})
			}
		}
	}
	if best != feature.O && best != feature.Other && score == 0 {
		score = r.share(&sums, best, bias)
	}
	r.win.Decide(best)
	r.take(tok, best, score)
}

// longestStandIn is how many tokens follow the bracket of a stand-in.
const longestStandIn = 5

// standsIn reports whether the word at hand is part of a stand-in.
func (r *run) standsIn(tok *feature.Token) bool {
	switch {
	case r.stand > 0:
		if r.stand--; feature.Closes(tok) {
			r.stand = 0
		}
		return true
	case feature.Opens(tok) && r.t.words[r.win.Next().Hash]:
		r.stand = longestStandIn
		return true
	}
	return false
}

// repeatScore is the score of a name that is one since it was found elsewhere.
const repeatScore = .7

// share is how likely the tag is.
func (r *run) share(sums *[feature.Tags]int32, tag feature.Tag, bias *[feature.Tags]int32) float64 {
	total := 0.0
	for i := range sums {
		total += math.Exp(float64(sums[i]+bias[i]-sums[tag]-bias[tag]) * r.t.model.Scale)
	}
	return 1 / total
}

// take adds a word to the span at hand, or ends it.
func (r *run) take(tok *feature.Token, tag feature.Tag, score float64) {
	kind := Kind(tag)
	if tag == feature.Other || tag == feature.O {
		r.close()
		r.announce(tok)
		return
	}
	title := r.title
	r.title = Span{}
	word := tok.Shape != feature.Mark && tok.Shape != feature.Newline && tok.Shape != feature.Blank
	if r.open.Kind != kind || tok.End-r.open.Start > MaxSpan || tok.Shape == feature.Blank {
		r.close()
		if !word {
			return
		}
		if title.Kind != 0 && kind == Person {
			title.Score = min(score, .9)
			r.out = append(r.out, title)
		}
		r.open = Span{Start: tok.Start, Kind: kind}
		r.sum, r.words, r.weak = 0, 0, 0
		r.first.Shape, r.first.Gaz, r.begins = tok.Shape, tok.Gaz, r.win.Begins()
	}
	if !word {
		return
	}
	r.open.End = tok.End
	switch {
	case kind != Place:
	case tok.Gaz&feature.Country != 0:
		r.open.Sort = Country
	case tok.Gaz&feature.Region != 0 && tok.Gaz&feature.City == 0:
		r.open.Sort = Region
	}
	if r.words < len(r.names) {
		r.names[r.words] = tok.Hash
		if tok.Gaz&feature.Common != 0 || tok.Shape == feature.Initial || tok.End-tok.Start < 3 {
			r.weak |= 1 << r.words
		}
	}
	r.sum += score
	r.words++
}

// announce notes an honorific, or the dot after it.
func (r *run) announce(tok *feature.Token) {
	if r.title.Kind != 0 && tok.Start == r.title.End && feature.Stop(tok) && r.title.Score == 0 {
		r.title.End, r.title.Score = tok.End, 1
		return
	}
	r.title = Span{}
	if gendered, ok := honorifics[tok.Hash]; ok && tok.Shape != feature.Upper {
		r.title = Span{Start: tok.Start, End: tok.End, Kind: Honorific}
		if gendered {
			r.title.Sort = Gendered
		}
	}
}

// honorifics are the hashes of what stands before a name, and whether it says that somebody is a man or a woman.
var honorifics = func() map[uint32]bool {
	m := map[uint32]bool{}
	add := func(words string, gendered bool) {
		var t feature.Token
		for p := 0; feature.Next(words, p, true, &t); p = t.End {
			m[t.Hash] = gendered
		}
	}
	add("mr mrs ms miss mister madam sir dame lord lady herr frau fräulein monsieur madame mademoiselle mme mlle señor señora señorita sra srta "+
		"signor signora signorina sig mijnheer mevrouw dhr mevr senhor senhora pan pani bay bayan fru fröken rouva domnul doamna", true)
	add("mx dr prof professor dott dottoressa avv rev reverend lic ing", false)
	return m
}()

// close ends the span at hand.
func (r *run) close() {
	if r.open.Kind == 0 {
		return
	}
	if r.words == 1 && r.doubtful() {
		r.open = Span{}
		return
	}
	r.open.Score = min(r.sum/float64(r.words), .99)
	if r.open.Kind == Person && r.open.Score >= .6 {
		for i := range min(r.words, len(r.names)) {
			if r.weak>>i&1 == 0 {
				r.win.Memory.Add(r.names[i], feature.SeenName)
			}
		}
	}
	r.out = append(r.out, r.open)
	r.open = Span{}
}

// doubtful reports whether a span of one word is not worth a finding: one letter, two small ones, a number that is no postal
// code, a word that is no street, or a word that is an ordinary one and stands where any word has a capital, unless it is sure.
func (r *run) doubtful() bool {
	size := r.open.End - r.open.Start
	if r.first.Shape >= feature.Digit1 && r.first.Shape <= feature.Digits {
		return r.open.Kind != Address || size < 4 || size > 6 || r.sum < .8
	}
	if r.open.Kind == Address && (r.first.Shape != feature.Title || size < 8) { // "street", but not "Lindenstraße"
		return true
	}
	return size < 2 || size < 3 && r.first.Shape == feature.Lower ||
		r.first.Gaz&feature.Common != 0 && r.first.Shape == feature.Title && r.begins && r.sum < .9
}

// propagate adds what was passed over and later turned out to be somebody's name.
func (r *run) propagate(from int) []Span {
	added, at := len(r.out), from
	for _, p := range r.passed {
		for at < added && r.out[at].End <= p.start {
			at++
		}
		if at < added && r.out[at].Start < p.end { // the honorific before another name
			continue
		}
		if r.win.Memory.Of(p.hash)&feature.SeenName != 0 {
			r.out = append(r.out, Span{Start: p.start, End: p.end, Kind: Person, Repeated: true, Score: repeatScore})
		}
	}
	if len(r.out) > added {
		slices.SortFunc(r.out[from:], func(a, b Span) int { return a.Start - b.Start })
	}
	return r.out
}
