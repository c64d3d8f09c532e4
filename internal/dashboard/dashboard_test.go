package dashboard_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/dashboard"
	"github.com/scrimhq/scrim/internal/run"
)

var update = flag.Bool("update", false, "write the files anew")

const deploy = "../../deploy"

func files(t *testing.T) map[string][]byte {
	t.Helper()
	rules, err := dashboard.Rules()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"prometheus/scrim.rules.yaml": rules}
	for _, b := range dashboard.Boards() {
		if all["grafana/"+b.File+".json"], err = b.JSON(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestFilesAreAsGenerated(t *testing.T) {
	for name, want := range files(t) {
		path := filepath.Join(deploy, name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as the code has it (%v): go generate ./internal/dashboard", name, err)
		}
	}
}

var metric = regexp.MustCompile(`\bscrim_[a-z_]+`)

// described are the metrics of a gateway.
func described(t *testing.T) []api.Described {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scrim.yaml")
	if err := os.WriteFile(file, []byte("version: 1\ndomain: clinic\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "policies", "10.cedar"), []byte("@id(\"own\")\npermit (principal, action in Action::\"upto_raw\", resource) when { context.same_domain };\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return g.Metrics().Described()
}

// Every metric that a rule or a dashboard names is one of the gateway's.
func TestMetricsAreThere(t *testing.T) {
	known := map[string]bool{}
	for _, d := range described(t) {
		for _, end := range []string{"", "_bucket", "_count", "_sum"} {
			known[d.Name+end] = true
		}
	}
	seen := 0
	for name, text := range files(t) {
		for _, m := range metric.FindAllString(string(text), -1) {
			if seen++; !known[m] {
				t.Errorf("%s names %s, which is no metric", name, m)
			}
		}
	}
	if seen < 60 {
		t.Errorf("%d names were found", seen)
	}
}

// A graph has one axis: what is counted by the second, what lasts seconds and what is a number do not stand on it together.
func TestPanelsHaveOneUnit(t *testing.T) {
	for _, b := range dashboard.Boards() {
		for _, p := range b.Panels {
			of := map[string]string{}
			for _, s := range p.Series {
				of[dimension(s.Expr)] = s.Expr
			}
			if len(of) != 1 {
				t.Errorf("%s, %s: the panel has series of %d units: %v", b.Title, p.Title, len(of), of)
			}
			if _, seconds := of["seconds"]; seconds != (p.Unit == "s") {
				t.Errorf("%s, %s: unit %s for %v", b.Title, p.Title, p.Unit, of)
			}
		}
	}
}

// dimension is what an expression measures, by its function and the name of its metric.
func dimension(expr string) string {
	name := metric.FindString(expr)
	switch {
	case strings.HasPrefix(expr, "histogram_quantile(") && strings.HasSuffix(name, "_seconds_bucket"), strings.HasSuffix(name, "_seconds"):
		return "seconds"
	case strings.Contains(expr, "rate("):
		return "a second"
	case strings.HasSuffix(name, "_bytes"), strings.HasSuffix(name, "_ratio"):
		return name[strings.LastIndex(name, "_")+1:]
	}
	return "number"
}

func TestPromtoolTakesTheRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("promtool is missing: it is in the package prometheus")
		}
		t.Skip("promtool is not here")
	}
	for _, args := range [][]string{{"check", "rules", filepath.Join(deploy, "prometheus/scrim.rules.yaml")}, {"test", "rules", filepath.Join(deploy, "prometheus/scrim.rules.test.yaml")}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// The page has every metric with what it says of itself.
func TestThePageHasEveryMetric(t *testing.T) {
	const page, begin, end = "../../docs/spec/telemetry.md", "| metric | type | labels | meaning |\n|---|---|---|---|\n", "\n## Spans"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatal("the page has no table of metrics before its spans")
	}
	var table strings.Builder
	for _, d := range described(t) {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, strings.Join(d.Labels, ", "), d.Help)
	}
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Error("the page's table is not that of the code: go generate ./internal/dashboard")
	}
}
