package cli

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/observe/report"
)

func (e *env) reportVerify() *cobra.Command {
	var file, key string
	var forms []string
	var noLog bool
	c := fileFlag(e.command("verify REPORT.json [LOG…] [--form FILE] [--key KEY]", "Count the figures of a report again",
		"Checks the report's signature, reads the whole log up to its signed root, and counts every figure again from its entries, by the\n"+
			"same code as scrim-verify, which shares none with the gateway. Without a log takes that of the configuration, and without --key\n"+
			"its key. With --form, the HTML or CSV must have been signed with the report and show what it says, cell by cell.", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			if key == "" || len(args) == 1 && !noLog {
				c, err := e.load(file)
				if err != nil {
					return err
				}
				if !hasState(c) {
					return refuse(`Name the log, and its key with --key.`, "no gateway has run on %s yet", c.Data)
				}
				if key == "" {
					if key, err = logKey(ctx, c); err != nil {
						return err
					}
				}
				if len(args) == 1 && !noLog {
					args = append(args, run.LogDir(c))
				}
			}
			if ext := filepath.Ext(args[0]); ext == ".html" || ext == ".csv" {
				return refuse("Name the JSON that was made with it, and this one with --form.", "%s has no proofs that can be counted again", args[0])
			}
			if err := formsOf(args[0], forms); err != nil {
				return err
			}
			given := []string{"report", "--key", key}
			for _, f := range forms {
				given = append(given, "--form", f)
			}
			if noLog {
				given = append(given, "--no-log")
			}
			if program.Main(append(given, args...), e.in, e.out, e.err) != 0 {
				return errSaid
			}
			return nil
		}), &file)
	c.Flags().StringVar(&key, "key", "", "the log's verifier key, NAME+ID+KEY, or a file of it (default: this gateway's own)")
	c.Flags().StringArrayVar(&forms, "form", nil, "HTML or CSV of the same report")
	c.Flags().BoolVar(&noLog, "no-log", false, "do not count again")
	return c
}

// formsOf makes HTML and CSV anew and compares.
func formsOf(name string, forms []string) error {
	if len(forms) == 0 {
		return nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	d, err := report.Decode(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, form := range forms {
		b, err := os.ReadFile(form)
		if err != nil {
			return err
		}
		if !d.Shows(b) {
			return refuse("It may be of another report, changed, or made by another version.", "%s does not show what %s says", form, name)
		}
	}
	return nil
}

func logKey(ctx context.Context, c *config.Config) (string, error) {
	keys, err := run.Keyring(ctx, c)
	if err != nil {
		return "", err
	}
	public, ok := keys.Signer("log").Public().(ed25519.PublicKey)
	if !ok {
		return "", tile.ErrSigner
	}
	return tile.VerifierKey(run.Origin(c.Domain), public)
}
