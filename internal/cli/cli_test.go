package cli_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scrimhq/scrim/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"scrim": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs sessions at the command line. With UPDATE=1 in the environment their expected outputs are rewritten.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"LISTEN", "ADMIN"} {
				addr, err := freeAddress()
				if err != nil {
					return err
				}
				env.Setenv(name, addr)
			}
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fill": fill, "await": await, "get": get, "post": post,
		},
	})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
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

// get URL [TOKENFILE] [HEADER:VALUE...] prints status and body.
func get(ts *testscript.TestScript, _ bool, args []string) { call(ts, http.MethodGet, "", args) }

// post BODY URL [TOKENFILE] [HEADER:VALUE...] does the same.
func post(ts *testscript.TestScript, _ bool, args []string) {
	call(ts, http.MethodPost, args[0], args[1:])
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
