package onnx

import (
	"math"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// spans makes findings of a window: a word is of the class that its tokens have on average, and words of one type in a row
// are one finding, unless a word begins another.
func (d *Detector) spans(w []token, scores [][]float32) []detect.Finding {
	var out []detect.Finding
	last := "" // type of the word before
	words := 0 // of the finding that is being made
	for i := 0; i < len(w); {
		end := i + 1
		for end < len(w) && !w[end].first {
			end++
		}
		best, share := mean(scores[i:end])
		c := d.classes[best]
		switch {
		case c.kind == "":
		case c.kind == last && !c.begin:
			f := &out[len(out)-1]
			f.End = w[end-1].end
			f.Score = (f.Score*float64(words) + share) / float64(words+1)
			words++
		default:
			out = append(out, detect.Finding{Start: w[i].start, End: w[end-1].end, Type: c.kind, Label: d.label(c.kind), Score: share, By: "onnx"})
			words = 1
		}
		last, i = c.kind, end
	}
	kept := out[:0]
	for _, f := range out {
		if f.Label != Ignored && f.Score >= d.opt.MinScore {
			kept = append(kept, f)
		}
	}
	return kept
}

func (d *Detector) label(kind string) flow.Label {
	if l, ok := d.opt.Types[kind]; ok {
		return l
	}
	return flow.Unlabelled
}

// mean returns the class that tokens have on average, and how sure that is.
func mean(scores [][]float32) (best int, share float64) {
	sum := make([]float64, len(scores[0]))
	for _, one := range scores {
		most := math.Inf(-1)
		for _, s := range one {
			most = max(most, float64(s))
		}
		total := 0.0
		for _, s := range one {
			total += math.Exp(float64(s) - most)
		}
		for i, s := range one {
			sum[i] += math.Exp(float64(s)-most) / total / float64(len(scores))
		}
	}
	for i, s := range sum {
		if s > sum[best] {
			best = i
		}
	}
	return best, min(sum[best], 1)
}
