package run_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/store"
)

// shows is the level of a class that leaves the hospital, and within it.
func shows(t *testing.T, g *run.Gateway, l flow.Label) string {
	t.Helper()
	level := func(to flow.DomainID) flow.Level {
		q := policy.Query{Flow: flow.Flow{
			From: flow.Party{Agent: "client", Domain: "hospital"}, To: flow.Party{Agent: "tools", Domain: to}, Task: flow.Task{Criticality: flow.Critical},
		}}
		terms, err := g.Gateway.Snapshot().Policy.Decide(q, []flow.Leaf{{Label: l}})
		if err != nil {
			t.Fatal(err)
		}
		return terms.Leaves[0].Level
	}
	return fmt.Sprintf("%s across, %s within", level("insurer"), level("hospital"))
}

func onRecord(t *testing.T, g *run.Gateway, text string) bool {
	t.Helper()
	for e, err := range g.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Event.Reason, text) {
			return true
		}
	}
	return false
}

func rewrite(t *testing.T, g *run.Gateway, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
}

// TestABundleTightensAnotherDomainsGateway publishes at the insurer's gateway and looks at what the hospital's shows, records and budgets: before
// anything came, with a version, with the next one, after a restart, and when nothing is subscribed to any more.
func TestABundleTightensAnotherDomainsGateway(t *testing.T) {
	p := newNeighbours(t)
	p.pin(t, p.hospital, p.insurer)
	p.pin(t, p.insurer, p.hospital)
	free, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	insurer := p.insurer.Config().File()
	theirs, err := os.ReadFile(insurer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(insurer), "out.cedar"), []byte("@id(\"no-training\") forbid (principal, action == Action::\"train\", resource);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	publish := func(more string) {
		t.Helper()
		rewrite(t, p.insurer, insurer, string(theirs)+"publish: [{name: baseline, policies: [out.cedar], "+more+"}]\n")
		if _, err := p.insurer.Bundles.Publish(t.Context(), "baseline"); err != nil {
			t.Fatal(err)
		}
	}
	const dataset = "datasets: {stays: {epsilon: 3, delta: 1e-6}}\n"
	const subscribed = dataset + "subscribe: [{domain: insurer, bundle: baseline, every: 1s, late: dropped}]\n"
	rewrite(t, p.hospital, p.file, string(free)+dataset)
	if got := shows(t, p.hospital, "finance/amount"); got != "raw across, raw within" {
		t.Errorf("before it is subscribed to: %s", got)
	}
	rewrite(t, p.hospital, p.file, string(free)+subscribed)
	if got := shows(t, p.hospital, "finance/amount"); got != "dropped across, raw within" {
		t.Errorf("before any version came: %s", got)
	}
	if p.hospital.Bundles.Late() != 1 || len(p.hospital.Bundles.Drift()) == 0 {
		t.Error("nobody is told that the bundle is late")
	}
	publish(`labels: {finance: {level: generalized}}, defaults: {epsilon: 2, pad: 5s}`)
	eventually(t, "the first version is in force", func() bool { return shows(t, p.hospital, "finance/amount") == "generalized across, generalized within" })
	if got := shows(t, p.hospital, "person/name"); got != "raw across, raw within" {
		t.Errorf("of what the bundle says nothing: %s", got)
	}
	eventually(t, "the dataset has the bundle's ε and pad", func() bool { // policy comes first, the rest of a configuration after it
		d := p.hospital.Config().Datasets["stays"]
		return d.Epsilon.String() == "2" && d.Pad.String() == "5s"
	})
	claimed := func() int64 {
		t.Helper()
		all, err := p.hospital.Budgets.Ledger.Budgets(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0].Plan.Epsilon
	}
	eventually(t, "the ledger has the bundle's ε", func() bool { return claimed() == 2_000_000_000 })
	publish(`labels: {finance: {level: masked}, person: {tier: restricted}}`)
	eventually(t, "the second version is in force", func() bool { return shows(t, p.hospital, "finance/amount") == "masked across, masked within" })
	if got := shows(t, p.hospital, "person/name"); got != "tokenized across, tokenized within" {
		t.Errorf("of restricted data at a critical task: %s", got)
	}
	if got := claimed(); got != 2_000_000_000 {
		t.Errorf("a version that says nothing of ε gave some back: the ledger has %d nano", got)
	}
	for text, g := range map[string]*run.Gateway{
		"bundle baseline: version 2 is published, digest ": p.insurer, "bundle baseline: version 2 is kept to, digest ": p.hospital,
		"held to bundles: insurer/baseline version 2": p.hospital,
	} {
		if !onRecord(t, g, text) {
			t.Errorf("not on record: %s", text)
		}
	}
	eventually(t, "nothing drifts", func() bool { return len(p.hospital.Bundles.Drift()) == 0 })
	if p.hospital.Config().Hash() == load(t, p.file).Hash() {
		t.Error("what is held is not in the hash of the configuration")
	}
	rewrite(t, p.hospital, p.file, string(free)+dataset)
	if got := shows(t, p.hospital, "finance/amount"); got != "raw across, raw within" {
		t.Errorf("when nothing is subscribed to any more: %s", got)
	}
	if !onRecord(t, p.hospital, "reloaded: a test; held to bundles: none") {
		t.Error("it is not on record that nothing is subscribed to any more")
	}
	rewrite(t, p.hospital, p.file, string(free)+subscribed)
	if got := shows(t, p.hospital, "finance/amount"); got != "masked across, masked within" {
		t.Errorf("subscribed to again, with the version that was kept: %s", got)
	}
}

// TestABundleHoldsFromTheStart opens a gateway on a state that has a version.
func TestABundleHoldsFromTheStart(t *testing.T) {
	file := lay(t, "version: 1\ndomain: hospital\nsubscribe: [{domain: insurer, bundle: baseline, late: stop}]\n", map[string]string{
		"policies/10.cedar": "permit (principal, action in Action::\"upto_raw\", resource);\n",
	})
	g, _, stop := serve(t, load(t, file), run.Options{})
	if got := shows(t, g, "finance/amount"); got != "dropped across, dropped within" {
		t.Errorf("before any version came: %s", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	st, err := run.OpenState(t.Context(), load(t, file), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	level := flow.Masked
	b := bundle.Bundle{Issuer: "insurer", Name: "baseline", Version: 1, Issued: time.Now().UTC().Truncate(time.Second)}
	b.Expires, b.Labels = b.Issued.Add(time.Hour), []bundle.Label{{Label: "finance", Level: &level}}
	text, err := b.Sign("k1", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	err = st.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO bundles_taken (domain, name, bundle, seen) VALUES (?, ?, ?, ?)", "insurer", "baseline", string(text), time.Now().Unix())
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	g, _, _ = serve(t, load(t, file), run.Options{})
	if got := shows(t, g, "finance/amount") + "; " + shows(t, g, "person/name"); got != "masked across, masked within; raw across, raw within" {
		t.Errorf("with the version that was kept: %s", got)
	}
}

// TestABundleThatThisProgramCannotKeepToStopsAll opens a gateway on a state that has a version whose policies are not valid here, as one that another
// program took might be.
func TestABundleThatThisProgramCannotKeepToStopsAll(t *testing.T) {
	file := lay(t, "version: 1\ndomain: hospital\nsubscribe: [{domain: insurer, bundle: baseline}]\n", map[string]string{
		"policies/10.cedar": "permit (principal, action in Action::\"upto_raw\", resource);\n",
	})
	st, err := run.OpenState(t.Context(), load(t, file), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := bundle.Bundle{Issuer: "insurer", Name: "baseline", Version: 1, Issued: time.Now().UTC().Truncate(time.Second)}
	b.Expires, b.Policies, b.Defaults.Capability = b.Issued.Add(time.Hour), "forbid (principal, action == Action::\"tell\", resource);\n", true
	text, err := b.Sign("k1", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	err = st.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO bundles_taken (domain, name, bundle, seen) VALUES (?, ?, ?, ?)", "insurer", "baseline", string(text), time.Now().Unix())
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	g, _, _ := serve(t, load(t, file), run.Options{})
	if got := shows(t, g, "finance/amount"); got != "dropped across, dropped within" {
		t.Errorf("with policies that cannot be kept to: %s", got)
	}
}

// TestAStoppedGatewayPublishesWhatIsInForce opens a state by one configuration and publishes by another: the rules in force need not lie on disk.
func TestAStoppedGatewayPublishesWhatIsInForce(t *testing.T) {
	const text = "version: 1\ndomain: hospital\npublish: [{name: baseline, labels: {finance: {level: %s}}}]\n"
	disk := lay(t, fmt.Sprintf(text, "raw"), map[string]string{"policies/10.cedar": "permit (principal, action in Action::\"upto_raw\", resource);\n"})
	force := lay(t, fmt.Sprintf(text, "masked"), map[string]string{"policies/10.cedar": "permit (principal, action in Action::\"upto_raw\", resource);\n"})
	st, err := run.OpenState(t.Context(), load(t, disk), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	x, err := st.BundlesOf(t.Context(), load(t, force))
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.Publish(t.Context(), "baseline")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Labels[0].Level; *got != flow.Masked {
		t.Errorf("published is the level %s of the working copy", got)
	}
}

// TestABundleThatCannotBePutInForceIsStrict has a version come while a snapshot cannot be built, and while policies on disk are half written.
func TestABundleThatCannotBePutInForceIsStrict(t *testing.T) {
	p := newNeighbours(t)
	p.pin(t, p.hospital, p.insurer)
	p.pin(t, p.insurer, p.hospital)
	insurer := p.insurer.Config().File()
	theirs, err := os.ReadFile(insurer)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(level string) {
		t.Helper()
		rewrite(t, p.insurer, insurer, string(theirs)+"publish: [{name: baseline, labels: {finance: {level: "+level+"}}}]\n")
		if _, err := p.insurer.Bundles.Publish(t.Context(), "baseline"); err != nil {
			t.Fatal(err)
		}
	}
	publish("generalized")
	own, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, p.hospital, p.file, string(own)+"subscribe: [{domain: insurer, bundle: baseline, every: 1s, late: dropped}]\n")
	eventually(t, "the first version is in force", func() bool { return shows(t, p.hospital, "finance/amount") == "generalized across, generalized within" })

	policies := filepath.Join(filepath.Dir(p.file), "policies", "10.cedar")
	good, err := os.ReadFile(policies)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(policies, []byte("permit (prin"), 0o644); err != nil {
		t.Fatal(err)
	}
	publish("raw")
	eventually(t, "a version is in force while policies on disk are half written", func() bool { return shows(t, p.hospital, "finance/amount") == "raw across, raw within" })
	if err := os.WriteFile(policies, good, 0o644); err != nil {
		t.Fatal(err)
	}

	t.Setenv("INSURER_KEY", "")
	publish("masked")
	eventually(t, "what is stricter holds", func() bool { return shows(t, p.hospital, "finance/amount") == "dropped across, masked within" })
	eventually(t, "the gateway is not ready", func() bool { return p.hospital.Ready(t.Context()) != nil })
	if !onRecord(t, p.hospital, "bundles cannot be put in force, and all of them are late") {
		t.Error("that is not on record")
	}
	t.Setenv("INSURER_KEY", "a key of another day")
	if err := p.hospital.Reload(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
	if got := shows(t, p.hospital, "finance/amount"); got != "masked across, masked within" {
		t.Errorf("once a snapshot can be built: %s", got)
	}
	eventually(t, "the gateway is ready", func() bool { return p.hospital.Ready(t.Context()) == nil })
}
