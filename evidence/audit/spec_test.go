package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

var update = flag.Bool("update", false, "write the worked example into the page")

const (
	page      = "../../docs/spec/journal.md"
	beginning = "<!-- example: written by go test ./evidence/audit -run TestSpec -update -->\n"
	ending    = "<!-- end of example -->\n"
)

// specJournal writes the journal that the page tells of.
func specJournal(t *testing.T) ([]audit.Entry, audit.Checkpoint) {
	t.Helper()
	db := storetest.Open(t, audit.Schema())
	now := func() time.Time { return time.Date(2026, 11, 22, 19, 30, 5, 0, time.UTC) }
	l := openLog(t, db, audit.Options{Clock: now})
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
	var entries []audit.Entry
	for e, err := range l.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries, checkpoint(t, l)
}

// example renders the journal as the page shows it.
func example(t *testing.T, entries []audit.Entry, c audit.Checkpoint) string {
	t.Helper()
	vkey, err := audit.VerifierKey(origin, public(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The origin is `%s`, the private key's seed is 32 bytes `01`, and so the verifier key is\n\n```\n%s\n```\n\n", origin, vkey)
	fmt.Fprintf(&b, "The genesis, H(0), is\n\n```\n%x\n```\n\n", sha256.Sum256([]byte("scrim journal v1\n"+origin)))
	for _, e := range entries {
		sealed := "nothing"
		if e.Sealed != nil {
			sealed = fmt.Sprintf("the %d bytes `%s`", len(e.Sealed), e.Sealed)
		}
		fmt.Fprintf(&b, "Entry %d seals %s. Its event of %d bytes and its hash H(%d) are\n\n```\n%s\n```\n\n```\n%x\n```\n\n",
			e.Seq, sealed, len(e.Raw), e.Seq, e.Raw, e.Hash)
	}
	fmt.Fprintf(&b, "The checkpoint over both is\n\n```\n%s```\n", c.Note)
	return b.String()
}

// The page's example is what the program writes.
func TestSpecExampleIsWhatIsWritten(t *testing.T) {
	entries, c := specJournal(t)
	want := example(t, entries, c)
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
			blocks = append(blocks, strings.TrimPrefix(part, "\n"))
		}
	}
	if len(blocks) != 7 {
		t.Fatalf("the example has %d blocks, want 7", len(blocks))
	}
	hash := func(parts ...any) []byte {
		var m bytes.Buffer
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				m.WriteString(p)
			case []byte:
				m.Write(p)
			case int:
				_ = binary.Write(&m, binary.BigEndian, uint64(p))
			}
		}
		sum := sha256.Sum256(m.Bytes())
		return sum[:]
	}
	event1, event2 := strings.TrimSpace(blocks[2]), strings.TrimSpace(blocks[4])
	h0 := hash("scrim journal v1\n", "hospital.example/journal")
	h1 := hash("scrim journal entry v1\n", 1, h0, len(event1), event1, hash("sealed"))
	h2 := hash("scrim journal entry v1\n", 2, h1, len(event2), event2, make([]byte, 32))
	for i, want := range [][]byte{1: h0, 3: h1, 5: h2} {
		if want != nil && strings.TrimSpace(blocks[i]) != hex.EncodeToString(want) {
			t.Errorf("block %d is %s, want %x", i, blocks[i], want)
		}
	}
	text, signature, _ := strings.Cut(blocks[6], "\n\n")
	text += "\n"
	if want := "hospital.example/journal\n2\n" + base64.StdEncoding.EncodeToString(h2) + "\ntime 2026-11-22T19:30:05Z\n"; text != want {
		t.Errorf("the checkpoint says\n%s\nwant\n%s", text, want)
	}
	vkey := strings.Split(strings.TrimSpace(blocks[0]), "+")
	raw, err := base64.StdEncoding.DecodeString(strings.Join(vkey[2:], "+")) // base64 may have a plus sign, too
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(signature, "— hospital.example/journal ")))
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(sig[:4]) != vkey[1] || !bytes.HasPrefix(hash(vkey[0], "\n", raw), sig[:4]) {
		t.Errorf("the signature names key %x, want %s", sig[:4], vkey[1])
	}
	if raw[0] != 1 || !ed25519.Verify(raw[1:], []byte(text), sig[4:]) {
		t.Error("the signature is not good")
	}
}
