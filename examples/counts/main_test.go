package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/budget"
)

// The test's own program is the server that the gateway starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasSuffix(os.Args[1], "diagnoses.txt") {
		main()
		return
	}
	os.Exit(m.Run())
}

// bearer shows the key of the example's agent.
type bearer struct{}

func (bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer scrim_example-cohort")
	return http.DefaultTransport.RoundTrip(r)
}

// The folder does what its page says: two questions are charged, a question asked again is not, and the third has no room.
func TestTheExampleIsCharged(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scrim.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	command := `["` + os.Args[0] + `", "` + filepath.Join(dir, "diagnoses.txt") + `"]`
	mine := strings.Replace(string(text), "[counts, diagnoses.txt]", command, 1)
	if mine == string(text) {
		t.Fatal("scrim.yaml does not start counts")
	}
	patient := strings.Replace(mine, "pad: 1s", "pad: 4s", 1) // for a machine that has much else to do
	if patient == mine {
		t.Fatal("scrim.yaml has no padding")
	}
	if err := os.WriteFile(file, []byte(patient), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c.Admin = "127.0.0.1:0"
	g, err := run.Open(t.Context(), c, run.Options{Listen: ln})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, nil, func(net.Addr, net.Addr) { close(ready) }) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	<-ready
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: "http://" + ln.Addr().String() + "/mcp/stats", HTTPClient: &http.Client{Transport: bearer{}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.ListTools(t.Context(), nil); err != nil { // by now the server is up, and has the whole of its time
		t.Fatal(err)
	}
	ask := func(diagnosis string) *mcp.CallToolResult {
		t.Helper()
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "count", Arguments: query{diagnosis}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	count := func(r *mcp.CallToolResult) any {
		m, _ := r.StructuredContent.(map[string]any)
		return m["count"]
	}
	first, again, other := ask("M05"), ask("M05"), ask("M06")
	if count(first) == nil || count(first) != count(again) || count(other) == nil {
		t.Errorf("counts are %v, %v and %v, want three of which the first two are one", count(first), count(again), count(other))
	}
	if r := ask("M45"); !r.IsError {
		t.Errorf("a question beyond the quota got %v", r.StructuredContent)
	}
	all, err := g.Budgets.Ledger.Remaining(t.Context(), budget.Scope{Dataset: "patients"}, budget.Range{})
	if err != nil || len(all) != 1 || all[0].Spent.Epsilon != 500_000_000 {
		t.Errorf("the ledger has %+v, %v, want ε = 0.5 spent", all, err)
	}
}

// The part of scrim.yaml that the project's README shows is that of this folder.
func TestTheReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("scrim.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## Charge tools that draw their own noise\n")
	_, after, _ := strings.Cut(section, "```yaml\ndatasets:\n")
	shown, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("the README shows no datasets")
	}
	for line := range strings.Lines(shown) {
		if !strings.Contains(string(file), line) {
			t.Errorf("scrim.yaml has no line %q", strings.TrimSpace(line))
		}
	}
}

// An audit is answered by the mechanism itself.
func TestAuditIsAnswered(t *testing.T) {
	c, err := newCounts()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.audit(strings.NewReader(`{"data":"a","n":3}`+"\n"+`{"data":"b","n":4096}`+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 || len(strings.Fields(lines[0])) != 3 || len(strings.Fields(lines[1])) != 4096 {
		t.Errorf("got %d lines, want one of 3 and one of 4096 answers", len(lines))
	}
}
