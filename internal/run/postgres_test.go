//go:build unix

package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// kept is a gateway whose state is in PostgreSQL.
type kept struct {
	config, dir string
	key         flow.Secret
	calls       atomic.Int64 // that came to the agent
	log         locked
}

type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *locked) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func layKept(t *testing.T, url string) *kept {
	t.Helper()
	k := &kept{}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		n := k.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"a%d","role":"ROLE_AGENT","parts":[{"text":"answer %d for jane@example.org"}]}}}`, n, n)
	}))
	t.Cleanup(agent.Close)
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var digest string
	k.key, digest = identity.NewKey()
	k.config = lay(t, fmt.Sprintf(`version: 1
domain: clinic
store: {postgres: {file: %q}, schema: clinic}
timeouts: {shutdown: 1s}
agents:
  - {id: client, keys: [{sha256: %s}], purposes: [care], default_purpose: care}
  - {id: scribe, a2a: {url: %q}}
purposes: {care: {}}
`, secret, digest, agent.URL), nil)
	k.dir = filepath.Join(filepath.Dir(k.config), "scrim-data")
	return k
}

func (k *kept) open(t *testing.T) (*run.Gateway, string, func() error) {
	t.Helper()
	return serve(t, load(t, k.config), run.Options{Logger: slog.New(slog.NewTextHandler(&k.log, nil)), Store: store.Options{NoSync: true}})
}

// ask sends a message and returns what came back.
func (k *kept) ask(t *testing.T, addr, id string) (int, string) {
	t.Helper()
	status, body, err := k.try(t, addr, id)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func (k *kept) try(t *testing.T, addr, id string) (int, string, error) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"hello"}]}}}`, id)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/a2a/scribe", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.key.Expose())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// A gateway keeps its state in PostgreSQL: what it answered is answered again after a restart, its record is whole, and
// nobody else takes the schema meanwhile.
func TestAGatewayKeepsItsStateInPostgres(t *testing.T) {
	server := pgtest.Start(t)
	k := layKept(t, server.Database(t))
	_, addr, stop := k.open(t)
	status, first := k.ask(t, addr, "m1")
	if status != http.StatusOK || !strings.Contains(first, `"result"`) {
		t.Fatalf("the gateway answers %d %s", status, first)
	}
	other := *load(t, k.config)
	other.Data = t.TempDir() // the keys of another, the schema of this one
	other.Keys.File = filepath.Join(other.Data, "keyset.json")
	if _, err := run.OpenState(t.Context(), &other, store.Options{NoSync: true}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("OpenState() of a second gateway: error = %v, want ErrLocked", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	g, addr, stop := k.open(t)
	if status, again := k.ask(t, addr, "m1"); status != http.StatusOK || again != first || k.calls.Load() != 1 {
		t.Errorf("after a restart the gateway answers %d %s by call %d, want what it answered before", status, again, k.calls.Load())
	}
	if r, err := g.Verify(t.Context(), g.Config()); err != nil || r.Entries < 2 {
		t.Errorf("Verify() = %d entries, %v; want those of a message and its answer", r.Entries, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(k.dir, "scrim.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory has a database too (%v)", err)
	}
	if strings.Contains(k.log.String(), server.Password()) || strings.Contains(k.log.String(), "jane") {
		t.Errorf("the log holds secrets: %s", k.log.String())
	}
}

// Whoever changes where state is kept is told that it would be forgotten: what was spent, recorded and revoked there.
func TestStateIsNotForgottenByAChangeOfStore(t *testing.T) {
	server := pgtest.Start(t)
	k := layKept(t, server.Database(t))
	_, addr, stop := k.open(t)
	k.ask(t, addr, "m1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	back := *load(t, k.config)
	back.Store.Postgres = nil
	st, err := run.OpenState(t.Context(), &back, store.Options{NoSync: true})
	if err == nil {
		_ = st.Close()
		t.Error("OpenState() in the data directory: error = nil, want that the record was set back")
	}
	if err := os.WriteFile(filepath.Join(k.dir, "scrim.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run.OpenState(t.Context(), load(t, k.config), store.Options{NoSync: true}); !errors.Is(err, store.ErrElsewhere) {
		t.Errorf("OpenState() in the database, of a directory that has one: error = %v, want ErrElsewhere", err)
	}
	if err := os.Remove(filepath.Join(k.dir, "scrim.db")); err != nil {
		t.Fatal(err)
	}
	elsewhere := *load(t, k.config)
	elsewhere.Store.Schema = "another"
	if st, err := run.OpenState(t.Context(), &elsewhere, store.Options{NoSync: true}); err == nil {
		_ = st.Close()
		t.Error("OpenState() in an empty schema: error = nil, want that the record was set back")
	}
}

// A gateway whose database went away can record nothing, so it releases nothing; it ends, to be started again.
func TestAGatewayEndsWithItsDatabase(t *testing.T) {
	server := pgtest.Start(t)
	k := layKept(t, server.Database(t))
	c := load(t, k.config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(ctx, c, run.Options{Store: store.Options{NoSync: true}, Listen: l})
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, nil, func(a, _ net.Addr) { ready <- a.String() }) }()
	at := <-ready
	server.Crash()
	if status, body, _ := k.try(t, at, "m1"); strings.Contains(body, `"result"`) { // it may have ended by then
		t.Errorf("without its database the gateway answers %d %s", status, body)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrBroken) {
			t.Errorf("Serve() error = %v, want ErrBroken", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the gateway goes on without its database")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	_, again, stop := k.open(t)
	if status, body := k.ask(t, again, "m2"); status != http.StatusOK {
		t.Errorf("started again, the gateway answers %d %s", status, body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
