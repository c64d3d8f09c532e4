// Command train makes the model of the name tagger: it reads marked texts and lists of names, fills the templates beside it,
// learns, and writes the model. The same inputs give the same bytes on every machine.
//
//	SCRIM_DATA=../shared/data go run ./privacy/detect/tag/train -o privacy/detect/tag/model.bin
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

type settings struct {
	data, templates, out string
	times, epochs        int
}

// What the model that the program carries was made with.
const (
	defaultTimes  = 14
	defaultEpochs = 6
)

func main() {
	var s settings
	flag.StringVar(&s.data, "data", os.Getenv("SCRIM_DATA"), "directory of the marked texts and name lists")
	flag.StringVar(&s.templates, "templates", "privacy/detect/tag/train", "directory of templates and lists")
	flag.StringVar(&s.out, "o", "privacy/detect/tag/model.bin", "file to write")
	flag.IntVar(&s.times, "times", defaultTimes, "how often each template is filled")
	flag.IntVar(&s.epochs, "epochs", defaultEpochs, "how often everything is read")
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
func train(s settings, log io.Writer) ([]byte, error) {
	start := time.Now()
	src, err := s.open()
	if err != nil {
		return nil, err
	}
	texts, err := src.fill(s.times)
	if err != nil {
		return nil, err
	}
	table := src.gazetteer(texts).table()
	parsed, err := feature.Parse(string(feature.Encode(1, make([]byte, feature.Rows*feature.Tags), table)))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "%d templates, %d texts, %d KB of lists, %v\n", len(src.templates), len(texts), len(table)>>10, time.Since(start).Round(time.Millisecond))
	l := newLearner(parsed.Gaz)
	for e := range s.epochs {
		if e > 0 { // other names each time
			if texts, err = src.fill(s.times); err != nil {
				return nil, err
			}
		}
		sentences := make([]sentence, 0, len(texts))
		for i := range texts {
			sentences = append(sentences, prepare(&texts[i], parsed.Gaz))
		}
		l.count(sentences)
		wrong, total := l.epoch(sentences, max(0, 100-40*e))
		l.rate *= .85
		if e >= s.epochs/2 {
			l.keep()
		}
		fmt.Fprintf(log, "epoch %d: %d words, %.2f %% wrong, %v\n", e+1, total, 100*float64(wrong)/float64(total), time.Since(start).Round(time.Millisecond))
	}
	return feature.Encode(weightScale, l.quantise(weightScale), table), nil
}

// weightScale is how much a unit of a quantised weight weighs, in nats.
const weightScale = .025

// source is what is learned from.
type source struct {
	generator
	templates []template
	marked    []text // of the corpora
}

func (s settings) open() (*source, error) {
	names, err := readNames(filepath.Join(s.data, "names"))
	if err != nil {
		return nil, err
	}
	templates, lists, err := readTemplates(s.templates)
	if err != nil {
		return nil, err
	}
	src := &source{generator: generator{names: names, lists: lists, rnd: random{1}}, templates: templates}
	for _, c := range corpora {
		more, err := readCorpus(filepath.Join(s.data, "text", "ner"), c.file)
		if err != nil {
			return nil, err
		}
		for range c.times {
			src.marked = append(src.marked, more...)
		}
	}
	return src, nil
}

// fill returns the marked texts and each template so many times with names of its own, and those without names, of which
// there are few, more often.
func (src *source) fill(times int) ([]text, error) {
	texts := slices.Clone(src.marked)
	for i := range src.templates {
		t := &src.templates[i]
		n := times
		if strings.HasPrefix(t.family, "plain-") {
			n *= 2
		}
		for k := range n {
			one, err := src.generator.fill(t)
			if err != nil {
				return nil, err
			}
			texts = append(texts, recase(one, k, &src.rnd))
		}
	}
	return texts, nil
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
