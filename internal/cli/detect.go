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
)

func (e *env) detectCommand() *cobra.Command {
	var asJSON, lines bool
	var as string
	var how detecting
	c := e.command("detect [--json|--jsonl] [--as text|json|csv] [--rules FILE] FILE|-", "Show what the detector finds in a text",
		"Prints what is found in a file or in standard input: where, of which type, with which label and how sure. Positions count\n"+
			"Unicode code points from 0. --json prints one finding a line, {\"start\",\"end\",\"type\",\"label\",\"score\",\"by\"}. --jsonl reads\n"+
			"lines {\"id\",\"text\"} instead of a text, and puts the id in front of each finding. --as says what the input is: in JSON, or lines\n"+
			"of it, and in tables the names of members and columns count. Without it that is seen by looking. --rules reads types, lists and\n"+
			"exceptions of your own, which is what scrim.yaml has under detection.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if asJSON && lines {
				return misuse("--json reads a text and --jsonl reads lines of texts; give one of them")
			}
			switch {
			case as != "" && as != "text" && as != "json" && as != "csv":
				return misuse("--as takes text, json or csv")
			case as != "" && lines:
				return misuse("--jsonl says what the input is already; leave --as out")
			}
			engine, err := how.engine()
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
			found, err := engine.findAs(ctx, as, args, text)
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
	c.Flags().StringVar(&as, "as", "", "what the input is: text, json (or lines of it), csv (with a header; any of , ; | and tabs)")
	how.flags(c)
	c.AddCommand(e.detectEvalCommand(), e.detectTypesCommand())
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

// open opens the file that a command was given, or standard input for - and for none, and says what it is called.
func (e *env) open(args []string) (io.ReadCloser, string, error) {
	if len(args) == 0 || args[0] == "-" {
		return io.NopCloser(e.in), "standard input", nil
	}
	f, err := os.Open(args[0])
	return f, args[0], err
}

func (e *env) detectLines(ctx context.Context, engine *chosen, args []string) error {
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
