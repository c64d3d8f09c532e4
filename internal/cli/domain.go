package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// askDomain does something with the domain's identity or its peers: in the running gateway, which holds the keys, or here.
func askDomain[Q, A any](ctx context.Context, e *env, file, path string, q Q, do func(context.Context, *peers.Peers, Q) (A, error)) (A, error) {
	return askPart(ctx, e, file, path, q, func(st *run.State, _ *config.Config) (*peers.Peers, error) { return st.Peers, nil }, do)
}

func (e *env) domainCommand() *cobra.Command {
	return e.group("domain", "What this domain is to others: its fingerprint and its keys", e.domainShow(), e.domainRotate())
}

func (e *env) domainShow() *cobra.Command {
	var file string
	var document bool
	c := fileFlag(e.command("show", "Show the domain's fingerprint, keys and gateways",
		"The fingerprint is what peers pin, and stays when keys change. Tell it to them by a way that they trust, such as by\n"+
			"telephone. With --document the signed document is printed as gateways serve it.", nil,
		func(ctx context.Context, _ []string) error {
			v, err := askDomain(ctx, e, file, "/api/v1/domain/show", api.ShowRequest{}, api.ShowDomain)
			switch {
			case err != nil:
				return err
			case v.Fingerprint == "":
				return noPeers(v)
			case document:
				_, err := io.WriteString(e.out, v.Document)
				return err
			}
			return e.showDomain(v)
		}), &file)
	c.Flags().BoolVar(&document, "document", false, "print the document that is published")
	return c
}

func noPeers(v api.DomainView) error {
	return refuse("Names of domains with peers are of lower-case letters, digits, dots, dashes and underscores.", "a domain named %s can have no peers", v.Domain)
}

func (e *env) showDomain(v api.DomainView) error {
	t := table{}
	t.add("domain", string(v.Domain))
	t.add("fingerprint", v.Fingerprint)
	t.add("document", fmt.Sprintf("version %d, counts until %s", v.Version, moment(v.Expires)))
	for _, k := range v.Keys {
		t.add("key", k.ID+", "+keyState(k))
	}
	for _, g := range v.Gateways {
		t.add("gateway", g)
	}
	for _, ca := range v.Authorities {
		t.add("authority", "until "+moment(ca.NotAfter))
	}
	t.write(e.out, e.style(e.out), "")
	return nil
}

func keyState(k api.SigningKey) string {
	state := "signs"
	switch {
	case !k.Signs && k.NotAfter.IsZero():
		state = "signs from " + moment(k.From)
	case !k.Signs:
		state = "signs no more, counts until " + moment(k.NotAfter)
	case !k.NotAfter.IsZero():
		state = "signs, counts until " + moment(k.NotAfter)
	}
	return state
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func (e *env) domainRotate() *cobra.Command {
	var file string
	var lost bool
	c := fileFlag(e.command("rotate", "Make another signing key",
		"The new key is published at once and signs when peers had time to see it (domain_keys.lead); what the old one signed\n"+
			"counts until domain_keys.overlap is over after that. With --lost the old keys end now, for a key that somebody else\n"+
			"may have: all capabilities that they signed end with them. The fingerprint stays as it is.", nil,
		func(ctx context.Context, _ []string) error {
			v, err := askDomain(ctx, e, file, "/api/v1/domain/rotate", api.RotateRequest{Lost: lost}, api.RotateKey)
			if err != nil {
				return err
			}
			return e.showDomain(v)
		}), &file)
	c.Flags().BoolVar(&lost, "lost", false, "end the old keys now, and with them all that they signed")
	return c
}
