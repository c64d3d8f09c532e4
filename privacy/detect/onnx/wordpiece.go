package onnx

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrTokenizer is the error of a tokenizer.json that is not BERT's: a BertNormalizer, a BertPreTokenizer and WordPiece.
var ErrTokenizer = errors.New("tokenizer.json is not that of a BERT model (WordPiece)")

// wordPiece cuts texts into the tokens that a model of the BERT family reads. Each knows which bytes of the text it is.
type wordPiece struct {
	vocab              map[string]int
	prefix             string
	unknown, cls, sep  int
	most               int // letters of a word that is not unknown
	clean, lower, bare bool
	chinese            bool
}

// token is one token: bytes of the text.
type token struct {
	id         int
	start, end int
	first      bool // of its word
	stop       bool // it ends a sentence
}

func newWordPiece(raw []byte) (*wordPiece, error) {
	var file struct {
		Normalizer struct {
			Type    string `json:"type"`
			Clean   bool   `json:"clean_text"`
			Chinese bool   `json:"handle_chinese_chars"`
			Strip   *bool  `json:"strip_accents"`
			Lower   bool   `json:"lowercase"`
		} `json:"normalizer"`
		Pre struct {
			Type string `json:"type"`
		} `json:"pre_tokenizer"`
		Model struct {
			Type    string         `json:"type"`
			Unknown string         `json:"unk_token"`
			Prefix  string         `json:"continuing_subword_prefix"`
			Most    int            `json:"max_input_chars_per_word"`
			Vocab   map[string]int `json:"vocab"`
		} `json:"model"`
	}
	if json.Unmarshal(raw, &file) != nil {
		return nil, ErrTokenizer
	}
	n, m := file.Normalizer, file.Model
	w := &wordPiece{vocab: m.Vocab, prefix: m.Prefix, most: m.Most, clean: n.Clean, lower: n.Lower, chinese: n.Chinese}
	w.bare = n.Lower
	if n.Strip != nil {
		w.bare = *n.Strip
	}
	var known [3]bool
	w.unknown, known[0] = m.Vocab[m.Unknown]
	w.cls, known[1] = m.Vocab["[CLS]"]
	w.sep, known[2] = m.Vocab["[SEP]"]
	if n.Type != "BertNormalizer" || file.Pre.Type != "BertPreTokenizer" || m.Type != "WordPiece" || known != [3]bool{true, true, true} || w.most <= 0 {
		return nil, ErrTokenizer
	}
	return w, nil
}

// letter is one letter as the model sees it, and the bytes of the text that it comes from.
type letter struct {
	r          rune
	start, end int
}

// tokens cuts a whole text.
func (w *wordPiece) tokens(text string) []token {
	var out []token
	var word []letter
	flush := func() {
		if len(word) > 0 {
			out = w.pieces(out, word)
			word = word[:0]
		}
	}
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsSpace(r):
			flush()
		case w.clean && (r == 0 || r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)):
		case isMark(r) || w.chinese && unicode.Is(unicode.Han, r):
			flush()
			out = w.pieces(out, []letter{{r, i, i + size}})
			out[len(out)-1].stop = strings.ContainsRune(".!?。！？", r)
		default:
			word = w.normal(word, r, i, i+size)
		}
	}
	flush()
	return out
}

// isMark reports whether a letter is a token by itself: ASCII that is neither letter nor digit, and Unicode's punctuation.
func isMark(r rune) bool {
	return r > ' ' && r < 0x7f && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') || unicode.IsPunct(r)
}

func (w *wordPiece) normal(word []letter, r rune, start, end int) []letter {
	if w.bare {
		for _, d := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, d) {
				word = append(word, letter{w.cased(d), start, end})
			}
		}
		return word
	}
	return append(word, letter{w.cased(r), start, end})
}

func (w *wordPiece) cased(r rune) rune {
	if w.lower {
		return unicode.ToLower(r)
	}
	return r
}

// pieces appends the longest pieces of a word that are in the vocabulary, or one token that is unknown.
func (w *wordPiece) pieces(out []token, word []letter) []token {
	from := len(out)
	unknown := append(out[:from:from], token{id: w.unknown, start: word[0].start, end: word[len(word)-1].end, first: true})
	if len(word) > w.most {
		return unknown
	}
	runes := make([]rune, len(word))
	for i, l := range word {
		runes[i] = l.r
	}
	for at := 0; at < len(word); {
		end := len(word)
		for ; end > at; end-- {
			piece := string(runes[at:end])
			if at > 0 {
				piece = w.prefix + piece
			}
			if id, ok := w.vocab[piece]; ok {
				out = append(out, token{id: id, start: word[at].start, end: word[end-1].end, first: at == 0})
				break
			}
		}
		if end == at {
			return unknown
		}
		at = end
	}
	return out
}
