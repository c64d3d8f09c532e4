package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) releaseCommand() *cobra.Command {
	return e.group("release", "Check tables that were released", e.releaseVerify(), e.releaseKey())
}

func (e *env) releaseVerify() *cobra.Command {
	var key string
	c := e.command("verify FILE --key KEY", "Check that a table is the one that a domain released",
		"Reads FILE"+release.ManifestSuffix+" and FILE"+release.SignatureSuffix+" beside the table, checks the signature by the domain's verifier key, and compares\n"+
			"the table with the digest. Ask the domain for its key by a way that you trust; there, \"scrim release key\" prints it.", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			if key == "" {
				return misuse("--key is missing: a signature says nothing without the key of the one who should have signed")
			}
			m, err := verifyRelease(args[0], key)
			if err != nil {
				return err
			}
			return e.released(m)
		})
	c.Flags().StringVar(&key, "key", "", "the domain's verifier key, as scrim release key prints it")
	return c
}

// verifyRelease checks a table by what lies beside it.
func verifyRelease(name, key string) (*release.Manifest, error) {
	manifest, err := os.ReadFile(name + release.ManifestSuffix)
	if err != nil {
		return nil, err
	}
	signature, err := os.ReadFile(name + release.SignatureSuffix)
	if err != nil {
		return nil, err
	}
	m, err := release.Verify(key, manifest, signature)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return m, errors.Join(m.Check(f), f.Close())
}

// released prints what a manifest says that holds.
func (e *env) released(m *release.Manifest) error {
	st := e.style(e.out)
	fmt.Fprintf(e.out, "%s  released by %s to %s in %s for %s on %s\n", st.good("ok"), m.From, m.To.Agent, m.To.Domain, m.Purpose, m.Time.Format("2006-01-02 15:04 MST"))
	t := table{}
	t.add("rows", fmt.Sprintf("%d, of at most %d; at most %d suppressed", m.Rows.Out, m.Rows.In, m.Rows.Suppressed))
	t.add("guarantee", fmt.Sprintf("k %d, l %d, t %d, risk %d (t and risk in thousandths; 0: none)", m.Measured.K, m.Measured.L, m.Measured.T, m.Measured.Risk))
	t.add("record", fmt.Sprintf("%s, row %d of the journal", m.Flow, m.Receipt.Seq))
	for _, c := range m.Columns {
		how := c.Technique + ": " + c.Level.String()
		if c.Step != nil {
			how += fmt.Sprintf(", level %d", *c.Step)
		}
		t.add(c.Name, how)
	}
	t.write(e.out, st, "")
	return nil
}

func (e *env) releaseKey() *cobra.Command {
	var file string
	return fileFlag(e.command("key [-c FILE]", "Print the key by which recipients check this domain's releases", "", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			if _, err := os.Stat(c.Path(c.Keys.File)); err != nil {
				return refuse(`Start a gateway once with "scrim run": it makes the keys.`, "there are no keys at %s yet", c.Keys.File)
			}
			keys, err := run.Keyring(ctx, c)
			if err != nil {
				return err
			}
			pub, ok := keys.Signer("log").Public().(ed25519.PublicKey)
			if !ok {
				return errors.New("the domain's key is not an Ed25519 key")
			}
			fmt.Fprintln(e.out, release.VerifierKey(c.Domain, pub))
			return nil
		}), &file)
}
