package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/score"
)

func (e *env) detectEvalCommand() *cobra.Command {
	var asJSON bool
	var how detecting
	var mapFile string
	c := e.command("eval DATASET", "Measure the detector against marked texts",
		"Reads texts with marked spans (a JSON array as presidio-research writes it, lines of {\"text\",\"spans\"}, or CoNLL), or all\n"+
			"such files of a directory, and prints precision, recall, F1 and F2 over tokens, how many marked values were found, false\n"+
			"alarms, and by type how well it was told and what was found as what. Nothing of a text is printed. --map names a JSON\n"+
			"file that says which labels stand for a type of the data set: {\"PERSON\": [\"person/name\"]}.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			m, err := readMap(mapFile)
			if err != nil {
				return err
			}
			d, err := how.engine()
			if err != nil {
				return err
			}
			ev := &evaluation{env: e, detector: d, sum: score.Sheet{Map: m}}
			if err := ev.all(ctx, args); err != nil {
				return err
			}
			if asJSON {
				return e.printSheetJSON(ev)
			}
			ev.printSets()
			e.printSheet(&ev.sum)
			fmt.Fprintf(e.err, "%.1f MB/s\n", ev.speed())
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&mapFile, "map", "", "JSON file of the labels that stand for each type of the data set")
	how.flags(c)
	return c
}

// readMap reads a map over the default one.
func readMap(file string) (score.Map, error) {
	m := score.DefaultMap()
	if file == "" {
		return m, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var own map[string][]flow.Label
	if err := json.Unmarshal(raw, &own); err != nil {
		return nil, fmt.Errorf("%s is not of the form {\"PERSON\": [\"person/name\"]}", file)
	}
	tax := flow.DefaultTaxonomy()
	for name, labels := range own {
		for _, l := range labels {
			if _, ok := tax.Class(l); !ok {
				return nil, fmt.Errorf("%s: there is no class %q", file, l)
			}
		}
		m[score.Name(name)] = labels
	}
	return m, nil
}

// evaluation is one or several data sets and how the detector did on them.
type evaluation struct {
	env      *env
	detector *chosen
	sum      score.Sheet
	sets     []scoredSet
	took     time.Duration // in the detector alone
}

type scoredSet struct {
	name  string
	sheet *score.Sheet
}

// dataExtensions are those of files of a directory that are read.
var dataExtensions = []string{".json", ".jsonl", ".conll", ".bio", ".iob", ".iob2"}

func (ev *evaluation) all(ctx context.Context, args []string) error {
	info, err := os.Stat(args[0])
	if args[0] == "-" || err == nil && !info.IsDir() || err != nil {
		return ev.file(ctx, args)
	}
	err = filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(dataExtensions, filepath.Ext(path)) {
			return err
		}
		return ev.file(ctx, []string{path})
	})
	if err == nil && len(ev.sets) == 0 {
		return fmt.Errorf("%s has no file that ends in %s", args[0], strings.Join(dataExtensions, ", "))
	}
	return err
}

func (ev *evaluation) file(ctx context.Context, args []string) error {
	in, name, err := ev.env.open(args)
	if err != nil {
		return err
	}
	defer in.Close()
	texts, err := score.Read(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sheet := score.Sheet{Map: ev.sum.Map}
	for _, t := range texts {
		start := time.Now()
		found, err := ev.detector.Find(ctx, t.Text, nil)
		if err != nil {
			return err
		}
		ev.took += time.Since(start)
		spans := make([]score.Span, len(found))
		for i, f := range found {
			spans[i] = score.Span{Start: f.Start, End: f.End, Type: f.Type, Label: f.Label}
		}
		sheet.Add(t, spans)
	}
	ev.sum.Merge(&sheet)
	ev.sets = append(ev.sets, scoredSet{name, &sheet})
	return nil
}

// speed is how much text a second was looked at, in MB.
func (ev *evaluation) speed() float64 {
	return float64(ev.sum.Bytes) / 1e6 / max(ev.took.Seconds(), 1e-9)
}

func (ev *evaluation) printSets() {
	if len(ev.sets) < 2 {
		return
	}
	t := table{}
	t.add("data set", "texts", "precision", "recall", "F1", "F2", "values found", "false alarms")
	for _, s := range ev.sets {
		c := s.sheet.Tokens
		t.add(s.name, fmt.Sprint(s.sheet.Texts), percent(c.Precision()), percent(c.Recall()), percent(c.F(1)), percent(c.F(2)),
			percent(float64(s.sheet.Found)/float64(max(s.sheet.Values, 1))), fmt.Sprint(s.sheet.FalseAlarms))
	}
	t.write(ev.env.out, ev.env.style(ev.env.out), "")
	fmt.Fprintln(ev.env.out)
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
	by.add("marked as", "values", "found", "recall of tokens", "precision", "recall", "F1", "F2", "found as")
	for _, name := range s.Types() {
		one := s.ByType[name]
		told := [4]string{"-", "-", "-", "-"} // the map does not say what stands for it
		if c, ok := s.Typed(name); ok {
			told = [4]string{percent(c.Precision()), percent(c.Recall()), percent(c.F(1)), percent(c.F(2))}
		}
		by.add(name, fmt.Sprint(one.Values), fmt.Sprint(one.Found), percent(one.Tokens.Recall()), told[0], told[1], told[2], told[3], foundAs(s, name))
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

func (e *env) printSheetJSON(ev *evaluation) error {
	s := &ev.sum
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
		Told   *figures       `json:"told,omitempty"` // by the map, as this type
	}
	types := map[string]byType{}
	for name, one := range s.ByType {
		as := map[string]int{}
		for pair, n := range s.Confusion {
			if pair[0] == name {
				as[pair[1]] = n
			}
		}
		types[name] = byType{one.Values, one.Found, as, nil}
		if c, ok := s.Typed(name); ok {
			f, t := of(c), types[name]
			t.Told = &f
			types[name] = t
		}
	}
	sets := map[string]figures{}
	for _, one := range ev.sets {
		sets[one.name] = of(one.sheet.Tokens)
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{
		"sets": sets, "bytes": s.Bytes, "mb_per_second": ev.speed(),
		"texts": s.Texts, "tokens": of(s.Tokens), "characters": of(s.Characters), "values": s.Values, "found": s.Found,
		"false_alarms": s.FalseAlarms, "alarms": s.Alarms, "types": types,
	})
}
