package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/report"
)

// documentHelp is what each report says of itself.
var documentHelp = map[report.Kind][2]string{
	report.ROPA: {"Records of processing activities (GDPR article 30)",
		"For each purpose: legal basis, categories of people, data and recipients, transfers, retention and security measures, as the log shows\n" +
			"them, and contracts, policies and configuration (reports:) state them."},
	report.Disclosures: {"Accounting of disclosures (HIPAA, 45 CFR 164.528)",
		"What was shown to other domains in six years, but for purposes that need no accounting (reports.purposes.NAME.hipaa). Without --subject it\n" +
			"is the register of all people together; with it, the accounting of one."},
	report.CCPA: {"Personal information collected, disclosed and sold (CCPA)",
		"Categories of personal information of a year, to whom they were disclosed and for what, and requests that were carried out."},
	report.DPIA: {"What the log shows for an impact assessment (GDPR article 35)",
		"Processing, proportionality, indicators of risk and measures, counted. To judge them is left to people."},
	report.Transfers: {"What was shown to which other domains and countries (GDPR articles 44 to 49)",
		"By domain, with country, safeguard and role as the configuration states them (reports.domains)."},
	report.Budgets: {"What answers about datasets cost in privacy, and where budgets stand",
		"Answers, their cost, entries of the ledger, and the standing of each budget and quota."},
	report.Access: {"What was disclosed about one person (GDPR article 15)",
		"Reads the value that names the person from standard input, so that it stays out of the shell's history. UNIT is what a contract or schema\n" +
			"calls it, such as patient. Tells each message that showed something of the person: to whom, at which level, for which purpose, under\n" +
			"which policies and on which legal basis, with its proof. Who was erased is not found. That a report was made is on record, not of whom."},
}

const documentMore = "\n\nEvery figure is counted in the log, and whoever has the log can count again: see \"scrim report verify\" and scrim-verify. What the law\n" +
	"asks for and nothing here can tell is listed at the end. --out DIR writes HTML, CSV and JSON, which one signature of the log's key covers."

type documentFlags struct {
	file, from, to, format, out, unit string
}

func (e *env) reportDocuments() []*cobra.Command {
	var all []*cobra.Command
	for _, kind := range report.Kinds() {
		all = append(all, e.reportDocument(kind))
	}
	return all
}

func (e *env) reportDocument(kind report.Kind) *cobra.Command {
	var f documentFlags
	use, args := string(kind)+" [--from TIME] [--to TIME] [--format html|csv|json | --out DIR]", cobra.NoArgs
	if kind == report.Access {
		use, args = string(kind)+" UNIT [--from TIME] [--to TIME] [--format html|csv|json | --out DIR] < VALUE", cobra.ExactArgs(1)
	}
	help := documentHelp[kind]
	c := fileFlag(e.command(use, help[0], help[1]+documentMore, args, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			f.unit = args[0]
		}
		return e.makeDocument(ctx, kind, &f)
	}), &f.file)
	flags := c.Flags()
	flags.StringVar(&f.from, "from", "", "a time, a day, or how long ago, such as 12h or 7d (default: as long ago as the law looks back)")
	flags.StringVar(&f.to, "to", "", "likewise; that time itself is not in it (default: now)")
	flags.StringVar(&f.format, "format", "html", "html, csv or json, on standard output")
	flags.StringVar(&f.out, "out", "", "directory for all three")
	c.MarkFlagsMutuallyExclusive("format", "out")
	if kind == report.Disclosures {
		flags.StringVar(&f.unit, "subject", "", "account for one person: UNIT is what a contract or schema calls it, such as patient, and its value is on standard input")
	}
	return c
}

func (e *env) makeDocument(ctx context.Context, kind report.Kind, f *documentFlags) error {
	req := api.DocumentRequest{Kind: kind, Unit: f.unit}
	now := time.Now()
	for _, t := range []struct {
		text string
		into *time.Time
	}{{f.from, &req.From}, {f.to, &req.To}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.into, err = sinceOf(t.text, now); err != nil {
			return err
		}
	}
	if f.unit != "" {
		line, err := bufio.NewReader(io.LimitReader(e.in, 64<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if req.Value = strings.TrimRight(line, "\r\n"); req.Value == "" {
			return misuse("standard input is empty; write the value that names the subject to it")
		}
	}
	if f.format != "html" && f.format != "csv" && f.format != "json" {
		return misuse("--format is html, csv or json")
	}
	c, err := e.load(f.file)
	if err != nil {
		return err
	}
	out, err := e.document(ctx, c, req)
	if err != nil {
		return err
	}
	if f.out != "" {
		return e.writeDocument(kind, f.out, out)
	}
	_, err = e.out.Write(map[string][]byte{"html": out.HTML, "csv": out.CSV, "json": out.JSON}[f.format])
	return err
}

func (e *env) document(ctx context.Context, c *config.Config, req api.DocumentRequest) (out report.Files, err error) {
	err = withState(ctx, c,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/report/document", req, &out) },
		func(st *run.State) error {
			snap, err := e.snapshotIn(ctx, st, c)
			if err != nil {
				return err
			}
			ruled, err := st.RuledBy(ctx, c)
			if err != nil {
				return err
			}
			out, err = api.Document(ctx, st.Ledger(), snap, run.ReportSettings(ruled), st.Budgets.Spending(), req)
			return err
		})
	return out, err
}

func (e *env) writeDocument(kind report.Kind, dir string, out report.Files) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, one := range []struct {
		ext  string
		text []byte
	}{{"json", out.JSON}, {"html", out.HTML}, {"csv", out.CSV}} {
		name := filepath.Join(dir, string(kind)+"."+one.ext)
		if err := os.WriteFile(name, one.text, 0o600); err != nil {
			return err
		}
		fmt.Fprintln(e.out, name)
	}
	return nil
}
