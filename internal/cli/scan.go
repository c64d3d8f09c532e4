package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/inventory"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// scanning is what "scrim scan" was asked for.
type scanning struct {
	from   scanFrom
	config string // with it: whose taxonomy and detection rules hold
	id     string
	domain string
	out    string
	diff   string
	asJSON bool
	sure   int
	accept bool
	opt    inventory.Options
}

func (e *env) scanCommand() *cobra.Command {
	var s scanning
	c := e.command("scan [FILE|FOLDER|sqlite:FILE…] [--postgres-env NAME] [--mcp URL] [--a2a URL] [--command -- PROGRAM…]",
		"List what data a source holds, and propose labels and contracts",
		"Lists the tables of files, of a SQLite or PostgreSQL database, the tools of an MCP server or the skills of an A2A agent, looks\n"+
			"at a sample of rows, and proposes a label for each column, with how sure it is and how many values spoke for it. No value is\n"+
			"shown, logged or written anywhere. What nothing speaks for stays unlabelled, which is treated as restricted.\n\n"+
			"With --out it writes a data contract in draft, for somebody to review. With --diff it tells what is different from a contract,\n"+
			"and its exit status is 1 if anything is; with both it writes the old contract with what is new in it.\n\n"+
			"A database is read in transactions that only read. Addresses with passwords, and credentials, come from an environment variable\n"+
			"or a file, never from an argument, which other users of the machine can see.",
		cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error { return e.scan(ctx, &s, args) })
	f := c.Flags()
	s.from.flags(f)
	f.StringVarP(&s.config, "config", "c", "", "scrim.yaml whose taxonomy and detection rules hold (default: the built-in ones)")
	f.StringVar(&s.id, "id", "", "what contracts call the source (default: made of its name)")
	f.StringVar(&s.domain, "domain", "", "the domain that owns the data, for the contract")
	f.StringVarP(&s.out, "out", "o", "", "file to write the contract to, which must not exist; - for standard output")
	f.StringVar(&s.diff, "diff", "", "contract to compare with")
	f.BoolVar(&s.accept, "accept", false, "with --diff and --out: labels that drifted were looked at, and are not told of again")
	f.IntVar(&s.sure, "sure", 50, "least confidence, in percent, of a label that is proposed")
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	f.IntVar(&s.opt.Sample, "sample", 2000, "rows of each table to look at, at most 10000")
	f.Uint64Var(&s.opt.Seed, "seed", 0, "another number picks other rows; the same one picks the same")
	f.DurationVar(&s.opt.Each, "time", 5*time.Minute, "longest time for one table or tool")
	f.BoolVar(&s.opt.Views, "views", false, "read rows of views and foreign tables too, which runs what their owners wrote")
	f.BoolVar(&s.opt.Call, "call", false, "call MCP tools that say they only read and need no arguments, and look at what they answer")
	return c
}

func (e *env) scan(ctx context.Context, s *scanning, args []string) error {
	switch {
	case s.accept && (s.diff == "" || s.out == ""):
		return misuse("--accept goes with --diff and --out")
	case s.sure < 1 || s.sure > 100:
		return misuse("--sure is a number from 1 to 100")
	case s.opt.Sample < 1 || s.opt.Sample > 10_000:
		return misuse("--sample is a number from 1 to 10000")
	case s.out == "-" && s.asJSON:
		return misuse("--out - and --json both print; give one of them")
	}
	classifier, tax, err := e.scanClassifier(s.config)
	if err != nil {
		return err
	}
	var old *catalog.Contract
	if s.diff != "" {
		if old, err = e.oldContract(s.diff, tax); err != nil {
			return err
		}
	}
	if s.out != "" && s.out != "-" {
		if _, err := os.Lstat(s.out); !errors.Is(err, fs.ErrNotExist) {
			return refuse("Give another name, or move it away first.", "%s is there already, and may hold what somebody decided", s.out)
		}
	}
	src, err := e.scanSource(ctx, s, args)
	if err != nil {
		return err
	}
	inv, err := inventory.Scan(ctx, src, classifier, s.opt)
	if err != nil {
		return err
	}
	return e.scanned(s, inv, old, inventory.Proposal{ID: scanID(s.id, inv), Domain: flow.DomainID(s.domain), Taxonomy: tax, Sure: uint8(s.sure), Accept: s.accept})
}

// scanClassifier is the classifier and the taxonomy that hold.
func (e *env) scanClassifier(file string) (*column.Classifier, *flow.Taxonomy, error) {
	if file == "" {
		c, err := column.New(column.Options{})
		return c, flow.DefaultTaxonomy(), err
	}
	conf, err := e.load(file)
	if err != nil {
		return nil, nil, err
	}
	engine, err := run.Detector(conf)
	if err != nil {
		return nil, nil, err
	}
	c, err := column.New(column.Options{Taxonomy: conf.Taxonomy(), Engine: engine})
	return c, conf.Taxonomy(), err
}

const maxContract = 16 << 20

func (e *env) oldContract(path string, tax *flow.Taxonomy) (*catalog.Contract, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, underlying(err))
	}
	if !stat.Mode().IsRegular() || stat.Size() > maxContract {
		return nil, fmt.Errorf("%s is no contract: want a file of at most 16 MiB", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, underlying(err))
	}
	c, err := catalog.ParseContract(path, raw, tax)
	if err != nil {
		return nil, e.mistakes(nil, err)
	}
	return c, nil
}

// scanned tells what was found, and what is different.
func (e *env) scanned(s *scanning, inv *inventory.Inventory, old *catalog.Contract, p inventory.Proposal) error {
	var changes []inventory.Change
	var contract *catalog.Contract
	var err error
	switch {
	case old != nil && s.out != "":
		changes = inv.Diff(old, p)
		contract, err = inv.Update(old, p)
	case old != nil:
		changes = inv.Diff(old, p)
	case s.out != "":
		contract, err = inv.Contract(p)
	}
	if err != nil {
		return e.mistakes(nil, err)
	}
	switch {
	case s.asJSON && old != nil:
		if changes == nil {
			changes = []inventory.Change{}
		}
		err = e.printJSON(map[string]any{"source": inv.Source, "changes": changes})
	case s.asJSON:
		err = e.printJSON(inv)
	case s.out == "-":
		_, err = e.out.Write(contract.AppendYAML(nil))
	case old != nil:
		e.printChanges(inv, changes)
	default:
		e.printInventory(inv, p)
	}
	if err == nil && contract != nil && s.out != "-" {
		err = e.writeContract(s.out, contract)
	}
	if err != nil {
		return err
	}
	if err := e.unread(inv); err != nil {
		return err
	}
	if len(changes) > 0 {
		return errSaid
	}
	return nil
}

func (e *env) writeContract(path string, c *catalog.Contract) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, underlying(err))
	}
	_, err = f.Write(c.AppendYAML(nil))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, underlying(err))
	}
	fmt.Fprintf(e.err, "%s is written, in draft: look at each label, then list the file under contracts in scrim.yaml\n", path)
	return nil
}

// scanID is what a contract calls the source: what was asked for, or the letters and digits of the source's name.
func scanID(asked string, inv *inventory.Inventory) string {
	if asked != "" {
		return asked
	}
	var b strings.Builder
	for _, r := range strings.ToLower(inv.Source) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "-") && b.Len() > 0 && b.Len() < 80:
			b.WriteByte('-')
		}
	}
	if id := strings.Trim(b.String(), "-"); id != "" {
		return id
	}
	return "inventory"
}

// underlying is an error without the path that the caller names itself.
func underlying(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
