// Package onnx finds things in texts with a token classification model of the BERT family that the user has as an ONNX file,
// computed in Go. It is a module of its own for what it links.
//
// Long texts are read in windows that overlap and end where a sentence does, if one does. Every token of a text is seen by the
// model; a text that cannot be read whole in the time there is, is an error.
package onnx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knights-analytics/hugot"
	"github.com/knights-analytics/hugot/backends"
	"github.com/knights-analytics/hugot/options"
	"github.com/knights-analytics/hugot/pipelines"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Ignored is what a type of the model is mapped to whose findings are none.
const Ignored flow.Label = "none"

// Errors that callers may act on. None holds anything of a text.
var (
	ErrModel  = errors.New("the model could not compute")
	ErrTooBig = errors.New("the text is larger than the model is asked about")
	ErrTime   = errors.New("the model did not come to an end in time")
)

// Options of a model. What is zero has the default named.
type Options struct {
	Types    map[string]flow.Label // by the model's type, such as PER; beside the usual ones, and instead of them
	MinScore float64               // findings below are none
	Taxonomy *flow.Taxonomy
	Bytes    int // of one text; 256 KiB
	Window   int // tokens that the model sees at once; as its config.json says, at most 512
}

// Detector runs a model. It computes one text at a time; it is safe for concurrent use.
type Detector struct {
	opt     Options
	words   *wordPiece
	model   *backends.Model
	base    *backends.BasePipeline
	classes []class
	turn    chan struct{} // who holds its one place computes
}

var _ detect.Detector = (*Detector)(nil)

// class is what one output of the model says of a token.
type class struct {
	kind  string // "": nothing
	begin bool   // it never belongs to a finding before it
}

// usual are types that many models have.
var usual = map[string]flow.Label{
	"PER": "person/name", "PERSON": "person/name", "LOC": "location/city", "GPE": "location/city", "LOCATION": "location/city",
	"ORG": "organization", "ORGANIZATION": "organization", "DATE": "time", "EMAIL": "person/contact/email", "PHONE": "person/contact/phone",
	"ADDRESS": "person/contact/address",
}

// Open loads the model of a directory: one .onnx file, config.json with id2label, and tokenizer.json.
func Open(dir string, opt Options) (*Detector, error) {
	if opt.Taxonomy == nil {
		opt.Taxonomy = flow.DefaultTaxonomy()
	}
	types := maps.Clone(usual)
	maps.Copy(types, opt.Types)
	opt.Types = types
	opt.Bytes = cmp.Or(opt.Bytes, 256<<10)
	for _, l := range opt.Types {
		if l != Ignored && (!opt.Taxonomy.Known(l) || l == flow.PublicData || l == flow.FreeText) {
			return nil, errors.New("a type of the model is mapped to no class of data that a finding can have")
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, errors.New("the model's directory has no tokenizer.json that can be read")
	}
	words, err := newWordPiece(raw)
	if err != nil {
		return nil, err
	}
	d := &Detector{opt: opt, words: words, turn: make(chan struct{}, 1)}
	if err := d.load(dir); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Detector) load(dir string) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("loading it: %w", ErrModel)
		}
	}()
	// Shapes are few, so that texts of many lengths do not fill the memory with compiled graphs.
	session, err := hugot.NewGoSession(options.WithGoMLXBatchBuckets([]int{1}), options.WithGoMLXSequenceBuckets([]int{32, 128, 512}))
	if err != nil {
		return err
	}
	p, err := hugot.NewPipeline(session, hugot.TokenClassificationConfig{ModelPath: dir, Name: "scrim", Options: []backends.PipelineOption[*pipelines.TokenClassificationPipeline]{pipelines.WithoutAggregation()}})
	if err != nil {
		return fmt.Errorf("loading the model: %w", err)
	}
	d.model, d.base = p.Model, p.BasePipeline
	d.model.EosTokenIDs = nil // padding belongs at the end
	d.opt.Window = min(cmp.Or(d.opt.Window, 512), 512, cmp.Or(d.model.MaxPositionEmbeddings, 512))
	d.model.GoMLXModel.SequenceBuckets = append(slices.DeleteFunc([]int{32, 128}, func(n int) bool { return n >= d.opt.Window }), d.opt.Window)
	outputs := d.model.OutputsMeta[0].Dimensions
	if n := len(d.model.IDLabelMap); outputs[len(outputs)-1] != int64(n) || d.opt.Window < 8 {
		return errors.New("config.json and the model's output do not fit together")
	}
	for i := range len(d.model.IDLabelMap) {
		name, ok := d.model.IDLabelMap[i]
		if !ok {
			return errors.New("config.json leaves out an output of the model")
		}
		d.classes = append(d.classes, classOf(name))
	}
	return nil
}

// classOf reads names such as O, B-PER, I-PER or PER.
func classOf(name string) class {
	if name == "O" || name == "" {
		return class{}
	}
	if len(name) > 2 && (name[1] == '-' || name[1] == '_') && strings.IndexByte("BILESU", name[0]) >= 0 {
		return class{kind: name[2:], begin: strings.IndexByte("BSU", name[0]) >= 0}
	}
	return class{kind: name}
}

// Find implements [detect.Detector]. The error is ErrTooBig, ErrTime or ErrModel, and with it come no findings.
func (d *Detector) Find(ctx context.Context, text string, _ *detect.KnownSet) ([]detect.Finding, error) {
	if len(text) > d.opt.Bytes {
		return nil, ErrTooBig
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ErrTime
	}
	type result struct {
		found []detect.Finding
		err   error
	}
	done := make(chan result, 1)
	go func() { // a window that is being computed cannot be stopped: it keeps its turn until it ends, and no other begins
		defer func() { <-d.turn }()
		var r result
		defer func() {
			if recover() != nil { // what it says may quote the text
				r = result{err: ErrModel}
			}
			done <- r
		}()
		r.found, r.err = d.find(ctx, text)
	}()
	select {
	case r := <-done:
		return r.found, r.err
	case <-ctx.Done():
		return nil, ErrTime
	}
}

func (d *Detector) find(ctx context.Context, text string) ([]detect.Finding, error) {
	tokens := d.words.tokens(text)
	var found []detect.Finding
	for _, w := range windows(tokens, d.opt.Window-2) {
		if ctx.Err() != nil {
			return nil, ErrTime
		}
		scores, err := d.run(w)
		if err != nil {
			return nil, err
		}
		found = append(found, d.spans(w, scores)...)
	}
	return detect.Merge(d.opt.Taxonomy, text, nil, found), nil
}

// windows cuts tokens into runs of at most size. Each but the first begins with the last quarter or so of the one before.
func windows(tokens []token, size int) [][]token {
	var out [][]token
	for from := 0; len(tokens)-from > size; {
		end := from + size
		for e := end; e > from+size*3/4; e-- {
			if tokens[e-1].stop {
				end = e
				break
			}
		}
		for end > from+size/2 && !tokens[end].first { // no word is cut, unless it is as long as half a window
			end--
		}
		out = append(out, tokens[from:end])
		next := end - size/4
		for next > from+1 && !tokens[next].first {
			next--
		}
		from = next
		if len(tokens)-from <= size {
			return append(out, tokens[from:])
		}
	}
	if len(tokens) > 0 && len(out) == 0 {
		out = append(out, tokens)
	}
	return out
}

// run computes one window and returns the outputs of each of its tokens.
func (d *Detector) run(w []token) ([][]float32, error) {
	n := len(w) + 2
	in := backends.TokenizedInput{TokenIDs: make([]uint32, n), TypeIDs: make([]uint32, n), AttentionMask: make([]uint32, n), MaxAttentionIndex: n - 1}
	in.TokenIDs[0], in.TokenIDs[n-1] = uint32(d.words.cls), uint32(d.words.sep)
	for i := range in.AttentionMask {
		in.AttentionMask[i] = 1
	}
	for i, t := range w {
		in.TokenIDs[i+1] = uint32(t.id)
	}
	batch := backends.NewBatch(1)
	batch.Input, batch.MaxSequenceLength = []backends.TokenizedInput{in}, n
	if err := backends.CreateInputTensors(batch, d.model, "GO"); err != nil {
		return nil, ErrModel
	}
	defer func() { _ = batch.Destroy() }()
	if err := backends.RunSessionOnBatch(batch, d.base); err != nil || len(batch.OutputValues) == 0 {
		return nil, ErrModel
	}
	out, ok := batch.OutputValues[0].([][][]float32)
	if !ok || len(out) != 1 || len(out[0]) != n {
		return nil, ErrModel
	}
	for _, scores := range out[0] {
		if len(scores) != len(d.classes) || slices.ContainsFunc(scores, func(s float32) bool { return s != s }) {
			return nil, ErrModel
		}
	}
	return out[0][1 : n-1], nil
}
