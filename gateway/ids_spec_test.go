package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// pageKey is HKDF as docs/spec/tokens.md describes it, of the example's identity key.
func pageKey(t *testing.T, size int, parts ...string) []byte {
	t.Helper()
	var identity, info []byte
	for i := range 32 {
		identity = append(identity, byte(i))
	}
	for _, p := range parts {
		info = append(binary.BigEndian.AppendUint32(info, uint32(len(p))), p...)
	}
	key, err := hkdf.Key(sha256.New, identity, nil, string(info), size)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pageSealer and pagePermuter are what the vault hands out, made from the page alone.
type pageSealer struct{ *subtle.AESSIV }

func (s pageSealer) Seal(plain, ad []byte) ([]byte, error) {
	return s.EncryptDeterministically(plain, ad)
}
func (s pageSealer) Open(sealed, ad []byte) ([]byte, error) {
	return s.DecryptDeterministically(sealed, ad)
}

type pagePermuter struct{ cipher.Block }

func (p pagePermuter) Forward(b *[16]byte)  { p.Encrypt(b[:], b[:]) }
func (p pagePermuter) Backward(b *[16]byte) { p.Decrypt(b[:], b[:]) }

// TestIdentifiersOfTheSpec makes the example of docs/spec/ids.md with keys that were derived as the page says. That the
// vault derives them so is for TestKeysOfIdentifiers to show.
func TestIdentifiersOfTheSpec(t *testing.T) {
	seals := func(side string) pageSealer {
		siv, err := subtle.NewAESSIV(pageKey(t, 64, "scrim deterministic 1", "id", "hospital", "insurer", side))
		if err != nil {
			t.Fatal(err)
		}
		return pageSealer{siv}
	}
	permutes := func(parts ...string) pagePermuter {
		block, err := aes.NewCipher(pageKey(t, 32, append([]string{"scrim permutation 1"}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		return pagePermuter{block}
	}
	k := &borderKeys{ours: seals("ours"), theirs: seals("theirs")}
	for name, to := range map[string]*permuter{"uuid": &k.uuid, "hex": &k.hex, "trace": &k.trace, "span": &k.span} {
		*to = permutes("id", "hospital", "insurer", name)
	}
	page, err := os.ReadFile("../docs/spec/ids.md")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.ours.Seal([]byte("task-17\x80\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
	at := traceID(trace)
	permutes("trace", "hospital").Forward(&at)
	for name, text := range map[string]string{
		"key of ours":  hex.EncodeToString(pageKey(t, 64, "scrim deterministic 1", "id", "hospital", "insurer", "ours")),
		"key of UUIDs": hex.EncodeToString(pageKey(t, 32, "scrim permutation 1", "id", "hospital", "insurer", "uuid")),
		"sealed bytes": hex.EncodeToString(sealed),
		"word":         mustID(t, k.there, id{text: "task-17"}).text,
		"number":       mustID(t, k.there, id{text: "17", number: true}).text,
		"UUID":         mustID(t, k.there, id{text: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}).text,
		"hex":          mustID(t, k.there, id{text: "9b2f4c1e0d3a4e5f8a6b7c8d9e0f1a2b"}).text,
		"trace":        passage{to: k}.trace(trace, nil),
		"journal":      hex.EncodeToString(at[:]),
	} {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/spec/ids.md does not have the example's %s: %s", name, text)
		}
	}
}
