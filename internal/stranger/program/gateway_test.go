package program_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/internal/stranger/verify"
	"github.com/scrimhq/scrim/store"
)

// gatewayLog is a data directory in which a gateway's own journal wrote rows, and the log's verifier key.
func gatewayLog(t *testing.T, rows int) (data, key string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"scrim.yaml": "version: 1\ndomain: hospital\n", "policies/none.cedar": ""} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := run.OpenState(t.Context(), c, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < rows; n += 100 {
		if err := st.DB.Update(t.Context(), func(tx store.Tx) error {
			for range min(100, rows-n) {
				ev := flow.Event{Time: time.Now(), Outcome: flow.Released, Reason: `a "quoted" {brace`, Flow: flow.Flow{ID: "f", Method: "message/send"}}
				if _, err := st.Log.Append(tx, ev, audit.Private{Sealed: []byte("sealed")}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n == 300 {
			if _, err := st.Log.Checkpoint(t.Context()); err != nil { // one that is archived on the way
				t.Fatal(err)
			}
		}
	}
	if _, err := st.Log.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	key = st.Witnessing(c).LogKey
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return c.Path(c.Data), key
}

// What a gateway wrote passes, by a program that shares no code with it, and no longer after one byte was changed.
func TestTheLogOfAGatewayVerifies(t *testing.T) {
	data, key := gatewayLog(t, 700)
	log := filepath.Join(data, "log")
	r := want(t, done, "", "log", "--key", key, "--archive", filepath.Join(data, "checkpoints"), log)
	if len(r.Logs) != 1 || r.Logs[0].Entries < 701 || r.Logs[0].First != 1 || r.Logs[0].Earlier < 2 {
		t.Errorf("report %+v", r.Logs)
	}
	tree := r.Logs[0].Address
	want(t, done, "", "inclusion", "--key", key, "--index", "300", tree)

	server := httptest.NewServer(http.FileServer(http.Dir(tree)))
	defer server.Close()
	want(t, done, "", "log", "--key", key, server.URL)
	want(t, failed, verify.Signature, "log", "--key", vkeyOfAnother(t), tree)

	err := filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(tree, path)
		if err != nil || d.IsDir() || !strings.HasPrefix(name, "tile") || strings.Contains(name, ".p") && !current(name, r.Logs[0].Size) {
			return err
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, at := range []int{0, len(whole) / 2, len(whole) - 1} {
			bad := append([]byte{}, whole...)
			bad[at] ^= 1
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				return err
			}
			if code, _ := verified(t, "log", "--key", key, tree); code != failed {
				t.Errorf("byte %d of %s was changed: status %d, want 1", at, name, code)
			}
		}
		return os.WriteFile(path, whole, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, done, "", "log", "--key", key, tree)
}

// current reports whether a partial tile is of the published tree; older ones stay for a while and are nobody's.
func current(name string, size int64) bool {
	for level, n := range map[string]int64{"entries": size % 256, "0": size % 256, "1": size / 256} {
		if strings.HasPrefix(filepath.ToSlash(name), "tile/"+level+"/") && strings.HasSuffix(name, "/"+jsonNumber(n)) {
			return true
		}
	}
	return false
}

func jsonNumber(n int64) string { b, _ := json.Marshal(n); return string(b) }

func vkeyOfAnother(t *testing.T) string {
	t.Helper()
	_, key := gatewayLog(t, 1)
	return key
}
