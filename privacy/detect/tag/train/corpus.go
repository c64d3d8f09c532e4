package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// text is one text to learn from.
type text struct {
	from  string // which source, for the report
	s     string
	spans []span // sorted, not overlapping
	free  mask   // what a token outside every span may be
}

type span struct {
	start, end int
	allowed    mask
}

// mask is a set of tags.
type mask uint8

func only(t feature.Tag) mask { return 1 << t }

const anything mask = 0xFF

// corpora are the marked texts, how often each is taken, and how their words for things map to ours. What they do not mark,
// such as professions, a word outside of their marks may be.
var corpora = []struct {
	file  string
	times int
}{
	{"wikigold.conll", 2}, {"wnut17-train.conll", 1}, {"sec-fin5.txt", 1},
	{"btc-a.conll", 1}, {"btc-b.conll", 1}, {"btc-e.conll", 1}, {"btc-f.conll", 1}, {"btc-g.conll", 1}, {"btc-h.conll", 1},
}

var corpusTags = map[string]mask{
	"PER": only(feature.Person), "LOC": only(feature.Place) | only(feature.Address), "ORG": only(feature.Organisation),
	"MISC":   only(feature.Other) | only(feature.Nationality),
	"person": only(feature.Person), "location": only(feature.Place) | only(feature.Address), "corporation": only(feature.Organisation), "group": only(feature.Organisation),
	"product": only(feature.Other), "creative-work": only(feature.Other),
}

// unmarked is what a word outside of the marks of a corpus may be. wikigold and WNUT mark other names, too.
func unmarked(file string) mask {
	m := only(feature.O) | only(feature.Profession) | only(feature.Nationality)
	if strings.HasPrefix(file, "btc") || strings.HasPrefix(file, "sec") {
		m |= only(feature.Other)
	}
	return m
}

// sentencesPerText is how many sentences of a corpus are read as one text.
const sentencesPerText = 8

func readCorpus(dir, file string) (texts []text, err error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b strings.Builder
	now := text{from: file, free: unmarked(file)}
	sentences := 0
	flush := func() {
		if b.Len() > 0 {
			now.s = b.String()
			texts = append(texts, now)
		}
		b.Reset()
		now = text{from: file, free: unmarked(file)}
		sentences = 0
	}
	last := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
			last = ""
			if sentences++; sentences >= sentencesPerText {
				flush()
			}
			continue
		case fields[0] == "-DOCSTART-":
			flush()
			continue
		case len(fields) < 2:
			continue // a token that is a space
		}
		tag := fields[len(fields)-1]
		allowed, known := mask(0), tag == "O"
		if len(tag) > 2 {
			allowed, known = corpusTags[tag[2:]], true
			known = known && allowed != 0
		}
		if !known {
			return nil, fmt.Errorf("%s line %d: tag %q is not known", file, n, tag)
		}
		word := fields[0]
		if b.Len() > 0 && !joins(last, word) {
			b.WriteByte(' ')
		}
		start := b.Len()
		b.WriteString(word)
		last = word
		if strings.HasPrefix(word, "@") || strings.HasPrefix(word, "#") {
			allowed = anything // the corpora do not agree on handles
		}
		if allowed == 0 {
			continue
		}
		if at := len(now.spans) - 1; tag[0] == 'I' && at >= 0 && now.spans[at].allowed == allowed && now.spans[at].end >= start-1 {
			now.spans[at].end = b.Len()
		} else {
			now.spans = append(now.spans, span{start, b.Len(), allowed})
		}
	}
	flush()
	return texts, lines.Err()
}

// joins reports whether there is no space between two tokens of a corpus.
func joins(last, word string) bool {
	switch last {
	case "(", "[", "$", "@", "#", "“", "‘", "``":
		return true
	}
	switch word {
	case ".", ",", ";", ":", "!", "?", ")", "]", "'s", "n't", "'re", "'m", "'ve", "'ll", "'d", "%", "”", "’", "''", "...":
		return true
	}
	return false
}
