package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) catalogCommand() *cobra.Command {
	return e.group("catalog", "Look at what the catalog says of data", e.catalogList(), e.catalogShow(), e.catalogCheck(), e.catalogExport(), e.catalogSchema())
}

// asset is one thing that the catalog knows, as it is listed.
type asset struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Agent      string   `json:"agent,omitempty"`
	Contract   string   `json:"contract,omitempty"`
	File       string   `json:"file,omitempty"`
	Columns    int      `json:"columns"`
	Unlabelled int      `json:"unlabelled"`
	Tier       string   `json:"tier"` // the strictest of its columns
	Unit       string   `json:"unit,omitempty"`
	Owners     []string `json:"owners,omitempty"`
	Review     string   `json:"review,omitempty"`
}

// assets lists the datasets of contracts, and then what JSON Schemas describe.
func assets(c *config.Config) []asset {
	var all []asset
	for _, k := range c.Catalog().Contracts() {
		for i := range k.Datasets {
			d := &k.Datasets[i]
			a := asset{
				Name: d.Name, Kind: d.Kind.String(), Agent: string(d.Agent), Contract: k.ID, File: k.File(), Columns: len(d.Fields), Unit: d.Unit,
				Owners: d.Governance.Owners, Review: day(d.Governance.Review),
			}
			tier := flow.Public
			for j := range d.Fields {
				tier = min(tier, d.Fields[j].Tier)
				if d.Fields[j].Label == flow.Unlabelled {
					a.Unlabelled++
				}
			}
			a.Tier = tier.String()
			all = append(all, a)
		}
	}
	for _, b := range c.Catalog().Bindings() {
		a := asset{Name: cmp.Or(b.Name, "*"), Kind: b.Kind.String() + " " + b.Direction.String(), Agent: string(b.Owner), File: b.Schema.Name()}
		tier := flow.Public
		for info := range b.Schema.Values() {
			class, _ := c.Taxonomy().Class(info.Label)
			tier = min(tier, class.Tier)
			a.Columns++
			if info.Label == flow.Unlabelled {
				a.Unlabelled++
			}
		}
		a.Tier = tier.String()
		all = append(all, a)
	}
	return all
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func (e *env) catalogList() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("list [-c FILE]", "List the assets: tables, files, skills, tools and messages",
		"Lists the datasets of data contracts and what JSON Schemas describe, with the strictest tier of their columns and how many of\n"+
			"these nothing labels, which are restricted.", nil,
		func(context.Context, []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			all := assets(c)
			if asJSON {
				return e.json(all)
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "asset\tkind\tcolumns\tunlabelled\ttier\tunit\towners\treview\tfile")
			for _, a := range all {
				kind := a.Kind
				if a.Agent != "" {
					kind += " of " + a.Agent
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", inOneLine(a.Name), kind, a.Columns, a.Unlabelled, a.Tier, or(inOneLine(a.Unit)), or(inOneLine(strings.Join(a.Owners, ", "))), or(a.Review), a.File)
			}
			return w.Flush()
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "JSON instead of text")
	return c
}

// inOneLine is text from a file that can neither steer the terminal nor look like a further line or column.
func inOneLine(s string) string {
	return printable(strings.NewReplacer("\n", " ", "\t", " ").Replace(s))
}

func or(s string) string { return cmp.Or(s, "-") }

func (e *env) json(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (e *env) catalogShow() *cobra.Command {
	var file string
	return fileFlag(e.command("show [-c FILE] DATASET", "Show what is said of a dataset and its columns", "", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			k, d, err := e.dataset(file, args[0])
			if err != nil {
				return err
			}
			return e.showAsset(k, d)
		}), &file)
}

// dataset finds a dataset of the catalog by its name.
func (e *env) dataset(file, name string) (*catalog.Contract, *catalog.Dataset, error) {
	c, err := e.load(file)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, k := range c.Catalog().Contracts() {
		if d, ok := k.Dataset(name); ok {
			return k, &d, nil
		}
		for i := range k.Datasets {
			names = append(names, k.Datasets[i].Name)
		}
	}
	if near, ok := flow.Nearest(name, names); ok {
		return nil, nil, misuse("the catalog has no dataset %q; did you mean %s?", name, near)
	}
	return nil, nil, misuse("the catalog has no dataset %q; \"scrim catalog list\" lists them", name)
}

func (e *env) catalogSchema() *cobra.Command {
	var file string
	return fileFlag(e.command("schema [-c FILE] DATASET", "Print the JSON Schema of a dataset's rows",
		"Each column is named by x-scrim-field. List it under schemas for the tool, skill or part that has such rows, and what the contract says\n"+
			"of labels, people and use holds for its messages.", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			_, d, err := e.dataset(file, args[0])
			if err != nil {
				return err
			}
			_, err = e.out.Write(d.AppendSchema(nil))
			return err
		}), &file)
}

func (e *env) showAsset(k *catalog.Contract, d *catalog.Dataset) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	say := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", what, inOneLine(text))
		}
	}
	say("dataset", d.Name+", a "+d.Kind.String())
	say("contract", strings.TrimSpace(k.ID+" "+k.Version)+" ("+k.Status+"), "+k.File())
	say("about", cmp.Or(d.Description, k.Description))
	say("of", string(d.Agent))
	say("unit", d.Unit)
	if d.Budget != (catalog.Budget{}) {
		b := fmt.Sprintf("epsilon %g, delta %g", float64(d.Budget.Total.EpsilonNano)/1e9, float64(d.Budget.Total.DeltaPico)/1e12)
		if d.Budget.Per > 0 {
			b += ", per " + d.Budget.Per.String()
		}
		say("budget", b)
	}
	if d.Contribution != (catalog.Contribution{}) {
		say("contribution", fmt.Sprintf("%d rows, %d groups of one unit at most (0: not said)", d.Contribution.Rows, d.Contribution.Groups))
	}
	if d.Formal {
		say("formal", "rows are released through the ledger alone")
	}
	for _, said := range use(d.Governance) {
		say(said[0], said[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(e.out)
	w = tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "column\tlabel\ttier\ttype\tfor\tin\tkept\tnotes")
	for i := range d.Fields {
		f := &d.Fields[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", inOneLine(f.Column), f.Label, f.Tier, or(inOneLine(cmp.Or(f.Logical, f.PhysicalType))),
			cmp.Or(joined(f.Governance.Purposes), "any purpose"), cmp.Or(joined(f.Governance.Techniques), "any way"), or(kept(f.Governance.Retention)), or(inOneLine(notes(f))))
	}
	return w.Flush()
}

// use is what is said of the use of data, in words.
func use(g catalog.Governance) [][2]string {
	return [][2]string{
		{"owners", joined(g.Owners)}, {"purposes", joined(g.Purposes)}, {"legal basis", joined(g.LegalBasis)}, {"techniques", joined(g.Techniques)},
		{"retention", kept(g.Retention)}, {"recipients", joined(g.Recipients)}, {"transfers", joined(g.Transfers)}, {"review", day(g.Review)},
	}
}

func joined[S ~string](all []S) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}

func kept(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

func notes(f *catalog.Field) string {
	var all []string
	for text, holds := range map[string]bool{"key": f.Key, "unit": f.IsUnit, "required": f.Required, "unique": f.Unique && !f.Key} {
		if holds {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	if f.References != "" {
		all = append(all, "from "+f.References)
	}
	if f.Bounds.Known {
		all = append(all, fmt.Sprintf("%g to %g", f.Bounds.Min, f.Bounds.Max))
	}
	return strings.Join(all, ", ")
}

func (e *env) catalogCheck() *cobra.Command {
	var file string
	var offline bool
	c := fileFlag(e.command("check [-c FILE] [CONTRACT...]", "Check contracts, also against the sources that they describe",
		"Reads the contracts and holds them to each other, to the configuration and to the sources of its datasets: a column that is not\n"+
			"there any more is a mistake. Columns without a label and days of review that have passed are told. Files that are named are read\n"+
			"alone, with the taxonomy of -c or the one that Scrim brings.", cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return e.checkContracts(file, args)
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			e.warnings(c)
			return e.checkCatalog(ctx, c, offline)
		}), &file)
	c.Flags().BoolVar(&offline, "offline", false, "do not open the sources")
	return c
}

// checkContracts reads files alone.
func (e *env) checkContracts(file string, names []string) error {
	tax := flow.DefaultTaxonomy()
	if _, err := os.Stat(file); err == nil {
		c, err := e.load(file)
		if err != nil {
			return err
		}
		tax = c.Taxonomy()
	}
	bad := 0
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			if pe, ok := errors.AsType[*fs.PathError](err); ok {
				err = pe.Err
			}
			return refuse("Name contracts, or leave the names out to check those of the configuration.", "%s: %v", name, err)
		}
		k, err := catalog.ParseContract(name, raw, tax)
		if err != nil {
			fmt.Fprintln(e.err, err)
			bad++
			continue
		}
		fmt.Fprintf(e.out, "%s is good: %s, %s\n", name, count(len(k.Datasets), "dataset"), count(len(k.Fields()), "column"))
	}
	if bad > 0 {
		return errSaid
	}
	return nil
}

func (e *env) checkCatalog(ctx context.Context, c *config.Config, offline bool) error {
	bad := 0
	if !offline {
		for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
			gone, err := run.Vanished(ctx, c, name)
			for _, m := range gone {
				fmt.Fprintln(e.err, m)
			}
			bad += len(gone)
			if err != nil {
				return refuse("Use --offline to leave the sources closed.", "%v", err)
			}
		}
	}
	columns, unlabelled, datasets := 0, 0, 0
	bound := boundDatasets(c)
	for _, k := range c.Catalog().Contracts() {
		for i := range k.Datasets {
			d := &k.Datasets[i]
			datasets++
			none := 0
			for j := range d.Fields {
				columns++
				if d.Fields[j].Label == flow.Unlabelled {
					none++
				}
			}
			unlabelled += none
			if none > 0 {
				m := k.Mistake(d.Name, "name", "", "%s without a label: restricted", count(none, "column"))
				fmt.Fprintf(e.err, "note: %s\n", m)
			}
			if said := use(d.Governance); (said[1][1] != "" || said[3][1] != "" || said[4][1] != "") && d.Kind >= catalog.AsSkill && !bound[d.Name] {
				m := k.Mistake(d.Name, "name", "see \"scrim catalog schema\"", "no schema names its columns (x-scrim-field), so what is said of its use bounds no message")
				fmt.Fprintf(e.err, "note: %s\n", m)
			}
			if due := d.Governance.Review; !due.IsZero() && due.Before(time.Now().Truncate(24*time.Hour)) {
				m := k.Mistake(d.Name, "scrim.review", "", "it was to be looked at again by %s", day(due))
				fmt.Fprintf(e.err, "note: %s\n", m)
			}
		}
	}
	if bad > 0 {
		fmt.Fprintf(e.err, "%s of contracts not found in their sources\n", count(bad, "column"))
		return errSaid
	}
	fmt.Fprintf(e.out, "the catalog is good: %s, %s, %d of them unlabelled\n", count(datasets, "dataset"), count(columns, "column"), unlabelled)
	return nil
}

// boundDatasets are those of which a schema names a column.
func boundDatasets(c *config.Config) map[string]bool {
	names := map[string]bool{}
	for _, b := range c.Catalog().Bindings() {
		for info := range b.Schema.Values() {
			dataset, _, _ := strings.Cut(info.Field, "/")
			names[dataset] = true
		}
	}
	return names
}

func (e *env) catalogExport() *cobra.Command {
	var file, dir string
	c := fileFlag(e.command("export [-c FILE] [CONTRACT...]", "Write contracts as the standard has them (ODCS v3.1)",
		"Writes the contracts of these ids, or all, with what they take over from defaults, to standard output or into a directory. What else\n"+
			"their files say stays, comments included.", cobra.ArbitraryArgs,
		func(_ context.Context, args []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			return e.exportContracts(c, args, dir)
		}), &file)
	c.Flags().StringVarP(&dir, "out", "o", "", "directory to write a file for each into; none is overwritten")
	return c
}

func (e *env) exportContracts(c *config.Config, ids []string, dir string) error {
	all := c.Catalog().Contracts()
	known := map[string]*catalog.Contract{}
	for _, k := range all {
		known[k.ID] = k
	}
	chosen := all
	if len(ids) > 0 {
		chosen = nil
		for _, id := range ids {
			k, ok := known[id]
			if !ok {
				return misuse("there is no contract %q; there are: %s", id, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
			chosen = append(chosen, k)
		}
	}
	for i, k := range chosen {
		raw := k.AppendYAML(nil)
		if dir == "" {
			if i > 0 {
				fmt.Fprintln(e.out, "---")
			}
			if _, err := e.out.Write(raw); err != nil {
				return err
			}
			continue
		}
		name := filepath.Join(dir, safeName(k.ID)+".odcs.yaml")
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			if errors.Is(err, fs.ErrExist) {
				return refuse("Choose another directory.", "%s is there already", name)
			}
			return err
		}
		if _, err := f.Write(raw); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Close(); err != nil {
			return err
		}
		fmt.Fprintln(e.out, name)
	}
	return nil
}

// safeName is an id as the name of a file.
func safeName(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, id)
	return cmp.Or(strings.TrimLeft(name, "."), "contract")
}
