package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

var update = flag.Bool("update", false, "write the worked example into the page")

// The page's example is a list that this package makes and takes.
func TestListOfTheSpec(t *testing.T) {
	const page = "../../../docs/spec/revocation.md"
	const beginning = "<!-- example: written by go test ./policy/capability/ledger -run TestListOfTheSpec -update -->\n"
	const ending = "<!-- end of example -->\n"
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	l := &list{issuer: "hospital.example", version: 4, issued: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), denied: newEntries()}
	for _, d := range []Denial{
		{Kind: OfToken, Name: "01957a41-0081-7c20-bf3a-00a0c91e1234", Until: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)},
		{Kind: OfHolder, Name: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", Until: time.Date(2027, 11, 28, 9, 0, 0, 0, time.UTC)},
		{Kind: OfTask, Name: "t-42", Until: time.Date(2027, 11, 28, 9, 0, 0, 0, time.UTC)},
	} {
		sum, err := digestOf(d.Kind, d.Name)
		if err != nil {
			t.Fatal(err)
		}
		l.denied[d.Kind][sum] = d.Until.Unix()
	}
	signed, err := l.sign("k1", key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := readList(signed, specKey{key.Public().(ed25519.PublicKey)})
	if err != nil || !again.denied.equal(l.denied) || again.version != 4 || !again.issued.Equal(l.issued) {
		t.Fatalf("readList() = %+v, %v; want what was signed", again, err)
	}
	parts := strings.Split(string(signed), ".")
	var b strings.Builder
	for i, name := range []string{"header", "payload"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n\n```json\n%s\n```\n\n", strings.ToUpper(name[:1])+name[1:]+":", raw)
	}
	fmt.Fprintf(&b, "Signed:\n\n```text\n%s\n```\n", signed)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), beginning)
	was, after, ended := strings.Cut(rest, ending)
	if !found || !ended {
		t.Fatal("the page has no place for the example")
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+beginning+b.String()+ending+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if was != b.String() {
		t.Errorf("the page's example is\n%s\nwant\n%s\nrun go test ./policy/capability/ledger -run TestListOfTheSpec -update", was, b.String())
	}
}

type specKey struct{ key ed25519.PublicKey }

func (s specKey) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return s.key, d == "hospital.example" && kid == "k1"
}
