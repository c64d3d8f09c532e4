package program_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/internal/stranger/testlog"
	"github.com/scrimhq/scrim/internal/stranger/verify"
)

var key = testlog.VKey(testlog.Origin, 1, testlog.LogKey)

// verified runs the program, with --json, and returns its exit status and report.
func verified(t *testing.T, args ...string) (int, report) {
	t.Helper()
	var out, errs bytes.Buffer
	code := program.Main(append(args, "--json"), strings.NewReader(""), &out, &errs)
	var r report
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
	} else if code != misuse || errs.Len() == 0 {
		t.Fatalf("status %d, and nothing said", code)
	}
	return code, r
}

func want(t *testing.T, status int, kind string, args ...string) report {
	t.Helper()
	code, r := verified(t, args...)
	got := ""
	if r.Failure != nil {
		got = r.Failure.Kind
	}
	if code != status || got != kind || r.OK != (status == done) {
		t.Errorf("scrim-verify %s\n\tstatus %d, ok %v, failure %v; want status %d, kind %q", strings.Join(args, " "), code, r.OK, r.Failure, status, kind)
	}
	return r
}

func TestLogCommand(t *testing.T) {
	entries := testlog.Scrim(testlog.Origin, 1, 700, "")
	all := testlog.Files(testlog.Origin, entries, testlog.LogKey)
	dir := testlog.Write(t, t.TempDir(), all)
	r := want(t, done, "", "log", "--key", key, dir)
	if l := r.Logs[0]; l.Size != 700 || l.Entries != 700 || l.Leaves != "entries" || l.First != 1 || l.Last != 699 || l.Origin != testlog.Origin {
		t.Errorf("report %+v", l)
	}
	if r := want(t, done, "", "log", dir, "--hashes", "--key", key); r.Logs[0].Leaves != "hashes" || r.Logs[0].Entries != 0 {
		t.Errorf("report %+v", r.Logs[0])
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, done, "", "log", "--key", keyFile, dir)
	want(t, failed, verify.Signature, "log", "--key", testlog.VKey(testlog.Origin, 1, testlog.OtherKey), dir)
	want(t, misuse, "", "log", dir)
	want(t, misuse, "", "log", "--key", key[:40], dir)
	want(t, misuse, verify.Misused, "log", "--key", key)
	want(t, misuse, verify.Misused, "log", "--key", key, filepath.Join(dir, "nowhere"))
	want(t, failed, verify.Unreadable, "log", "--key", key, t.TempDir())
	all["tile/entries/000"][5000] ^= 1
	want(t, failed, verify.Entries, "log", "--key", key, testlog.Write(t, dir, all))
}

func TestPeriodsOfOneDirectory(t *testing.T) {
	root := t.TempDir()
	previous, first := "", 1
	for _, year := range []string{"2025", "2026", "2027"} {
		o := testlog.Origin + "/" + year
		entries := testlog.Scrim(o, first, 30, previous)
		all := testlog.Files(o, entries, testlog.LogKey)
		testlog.Write(t, filepath.Join(root, year), all)
		note, _ := json.Marshal(string(all["checkpoint"]))
		previous, first = `,"previous":{"origin":"`+o+`","checkpoint":`+string(note)+`}`, first+29
	}
	r := want(t, done, "", "log", "--key", key, root)
	if len(r.Logs) != 3 || r.Logs[2].Follows != testlog.Origin+"/2026" || r.Logs[2].First != 59 {
		t.Errorf("report %+v", r.Logs)
	}
	archive := t.TempDir() // one checkpoint of each period
	for _, year := range []string{"2025", "2026", "2027"} {
		note, err := os.ReadFile(filepath.Join(root, year, "checkpoint"))
		if err == nil {
			err = os.WriteFile(filepath.Join(archive, year), note, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, done, "", "log", "--key", key, "--archive", archive, root)
	want(t, done, "", "log", "--key", key, "--archive", archive, filepath.Join(root, "2026")) // others were not asked about
	away := filepath.Join(t.TempDir(), "2027")
	if err := os.Rename(filepath.Join(root, "2027"), away); err != nil {
		t.Fatal(err)
	}
	want(t, done, "", "log", "--key", key, root) // nothing says that there was another
	want(t, failed, verify.Rollback, "log", "--key", key, "--archive", archive, root)
	if err := os.Rename(away, filepath.Join(root, "2027")); err != nil {
		t.Fatal(err)
	}
	want(t, misuse, verify.Misused, "log", "--key", key, filepath.Join(root, "2026"), filepath.Join(root, "2026"))
	want(t, failed, verify.Fork, "log", "--key", key, filepath.Join(root, "2026"), filepath.Join(root, "2025"))
	if err := os.RemoveAll(filepath.Join(root, "2026")); err != nil {
		t.Fatal(err)
	}
	want(t, failed, verify.Fork, "log", "--key", key, root) // a period is gone
}

func TestWhatWasSeenIsNotForgotten(t *testing.T) {
	long := testlog.Scrim(testlog.Origin, 1, 700, "")
	fork := slices.Clone(long)
	fork[300] = bytes.Replace(fork[300], []byte("released"), []byte("refused."), 1)
	at := func(e [][]byte) string {
		return testlog.Write(t, t.TempDir(), testlog.Files(testlog.Origin, e, testlog.LogKey))
	}
	seen := filepath.Join(t.TempDir(), "seen")
	run := func(status int, kind string, e [][]byte) {
		t.Helper()
		want(t, status, kind, "log", "--key", key, "--remember", seen, at(e))
	}
	run(done, "", long[:500])
	run(done, "", long)
	run(failed, verify.Rollback, long[:600])
	run(failed, verify.Fork, append(fork, testlog.Entry(700)))
	run(done, "", append(slices.Clone(long), testlog.Entry(700)))
	if b, _ := os.ReadFile(seen); !bytes.Contains(b, []byte("\n701\n")) {
		t.Errorf("remembered %q", b)
	}

	archive := filepath.Join(t.TempDir(), "2026", "11")
	if err := os.MkdirAll(archive, 0o755); err != nil {
		t.Fatal(err)
	}
	kept := func(name string, e [][]byte) {
		note := testlog.Signed(testlog.Origin, len(e), testlog.MTH(testlog.Hashes(e)), testlog.LogKey)
		if err := os.WriteFile(filepath.Join(archive, name), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept("26", long[:300])
	kept("27", long[:400])
	if r := want(t, done, "", "log", "--key", key, "--archive", filepath.Dir(archive), at(long)); r.Logs[0].Earlier != 2 {
		t.Errorf("%d earlier checkpoints, want 2", r.Logs[0].Earlier)
	}
	kept("28", fork[:400])
	r := want(t, failed, verify.Fork, "log", "--key", key, "--archive", filepath.Dir(archive), at(long))
	if r.Failure != nil && !strings.HasSuffix(r.Failure.Where, "28") {
		t.Errorf("it is at %q, want the file", r.Failure.Where)
	}
	want(t, misuse, verify.Misused, "log", "--key", key, "--archive", t.TempDir(), at(long))
}

func TestConsistencyInclusionAndProofs(t *testing.T) {
	entries := testlog.Scrim(testlog.Origin, 1, 300, "")
	all := testlog.Files(testlog.Origin, entries, testlog.LogKey)
	dir := testlog.Write(t, t.TempDir(), all)
	files := t.TempDir()
	file := func(name string, b []byte) string {
		name = filepath.Join(files, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	note := func(e [][]byte) []byte {
		return []byte(testlog.Signed(testlog.Origin, len(e), testlog.MTH(testlog.Hashes(e)), testlog.LogKey))
	}
	old, older := file("old", note(entries[:280])), file("older", note(entries[:100]))
	want(t, done, "", "consistency", "--key", key, old, dir)
	want(t, failed, verify.Rollback, "consistency", "--key", key, old, older, dir)
	want(t, failed, verify.Fork, "consistency", "--key", key, file("fork", note(testlog.Scrim(testlog.Origin, 2, 100, ""))), dir)
	want(t, misuse, verify.Misused, "consistency", "--key", key, dir)

	leaf := testlog.Base64(testlog.LeafHash(entries[7]))
	if r := want(t, done, "", "inclusion", "--key", key, "--index", "7", dir); r.Logs[0].Hash != leaf {
		t.Errorf("leaf hash %s, want %s", r.Logs[0].Hash, leaf)
	}
	want(t, done, "", "inclusion", "--key", key, "--index", "7", "--hash", leaf, dir)
	want(t, done, "", "inclusion", "--key", key, "--index", "7", "--entry", file("entry", entries[7]), dir)
	want(t, failed, verify.Absent, "inclusion", "--key", key, "--index", "8", "--hash", leaf, dir)
	want(t, failed, verify.Absent, "inclusion", "--key", key, "--index", "300", dir)
	want(t, misuse, verify.Misused, "inclusion", "--key", key, dir)

	proof := "c2sp.org/tlog-proof@v1\nindex 7\n"
	for _, h := range testlog.Path(7, testlog.Hashes(entries)) {
		proof += testlog.Base64(h) + "\n"
	}
	witness := testlog.VKey("witness.example/w", 4, testlog.WitnessKey)
	cosigned := file("cosigned", []byte(proof+"\n"+testlog.Cosign(string(note(entries)), "witness.example/w", testlog.WitnessKey, testlog.CosignedAt)))
	alone := file("alone", []byte(proof+"\n"+string(note(entries))))
	want(t, done, "", "proof", "--key", key, "--hash", leaf, alone)
	want(t, done, "", "proof", "--key", key, "--entry", filepath.Join(files, "entry"), "--witness", witness, "--quorum", "1", cosigned)
	want(t, failed, verify.Quorum, "proof", "--key", key, "--hash", leaf, "--witness", witness, "--quorum", "1", alone)
	want(t, failed, verify.Quorum, "proof", "--key", key, "--hash", leaf, "--witness", witness, "--quorum", "1", "--max-age", "1ns", cosigned)
	want(t, failed, verify.Absent, "proof", "--key", key, "--hash", testlog.Base64(testlog.LeafHash(nil)), alone)
	want(t, misuse, verify.Misused, "proof", "--key", key, alone)
	want(t, misuse, "", "proof", "--key", key, "--hash", leaf, "--witness", witness, "--quorum", "2", cosigned)

	policy := file("policy", []byte("log "+key+"\nwitness W "+witness+"\nquorum W\n"))
	want(t, done, "", "proof", "--policy", policy, "--hash", leaf, cosigned)
	want(t, failed, verify.Quorum, "proof", "--policy", policy, "--hash", leaf, alone)
	want(t, done, "", "checkpoint", "--key", key, old)
	want(t, failed, verify.Quorum, "checkpoint", "--policy", policy, old)
}

func TestReportsForPeople(t *testing.T) {
	all := testlog.Files(testlog.Origin, testlog.Scrim(testlog.Origin, 1, 20, ""), testlog.LogKey)
	all["checkpoint"] = []byte(testlog.Cosign(string(all["checkpoint"]), "witness.example/w", testlog.WitnessKey, testlog.CosignedAt))
	dir := testlog.Write(t, t.TempDir(), all)
	say := func(args ...string) string {
		var out bytes.Buffer
		program.Main(args, strings.NewReader(""), &out, &out)
		return out.String()
	}
	good := say("log", "--key", key, "--witness", testlog.VKey("witness.example/w", 4, testlog.WitnessKey), "--quorum", "1", dir)
	for _, part := range []string{"ok    " + testlog.Origin + ": 20 entries", "cosigned by witness.example/w at 2026-11-27T12:00:00Z", "every entry was read", "numbers 1 to 19", "quorum: 1 of 1 witnesses"} {
		if !strings.Contains(good, part) {
			t.Errorf("%q does not say %q", good, part)
		}
	}
	if s := say("log", "--key", key, "--hashes", dir); !strings.Contains(s, "entries were NOT read") {
		t.Errorf("%q does not say that entries were not read", s)
	}
	bad := maps.Clone(all)
	bad["checkpoint"] = bytes.Replace(bad["checkpoint"], []byte("hospital"), []byte("h\x1b[2Jspi"), 1)
	testlog.Write(t, dir, bad)
	if s := say("log", "--key", key, dir); !strings.HasPrefix(s, "FAIL") || strings.Contains(s, "\x1b") {
		t.Errorf("%q", s)
	}
	if s := say("nonsense"); !strings.Contains(s, "no command") {
		t.Errorf("%q", s)
	}
	if s := say("help"); !strings.Contains(s, "consistency") {
		t.Errorf("%q", s)
	}
}
