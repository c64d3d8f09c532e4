package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
	"github.com/tink-crypto/tink-go/v2/prf"
	prfsubtle "github.com/tink-crypto/tink-go/v2/prf/subtle"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// specRing is the keyring of the worked example: bytes 00…1f for identity, 20…3f for epoch 00c0ffee.
func specRing(t *testing.T) (k *Keyring, identity, root []byte) {
	t.Helper()
	for i := range 32 {
		identity, root = append(identity, byte(i)), append(root, byte(32+i))
	}
	hkdfOf := func(key []byte) prf.PRF {
		p, err := prfsubtle.NewHKDFPRF("SHA256", key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	return &Keyring{identity: hkdfOf(identity), epochs: &prf.Set{PrimaryID: 0xc0ffee, PRFs: map[uint32]prf.PRF{0xc0ffee: hkdfOf(root)}}}, identity, root
}

// derive is HKDF as the page describes it, with the standard library alone.
func derive(t *testing.T, key []byte, size int, parts ...string) []byte {
	t.Helper()
	var in string
	for _, p := range parts {
		in += fmt.Sprintf("\x00\x00%c%c%s", len(p)>>8, len(p)&255, p) // lengths here are below 128
	}
	out, err := hkdf.Key(sha256.New, key, nil, in, size)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWorkedExample makes the token of docs/spec/tokens.md twice: with the vault, and step by step as the page says.
func TestWorkedExample(t *testing.T) {
	k, identity, root := specRing(t)
	db := storetest.Open(t, Schema())
	handle, _ := hex.DecodeString("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")
	err := db.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO vault_handles (handle, subject, recipient, grp, label, epoch) VALUES (?, ?, ?, ?, ?, ?)",
			handle, make([]byte, 16), "insurer", "billing", "person/contact/email", 0xc0ffee)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(db, k, Options{Domain: "hospital"})
	if err != nil {
		t.Fatal(err)
	}
	email, _ := flow.DefaultTaxonomy().Class("person/contact/email")
	got, err := v.Begin().Token(t.Context(), Scope{Recipient: "insurer", Group: "billing", Class: email, Origin: flow.Catalogued, Param: flow.TokenReversible}, "jane.doe@example.org")
	if err != nil {
		t.Fatal(err)
	}

	key := derive(t, root, 64, "scrim token key 1", "hospital", "insurer", "billing", "person/contact/email", "00c0ffee", "reversible")
	siv, err := subtle.NewAESSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	padded := append([]byte("jane.doe@example.org\x80"), make([]byte, 11)...)
	var ad []byte
	for _, p := range []string{"scrim token 1", "hospital", "insurer", "billing", "person/contact/email", string(handle)} {
		ad = append(ad, 0, 0, 0, byte(len(p)))
		ad = append(ad, p...)
	}
	body, err := siv.EncryptDeterministically(padded, ad)
	if err != nil {
		t.Fatal(err)
	}
	maskKey := derive(t, identity, 32, "scrim token mask 1", "hospital")
	m := hmac.New(sha256.New, maskKey)
	m.Write(body)
	head := m.Sum(nil)[:16]
	for i := range head {
		head[i] ^= handle[i]
	}
	token := "stk1_" + base64.RawURLEncoding.EncodeToString(append(head, body...))
	if got != token {
		t.Errorf("Token() = %s, by the page's steps %s", got, token)
	}
	page, err := os.ReadFile("../../docs/spec/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"key": hex.EncodeToString(key), "associated data": hex.EncodeToString(ad), "padded value": hex.EncodeToString(padded),
		"body": hex.EncodeToString(body), "mask key": hex.EncodeToString(maskKey), "head": hex.EncodeToString(head), "token": token,
	} {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/spec/tokens.md does not have the example's %s: %s", name, text)
		}
	}
}
