package feature

// Tag is what a token is part of.
type Tag uint8

const (
	O Tag = iota
	Person
	Place
	Address
	Organisation
	Profession
	Nationality
	Other // a proper name that is none of these
	Tags  = 8
)

// Ahead is how many tokens after a token are looked at to decide it.
const Ahead = 2

// Count is how many features a token has.
const Count = 32

// Window is the place in a text at which a token is decided. Tokens come by [Window.Push]; once [Ahead] of them have come after
// a token, it is at hand.
type Window struct {
	Gaz    Gazetteer
	Memory Memory

	tokens [8]Token // a ring
	n      int      // tokens that came
	t1, t2 Tag      // of the token before, and the one before that

	key    uint32 // of the word before the last colon of the line
	keyAge int
	upper  int // of the last words, how many were in capitals, and how many had a capital
	words  int
}

// Reset begins a text.
func (w *Window) Reset() {
	memory := w.Memory
	memory.Reset()
	*w = Window{Gaz: w.Gaz, Memory: memory}
}

func (w *Window) at(i int) *Token { return &w.tokens[i&7] }

// Push takes the next token and reports whether there is one to decide, which [Window.Token] returns. At the end of a text,
// Ahead zero tokens are pushed.
func (w *Window) Push(t *Token) bool {
	cur := w.at(w.n)
	*cur = *t
	if (t.Shape >= Lower && t.Shape <= Mixed || t.Shape == Alnum || t.Shape == Caseless) && !t.Unlisted {
		cur.Gaz |= w.Gaz.Lookup(t.Hash)
		if w.n > 0 {
			if before := w.at(w.n - 1); before.Gaz&(PlacePart|OrgWord) != 0 {
				both := w.Gaz.Lookup(Pair(before.Hash, t.Hash)) &^ (persons | Common)
				before.Gaz |= both
				cur.Gaz |= both
			}
		}
	}
	w.n++
	return w.n > Ahead
}

// Token is the one to decide.
func (w *Window) Token() *Token { return w.at(w.n - 1 - Ahead) }

// Code reports whether the token at hand is part of a run of code, such as "stk1_aB3", "0193e0a4-7c1e" or "PA-1234": letters
// and digits in one word or tied together by a mark, and all that follows without a space. Already says whether the token
// before was.
func (w *Window) Code(already bool) bool {
	t, next, after := w.Token(), w.at(w.n-Ahead), w.at(w.n-1)
	if already && !t.Spaced && t.Shape != Newline && t.Shape != Blank {
		return true
	}
	if next.Shape != Mark || next.Spaced || next.Hash != underscore && next.Hash != hyphen {
		return false
	}
	switch {
	case t.Shape == Alnum, t.Shape == Digits, t.Shape == Digit4 && next.Hash == hyphen:
		return true
	case t.Shape >= Lower && t.Shape <= Mixed:
		return !after.Spaced && (after.Shape == Digits || after.Shape >= Digit1 && after.Shape <= Alnum && t.End-t.Start <= 3)
	}
	return false
}

// Next is the token after the one to decide.
func (w *Window) Next() *Token { return w.at(w.n - Ahead) }

// Opens and Closes report whether a token is a square bracket.
func Opens(t *Token) bool { return t.Shape == Mark && t.Hash == opening }

// Closes is Opens for the other one.
func Closes(t *Token) bool { return t.Shape == Mark && t.Hash == closing }

// Stop reports whether a token is a full stop.
func Stop(t *Token) bool { return t.Shape == Mark && t.Hash == stop }

// Begins reports whether the token at hand begins a text, a line or a sentence.
func (w *Window) Begins() bool {
	i := w.n - 1 - Ahead
	if i == 0 {
		return true
	}
	switch before := w.at(i - 1); before.Shape {
	case Newline, Blank:
		return true
	case Mark:
		return before.Hash == stop || before.Hash == question || before.Hash == exclamation
	}
	return false
}

// Decide says what the token at hand is.
func (w *Window) Decide(tag Tag) {
	t := w.Token()
	w.t2, w.t1 = w.t1, tag
	switch t.Shape {
	case Newline, Blank:
		w.key, w.keyAge = 0, 0
	case Mark:
		if t.Hash == colon && w.n > Ahead+1 {
			w.key, w.keyAge = w.at(w.n-2-Ahead).Hash, 0
		}
	case Upper, Initial:
		w.upper = min(w.upper+1, 8)
		w.words = min(w.words+1, 8)
	case Lower, Title, Mixed:
		w.upper = max(w.upper-1, 0)
		w.words = min(w.words+1, 8)
	}
	if w.keyAge++; w.keyAge > 12 {
		w.key = 0
	}
	w.Memory.see(t, tag)
}

const (
	opening     = (hashBasis ^ '[') * hashPrime & 0xFFFFFFFF
	closing     = (hashBasis ^ ']') * hashPrime & 0xFFFFFFFF
	hyphen      = (hashBasis ^ '-') * hashPrime & 0xFFFFFFFF
	stop        = (hashBasis ^ '.') * hashPrime & 0xFFFFFFFF
	question    = (hashBasis ^ '?') * hashPrime & 0xFFFFFFFF
	exclamation = (hashBasis ^ '!') * hashPrime & 0xFFFFFFFF
)

const underscore = (hashBasis ^ '_') * hashPrime & 0xFFFFFFFF

const colon = (hashBasis ^ ':') * hashPrime & 0xFFFFFFFF

const (
	k0 = 0x9E3779B97F4A7C15
	k1 = 0xC2B2AE3D27D4EB4F
	k2 = 0x165667B19E3779F9
)

// A feature is numbered with featureBits bits, of which the upper ones say in which row its weights are. The lower ones tell
// features apart that share a row, which counts while learning only.
const (
	featureBits = 26
	rowShift    = 8
)

// Rows is how many rows of weights there are, and Numbers how many numbers of features.
const (
	Rows    = Numbers >> rowShift
	Numbers = 1 << featureBits
)

// Row is the row of a feature.
func Row(number uint32) uint32 { return number >> rowShift }

func number(id, a, b uint64) uint32 {
	x := (a + id*k2) * k0
	x = (x ^ x>>29 ^ b) * k1
	return uint32(x >> (64 - featureBits))
}

// Features fills in the numbers of the features of the token at hand.
func (w *Window) Features(out *[Count]uint32) {
	i := w.n - 1 - Ahead
	p2, p1, c, n1, n2 := w.at(i-2), w.at(i-1), w.at(i), w.at(i+1), w.at(i+2)
	if i < 2 {
		p2 = &noToken
	}
	if i < 1 {
		p1 = &noToken
	}
	h0, hp1, hp2, hn1, hn2 := uint64(c.Hash), uint64(p1.Hash), uint64(p2.Hash), uint64(n1.Hash), uint64(n2.Hash)
	s0, sp1, sp2, sn1, sn2 := c.look(), p1.look(), p2.look(), n1.look(), n2.look()
	g0, gp1, gn1 := uint64(c.Gaz), uint64(p1.Gaz), uint64(n1.Gaz)
	t1, t2 := uint64(w.t1), uint64(w.t2)
	const who = uint64(persons | Common)
	const where = uint64(places | Common)
	const what = uint64(rest)
	seen := uint64(w.Memory.Of(c.Hash) &^ SeenName)
	loud := uint64(0)
	if w.upper > 3 {
		loud = 1
	}
	key := uint64(0)
	if w.key != 0 {
		key = uint64(w.key)<<10 | s0
	}
	out[0] = number(0, t1, t2)
	out[1] = number(1, h0, 0)
	out[2] = number(2, hp1, s0)
	out[3] = number(3, hn1, s0)
	out[4] = number(4, hp2, s0)
	out[5] = number(5, hn2, s0)
	out[6] = number(6, hp1, h0)
	out[7] = number(7, h0, hn1)
	out[8] = number(8, hp1, hn1)
	out[9] = number(9, uint64(c.Prefix), s0)
	out[10] = number(10, uint64(c.Suffix), s0)
	out[11] = number(11, uint64(c.Suffix2)<<10|sp1, s0)
	out[12] = number(12, sp1<<10|s0, sn1)
	out[13] = number(13, sp2<<20|sp1<<10|s0, sn1<<10|sn2)
	out[14] = number(14, g0&who, s0)
	out[15] = number(15, g0&(where|what), s0)
	out[16] = number(16, (gp1&who)<<16|g0&who, sp1<<10|s0)
	out[17] = number(17, (g0&who)<<16|gn1&who, s0<<10|sn1)
	out[18] = number(18, (g0&(where|what))<<16|gn1&(where|what), s0<<10|sn1)
	out[19] = number(19, gp1<<16|g0, s0)
	out[20] = number(20, h0, t1)
	out[21] = number(21, t1<<3|t2, s0<<10|sn1)
	out[22] = number(22, t1<<32|g0&who, s0)
	out[23] = number(23, t1<<32|g0&(where|what), s0)
	out[24] = number(24, hp1, t1<<10|s0)
	out[25] = number(25, hn1, t1<<10|s0)
	out[26] = number(26, hp2<<16, hp1<<10|s0)
	out[27] = number(27, hn1<<16, hn2<<10|s0)
	out[28] = number(28, seen<<10|s0, g0&uint64(Common)|loud)
	out[29] = number(29, loud<<32|t1<<20|s0<<10|sp1, g0&who)
	out[30] = number(30, key, min(uint64(w.keyAge), 3))
	out[31] = number(31, hp2<<32|hn1, s0)
}

var noToken Token

// look is the shape, whether white space comes before, and of a mark which it is: ten bits.
func (t *Token) look() uint64 {
	x := uint64(t.Shape)
	if t.Spaced {
		x |= 0x10
	}
	if t.Shape == Mark {
		x |= uint64(t.Hash>>7&0x1F) << 5
	}
	return x
}

// Waiting returns where the first token begins that is not decided yet, or -1 if there is none.
func (w *Window) Waiting() int {
	if w.n == 0 {
		return -1
	}
	return w.at(max(0, w.n-Ahead)).Start
}
