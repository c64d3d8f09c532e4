package vault_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func rotate(t testing.TB, p *vault.Pairs, at time.Time, r vault.Rotation) vault.Pair {
	t.Helper()
	made, err := p.Rotate(t.Context(), at, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func signs(t testing.TB, p *vault.Pairs, at time.Time) string {
	t.Helper()
	_, pair, err := p.Signer(at)
	if err != nil {
		t.Fatal(err)
	}
	return pair.ID
}

func TestKeysFollowOneAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	k := openKeys(t, path, nil)
	p := k.Pairs("domain", vault.Ed25519)
	if _, _, err := p.Signer(noon); !errors.Is(err, vault.ErrNoPair) {
		t.Errorf("an empty set: error = %v, want ErrNoPair", err)
	}
	r := vault.Rotation{Lead: time.Hour, Overlap: 48 * time.Hour}
	first := rotate(t, p, noon, r)
	if signs(t, p, noon) != first.ID || !first.NotAfter.IsZero() {
		t.Error("the first key does not sign at once, or has an end")
	}
	if _, _, err := p.Signer(noon.Add(-time.Second)); !errors.Is(err, vault.ErrNoPair) {
		t.Errorf("before the first key: error = %v, want ErrNoPair", err)
	}
	day := noon.Add(24 * time.Hour)
	second := rotate(t, p, day, r)
	end := day.Add(time.Hour + 48*time.Hour)
	for _, again := range []*vault.Pairs{p, openKeys(t, path, nil).Pairs("domain", vault.Ed25519)} {
		if got := again.At(day); len(got) != 2 || got[0].ID != first.ID || got[1].ID != second.ID || !got[0].NotAfter.Equal(end) || !got[1].NotAfter.IsZero() {
			t.Fatalf("after a rotation the set is %+v", got)
		}
		if signs(t, again, day.Add(time.Hour-time.Second)) != first.ID || signs(t, again, day.Add(time.Hour)) != second.ID {
			t.Error("the new key does not sign from the end of the lead on")
		}
		if got := again.At(end); len(got) != 1 || got[0].ID != second.ID {
			t.Errorf("after the overlap %d keys count, want the new one", len(got))
		}
	}
	if pruned, err := p.Prune(t.Context(), end); err != nil || !pruned || len(p.All()) != 1 {
		t.Errorf("Prune() = %v, %v and leaves %d keys", pruned, err, len(p.All()))
	}
	if len(openKeys(t, path, nil).Pairs("domain", vault.Ed25519).All()) != 1 {
		t.Error("a key that ended is still in the file")
	}
	lost := rotate(t, p, end, vault.Rotation{})
	if got := p.All(); len(got) != 1 || got[0].ID != lost.ID || signs(t, p, end) != lost.ID {
		t.Errorf("after a rotation without overlap the set is %+v, want the new key alone", got)
	}
	if len(k.Pairs("other", vault.Ed25519).All()) != 0 {
		t.Error("two sets share keys")
	}
}

func TestPairsSign(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keyring"), vault.Passphrase(flow.NewSecret("correct horse battery staple")))
	ed, ec := k.Pairs("domain", vault.Ed25519), k.Pairs("domain ca", vault.P256)
	rotate(t, ed, noon, vault.Rotation{})
	rotate(t, ec, noon, vault.Rotation{})
	message := []byte("capability")
	signer, pair, err := ed.Signer(noon)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.Sign(nil, message, crypto.Hash(0))
	if err != nil || !ed25519.Verify(pair.Public.(ed25519.PublicKey), message, sig) {
		t.Errorf("Ed25519: %v", err)
	}
	signer, pair, err = ec.Signer(noon)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	sig, err = signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(pair.Public.(*ecdsa.PublicKey), digest[:], sig) {
		t.Errorf("P-256: %v", err)
	}
	for _, v := range []any{ed, signer} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%T printed with %s: %.40q…", v, verb, got)
			}
		}
	}
	if _, err := k.Pairs("x", "RSA").Rotate(t.Context(), noon, vault.Rotation{}, nil); err == nil {
		t.Error("pairs of an unknown algorithm are made")
	}
	if _, err := ed.Rotate(t.Context(), noon, vault.Rotation{Lead: -1}, nil); err == nil {
		t.Error("a negative lead is taken")
	}
}

func TestPairsAreBounded(t *testing.T) {
	p := openKeys(t, filepath.Join(t.TempDir(), "keyring"), nil).Pairs("domain", vault.Ed25519)
	r := vault.Rotation{Lead: time.Hour, Overlap: time.Hour}
	var err error
	for range 20 {
		if _, err = p.Rotate(t.Context(), noon, r, nil); err != nil {
			break
		}
	}
	if !errors.Is(err, vault.ErrManyPairs) || len(p.At(noon)) != 8 {
		t.Errorf("error = %v with %d keys, want ErrManyPairs with 8", err, len(p.At(noon)))
	}
	if rotate(t, p, noon, vault.Rotation{}); len(p.At(noon)) != 1 {
		t.Error("a full set cannot be ended")
	}
}

func TestARotationThatCannotBeWrittenIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	kms := &brokenKMS{}
	p := openKeys(t, path, kms).Pairs("domain", vault.Ed25519)
	first := rotate(t, p, noon, vault.Rotation{})
	kms.down = true
	if _, err := p.Rotate(t.Context(), noon, vault.Rotation{}, nil); err == nil || signs(t, p, noon) != first.ID {
		t.Errorf("Rotate() error = %v, want one, and the old key", err)
	}
	kms.down = false
	failing := func(crypto.Signer, vault.Pair) ([]byte, error) { return nil, errors.New("no certificate") }
	if _, err := p.Rotate(t.Context(), noon, vault.Rotation{}, failing); err == nil || signs(t, p, noon) != first.ID {
		t.Errorf("Rotate() without a certificate: error = %v, want one, and the old key", err)
	}
	if signs(t, openKeys(t, path, kms).Pairs("domain", vault.Ed25519), noon) != first.ID {
		t.Error("the file changed")
	}
}

func TestEpochsAndPairsKeepOneAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	k := openKeys(t, path, nil)
	p := k.Pairs("domain", vault.Ed25519)
	first := rotate(t, p, noon, vault.Rotation{})
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotate(t, k.Pairs("domain ca", vault.P256), noon, vault.Rotation{})
	if err := k.Rewrap(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	again := openKeys(t, path, nil)
	if again.Epoch() != k.Epoch() || len(again.Epochs()) != 2 || signs(t, again.Pairs("domain", vault.Ed25519), noon) != first.ID || len(again.Pairs("domain ca", vault.P256).All()) != 1 {
		t.Error("a change of one took another away")
	}
}

// rotateUntilKilled is the victim of TestKilledRotationLeavesAWholeSet: each id on stdout is of a key that the file holds.
func rotateUntilKilled(dir string) error {
	k, err := vault.OpenKeyring(context.Background(), filepath.Join(dir, "keyring"), nil)
	if err != nil {
		return err
	}
	p := k.Pairs("domain", vault.Ed25519)
	for i := 0; ; i++ {
		made, err := p.Rotate(context.Background(), noon.Add(time.Duration(i)*time.Second), vault.Rotation{Overlap: 2 * time.Second}, nil)
		if err != nil {
			return err
		}
		fmt.Println(made.ID)
	}
}

func TestKilledRotationLeavesAWholeSet(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SCRIM_PAIRS_VICTIM="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewReader(out)
		first, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("round %d: the victim made no key: %v", round, err)
		}
		time.AfterFunc(time.Duration(5+23*round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		rest, _ := io.ReadAll(said)
		_ = cmd.Wait() // killed
		lines := strings.Split(first+string(rest), "\n")
		told := lines[:len(lines)-1]
		all := openKeys(t, filepath.Join(dir, "keyring"), nil).Pairs("domain", vault.Ed25519).All()
		last := told[len(told)-1]
		found := false
		for _, pair := range all {
			found = found || pair.ID == last
		}
		if !found { // one more may have been made after the last line
			t.Fatalf("round %d: the last key that was promised is not among the %d of the file", round, len(all))
		}
	}
}
