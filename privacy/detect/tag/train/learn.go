package main

import (
	"math"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// learner fits the weights of a maximum-entropy Markov model (McCallum, Freitag and Pereira 2000) by AdaGrad (Duchi, Hazan
// and Singer 2011). Products are rounded before they are added, so that no machine may fuse the two and come to other weights.
type learner struct {
	weights []float32 // of each bucket and tag
	squares []float32
	counts  []uint8   // how often each feature occurs, up to 255
	sum     []float32 // of the weights after each of the last epochs
	sums    int
	gaz     feature.Gazetteer
	rnd     random
	rate    float32
}

func newLearner(gaz feature.Gazetteer) *learner {
	return &learner{
		weights: make([]float32, feature.Rows*feature.Tags),
		squares: make([]float32, feature.Rows*feature.Tags),
		gaz:     gaz, rnd: random{7}, rate: .15,
	}
}

// sentence is a text in the form in which it is learned again and again.
type sentence struct {
	tokens  []feature.Token
	allowed []mask
}

// prepare reads a text. What a corpus does not mark may be a nationality or profession only where a list has the word.
func prepare(t *text, lists feature.Gazetteer) sentence {
	var out sentence
	at := 0
	for p := 0; ; {
		var tok feature.Token
		if !feature.Next(t.s, p, true, &tok) {
			break
		}
		for at < len(t.spans) && t.spans[at].end <= tok.Start {
			at++
		}
		allowed := t.free
		if at < len(t.spans) && t.spans[at].start <= tok.Start {
			allowed = t.spans[at].allowed
		} else {
			found := lists.Lookup(tok.Hash)
			if found&feature.National == 0 {
				allowed &^= only(feature.Nationality)
			}
			if found&feature.Trade == 0 {
				allowed &^= only(feature.Profession)
			}
		}
		out.tokens = append(out.tokens, tok)
		out.allowed = append(out.allowed, allowed)
		p = tok.End
	}
	return out
}

// forget makes words unknown now and then, all through a text, so that the tagger learns what to think of words that it never
// saw: one name in five is in no list, another one in six has letters that nobody knows; and so has one ordinary
// word in twelve, and one in twenty-four with a capital, as at the beginning of a sentence.
func (l *learner) forget(tok *feature.Token, allowed mask, salt uint32) {
	draw := (tok.Hash ^ salt) * 0x9E3779B1 >> 8 % 24
	switch ordinary := allowed&only(feature.O) != 0; {
	case tok.Shape == feature.Mark || tok.Shape >= feature.Digit1 && tok.Shape <= feature.Digits:
	case ordinary && tok.Shape != feature.Lower && tok.Shape != feature.Title:
	case ordinary && draw > 1, ordinary && draw > 0 && tok.Shape == feature.Title:
	case draw < 4:
		tok.Unlisted = true
		tok.Hash = tok.Hash*0x85EBCA6B ^ salt
		if draw < 2 {
			tok.Prefix ^= salt & 0xFFFFFF
		}
	case draw < 9:
		tok.Unlisted = true
	}
}

// lexical are the features that know a word by itself. They are left out now and then, so that the words around it count.
const lexical = 1<<1 | 1<<6 | 1<<7 | 1<<9 | 1<<10 | 1<<20

// leastCount is how often a feature must occur to have a weight.
const leastCount = 2

// count counts the features of all texts, as they are where every word before is known.
func (l *learner) count(sentences []sentence) {
	if l.counts == nil {
		l.counts = make([]uint8, feature.Numbers)
	}
	l.each(sentences, func(w *feature.Window, allowed mask) feature.Tag {
		var f [feature.Count]uint32
		w.Features(&f)
		for _, b := range f {
			if l.counts[b] < 255 {
				l.counts[b]++
			}
		}
		for t := range feature.Tag(feature.Tags) {
			if allowed&only(t) != 0 {
				return t
			}
		}
		return feature.O
	})
}

// each goes through all texts in some order. At says what a word is taken for.
func (l *learner) each(sentences []sentence, at func(w *feature.Window, allowed mask) feature.Tag) {
	w := feature.Window{Gaz: l.gaz}
	for _, i := range l.rnd.shuffled(len(sentences)) {
		s := &sentences[i]
		salt := uint32(l.rnd.next())
		w.Reset()
		for k := range len(s.tokens) + feature.Ahead {
			var tok feature.Token
			if k < len(s.tokens) {
				tok = s.tokens[k]
				l.forget(&tok, s.allowed[k], salt)
			}
			if w.Push(&tok) {
				w.Decide(at(&w, s.allowed[k-feature.Ahead]))
			}
		}
	}
}

// epoch reads all texts once. Guided is how often, in percent, a wrong word is taken for what it is when the next is learned.
func (l *learner) epoch(sentences []sentence, guided int) (wrong, total int) {
	l.each(sentences, func(w *feature.Window, allowed mask) feature.Tag {
		best, right := l.step(w, allowed)
		total++
		if allowed&only(best) == 0 {
			wrong++
			if l.rnd.percent(guided) {
				best = right
			}
		}
		return best
	})
	return wrong, total
}

// keep adds the weights as they are now to those that are averaged in the end.
func (l *learner) keep() {
	if l.sum == nil {
		l.sum = make([]float32, len(l.weights))
	}
	for i, w := range l.weights {
		l.sum[i] += w
	}
	l.sums++
}

// step learns one token. It returns the best tag and the best one allowed.
func (l *learner) step(w *feature.Window, allowed mask) (best, right feature.Tag) {
	var f [feature.Count]uint32
	w.Features(&f)
	use := uint32(math.MaxUint32)
	for i, b := range f {
		if l.counts[b] < leastCount {
			use &^= 1 << i
		}
	}
	if l.rnd.percent(12) {
		use &^= lexical
	}
	var sum [feature.Tags]float32
	for i, b := range f {
		if use>>i&1 == 0 {
			continue
		}
		row := l.weights[feature.Row(b)*feature.Tags:][:feature.Tags]
		for t := range row {
			sum[t] += row[t]
		}
	}
	var p [feature.Tags]float32
	best = softmax(&sum, &p)
	good, first := float32(0), float32(-1)
	for t := range p {
		if allowed>>t&1 != 0 {
			good += p[t]
			if p[t] > first {
				first, right = p[t], feature.Tag(t)
			}
		}
	}
	if good > .995 {
		return best, right
	}
	var g [feature.Tags]float32
	for t := range p {
		g[t] = p[t]
		if allowed>>t&1 != 0 {
			g[t] -= float32(p[t] / max(good, 1e-6))
		}
	}
	for i, b := range f {
		if use>>i&1 == 0 {
			continue
		}
		at := feature.Row(b) * feature.Tags
		row, squares := l.weights[at:at+feature.Tags], l.squares[at:at+feature.Tags]
		for t := range row {
			if g[t] > -1e-4 && g[t] < 1e-4 {
				continue
			}
			squares[t] += float32(g[t] * g[t])
			row[t] -= float32(float32(l.rate*g[t]) / float32(math.Sqrt(float64(squares[t]))+1e-3))
		}
	}
	return best, right
}

func softmax(sum, p *[feature.Tags]float32) (best feature.Tag) {
	for t := range sum {
		if sum[t] > sum[best] {
			best = feature.Tag(t)
		}
	}
	total := float32(0)
	for t := range sum {
		p[t] = exp(sum[t] - sum[best])
		total += p[t]
	}
	for t := range p {
		p[t] /= total
	}
	return best
}

// exp is e to x, for x at most 0, to about six digits; the same on every machine.
func exp(x float32) float32 {
	if x < -30 {
		return 0
	}
	// (1 + x/1024 + (x/1024)²/2)^1024
	y := float32(x / 1024)
	r := float64(1+y) + float64(float32(y*y)/2)
	for range 10 {
		r = float64(r * r)
	}
	return float32(r)
}

// quantise makes bytes of the weights, 128 being none.
func (l *learner) quantise(scale float64) []byte {
	out := make([]byte, len(l.weights))
	for b := 0; b < len(l.weights); b += feature.Tags {
		row := l.sum[b : b+feature.Tags]
		for t := range row {
			v := math.Round(float64(row[t]) / float64(l.sums) / scale)
			out[b+t] = byte(128 + max(-127, min(127, v)))
		}
	}
	return out
}
