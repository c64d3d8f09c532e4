package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/policy/domain"
)

func (e *env) caCommand() *cobra.Command {
	return e.group("ca", "The domain's own certificate authority", e.caInit(), e.caIssue(), e.caShow())
}

func (e *env) caInit() *cobra.Command {
	var file string
	var q api.AuthorityRequest
	c := fileFlag(e.command("init", "Make the authority",
		"Its key is kept in the keyring and its certificate published in the domain's document, so that gateways of peers believe\n"+
			"certificates of this domain and no public authority is needed. With --replace another one follows one that is there:\n"+
			"its certificate is published at once, and it makes certificates after the lead. With --lost the old one ends now.", nil,
		func(ctx context.Context, _ []string) error {
			if q.Lost && !q.Replace {
				return misuse("--lost goes with --replace")
			}
			v, err := askDomain(ctx, e, file, "/api/v1/ca/init", q, api.InitAuthority)
			if err != nil {
				return err
			}
			return e.showDomain(v)
		}), &file)
	c.Flags().DurationVar(&q.Life, "life", 365*24*time.Hour, "how long its certificate counts")
	c.Flags().BoolVar(&q.Replace, "replace", false, "follow an authority that is there")
	c.Flags().BoolVar(&q.Lost, "lost", false, "end the old one now, and with it every certificate that it made")
	c.Flags().DurationVar(&q.Lead, "lead", time.Hour, "how long a following one is published before it makes certificates")
	c.Flags().DurationVar(&q.Overlap, "overlap", 48*time.Hour, "how long those of the old one count after that")
	return c
}

func (e *env) caIssue() *cobra.Command {
	var file, out string
	var life time.Duration
	c := fileFlag(e.command("issue agent|gateway NAME", "Make a key and a certificate for an agent or another gateway",
		"Writes NAME.key, readable by nobody else, and NAME.pem. The key is made here and kept nowhere else. The certificate says\n"+
			"spiffe://DOMAIN/agent/NAME or spiffe://DOMAIN/gateway/NAME. The gateway itself needs none: it makes its own.", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			kind, name := domain.Kind(args[0]), args[1]
			if kind != domain.Agent && kind != domain.Gateway {
				return misuse("a certificate is for an agent or a gateway")
			}
			if !(domain.Name{Domain: "x", Kind: kind, Name: name}).Valid() {
				return misuse("NAME is of letters, digits, dots, dashes and underscores, at most 63")
			}
			if out == "" {
				out = name
			}
			return e.issue(ctx, file, out, api.IssueRequest{Kind: kind, Name: name, Life: life})
		}), &file)
	c.Flags().StringVarP(&out, "out", "o", "", "write OUT.key and OUT.pem")
	c.Flags().DurationVar(&life, "life", 0, "how long it counts, at most 744h (default: domain_ca.life)")
	return c
}

// issue writes the key before it asks for the certificate: one without a key would be on record for nothing.
func (e *env) issue(ctx context.Context, file, out string, q api.IssueRequest) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return errors.New("the key cannot be written")
	}
	if q.Key, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		return err
	}
	if _, err := os.Lstat(out + ".pem"); err == nil {
		return refuse("Choose another -o.", "%s.pem exists", out)
	}
	if err := writeNew(out+".key", 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})); err != nil {
		return err
	}
	got, err := askDomain(ctx, e, file, "/api/v1/ca/issue", q, api.Issue)
	if err == nil {
		err = writeNew(out+".pem", 0o644, []byte(got.PEM))
	}
	if err != nil {
		return errors.Join(err, os.Remove(out+".key"))
	}
	fmt.Fprintf(e.out, "%s  %s until %s: %s.pem, %s.key\n", e.style(e.out).good("ok"), got.Name, moment(got.NotAfter), out, out)
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(name string, mode fs.FileMode, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return refuse("Choose another -o.", "%s exists", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func (e *env) caShow() *cobra.Command {
	var file string
	return fileFlag(e.command("show", "Print the certificates of the authority that count",
		"PEM, oldest first: what agents of this domain may believe of its gateways, as ca_file for one.", nil,
		func(ctx context.Context, _ []string) error {
			v, err := askDomain(ctx, e, file, "/api/v1/domain/show", api.ShowRequest{}, api.ShowDomain)
			if err != nil {
				return err
			}
			if len(v.Authorities) == 0 {
				return refuse(`"scrim ca init" makes one.`, "the domain has no certificate authority")
			}
			var all strings.Builder
			for _, ca := range v.Authorities {
				all.WriteString(ca.PEM)
			}
			_, err = fmt.Fprint(e.out, all.String())
			return err
		}), &file)
}
