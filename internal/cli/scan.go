package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/observe/inventory"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// scanning is what "scrim scan" was asked for.
type scanning struct {
	asJSON bool
	opt    inventory.Options
}

func (e *env) scanCommand() *cobra.Command {
	var s scanning
	c := e.command("scan [FILE|FOLDER…]", "List what data a source holds, and propose labels for it",
		"Looks at a sample of each table and proposes labels for its columns, with how sure they are and how many values spoke for\n"+
			"them. No value is shown, logged or written anywhere.", cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error { return e.scan(ctx, &s, args) })
	f := c.Flags()
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	f.IntVar(&s.opt.Sample, "sample", 2000, "rows of each table to look at, at most 10000")
	f.Uint64Var(&s.opt.Seed, "seed", 0, "another number picks other rows; the same one picks the same")
	f.DurationVar(&s.opt.Each, "time", 5*time.Minute, "longest time for one table")
	return c
}

func (e *env) scan(ctx context.Context, s *scanning, args []string) error {
	src, err := e.scanned(args)
	if err != nil {
		return err
	}
	classifier, err := column.New(column.Options{})
	if err != nil {
		return err
	}
	inv, err := inventory.Scan(ctx, src, classifier, s.opt)
	if err != nil {
		return err
	}
	if s.asJSON {
		err = e.printJSON(inv)
	} else {
		e.printInventory(inv)
	}
	if err != nil {
		return err
	}
	return e.unread(inv)
}

// scanned is the source that the arguments name.
func (e *env) scanned(args []string) (inventory.Source, error) {
	if len(args) == 0 {
		return nil, misuse("what is to be looked at? Name files or folders")
	}
	var files []inventory.Opened
	for _, arg := range args {
		found, err := e.filesOf(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	name := files[0].Name
	if len(files) > 1 {
		name = count(len(files), "file")
	}
	return inventory.Files(name, files), nil
}

// filesOf lists the tables in a folder, or the one file.
func (e *env) filesOf(arg string) ([]inventory.Opened, error) {
	if strings.Contains(arg, "://") {
		return nil, misuse("an address is not given as an argument, where every program on this machine can read it")
	}
	stat, err := os.Stat(arg)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", strconv.Quote(arg), underlying(err))
	}
	if !stat.IsDir() {
		return []inventory.Opened{{Name: arg, Open: func() (rows.Source, error) { return e.openSource(arg) }}}, nil
	}
	entries, err := os.ReadDir(arg)
	if err != nil {
		return nil, err
	}
	var files []inventory.Opened
	for _, f := range entries {
		path := filepath.Join(arg, f.Name())
		if form, _ := formOf(path); form != "" && f.Type().IsRegular() {
			files = append(files, inventory.Opened{Name: path, Open: func() (rows.Source, error) { return e.openSource(path) }})
		}
	}
	if len(files) == 0 {
		return nil, refuse("Give "+tableForms+".", "%s holds no tables", strconv.Quote(arg))
	}
	return files, nil
}

// unread fails if something could not be looked at.
func (e *env) unread(inv *inventory.Inventory) error {
	bad := 0
	for i := range inv.Assets {
		if inv.Assets[i].Failed {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return &status{failed, fmt.Sprintf("%d of %s could not be looked at", bad, count(len(inv.Assets), "asset"))}
}

// printInventory prints what was found as a list. Names are the source's, so they are printed without what could steer a terminal.
func (e *env) printInventory(inv *inventory.Inventory) {
	columns, labelled := 0, 0
	for i := range inv.Assets {
		a := &inv.Assets[i]
		e.printAsset(e.out, a)
		columns += len(a.Columns)
		for _, c := range a.Columns {
			if len(c.Guesses) > 0 {
				labelled++
			}
		}
	}
	fmt.Fprintf(e.out, "%s: %s, %s, %d with a label to review; the others stay unlabelled, which is treated as restricted\n",
		nameShown(inv.Source), count(len(inv.Assets), "asset"), count(columns, "column"), labelled)
}

func (e *env) printAsset(w io.Writer, a *inventory.Asset) {
	fmt.Fprintf(w, "%s  %s", nameShown(a.Name), a.Kind)
	if a.Exact || a.Rows > 0 {
		about := ""
		if !a.Exact {
			about = "about "
		}
		fmt.Fprintf(w, ", %s%s", about, count(int(a.Rows), "row"))
	}
	if a.Sampled > 0 {
		fmt.Fprintf(w, ", %d looked at", a.Sampled)
	}
	fmt.Fprintln(w)
	if a.Why != "" {
		fmt.Fprintf(w, "  ! %s\n", nameShown(a.Why))
	}
	for _, c := range a.Columns {
		label, sure, proof := "-", "", ""
		if len(c.Guesses) > 0 {
			g := c.Guesses[0]
			label, sure, proof = string(g.Label), fmt.Sprintf("%d%%", g.Confidence), evidence(g.Evidence)
		}
		if c.Why != "" {
			proof = strings.TrimPrefix(proof+"; "+nameShown(c.Why), "; ")
		}
		line := fmt.Sprintf("  %-28s %-16s %-30s %4s  %s", nameShown(c.Name), nameShown(c.Type), label, sure, proof)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// evidence says in words what speaks for a guess.
func evidence(all []column.Evidence) string {
	var parts []string
	for _, v := range all {
		if v.Of <= 1 {
			parts = append(parts, v.What)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d/%d", v.What, v.Matched, v.Of))
	}
	return strings.Join(slices.Compact(parts), ", ")
}

// underlying is an error without the path that the caller names itself.
func underlying(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// nameShown is a name as one line of a terminal may show it: one with characters that could steer it, bidirectional ones and line
// ends included, is quoted.
func nameShown(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return name
	}
	return strconv.Quote(name)
}
