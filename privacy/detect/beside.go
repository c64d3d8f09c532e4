package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Beside is a further detector that whole texts are shown to, after the [Engine]: a model, or a service. What it finds only
// adds: see [Merge]. It is safe for concurrent use.
type Beside struct {
	Name     string   // for errors
	Detector Detector // its findings may overlap and come in any order
	Taxonomy *flow.Taxonomy
	Timeout  time.Duration // for all texts that are asked about at once; 2 s
	Drop     bool          // a text that it cannot look at is taken out; false: the message is refused
	Apart    bool          // texts that come in pieces are not shown to it; false: they are held until they are whole
}

// Batcher is a [Detector] that takes several texts at once. It returns as many lists as there are texts.
type Batcher interface {
	FindAll(ctx context.Context, texts []string) ([][]Finding, error)
}

// ErrFindings is wrapped by the error of [Beside.Add] where a detector's answer cannot be believed.
var ErrFindings = errors.New("a detector's answer makes no sense")

// Add merges what the detector finds into what an engine found in the same texts. With an error found is as it was, and none
// of the texts may be released: the time was up, the detector could not look, or what it says cannot be (ErrFindings).
func (b *Beside) Add(ctx context.Context, texts []string, found [][]Finding) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(b.Timeout, 2*time.Second))
	defer cancel()
	all, err := b.ask(ctx, texts)
	if err == nil {
		err = ctx.Err() // an answer that came too late was not bounded by anybody
	}
	if err == nil && len(all) != len(texts) {
		err = ErrFindings
	}
	for i := 0; err == nil && i < len(all); i++ {
		err = sound(b.Taxonomy, texts[i], all[i])
	}
	if err != nil {
		return fmt.Errorf("detector %s: %w", b.Name, err)
	}
	for i := range all {
		found[i] = Merge(b.Taxonomy, texts[i], found[i], all[i])
	}
	return nil
}

func (b *Beside) ask(ctx context.Context, texts []string) ([][]Finding, error) {
	if many, ok := b.Detector.(Batcher); ok {
		return many.FindAll(ctx, texts)
	}
	out := make([][]Finding, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = b.Detector.Find(ctx, text, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sound refuses findings that are not places of the text, or that would make a part of it public.
func sound(tax *flow.Taxonomy, text string, found []Finding) error {
	for i := range found {
		f := &found[i]
		switch {
		case f.Start < 0 || f.Start >= f.End || f.End > len(text):
		case within(text, f.Start) || within(text, f.End):
		case math.IsNaN(f.Score) || f.Score <= 0 || f.Score > 1:
		case f.Label != flow.Unlabelled && !tax.Known(f.Label):
		case f.Label == flow.PublicData || f.Label == flow.FreeText:
		default:
			continue
		}
		return fmt.Errorf("finding %d: %w", i, ErrFindings)
	}
	return nil
}

// within reports whether a place lies inside a letter, between its bytes.
func within(text string, at int) bool {
	for back := 1; back < utf8.UTFMax && back <= at; back++ {
		if utf8.RuneStart(text[at-back]) {
			_, size := utf8.DecodeRuneInString(text[at-back:])
			return size > back
		}
	}
	return false
}

// Merge returns what an engine found in a text together with what another detector did. All that either found is found.
// Where they overlap the engine's finding stays, and takes the other's label if that is the stricter one; only where the
// other has a stricter label and holds all of the engine's does it take their place. A known value and a long finding always
// stay. Theirs may overlap and come in any order; those that overlap become one with the strictest label.
func Merge(tax *flow.Taxonomy, text string, ours, theirs []Finding) []Finding {
	theirs = joined(tax, theirs)
	if len(theirs) == 0 {
		return ours
	}
	ours = slices.Clone(ours)
	out := make([]Finding, 0, len(ours)+len(theirs))
	at := 0
	for _, t := range theirs {
		for at < len(ours) && ours[at].End <= t.Start {
			out = append(out, ours[at])
			at++
		}
		end := at
		whole := true // t takes the place of all that it overlaps
		surest := t.Score
		for ; end < len(ours) && ours[end].Start < t.End; end++ {
			o := &ours[end]
			whole = whole && o.Start >= t.Start && o.End <= t.End && o.Type != KnownValue && o.Type != Long && stricter(tax, t.Label, o.Label)
			surest = max(surest, o.Score)
		}
		if whole {
			t.Score = surest // of the two what is surer: no doubt about one makes the other less sure
			out, at = append(out, t), end
			continue
		}
		from := t.Start
		for i := at; i < end; i++ {
			o := &ours[i]
			if stricter(tax, t.Label, o.Label) && o.Type != Long {
				o.Label = t.Label
			}
			o.Score = max(o.Score, t.Score)
			out = rest(out, t, from, o.Start, text)
			from = o.End
			if o.End <= t.End {
				out, at = append(out, *o), i+1
			}
		}
		out = rest(out, t, from, t.End, text)
	}
	return append(out, ours[at:]...)
}

func stricter(tax *flow.Taxonomy, a, than flow.Label) bool { return tax.Stricter(than, a) != than }

// joined sorts findings and makes one of those that overlap.
func joined(tax *flow.Taxonomy, found []Finding) []Finding {
	found = slices.Clone(found)
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	out := found[:0]
	for _, f := range found {
		if n := len(out); n > 0 && f.Start < out[n-1].End {
			last := &out[n-1]
			if stricter(tax, f.Label, last.Label) {
				last.Label, last.Type, last.By = f.Label, f.Type, f.By
			}
			last.End, last.Score = max(last.End, f.End), max(last.Score, f.Score)
			continue
		}
		out = append(out, f)
	}
	return out
}

// rest appends a part of a finding, without what is neither letter nor digit at its ends.
func rest(out []Finding, f Finding, start, end int, text string) []Finding {
	if start >= end {
		return out
	}
	mark := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && r != utf8.RuneError
	}
	s := text[start:end]
	f.Start = end - len(strings.TrimLeftFunc(s, mark))
	f.End = start + len(strings.TrimRightFunc(s, mark))
	if f.Start >= f.End {
		return out
	}
	return append(out, f)
}
