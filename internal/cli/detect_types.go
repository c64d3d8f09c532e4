package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/detect"
)

// detecting is how a detector is made for the command line, and which of its findings count.
type detecting struct {
	rules    string
	lang     []string
	types    []string
	minScore float64
}

func (d *detecting) flags(c *cobra.Command) {
	c.Flags().StringVar(&d.rules, "rules", "", "file of rules: what scrim.yaml has under detection")
	c.Flags().StringSliceVar(&d.lang, "lang", nil, "languages of the text, such as de,fr: rules for other languages are left out")
	c.Flags().StringSliceVar(&d.types, "types", nil, "only findings of these types")
	c.Flags().Float64Var(&d.minScore, "min-score", 0, "only findings with this score or more, from 0 to 1")
}

// chosen is a detector of which some findings count.
type chosen struct {
	engine *detect.Engine
	how    *detecting
}

func (d *detecting) engine() (*chosen, error) {
	if !(d.minScore >= 0 && d.minScore <= 1) {
		return nil, misuse("--min-score is a number from 0 to 1")
	}
	for _, l := range d.lang {
		if !detect.Language(l) {
			return nil, misuse("--lang takes languages such as de,fr")
		}
	}
	opt := detect.Options{Languages: d.lang}
	if d.rules != "" {
		r, langs, err := config.LoadRules(d.rules)
		if err != nil {
			return nil, err
		}
		if opt.Rules = r; len(d.lang) == 0 {
			opt.Languages = langs
		}
	}
	engine, err := detect.New(opt)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, t := range detect.Types() {
		known[t.Name] = true
	}
	if opt.Rules != nil {
		for _, t := range opt.Rules.Types {
			known[t.Name] = true
		}
		for _, l := range opt.Rules.Lists {
			known[l.Name] = true
		}
	}
	for _, t := range d.types {
		if !known[t] {
			return nil, misuse("there is no type %q; scrim detect types lists them", t)
		}
	}
	return &chosen{engine, d}, nil
}

// Find is that of the detector, less what was not asked for.
func (c *chosen) Find(ctx context.Context, text string, known *detect.KnownSet) ([]detect.Finding, error) {
	found, err := c.engine.Find(ctx, text, known)
	if err != nil {
		return nil, err
	}
	return c.asked(found), nil
}

func (c *chosen) asked(found []detect.Finding) []detect.Finding {
	return slices.DeleteFunc(found, func(f detect.Finding) bool {
		return f.Score < c.how.minScore || len(c.how.types) > 0 && !slices.Contains(c.how.types, f.Type)
	})
}

func (e *env) detectTypesCommand() *cobra.Command {
	var asJSON bool
	c := e.command("types", "List the built-in types of finding",
		"Prints each type with its label, the lowest score of its findings, what must come together for one, and an example. Of an\n"+
			"official number the example is its form: 9 a digit, A a letter, X either.", cobra.NoArgs,
		func(context.Context, []string) error {
			if asJSON {
				return e.typesJSON()
			}
			t := table{}
			t.add("type", "label", "score", "found by", "example")
			for _, ty := range detect.Types() {
				t.add(ty.Name, joinLabels(ty.Labels), fmt.Sprintf("%.2f", ty.Score), ty.Gate, oneLine(ty.Example))
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func joinLabels(labels []flow.Label) string {
	var all []string
	for _, l := range labels {
		all = append(all, string(l))
	}
	return strings.Join(all, ", ")
}

func (e *env) typesJSON() error {
	type one struct {
		Name    string       `json:"name"`
		Title   string       `json:"title"`
		Labels  []flow.Label `json:"labels"`
		Score   float64      `json:"score"`
		Gate    string       `json:"gate"`
		Example string       `json:"example,omitempty"`
	}
	var all []one
	for _, t := range detect.Types() {
		all = append(all, one{t.Name, t.Title, t.Labels, t.Score, t.Gate, t.Example})
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}
