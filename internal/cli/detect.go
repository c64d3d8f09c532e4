package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/score"
)

func (e *env) detectCommand() *cobra.Command {
	var asJSON, lines bool
	c := e.command("detect [--json|--jsonl] FILE|-", "Show what the detector finds in a text",
		"Prints what is found in a file or in standard input: where, of which type, with which label and how sure. Positions count\n"+
			"Unicode code points from 0. --json prints one finding a line, {\"start\",\"end\",\"type\",\"label\",\"score\",\"by\"}. --jsonl reads\n"+
			"lines {\"id\",\"text\"} instead of a text, and puts the id in front of each finding.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if asJSON && lines {
				return misuse("--json reads a text and --jsonl reads lines of texts; give one of them")
			}
			engine, err := detect.New(detect.Options{})
			if err != nil {
				return err
			}
			if lines {
				return e.detectLines(ctx, engine, args)
			}
			b, err := e.readContent(args)
			if err != nil {
				return err
			}
			text := string(b)
			found, err := engine.Find(ctx, text, nil)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printFindings(nil, text, found)
			}
			t := table{}
			points := newPoints(text)
			for _, f := range found {
				t.add(fmt.Sprintf("%d-%d", points.at(f.Start), points.at(f.End)), f.Type, string(f.Label), fmt.Sprintf("%.2f", f.Score), oneLine(text[f.Start:f.End]))
			}
			t.write(e.out, e.style(e.out), "")
			fmt.Fprintf(e.err, "%d findings\n", len(found))
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print one finding a line as JSON")
	c.Flags().BoolVar(&lines, "jsonl", false, "read lines of {\"id\",\"text\"} and print one finding a line as JSON")
	c.AddCommand(e.detectEvalCommand())
	return c
}

// oneLine makes a finding fit a table.
func oneLine(s string) string {
	s = string(bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, []byte(s)))
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:59]) + "…"
	}
	return s
}

// points turns bytes of a text into code points. Bytes must be asked for in order.
type points struct {
	text       string
	byte, rune int
}

func newPoints(text string) *points { return &points{text: text} }

func (p *points) at(b int) int {
	p.rune += utf8.RuneCountInString(p.text[p.byte:b])
	p.byte = b
	return p.rune
}

// foundLine is a finding as the command prints it: an interface that other programs read.
type foundLine struct {
	ID    json.RawMessage `json:"id,omitempty"`
	Start int             `json:"start"`
	End   int             `json:"end"`
	Type  string          `json:"type"`
	Label string          `json:"label"`
	Score float64         `json:"score"`
	By    string          `json:"by"`
}

func (e *env) printFindings(id json.RawMessage, text string, found []detect.Finding) error {
	w := bufio.NewWriter(e.out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	p := newPoints(text)
	for _, f := range found {
		start := p.at(f.Start)
		if err := enc.Encode(foundLine{id, start, p.at(f.End), f.Type, string(f.Label), f.Score, f.By}); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (e *env) open(args []string) (io.ReadCloser, string, error) {
	if len(args) == 0 || args[0] == "-" {
		return io.NopCloser(e.in), "standard input", nil
	}
	f, err := os.Open(args[0])
	return f, args[0], err
}

func (e *env) detectLines(ctx context.Context, engine *detect.Engine, args []string) error {
	in, name, err := e.open(args)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var one struct {
			ID   json.RawMessage `json:"id"`
			Text *string         `json:"text"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil || one.Text == nil {
			return fmt.Errorf("line %d of %s is not {\"id\",\"text\"}", n, name)
		}
		found, err := engine.Find(ctx, *one.Text, nil)
		if err != nil {
			return err
		}
		if err := e.printFindings(slices.Clone(one.ID), *one.Text, found); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return fmt.Errorf("a line of %s is longer than 64 MiB", name)
	}
	return nil
}

func (e *env) detectEvalCommand() *cobra.Command {
	var asJSON bool
	c := e.command("eval DATASET", "Measure the detector against marked texts",
		"Reads texts with marked spans (a JSON array as presidio-research writes it, lines of {\"text\",\"spans\"}, or CoNLL) and prints\n"+
			"precision, recall, F1 and F2 over tokens, how many marked values were found, false alarms, and by type what was found\n"+
			"as what. Nothing of a text is printed.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in, name, err := e.open(args)
			if err != nil {
				return err
			}
			defer in.Close()
			texts, err := score.Read(in)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			engine, err := detect.New(detect.Options{})
			if err != nil {
				return err
			}
			var sheet score.Sheet
			for _, t := range texts {
				found, err := engine.Find(ctx, t.Text, nil)
				if err != nil {
					return err
				}
				spans := make([]score.Span, len(found))
				for i, f := range found {
					spans[i] = score.Span{Start: f.Start, End: f.End, Type: f.Type}
				}
				sheet.Add(t, spans)
			}
			if asJSON {
				return e.printSheetJSON(&sheet)
			}
			e.printSheet(&sheet)
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (e *env) printSheet(s *score.Sheet) {
	st := e.style(e.out)
	t := table{}
	t.add("", "precision", "recall", "F1", "F2")
	for _, row := range []struct {
		name string
		c    score.Counts
	}{{"tokens", s.Tokens}, {"characters", s.Characters}} {
		t.add(row.name, percent(row.c.Precision()), percent(row.c.Recall()), percent(row.c.F(1)), percent(row.c.F(2)))
	}
	t.write(e.out, st, "")
	fmt.Fprintf(e.out, "\n%d texts, %d of %d marked values found (%s), %d false alarms\n\n", s.Texts, s.Found, s.Values, percent(float64(s.Found)/float64(max(s.Values, 1))), s.FalseAlarms)
	by := table{}
	by.add("marked as", "values", "found", "recall of tokens", "found as")
	for _, name := range s.Types() {
		one := s.ByType[name]
		by.add(name, fmt.Sprint(one.Values), fmt.Sprint(one.Found), percent(one.Tokens.Recall()), foundAs(s, name))
	}
	by.write(e.out, st, "")
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// foundAs lists the types of the findings that cover a marked type, the most frequent first.
func foundAs(s *score.Sheet, name string) string {
	type count struct {
		as string
		n  int
	}
	var all []count
	for pair, n := range s.Confusion {
		if pair[0] == name {
			all = append(all, count{pair[1], n})
		}
	}
	slices.SortFunc(all, func(a, b count) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return bytes.Compare([]byte(a.as), []byte(b.as))
	})
	out := ""
	for i, c := range all {
		if i == 4 {
			out += ", …"
			break
		}
		if i > 0 {
			out += ", "
		}
		if c.as == "" {
			c.as = "nothing"
		}
		out += fmt.Sprintf("%s %d", c.as, c.n)
	}
	return out
}

func (e *env) printSheetJSON(s *score.Sheet) error {
	type figures struct {
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
		F1        float64 `json:"f1"`
		F2        float64 `json:"f2"`
	}
	of := func(c score.Counts) figures { return figures{c.Precision(), c.Recall(), c.F(1), c.F(2)} }
	type byType struct {
		Values int            `json:"values"`
		Found  int            `json:"found"`
		As     map[string]int `json:"as"`
	}
	types := map[string]byType{}
	for name, one := range s.ByType {
		as := map[string]int{}
		for pair, n := range s.Confusion {
			if pair[0] == name {
				as[pair[1]] = n
			}
		}
		types[name] = byType{one.Values, one.Found, as}
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{
		"texts": s.Texts, "tokens": of(s.Tokens), "characters": of(s.Characters), "values": s.Values, "found": s.Found,
		"false_alarms": s.FalseAlarms, "alarms": s.Alarms, "types": types,
	})
}
