package vault

import (
	"bytes"
	"crypto/aes"
	"errors"
	"fmt"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// TestKeysOfIdentifiers derives the keys as docs/spec/ids.md says and gets what the vault gets.
func TestKeysOfIdentifiers(t *testing.T) {
	k, identity, _ := specRing(t)
	siv, err := subtle.NewAESSIV(derive(t, identity, 64, "scrim deterministic 1", "id", "hospital", "insurer", "ours"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := siv.EncryptDeterministically([]byte("sixteen bytes it"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	d := k.Deterministic("id", "hospital", "insurer", "ours")
	got, err := d.Seal([]byte("sixteen bytes it"), []byte("text"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Seal() = %x, %v, by the page's steps %x", got, err, want)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another scope": func() ([]byte, error) {
			return k.Deterministic("id", "hospital", "lab", "ours").Open(got, []byte("text"))
		},
		"another name": func() ([]byte, error) {
			return k.Deterministic("x", "hospital", "insurer", "ours").Open(got, []byte("text"))
		},
		"another data": func() ([]byte, error) { return d.Open(got, []byte("sealed")) },
		"cut":          func() ([]byte, error) { return d.Open(got[:8], []byte("text")) },
		"altered":      func() ([]byte, error) { return d.Open(append(bytes.Clone(got[:31]), got[31]^1), []byte("text")) },
	} {
		if plain, err := open(); !errors.Is(err, ErrSealed) || plain != nil {
			t.Errorf("%s: Open() = %q, %v, want ErrSealed", name, plain, err)
		}
	}
	block, err := aes.NewCipher(derive(t, identity, 32, "scrim permutation 1", "id", "hospital", "insurer", "uuid"))
	if err != nil {
		t.Fatal(err)
	}
	var b, by [16]byte
	p := k.Permutation("id", "hospital", "insurer", "uuid")
	p.Forward(&b)
	block.Encrypt(by[:], by[:])
	if b != by {
		t.Errorf("Forward() = %x, by the page's steps %x", b, by)
	}
	if p.Backward(&b); b != [16]byte{} {
		t.Errorf("Backward(Forward(0)) = %x", b)
	}
	if text := fmt.Sprintf("%v %+v %v", d, p, []any{*d, *p}); text != "[secret] [secret] [[secret] [secret]]" {
		t.Errorf("keys print as %q", text)
	}
}
