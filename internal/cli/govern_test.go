//go:build unix

package cli_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/store/pgtest"
)

// TestGovernance is a newcomer's first days with a database of thirty tables, as scripts: inventory, contracts, a gateway before the database, a change of
// policy that others agree to and that is taken back, and records of processing with their proofs.
func TestGovernance(t *testing.T) {
	server := pgtest.Common(t)
	clinic, err := os.ReadFile("testdata/clinic.sql")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/governance",
		Setup: func(env *testscript.Env) error {
			url := server.Database(t)
			pgtest.Exec(t, url, string(clinic))
			env.Setenv("CLINIC_URL", url)
			for _, name := range []string{"LISTEN", "ADMIN"} {
				addr, err := loopback.Free()
				if err != nil {
					return err
				}
				env.Setenv(name, addr)
			}
			key := sha256.Sum256([]byte("scrim_example-insurer"))
			env.Setenv("INSURERSUM", hex.EncodeToString(key[:]))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fill": fill, "await": await, "get": get, "post": post, "keep": keep, "reviewed": reviewed,
			"alter": func(ts *testscript.TestScript, _ bool, args []string) {
				pgtest.Exec(t, ts.Getenv("CLINIC_URL"), args...)
			},
		},
	})
}

// reviewed FILE is what somebody does who reads a contract: it is no draft any more.
func reviewed(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, "status: draft") {
		ts.Fatalf("%s is no draft", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, "status: draft", "status: active", 1)), 0o644))
}
