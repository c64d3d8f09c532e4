package interop_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/loopback"
)

// outcome is what one check of the kit ended in.
type outcome struct{ id, status, message string }

// kitRun is what the MCP conformance kit found: the checks of each scenario, in order.
type kitRun struct {
	scenarios map[string][]outcome
	unscored  map[string]bool
	summary   string
}

var (
	scenarioDir = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT`)
	unscored    = regexp.MustCompile(`(?m)^\s+[✓✗] (\S+) \((?:extension|pending|added-after-release)[^)]*\)$`)
)

// conform runs the kit against a server.
func conform(t *testing.T, url string, args ...string) kitRun {
	t.Helper()
	kit := present(t, "node", "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	dir := t.TempDir()
	cmd := exec.Command(node(t), append([]string{kit, "server", "--url", url, "-o", dir}, args...)...)
	cmd.Dir = dir
	out, err := runClient(t, cmd, 5*time.Minute)
	_, summary, ok := strings.Cut(out, "=== SUMMARY ===\n")
	if !ok {
		t.Fatalf("the kit made no summary: %v", err)
	}
	r := kitRun{scenarios: map[string][]outcome{}, unscored: map[string]bool{}, summary: summary}
	for _, m := range unscored.FindAllStringSubmatch(summary, -1) {
		r.unscored[m[1]] = true
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		m := scenarioDir.FindStringSubmatch(d.Name())
		if m == nil {
			t.Fatalf("the kit left %s, which is no scenario's", d.Name())
		}
		r.scenarios[m[1]] = checks(t, filepath.Join(dir, d.Name(), "checks.json"))
	}
	if len(r.scenarios) == 0 {
		t.Fatal("the kit ran no scenario")
	}
	return r
}

func checks(t *testing.T, file string) (out []outcome) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ ID, Status, ErrorMessage string }
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		out = append(out, outcome{c.ID, c.Status, c.ErrorMessage})
	}
	return out
}

// count returns the checks that passed, and those that failed.
func (r kitRun) count() (passed, failed int) {
	for _, all := range r.scenarios {
		for _, c := range all {
			switch c.status {
			case "SUCCESS":
				passed++
			case "FAILURE":
				failed++
			}
		}
	}
	return passed, failed
}

// required returns how many scenarios the revision requires, and which of them failed.
func (r kitRun) required() (n int, failed []string) {
	for _, name := range slices.Sorted(maps.Keys(r.scenarios)) {
		if r.unscored[name] {
			continue
		}
		n++
		if slices.ContainsFunc(r.scenarios[name], func(c outcome) bool { return c.status == "FAILURE" }) {
			failed = append(failed, name)
		}
	}
	return n, failed
}

// differences says which checks ended otherwise than they did without a gateway.
func differences(direct, through kitRun) (out []string) {
	names := map[string]bool{}
	for name := range direct.scenarios {
		names[name] = true
	}
	for name := range through.scenarios {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := tally(direct.scenarios[name]), tally(through.scenarios[name])
		if maps.Equal(a, b) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: direct %v, through %v %s", name, a, b, complaints(through.scenarios[name])))
	}
	return out
}

func tally(all []outcome) map[string]int {
	n := map[string]int{}
	for _, c := range all {
		n[c.id+" "+c.status]++
	}
	return n
}

func complaints(all []outcome) string {
	var b strings.Builder
	for _, c := range all {
		if c.status == "FAILURE" {
			fmt.Fprintf(&b, "\n\t%s: %s", c.id, c.message)
		}
	}
	return b.String()
}

// conformances are the runs of the MCP kit, each with what the server alone must score, so that a kit that stops
// testing is noticed. The SDK's server fails scenarios of an extension that it does not have.
var conformances = []struct {
	revision         string
	args             []string
	stateless        bool
	passed, required int // at least; of the server alone
}{
	{revision: "2026-07-28", args: []string{"--requirements", "2026-07-28"}, stateless: true, passed: 165, required: 37},
	{revision: "2025-11-25", args: []string{"--requirements", "2025-11-25"}, passed: 82, required: 30},
	{revision: "2025-06-18", args: []string{"--spec-version", "2025-06-18", "--suite", "all"}, passed: 50, required: 20},
	{revision: "2025-03-26", args: []string{"--spec-version", "2025-03-26", "--suite", "all"}, passed: 1, required: 1},
}

// The kit must not be able to tell the gateway from the server behind it.
func TestMCPConformanceThroughTheGatewayEqualsDirect(t *testing.T) {
	var table strings.Builder
	table.WriteString("| revision | checks passed, direct | through | required scenarios, direct | through |\n|---|---|---|---|---|\n")
	server := build(t, "github.com/modelcontextprotocol/go-sdk/conformance/everything-server")
	for _, c := range conformances {
		t.Run(c.revision, func(t *testing.T) {
			addr := loopback.Address(t)
			start(t, addr, exec.Command(server, "-http", addr, fmt.Sprintf("-stateless=%v", c.stateless)))
			direct := conform(t, "http://"+addr+"/", c.args...)
			passed, _ := direct.count()
			required, failing := direct.required()
			if passed < c.passed || required < c.required || len(failing) > 0 {
				t.Fatalf("the server alone passes %d checks and %d scenarios (failing: %v), want %d and %d:\n%s", passed, required, failing, c.passed, c.required, direct.summary)
			}
			base := gate(t, fmt.Sprintf(`
agents:
  - {id: kit}
  - {id: everything, mcp: {url: "http://%s/"}}
identity: {anonymous: kit}
`, addr)+transparent, nil)
			through := conform(t, base+"/mcp/everything", c.args...)
			passedThrough, failedThrough := through.count()
			n, failing := through.required()
			t.Logf("through the gateway: %d checks passed, %d failed; %d of %d required scenarios pass", passedThrough, failedThrough, n-len(failing), n)
			for _, d := range differences(direct, through) {
				t.Error(d)
			}
			fmt.Fprintf(&table, "| %s | %d | %d | %d of %d | %d of %d |\n", c.revision, passed, passedThrough, required, required, n-len(failing), n)
		})
	}
	if strings.Count(table.String(), "\n") == len(conformances)+2 { // all of them ran
		page(t, "conformance", table.String())
	}
}
