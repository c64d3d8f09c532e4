package run_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// otherLog is a log of somebody else, at a size with a root.
type otherLog struct {
	key  ed25519.PrivateKey
	vkey string
}

func newOtherLog(t *testing.T) otherLog {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := tile.VerifierKey("log.example", public)
	if err != nil {
		t.Fatal(err)
	}
	return otherLog{key, vkey}
}

// one is the request to cosign a log of a single leaf.
func (o otherLog) one(t *testing.T, leaf string) string {
	t.Helper()
	s, err := tile.NewSigner("log.example", o.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tile.Checkpoint{Origin: "log.example", Size: 1, Root: tlog.RecordHash([]byte(leaf))}.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(witness.Request{Note: c.Note}.Bytes())
}

func ask(t *testing.T, addr, body string) (int, string) {
	t.Helper()
	resp, err := http.Post("http://"+addr+run.WitnessPath, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A gateway cosigns the logs that its configuration names. One that shows it two histories is refused, on record and an alarm.
func TestAGatewayCosignsTheLogsOfOthers(t *testing.T) {
	other := newOtherLog(t)
	file := lay(t, "version: 1\ndomain: insurer\n", nil)
	g, addr, _ := serve(t, load(t, file), run.Options{})
	if code, _ := ask(t, addr, other.one(t, "a")); code != http.StatusNotFound {
		t.Errorf("a log that nobody named: status %d, want 404", code)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(raw, "witness: {logs: [\""+other.vkey+"\"]}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	code, line := ask(t, addr, other.one(t, "a"))
	peer, err := witness.ParsePeer(g.Witness.Key(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, note, _ := strings.Cut(other.one(t, "a"), "\n\n")
	if at, err := witness.Cosigned([]byte(note+line), []witness.Peer{peer}); code != http.StatusOK || err != nil || len(at) != 1 {
		t.Errorf("status %d %q, error %v", code, line, err)
	}
	if peer.Name != "scrim.dev/witness/insurer" {
		t.Errorf("the witness is called %s", peer.Name)
	}
	for range 2 {
		if code, _ := ask(t, addr, other.one(t, "another")); code != http.StatusConflict {
			t.Errorf("another history: status %d, want 409", code)
		}
	}
	var found int
	for e, err := range g.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Flow.Method == "witness/add-checkpoint" && e.Event.Reason == "the log log.example signed two checkpoints of size 1" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d rows of the journal tell of it, want 1", found)
	}
	if m := metrics(t, g); !strings.Contains(m, "scrim_witness_equivocations 1\n") {
		t.Error("no metric tells of it")
	}
	var v api.WitnessView
	if err := json.Unmarshal([]byte(asked(t, g, http.MethodPost, "/api/v1/witness/show", "{}")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Equivocations) != 1 || len(v.Logs) != 1 || v.Logs[0].Size != 1 || v.Key != g.Witness.Key() {
		t.Errorf("view %+v", v)
	}
}

func TestAWitnessRunsAlone(t *testing.T) {
	other := newOtherLog(t)
	c := load(t, lay(t, fmt.Sprintf("version: 1\ndomain: notary\nlisten: 127.0.0.1:0\nwitness: {name: notary.example/w, logs: [%q]}\n", other.vkey), nil))
	start := func() (addr, key string, stop func(), alarm chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended, ready := make(chan error, 1), make(chan struct{})
		alarm = make(chan error, 1)
		go func() {
			ended <- run.ServeWitness(ctx, c, store.Options{NoSync: true}, func(err error) { alarm <- err }, func(k string, at net.Addr) {
				addr, key = at.String(), k
				close(ready)
			})
		}()
		select {
		case <-ready:
		case err := <-ended:
			t.Fatal(err)
		}
		return addr, key, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}, alarm
	}
	addr, key, stop, _ := start()
	if code, line := ask(t, addr, other.one(t, "a")); code != http.StatusOK || !strings.HasPrefix(line, "— notary.example/w ") {
		t.Errorf("status %d, %q", code, line)
	}
	stop()
	addr, again, stop, alarm := start() // it remembers
	defer stop()
	if again != key {
		t.Error("it has another key")
	}
	if code, _ := ask(t, addr, other.one(t, "another")); code != http.StatusConflict {
		t.Errorf("another history after a restart: status %d, want 409", code)
	}
	select {
	case err := <-alarm:
		if !strings.Contains(err.Error(), "log.example") {
			t.Errorf("alarm %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("no alarm")
	}
	if code, _ := ask(t, addr, "junk"); code != http.StatusBadRequest {
		t.Errorf("junk: status %d, want 400", code)
	}
}

// Two domains cosign each other's logs: each checkpoint that one shows is known to the other.
func TestTwoDomainsWitnessEachOther(t *testing.T) {
	type domain struct {
		g    *run.Gateway
		file string
		addr string
	}
	var both []*domain
	for _, name := range []string{"hospital", "insurer"} {
		d := &domain{file: lay(t, "version: 1\ndomain: "+name+"\n", nil)}
		d.g, d.addr, _ = serve(t, load(t, d.file), run.Options{})
		both = append(both, d)
	}
	meet := func(d, other *domain, more string) {
		t.Helper()
		raw, err := os.ReadFile(d.file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(raw), "witness:")
		text := fmt.Sprintf("%switness: {logs: [%q]}\nlog: {witnesses: [{url: \"http://%s/witness\", key: %q}]%s}\n", head,
			other.g.Witnessing(other.g.Config()).LogKey, other.addr, other.g.Witness.Key(), more)
		if err := os.WriteFile(d.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.g.Reload(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	meet(both[0], both[1], "")
	meet(both[1], both[0], "")
	size := func(d, other *domain) int64 { // of the published checkpoint, if the other one cosigned it
		peer, err := witness.ParsePeer(other.g.Witness.Key(), "")
		if err != nil {
			t.Fatal(err)
		}
		note, err := os.ReadFile(filepath.Join(run.LogDir(d.g.Config()), "all", "checkpoint"))
		if err != nil {
			return 0
		}
		c, err := tile.ParseCheckpoint(note, run.Origin(d.g.Config().Domain), d.g.LogKey())
		if err != nil {
			t.Fatal(err)
		}
		if at, err := witness.Cosigned(note, []witness.Peer{peer}); err != nil || len(at) != 1 {
			return 0
		}
		return c.Size
	}
	var before [2]int64
	for round := range 2 {
		for i, d := range both {
			other := both[1-i]
			eventually(t, "a cosigned checkpoint", func() bool { return size(d, other) > before[i] })
			before[i] = size(d, other)
			logs, err := other.g.Witness.Logs(t.Context())
			if err != nil || len(logs) != 1 || logs[0].Size < before[i] {
				t.Errorf("round %d: the other one cosigned %+v, error %v; want %d entries", round, logs, err, before[i])
			}
		}
		if round == 0 {
			for _, d := range both {
				if err := d.g.Reload(t.Context(), "another row"); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	eventually(t, "the view is of one witness, who signed", func() bool {
		var v api.WitnessView
		if err := json.Unmarshal([]byte(asked(t, both[0].g, http.MethodPost, "/api/v1/witness/show", "{}")), &v); err != nil {
			t.Fatal(err)
		}
		return len(v.Witnesses) == 1 && v.Witnesses[0].Error == "" && v.Have == 1 && v.Want == 1
	})
}
