package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

var update = flag.Bool("update", false, "write the worked example into the page")

const (
	page      = "../../docs/spec/log.md"
	beginning = "<!-- example: written by go test ./evidence/audit -run TestSpec -update -->\n"
	ending    = "<!-- end of example -->\n"
)

// specLog writes the journal that the page tells of.
func specLog(t *testing.T) ([][]byte, tile.Checkpoint) {
	t.Helper()
	db := storetest.Open(t, audit.Schema())
	now := func() time.Time { return time.Date(2026, 11, 22, 19, 30, 5, 0, time.UTC) }
	l := openLog(t, db, audit.Options{Clock: now, Period: audit.Year})
	released := flow.Event{
		Time: time.Date(2026, 11, 22, 19, 30, 0, 123456000, time.UTC),
		Flow: flow.Flow{
			ID: "f1", From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "claims", Domain: "insurer"},
			Purpose: "billing", Protocol: "a2a/1.0", Method: "SendMessage",
		},
		Outcome: flow.Released, Bytes: 1024,
	}
	refused := flow.Event{
		Time: time.Date(2026, 11, 22, 19, 30, 1, 0, time.UTC),
		Flow: flow.Flow{
			ID: "f2", Parent: "f1", From: flow.Party{Agent: "claims", Domain: "insurer"}, To: flow.Party{Agent: "intake", Domain: "hospital"},
			Purpose: "billing", Protocol: "a2a/1.0", Direction: flow.Response,
		},
		Outcome: flow.Refused, Reason: "undeclared member at /status/message",
	}
	err := db.Update(t.Context(), func(tx store.Tx) error {
		if _, err := l.Append(tx, released, audit.Private{Sealed: []byte("sealed")}); err != nil {
			return err
		}
		_, err := l.Append(tx, refused, audit.Private{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := checkpoint(t, l)
	var leaves [][]byte
	for n := range c.Size {
		leaf, err := tile.Entry(t.Context(), l.Tree(""), c, n)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	return leaves, c
}

// example renders the log as the page shows it.
func example(t *testing.T, leaves [][]byte, c tile.Checkpoint) string {
	t.Helper()
	vkey, err := tile.VerifierKey(c.Origin, public(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The domain is `hospital.example`, the period is a year, the private key's seed is 32 bytes `01`, and so the verifier key is\n\n```\n%s\n```\n\n", vkey)
	for i, leaf := range leaves {
		fmt.Fprintf(&b, "Leaf %d and its hash are\n\n```\n%s\n```\n\n```\n%x\n```\n\n", i, leaf, audit.LeafHash(leaf))
	}
	fmt.Fprintf(&b, "Row 1 seals the six bytes `sealed`. The checkpoint over all three leaves is\n\n```\n%s```\n", c.Note)
	return b.String()
}

// The page's example is what the program writes.
func TestSpecExampleIsWhatIsWritten(t *testing.T) {
	leaves, c := specLog(t)
	want := example(t, leaves, c)
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), beginning)
	got, after, ok2 := strings.Cut(rest, ending)
	if !ok || !ok2 {
		t.Fatalf("%s has no example between its two comments", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+beginning+"\n"+want+"\n"+ending+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("the example on the page is\n%s\nwant\n%s", got, want)
	}
}

// The page alone, read by a program that knows nothing else of the package, proves its own example.
func TestSpecExampleFollowsItsOwnRules(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), beginning)
	var blocks []string
	for i, part := range strings.Split(rest, "```") {
		if i%2 == 1 {
			blocks = append(blocks, strings.TrimSpace(part))
		}
	}
	if len(blocks) != 8 {
		t.Fatalf("the example has %d blocks, want 8", len(blocks))
	}
	hash := func(parts ...string) string { h := sha256.Sum256([]byte(strings.Join(parts, ""))); return string(h[:]) }
	var leaves [3]string
	for i := range leaves {
		leaves[i] = hash("\x00", blocks[1+2*i])
		if blocks[2+2*i] != hex.EncodeToString([]byte(leaves[i])) {
			t.Errorf("leaf %d has hash %s, want %x", i, blocks[2+2*i], leaves[i])
		}
	}
	if !strings.Contains(blocks[3], `,"sealed":"`+base64.StdEncoding.EncodeToString([]byte(hash("sealed")))+`"`) {
		t.Error("leaf 1 does not have the hash of what is sealed")
	}
	root := hash("\x01", hash("\x01", leaves[0], leaves[1]), leaves[2])
	text, signature, _ := strings.Cut(blocks[7], "\n\n")
	text += "\n"
	if want := "scrim.dev/log/hospital.example/2026\n3\n" + base64.StdEncoding.EncodeToString([]byte(root)) + "\n"; text != want {
		t.Errorf("the checkpoint says\n%s\nwant\n%s", text, want)
	}
	vkey := strings.Split(blocks[0], "+")
	raw, err := base64.StdEncoding.DecodeString(strings.Join(vkey[2:], "+")) // base64 may have a plus sign, too
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "— scrim.dev/log/hospital.example/2026 "))
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(sig[:4]) != vkey[1] || !strings.HasPrefix(hash(vkey[0], "\n", string(raw)), string(sig[:4])) {
		t.Errorf("the signature names key %x, want %s", sig[:4], vkey[1])
	}
	if raw[0] != 1 || !ed25519.Verify(raw[1:], []byte(text), sig[4:]) {
		t.Error("the signature is not good")
	}
}
