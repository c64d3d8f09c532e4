// Command train makes the model of the name tagger: it reads marked texts and lists of names, fills the templates beside it,
// learns, and writes the model. The same inputs give the same bytes on every machine.
//
//	SCRIM_DATA=../shared/data go run ./privacy/detect/tag/train -o privacy/detect/tag/model.bin
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

type settings struct {
	data, templates, out string
	times, epochs        int
}

func main() {
	var s settings
	flag.StringVar(&s.data, "data", os.Getenv("SCRIM_DATA"), "directory of the marked texts and name lists")
	flag.StringVar(&s.templates, "templates", "privacy/detect/tag/train", "directory of templates and lists")
	flag.StringVar(&s.out, "o", "privacy/detect/tag/model.bin", "file to write")
	flag.IntVar(&s.times, "times", 6, "how often each template is filled")
	flag.IntVar(&s.epochs, "epochs", 6, "how often everything is read")
	flag.Parse()
	model, err := train(s, os.Stderr)
	if err == nil {
		err = os.WriteFile(s.out, model, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// train returns the model.
func train(s settings, log *os.File) ([]byte, error) {
	start := time.Now()
	texts, g, err := s.texts()
	if err != nil {
		return nil, err
	}
	entries := g.gazetteer(texts)
	table := entries.table()
	parsed, err := feature.Parse(string(feature.Encode(1, make([]byte, feature.Buckets*feature.Tags), table)))
	if err != nil {
		return nil, err
	}
	var sentences []sentence
	tokens := 0
	for i := range texts {
		one := prepare(&texts[i], parsed.Gaz)
		sentences = append(sentences, one)
		tokens += len(one.tokens)
	}
	fmt.Fprintf(log, "%d texts, %d tokens, %d words and pairs in %d KB of lists, %v\n", len(texts), tokens, len(entries), len(table)>>10, time.Since(start).Round(time.Millisecond))
	l := newLearner(parsed.Gaz)
	for e := range s.epochs {
		wrong, total := l.epoch(sentences, max(0, 100-40*e))
		l.rate *= .8
		fmt.Fprintf(log, "epoch %d: %.2f %% wrong, %v\n", e+1, 100*float64(wrong)/float64(total), time.Since(start).Round(time.Millisecond))
	}
	return feature.Encode(weightScale, l.quantise(weightScale), table), nil
}

// weightScale is how much a unit of a quantised weight weighs, in nats.
const weightScale = .025

// texts returns what to learn from, in a fixed order.
func (s settings) texts() ([]text, *generator, error) {
	names, err := readNames(filepath.Join(s.data, "names"))
	if err != nil {
		return nil, nil, err
	}
	templates, lists, err := readTemplates(s.templates)
	if err != nil {
		return nil, nil, err
	}
	g := &generator{names: names, lists: lists, rnd: random{1}}
	var texts []text
	for _, c := range corpora {
		more, err := readCorpus(filepath.Join(s.data, "text", "ner"), c.file)
		if err != nil {
			return nil, nil, err
		}
		for range c.times {
			texts = append(texts, more...)
		}
	}
	for i := range templates {
		t := &templates[i]
		for k := range s.times {
			one, err := g.fill(t)
			if err != nil {
				return nil, nil, err
			}
			texts = append(texts, recase(one, k, &g.rnd))
		}
	}
	return texts, g, nil
}

// recase writes a text in other capitals now and then, as people do.
func recase(t text, k int, r *random) text {
	switch {
	case k%6 == 4 && r.percent(60) && strings.ToLower(t.s) != t.s && len(strings.ToLower(t.s)) == len(t.s):
		t.s = strings.ToLower(t.s)
	case k%6 == 5 && r.percent(30) && len(strings.ToUpper(t.s)) == len(t.s):
		t.s = strings.ToUpper(t.s)
	case r.percent(15): // a heading
		if first, rest, ok := strings.Cut(t.s, "\n"); ok && len(strings.ToUpper(first)) == len(first) {
			t.s = strings.ToUpper(first) + "\n" + rest
		}
	}
	return t
}
