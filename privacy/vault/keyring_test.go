package vault_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

func grep(t testing.TB, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func openKeys(t testing.TB, path string, w vault.Wrapper) *vault.Keyring {
	t.Helper()
	k, err := vault.OpenKeyring(t.Context(), path, w)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyringIsMadeOnce(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "new", "keyring")
		var rings [8]*vault.Keyring
		var wg sync.WaitGroup
		for i := range rings { // all at first use, at once
			wg.Go(func() {
				var err error
				if rings[i], err = vault.OpenKeyring(t.Context(), path, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, k := range rings {
			if k == nil || k.ID() != rings[0].ID() || k.Epoch() != rings[0].Epoch() {
				t.Fatal("two keyrings were made at one path")
			}
		}
	}
}

func TestKeyringStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "keyring")
	rings := []*vault.Keyring{openKeys(t, path, nil)}
	again := openKeys(t, path, nil)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	for _, k := range rings {
		if k.ID() != again.ID() || k.Epoch() != again.Epoch() {
			t.Fatal("the keyring was made anew")
		}
	}
	message := []byte("checkpoint")
	sig, err := rings[0].Signer("log").Sign(nil, message, &ed25519.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(again.Signer("log").Public().(ed25519.PublicKey), message, sig) {
		t.Error("the signer changed when the keyring was opened again")
	}
	if ed25519.Verify(again.Signer("card").Public().(ed25519.PublicKey), message, sig) {
		t.Error("two names have one signer")
	}
	sealed, err := rings[0].AEAD("journal").Seal([]byte("decision"), []byte("7"))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotated := openKeys(t, path, nil)
	if plain, err := rotated.AEAD("journal").Open(sealed, []byte("7")); err != nil || string(plain) != "decision" {
		t.Errorf("after rotation Open() = %q, %v", plain, err)
	}
	if !rotated.Signer("log").Public().(ed25519.PublicKey).Equal(again.Signer("log").Public()) || len(rotated.Epochs()) != 2 || rotated.Epoch() == rings[0].Epoch() {
		t.Error("rotation changed the signer, or did not begin an epoch")
	}
	for name, try := range map[string]func() ([]byte, error){
		"another name":    func() ([]byte, error) { return rotated.AEAD("answers").Open(sealed, []byte("7")) },
		"another context": func() ([]byte, error) { return rotated.AEAD("journal").Open(sealed, []byte("8")) },
		"nothing":         func() ([]byte, error) { return rotated.AEAD("journal").Open(nil, nil) },
		"altered": func() ([]byte, error) {
			b := bytes.Clone(sealed)
			b[len(b)-1] ^= 1
			return rotated.AEAD("journal").Open(b, []byte("7"))
		},
		"an epoch that is not there": func() ([]byte, error) {
			b := bytes.Clone(sealed)
			b[2] ^= 1
			return rotated.AEAD("journal").Open(b, []byte("7"))
		},
	} {
		if plain, err := try(); err != vault.ErrSealed || plain != nil {
			t.Errorf("%s: Open() = %q, %v, want ErrSealed", name, plain, err)
		}
	}
	ring := rotated.AEAD("journal")
	if _, err := ring.Open(sealed, []byte("7")); err != nil {
		t.Fatal(err)
	}
	if err := rotated.Retire(t.Context(), rotated.Epoch()); !errors.Is(err, vault.ErrEpoch) {
		t.Errorf("Retire(present) error = %v, want ErrEpoch", err)
	}
	if err := rotated.Retire(t.Context(), rings[0].Epoch()); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open(sealed, []byte("7")); err != vault.ErrSealed {
		t.Errorf("after its epoch was retired Open() error = %v, want ErrSealed", err)
	}
}

func TestKeyringRefusesWhatOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	openKeys(t, path, nil)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o610} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.OpenKeyring(t.Context(), path, nil); !errors.Is(err, vault.ErrLax) {
			t.Errorf("mode %o: error = %v, want ErrLax", mode, err)
		}
	}
	if _, err := vault.OpenKeyring(t.Context(), t.TempDir(), nil); !errors.Is(err, vault.ErrLax) {
		t.Errorf("a folder: error = %v, want ErrLax", err)
	}
}

func TestPassphraseGuardsTheKeyring(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	right, wrong := vault.Passphrase(flow.NewSecret("correct horse battery staple")), vault.Passphrase(flow.NewSecret("incorrect"))
	k := openKeys(t, path, right)
	if got := openKeys(t, path, right); got.ID() != k.ID() {
		t.Error("the keyring was made anew")
	}
	if _, err := vault.OpenKeyring(t.Context(), path, wrong); !errors.Is(err, vault.ErrUnwrap) {
		t.Errorf("wrong passphrase: error = %v, want ErrUnwrap", err)
	}
	if _, err := vault.OpenKeyring(t.Context(), path, nil); !errors.Is(err, vault.ErrWrapped) {
		t.Errorf("no passphrase: error = %v, want ErrWrapped", err)
	}
	if _, err := vault.OpenKeyring(t.Context(), filepath.Join(t.TempDir(), "k"), vault.Passphrase(flow.Secret{})); err == nil {
		t.Error("an empty passphrase wraps")
	}
	if err := k.Rewrap(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenKeyring(t.Context(), path, right); !errors.Is(err, vault.ErrPlain) {
		t.Errorf("not wrapped: error = %v, want ErrPlain", err)
	}
	if got := openKeys(t, path, nil); got.ID() != k.ID() || got.Epoch() != k.Epoch() {
		t.Error("wrapping changed the keys")
	}
}

// brokenKMS fails once it is told to.
type brokenKMS struct{ down bool }

func (b *brokenKMS) Wrap(_ context.Context, p []byte) ([]byte, error) {
	if b.down {
		return nil, errors.New("key service is down")
	}
	return append([]byte("kms"), p...), nil
}

func (b *brokenKMS) Unwrap(_ context.Context, p []byte) ([]byte, error) {
	if b.down {
		return nil, errors.New("key service is down")
	}
	return p[3:], nil
}

func TestRotationThatCannotBeWrittenDoesNotHappen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	kms := &brokenKMS{}
	k := openKeys(t, path, kms)
	epoch := k.Epoch()
	kms.down = true
	if err := k.Rotate(t.Context()); err == nil || k.Epoch() != epoch {
		t.Errorf("Rotate() error = %v, epoch %s, want an error and the old epoch", err, k.Epoch())
	}
	kms.down = false
	if got := openKeys(t, path, kms); got.Epoch() != epoch {
		t.Error("the file changed")
	}
}

func TestDamagedKeyringIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "not JSON": "keys", "another format": `{"format":"scrim-keyring/2","wrapped":false,"keys":""}`,
		"no keys": `{"format":"scrim-keyring/1","wrapped":false,"keys":""}`, "bad keyset": `{"format":"scrim-keyring/1","wrapped":false,"keys":"eyJpZCI6IngiLCJpZGVudGl0eSI6IkFBQUEiLCJlcG9jaHMiOiJBQUFBIn0="}`,
	} {
		path := filepath.Join(t.TempDir(), "keyring")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := vault.OpenKeyring(t.Context(), path, nil); err == nil || k != nil {
			t.Errorf("%s: OpenKeyring() = %v, %v, want an error", name, k, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keyring"), nil)
	for _, v := range []any{k, k.Signer("log"), k.AEAD("journal")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%T printed with %s: %.40q…", v, verb, got)
			}
		}
	}
}

func BenchmarkAEAD(b *testing.B) {
	a := openKeys(b, filepath.Join(b.TempDir(), "keyring"), nil).AEAD("journal")
	plain := make([]byte, 1024)
	for b.Loop() {
		sealed, err := a.Seal(plain, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Open(sealed, nil); err != nil {
			b.Fatal(err)
		}
	}
}
