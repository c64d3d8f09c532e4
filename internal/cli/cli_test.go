package cli_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/scrimhq/scrim/internal/cli"
	"github.com/scrimhq/scrim/internal/loopback"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "bench" && os.Args[2] == "--child" { // the process that bench measures
		os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"scrim":        func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"ticketserver": ticketServer,
		"counter":      counter,
	})
}

// ticketServer is an MCP server over standard input and output.
func ticketServer() {
	type lookup struct {
		Number int `json:"number"`
	}
	type ticket struct {
		Title string `json:"title"`
		Email string `json:"email"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "tickets", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "lookup"}, func(_ context.Context, _ *mcp.CallToolRequest, in lookup) (*mcp.CallToolResult, ticket, error) {
		return nil, ticket{Title: fmt.Sprintf("ticket %d", in.Number), Email: "jane@example.com"}, nil
	})
	if err := s.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		os.Exit(1)
	}
}

// TestScripts runs sessions at the command line. With UPDATE=1 in the environment their expected outputs are rewritten.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"LISTEN", "ADMIN", "GATEWAYS", "LISTEN2", "ADMIN2", "GATEWAYS2"} {
				addr, err := loopback.Free()
				if err != nil {
					return err
				}
				env.Setenv(name, addr)
			}
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fill": fill, "await": await, "get": get, "post": post, "logged": logged, "upstream": upstream, "hangup": hangup, "keep": keep, "spoil": spoil,
		},
	})
}

// fill FILE... replaces $NAME in files by the environment's values.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// await URL waits until the address answers 200; "! await URL" until nothing answers.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(args[0])
		if err != nil {
			if neg {
				return
			}
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK && !neg {
			return
		}
	}
	ts.Fatalf("%s: not as expected in time", args[0])
}

// keep NAME REGEXP puts what the expression's first group finds in the last output into the environment.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("%s: not in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// get URL [TOKENFILE] [HEADER:VALUE...] prints status and body.
func get(ts *testscript.TestScript, _ bool, args []string) { call(ts, http.MethodGet, "", args) }

// post BODY|@FILE URL [TOKENFILE] [HEADER:VALUE...] does the same.
func post(ts *testscript.TestScript, _ bool, args []string) {
	body := args[0]
	if name, ok := strings.CutPrefix(body, "@"); ok {
		body = ts.ReadFile(name)
	}
	call(ts, http.MethodPost, body, args[1:])
}

func call(ts *testscript.TestScript, method, body string, args []string) {
	req, err := http.NewRequest(method, args[0], strings.NewReader(body))
	ts.Check(err)
	for _, a := range args[1:] {
		name, value, isHeader := strings.Cut(a, ":")
		switch {
		case isHeader && name == "Host":
			req.Host = value
		case isHeader:
			req.Header.Set(name, value)
		default:
			req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(a)))
		}
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s", res.StatusCode, b)
}

// logged TEXT waits until the journal of the gateway on $ADMIN has the text.
func logged(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodGet, "http://"+ts.Getenv("ADMIN")+"/api/v1/log/entries", nil)
		ts.Check(err)
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile("scrim-data/admin.token")))
		res, err := http.DefaultClient.Do(req)
		ts.Check(err)
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		ts.Check(err)
		if strings.Contains(string(b), args[0]) {
			return
		}
	}
	ts.Fatalf("the journal has no %q", args[0])
}

// hangup FILE sends SIGHUP to the process whose number is in the file.
func hangup(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGHUP))
}

// upstream FILE starts a server that gives every call the file for an answer, and puts its address into $UPSTREAM.
func upstream(ts *testscript.TestScript, _ bool, args []string) {
	answer := ts.ReadFile(args[0])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	ts.Defer(s.Close)
	ts.Setenv("UPSTREAM", s.URL)
}

// TestAServerIsWrapped: a client of the official SDK starts scrim before the server's program, and nothing else changes.
func TestAServerIsWrapped(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/script/mcp.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(archive, dir); err != nil {
		t.Fatal(err)
	}
	connect := func() *mcp.ClientSession {
		t.Helper()
		cmd := exec.Command("scrim", "mcp", "--server", "tickets", "--", "ticketserver")
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		s, err := mcp.NewClient(&mcp.Implementation{Name: "editor", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd, TerminateDuration: time.Minute}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := connect(), connect() // two clients of one server: each has a data directory of its own
	for n, s := range []*mcp.ClientSession{first, second, first} {
		res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "lookup", Arguments: map[string]any{"number": n}})
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(res.StructuredContent)
		if !strings.Contains(got, fmt.Sprintf("ticket %d", n)) || strings.Contains(got, "jane") || !strings.Contains(got, "[email]") {
			t.Errorf("call %d got %s, want its ticket with a placeholder for the address", n, got)
		}
	}
	for _, s := range []*mcp.ClientSession{first, second} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"scrim-data-mcp-tickets", "scrim-data-mcp-tickets-2"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "scrim-data")); err == nil {
		t.Error("the configured data directory was made, want one of its own alone")
	}
}
