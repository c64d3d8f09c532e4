package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) bundleCommand() *cobra.Command {
	return e.group("bundle", "What this domain asks its peers to keep to, and what it keeps to of theirs",
		e.bundleList(), e.bundleShow(), e.bundlePublish(), e.bundleFetch(), e.bundleDrift(), e.bundleForget())
}

// askBundles does something with the bundles of a gateway.
func askBundles[A any](ctx context.Context, e *env, file, path, id string, do func(context.Context, *bundles.Exchange, api.BundleRequest) (A, error)) (A, error) {
	return askPart(ctx, e, file, path, api.BundleRequest{ID: id}, func(st *run.State, c *config.Config) (*bundles.Exchange, error) {
		return st.BundlesOf(ctx, c)
	}, do)
}

func (e *env) bundleList() *cobra.Command {
	var file string
	return fileFlag(e.command("list", "List bundles",
		"One a line: those that this domain publishes, and those of peers that it is held to, with their versions and how they stand.", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askBundles(ctx, e, file, "/api/v1/bundles/list", "", api.ListBundles)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("bundle", "version", "digest", "until", "state")
			for _, o := range all.Own {
				state := "published"
				switch {
				case o.Removed:
					state = "not in configuration"
				case o.Version == 0:
					state = "not published"
				case o.Changed:
					state = "changed since"
				}
				t.add(o.Name, fmt.Sprint(o.Version), cmp.Or(short(o.Digest), "-"), "-", state)
			}
			for _, h := range all.Held {
				state, until := "kept to", "-"
				if !h.Expires.IsZero() {
					until = h.Expires.Format(time.DateOnly)
				}
				if h.Late != "" {
					state = "late: " + h.Holds
				}
				t.add(h.ID, fmt.Sprint(h.Version), cmp.Or(short(h.Digest), "-"), until, state)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
}

func (e *env) bundleShow() *cobra.Command {
	var file string
	return fileFlag(e.command("show BUNDLE", "Show what a version says",
		"BUNDLE is the name of an own one, whose newest version is shown, or DOMAIN/NAME of a peer's, of which that is shown which is kept to.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := askBundles(ctx, e, file, "/api/v1/bundles/show", args[0], api.ShowBundle)
			if err != nil {
				return err
			}
			return e.showBundle(v)
		}), &file)
}

// showBundle prints a version: its policies as they are, the rest as JSON.
func (e *env) showBundle(v api.BundleView) error {
	t := table{}
	t.add("bundle", v.ID)
	t.add("version", fmt.Sprint(v.Version))
	t.add("digest", v.Digest)
	t.write(e.out, e.style(e.out), "")
	var says map[string]json.RawMessage
	if err := json.Unmarshal(v.Says, &says); err != nil {
		return err
	}
	var policies string
	if raw, ok := says["policies"]; ok {
		if err := json.Unmarshal(raw, &policies); err != nil {
			return err
		}
		delete(says, "policies")
	}
	raw, err := json.Marshal(says)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(e.out, printable(b.String()))
	for line := range strings.Lines(policies) {
		fmt.Fprintln(e.out, printable(strings.TrimSuffix(line, "\n")))
	}
	return nil
}

func (e *env) bundlePublish() *cobra.Command {
	var file string
	return fileFlag(e.command("publish NAME", "Publish what configuration says of a bundle as its next version",
		"The version is on record with its digest before any peer can read it. Versions that were published stay readable.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := askBundles(ctx, e, file, "/api/v1/bundles/publish", args[0], api.PublishBundle)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "version %d of %s is published, digest %s\n", v.Version, v.ID, v.Digest)
			return nil
		}), &file)
}

func (e *env) bundleFetch() *cobra.Command {
	var file string
	return fileFlag(e.command("fetch DOMAIN/NAME", "Ask a peer for a bundle now",
		"A gateway asks by itself, too.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := askBundles(ctx, e, file, "/api/v1/bundles/fetch", args[0], api.FetchBundle)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "version %d of %s is kept to, digest %s\n", v.Version, v.ID, v.Digest)
			return nil
		}), &file)
}

func (e *env) bundleDrift() *cobra.Command {
	var file string
	return fileFlag(e.command("drift", "Show where what runs is not what was published or is subscribed to",
		"One a line; exit status 1 if there is any: a configuration that says something else than the newest version, a bundle that is\n"+
			"late, a version that is not in force, and what a bundle names that is not known here and so has no effect.", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askBundles(ctx, e, file, "/api/v1/bundles/drift", "", api.DriftOfBundles)
			if err != nil {
				return err
			}
			for _, line := range all {
				fmt.Fprintln(e.out, printable(line))
			}
			if len(all) > 0 {
				return errSaid
			}
			fmt.Fprintln(e.out, "no drift")
			return nil
		}), &file)
}

func (e *env) bundleForget() *cobra.Command {
	var file string
	return fileFlag(e.command("forget DOMAIN/NAME", "Forget which version of a peer's bundle is kept to",
		"For a peer whose versions begin anew, after it lost them. Until a version comes the bundle is late, with what configuration says\n"+
			"holds then, and the last version holds beside that. The next version is believed as the first one ever was.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q, err := askBundles(ctx, e, file, "/api/v1/bundles/forget", args[0], api.ForgetBundle)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s is forgotten\n", q.ID)
			return nil
		}), &file)
}

// configExplain says what agents and datasets have that is not written about them.
func (e *env) configExplain() *cobra.Command {
	var file string
	return fileFlag(e.command("explain [PLACE] [-c FILE]", "Say what agents and datasets have by defaults and bundles, and from where",
		"One a line: the place, such as agents.intake.roles, what it has, and where that comes from: defaults, or a bundle of a peer. With\n"+
			"PLACE only what lies at or below it. What is written in the file itself is not listed.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			all, err := e.inherited(ctx, file)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("place", "has", "from")
			for _, in := range all {
				if len(args) == 0 || in.Place == args[0] || strings.HasPrefix(in.Place, args[0]+".") {
					t.add(in.Place, in.Value, in.From)
				}
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
}

func (e *env) inherited(ctx context.Context, file string) ([]api.Inherited, error) {
	c, err := e.load(file)
	if err != nil {
		return nil, err
	}
	if !hasState(c) || len(c.Subscribe) == 0 {
		return run.Inherited(c), nil
	}
	return askPart(ctx, e, file, "/api/v1/config/inherited", struct{}{}, func(st *run.State, c *config.Config) (*config.Config, error) { return st.HeldTo(c) },
		func(_ context.Context, c *config.Config, _ struct{}) ([]api.Inherited, error) {
			return run.Inherited(c), nil
		})
}
