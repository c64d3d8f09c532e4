package cli

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
)

// TestARunningGatewayReleasesTables: the gateway that holds the data directory decides, writes and records; whoever may not ask gets nothing.
func TestARunningGatewayReleasesTables(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	admin := loopback.Address(t)
	file := write("scrim.yaml", fmt.Sprintf("version: 1\ndomain: clinic\nlisten: %s\nadmin: %s\npurposes: {service: {}}\nagents:\n  - {id: desk, purposes: [service], a2a: {url: \"http://127.0.0.1:9001\"}}\n", loopback.Address(t), admin))
	write("policies/own.cedar", `@id("own-tables") permit (principal in Domain::"clinic", action == Action::"extract", resource);
@id("own-columns") permit (principal in Domain::"clinic", action in Action::"upto_raw", resource);`)
	write("in.csv", "name,age\nAnn,31\nBob,34\nCid,51\nDan,52\n")
	write("plan.yaml", "version: 1\ncolumns:\n  age: {role: quasi, intervals: [10]}\nprivacy: [{model: k-anonymity, k: 2}]\n")

	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{}
	g, err := run.Open(t.Context(), c, run.Options{Logger: slog.New(slog.DiscardHandler), Release: e.releaseHere})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, handler, func(net.Addr, net.Addr) { close(up) }) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = g.Close()
	}()
	<-up

	ask := func(more ...string) (int, string) {
		var out, complaints bytes.Buffer
		args := append([]string{"anonymize", filepath.Join(dir, "in.csv"), "--plan", filepath.Join(dir, "plan.yaml"), "-c", file, "--to", "desk", "--purpose", "service", "--criticality", "critical"}, more...)
		code := Main(args, strings.NewReader("name,age\n"), &out, &complaints)
		return code, out.String() + complaints.String()
	}
	to := filepath.Join(dir, "out.csv")
	code, said := ask("-o", to, "--approved", "--report", filepath.Join(dir, "risk.json"))
	got, err := os.ReadFile(to)
	if code != 0 || err != nil || string(got) != "age\n[30-39]\n[30-39]\n[50-59]\n[50-59]\n" {
		t.Fatalf("scrim anonymize = %d, wrote %q, %v: %s", code, got, err, said)
	}
	for _, want := range []string{"4 in, 4 out, 0 suppressed", "on record as"} {
		if !strings.Contains(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	}
	for _, name := range []string{to + ".release.json", to + ".release.sig", to + ".risk.html", filepath.Join(dir, "risk.json")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if code, said := ask("-o", to, "--approved"); code != 1 || !strings.Contains(said, "choose another -o") {
		t.Errorf("a second time: %d, %s", code, said)
	}
	if code, said := ask("-o", filepath.Join(dir, "no.csv"), "--criticality", "low"); code != 1 || !strings.Contains(said, "the release is refused") {
		t.Errorf("without approval: %d, %s", code, said)
	}
	token := filepath.Join(c.Path(c.Data), api.TokenFile)
	if err := os.WriteFile(token, []byte(strings.Repeat("x", 43)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := ask("-o", filepath.Join(dir, "no.csv"), "--approved"); code != 1 || !strings.Contains(said, "Authorization") {
		t.Errorf("with another token: %d, %s", code, said)
	}
	if _, err := os.Stat(filepath.Join(dir, "no.csv")); err == nil {
		t.Error("a table that was refused is there")
	}
}
