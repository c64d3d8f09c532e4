package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Detection is what is found in texts beside what is built in, and what is not found though it is. It stands in scrim.yaml, or
// by itself in a file of rules.
type Detection struct {
	Types     []DetectType             `yaml:"types" doc:"Types of finding given by patterns."`
	Lists     []DetectList             `yaml:"lists" doc:"Types of finding given by their values, which are always found, whatever their case."`
	Allow     []DetectAllow            `yaml:"allow" doc:"What is not found, though a pattern would find it. Values of lists, and those that a task knows, are found all the same."`
	Builtin   map[string]DetectBuiltin `yaml:"builtin" keys:"id" doc:"Changes of built-in types, by name; scrim detect types lists them."`
	MinScore  Score                    `yaml:"min_score" doc:"Findings of built-in types with a lower score are none, for everybody, from 0 to 1; a type's own min_score goes before. Policies can do the same for one flow."`
	Languages []string                 `yaml:"languages" doc:"Languages of the texts, such as de: types and lists that are for other languages are left out. Absent: all."`
	Remote    *RemoteDetector          `yaml:"remote" doc:"A service that is shown every text and finds more. In a file of rules it has no place."`
	ONNX      *ONNXDetector            `yaml:"onnx" doc:"A model that is shown every text and finds more. It needs the program scrim-onnx. In a file of rules it has no place."`
}

// DetectType is a type of finding given by patterns.
type DetectType struct {
	Name      string          `yaml:"name" doc:"Lower-case words with dashes, such as staff-number." required:"true"`
	Label     flow.Label      `yaml:"label" doc:"Class of data that it is." required:"true" pattern:"label"`
	Patterns  []string        `yaml:"patterns" doc:"RE2 patterns, in single quotes. A match begins and ends with a word or a mark and has at most 256 bytes; ^ and $ are not for here." required:"true"`
	Before    []string        `yaml:"before" doc:"Words of which one must stand within 64 bytes before a match, whatever its case."`
	After     []string        `yaml:"after" doc:"Words of which one must stand within 64 bytes after a match, if none stands before it."`
	Check     string          `yaml:"check" doc:"Check that letters and digits of a match must pass: luhn, verhoeff, mod97, iso7064-11-10, iso7064-11-2, isbn, or an official number's type such as pl-pesel."`
	Checksum  *DetectChecksum `yaml:"checksum" doc:"Check by weights, instead."`
	Score     Score           `yaml:"score" doc:"How sure a match is, from 0 to 1. Default: 0.8, with a check 0.9."`
	Languages []string        `yaml:"languages" doc:"Languages of the texts that it is for. Absent: all."`
}

// DetectChecksum is a check by weights.
type DetectChecksum struct {
	Weights   []int `yaml:"weights" doc:"Weight of each digit, from the left. X counts ten." required:"true"`
	Modulus   int   `yaml:"modulus" doc:"What the weighted sum is divided by." required:"true" min:"2" max:"1000"`
	Remainder int   `yaml:"remainder" doc:"What must remain." min:"0" max:"999"`
}

// DetectList is a type of finding given by its values.
type DetectList struct {
	Name      string     `yaml:"name" doc:"Lower-case words with dashes." required:"true"`
	Label     flow.Label `yaml:"label" doc:"Class of data that the values are." required:"true" pattern:"label"`
	Words     []string   `yaml:"words" doc:"The values, of at most 128 bytes each."`
	File      string     `yaml:"file" doc:"File of further values, one a line; empty lines and those that begin with # are left out."`
	Languages []string   `yaml:"languages" doc:"Languages of the texts that it is for. Absent: all."`
}

// DetectAllow is what is not found.
type DetectAllow struct {
	Values   []string `yaml:"values" doc:"Values, whatever their case."`
	Exact    []string `yaml:"exact" doc:"Values as they are written."`
	Patterns []string `yaml:"patterns" doc:"RE2 patterns that take a whole finding."`
	Types    []string `yaml:"types" doc:"Types of finding that it is for. Absent: all."`
}

// DetectBuiltin changes a built-in type.
type DetectBuiltin struct {
	Off      bool       `yaml:"off" doc:"Findings of this type are none."`
	Label    flow.Label `yaml:"label" doc:"A label instead of the type's own, and a stricter one." pattern:"label"`
	Weaken   bool       `yaml:"weaken" doc:"The label may be laxer than the type's own."`
	MinScore Score      `yaml:"min_score" doc:"Findings with a lower score are none, from 0 to 1."`
}

// Score is a number from 0 to 1.
type Score float64

var errScore = errors.New("a number from 0 to 1 is expected")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Score) UnmarshalText(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return errScore
	}
	*s = Score(f)
	return nil
}

// Rules returns what the file says of detection. With its languages it goes into [detect.Options].
func (c *Config) Rules() *detect.Rules { return c.loaded.rules }

// LoadRules reads a file of rules, which is what scrim.yaml has under detection. The error is [Mistakes], or what the system
// said when the file could not be read.
func LoadRules(path string) (rules *detect.Rules, languages []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rules: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rules: %w", err)
	}
	if len(raw) > maxFile {
		return nil, nil, Mistakes{{File: path, Message: "the file is larger than 1 MiB"}}
	}
	root, err := document(path, raw)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{file: path, places: map[string]place{}}
	c := &Config{}
	d.structure(root, reflect.ValueOf(&c.Detection).Elem(), "")
	c.loaded = loaded{file: path, dir: filepath.Dir(path), places: d.places, taxonomy: flow.DefaultTaxonomy(), compared: map[string]bool{}, content: map[string][]byte{}}
	v := &validator{c: c, mistakes: d.mistakes, hash: sha256.New()}
	v.detection("")
	if c.Detection.Remote != nil || c.Detection.ONNX != nil {
		v.wrong("", "remote and onnx stand in scrim.yaml, under detection", "a file of rules names no other detector")
	}
	v.mistakes.sort()
	if len(v.mistakes) > 0 {
		return nil, nil, v.mistakes
	}
	return c.loaded.rules, c.Detection.Languages, nil
}

// detection checks the rules by making a detector of them. The places of its mistakes are below prefix.
func (v *validator) detection(prefix string) {
	d := &v.c.Detection
	for i, l := range d.Languages {
		if !detect.Language(l) {
			v.wrong(fmt.Sprintf("%slanguages/%d", prefix, i), "such as de or pt-BR", "not a language")
		}
	}
	r := d.rules()
	for i, l := range d.Lists {
		if l.File == "" || !v.look() {
			continue
		}
		raw, ok := v.read(fmt.Sprintf("%slists/%d/file", prefix, i), l.File)
		for line := range strings.Lines(string(raw)) {
			if line = strings.TrimSpace(line); ok && line != "" && line[0] != '#' {
				r.Lists[i].Words = append(r.Lists[i].Words, line)
			}
		}
	}
	if len(v.mistakes) > 0 {
		return // the rest would be told twice
	}
	_, err := detect.New(detect.Options{Taxonomy: v.c.loaded.taxonomy, Rules: r, Languages: d.Languages})
	for _, wrong := range ruleErrors(err) {
		if strings.HasPrefix(wrong.Path, "lists/") && !v.look() && strings.Contains(wrong.What, "needs words") {
			continue // they are in a file
		}
		v.wrong(prefix+wrong.Path, wrong.Hint, "%s", wrong.What)
	}
	v.c.loaded.rules = r
}

func ruleErrors(err error) (all []*detect.RuleError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if wrong, ok := errors.AsType[*detect.RuleError](e); ok {
				all = append(all, wrong)
			}
		}
	}
	return all
}

func (d *Detection) rules() *detect.Rules {
	r := &detect.Rules{Builtin: map[string]detect.Change{}, MinScore: float64(d.MinScore)}
	for _, t := range d.Types {
		one := detect.Custom{
			Name: t.Name, Label: t.Label, Patterns: t.Patterns, Before: t.Before, After: t.After, Check: t.Check, Score: float64(t.Score), Languages: t.Languages,
		}
		if s := t.Checksum; s != nil {
			one.Checksum = &detect.Checksum{Weights: s.Weights, Modulus: s.Modulus, Remainder: s.Remainder}
		}
		r.Types = append(r.Types, one)
	}
	for _, l := range d.Lists {
		r.Lists = append(r.Lists, detect.WordList{Name: l.Name, Label: l.Label, Words: append([]string(nil), l.Words...), Languages: l.Languages})
	}
	for _, a := range d.Allow {
		r.Allow = append(r.Allow, detect.Allow{Values: a.Values, Exact: a.Exact, Patterns: a.Patterns, Types: a.Types})
	}
	for name, b := range d.Builtin {
		r.Builtin[name] = detect.Change{Off: b.Off, Label: b.Label, Weaken: b.Weaken, MinScore: float64(b.MinScore)}
	}
	return r
}
