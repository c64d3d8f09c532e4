package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
)

func (e *env) peerCommand() *cobra.Command {
	return e.group("peer", "Other domains that are believed for what they sign", e.peerAdd(), e.peerList(), e.peerShow(), e.peerRefresh(), e.peerRemove())
}

func (e *env) peerAdd() *cobra.Command {
	var file, fingerprint string
	c := fileFlag(e.command("add URL [--fingerprint FINGERPRINT]", "Pin another domain",
		"URL is that of one of its gateways, or of its document. The fingerprint is what \"scrim domain show\" prints there. Without\n"+
			"--fingerprint the document is fetched and its fingerprint shown; compare it with what somebody at that domain tells you.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q := api.PeerRequest{URL: args[0], Fingerprint: fingerprint}
			if fingerprint == "" {
				v, err := askDomain(ctx, e, file, "/api/v1/peers/look", q, api.LookAtPeer)
				if err != nil {
					return err
				}
				if err := e.confirm(v); err != nil {
					return err
				}
				q.Fingerprint = v.Fingerprint
			} else if _, err := domain.ParseFingerprint(fingerprint); err != nil {
				return misuse("--fingerprint: %v", err)
			}
			v, err := askDomain(ctx, e, file, "/api/v1/peers/add", q, api.AddPeer)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s  %s is pinned by %s\n", e.style(e.out).good("ok"), v.Domain, v.Fingerprint)
			return nil
		}), &file)
	c.Flags().StringVar(&fingerprint, "fingerprint", "", "the fingerprint that the domain must have")
	return c
}

// confirm shows what was found, and asks whoever sits at the terminal. Without one nothing is pinned.
func (e *env) confirm(v api.PeerView) error {
	t := table{}
	t.add("domain", string(v.Domain))
	t.add("fingerprint", v.Fingerprint)
	t.write(e.out, e.style(e.out), "")
	in, ok := e.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return refuse("Ask somebody at that domain for the fingerprint that \"scrim domain show\" prints there. If it is this one, run\n"+
			"         scrim peer add "+v.URL+" --fingerprint "+v.Fingerprint, "%s is not pinned yet", v.Domain)
	}
	fmt.Fprint(e.err, "Is this what somebody at that domain told you? Type yes to pin it: ")
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "yes" {
		return refuse("Ask somebody at that domain for its fingerprint.", "%s is not pinned", v.Domain)
	}
	return nil
}

func (e *env) peerList() *cobra.Command {
	var file string
	return fileFlag(e.command("list", "List the peers",
		"One a line: the domain, the beginning of its fingerprint, whether its document counts, and where it is fetched from.", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askDomain(ctx, e, file, "/api/v1/peers/list", api.ShowRequest{}, api.ListPeers)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("DOMAIN", "FINGERPRINT", "STATE", "URL")
			for _, v := range all {
				t.add(string(v.Domain), shorten(v.Fingerprint), stateOfPeer(v), v.URL)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
}

func shorten(fingerprint string) string {
	f, err := domain.ParseFingerprint(fingerprint)
	if err != nil {
		return ""
	}
	return f.Short() + "-…"
}

func stateOfPeer(v api.PeerView) string {
	switch {
	case v.Version == 0:
		return "no document yet"
	case !v.InForce:
		return "expired"
	case v.Problem != "":
		return "in force, but see show"
	}
	return "in force"
}

// peerCall makes a command about one peer that prints it.
func (e *env) peerCall(use, short, long string, do func(ctx context.Context, file string, d flow.DomainID) (api.PeerView, error)) *cobra.Command {
	var file string
	return fileFlag(e.command(use, short, long, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := do(ctx, file, flow.DomainID(args[0]))
		if err != nil {
			return err
		}
		e.showPeer(v)
		return nil
	}), &file)
}

func (e *env) peerShow() *cobra.Command {
	return e.peerCall("show DOMAIN", "Show what is known of a peer", "What its newest document says that was believed, and what was wrong with a later one.",
		func(ctx context.Context, file string, d flow.DomainID) (api.PeerView, error) {
			all, err := askDomain(ctx, e, file, "/api/v1/peers/list", api.ShowRequest{}, api.ListPeers)
			if err != nil {
				return api.PeerView{}, err
			}
			for _, v := range all {
				if v.Domain == d {
					return v, nil
				}
			}
			return api.PeerView{}, refuse(`"scrim peer list" shows those there are.`, "there is no such peer")
		})
}

func (e *env) peerRefresh() *cobra.Command {
	return e.peerCall("refresh DOMAIN", "Look at a peer's document now", "A running gateway looks by itself every peering.refresh.",
		func(ctx context.Context, file string, d flow.DomainID) (api.PeerView, error) {
			return askDomain(ctx, e, file, "/api/v1/peers/refresh", api.DomainRequest{Domain: d}, api.RefreshPeer)
		})
}

func (e *env) peerRemove() *cobra.Command {
	var file string
	return fileFlag(e.command("remove DOMAIN", "Believe a domain no longer",
		"What it signed counts for nothing from then on. One that is a peer by configuration is taken out there.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			_, err := askDomain(ctx, e, file, "/api/v1/peers/remove", api.DomainRequest{Domain: flow.DomainID(args[0])}, api.RemovePeer)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s  %s is no peer any more\n", e.style(e.out).good("ok"), args[0])
			return nil
		}), &file)
}

func (e *env) showPeer(v api.PeerView) {
	t := table{}
	t.add("domain", string(v.Domain))
	t.add("fingerprint", v.Fingerprint)
	by := "by command"
	if v.Configured {
		by = "by configuration"
	}
	t.add("pinned", by+", from "+v.URL)
	if v.Version > 0 {
		t.add("document", fmt.Sprintf("version %d, fetched %s, counts until %s", v.Version, moment(v.Fetched), moment(v.Expires)))
	}
	t.add("state", stateOfPeer(v))
	if v.Problem != "" {
		t.add("last look", v.Problem)
	}
	for _, k := range v.Keys {
		t.add("key", k)
	}
	for _, g := range v.Gateways {
		t.add("gateway", g)
	}
	t.add("authorities", fmt.Sprint(v.Authorities))
	if v.Revocations != "" {
		t.add("revocations", v.Revocations)
	}
	if len(v.Techniques) > 0 {
		t.add("techniques", strings.Join(v.Techniques, " "))
	}
	t.write(e.out, e.style(e.out), "")
}
