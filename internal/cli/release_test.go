package cli

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
)

func TestReleaseVerify(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	verifier := release.VerifierKey("hospital", key.Public().(ed25519.PublicKey))
	rows := []byte("age\n30-39\n")
	m := release.Manifest{
		Version: 1, Flow: "f1", From: "hospital", To: release.Recipient{Agent: "study", Domain: "lab"}, Purpose: "research", Time: time.Unix(0, 0).UTC(),
		Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(rows)), Measured: policy.Model{K: 5}, Rows: release.Rows{In: 10, Out: 8, Suppressed: 10, RoundedTo: 10},
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := release.Sign(key, "hospital", raw)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "extract.csv")
	write := func(suffix string, content []byte) {
		if err := os.WriteFile(name+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, key string
		rows      []byte
		manifest  []byte
		status    int
		want      string
	}{
		{"as released", verifier, rows, raw, done, "8, of at most 10; at most 10 suppressed"},
		{"a row more", verifier, append(bytes.Clone(rows), "31\n"...), raw, failed, "not the one"},
		{"a better k", verifier, rows, bytes.Replace(raw, []byte(`"k":5`), []byte(`"k":9`), 1), failed, "not signed"},
		{"another domain's key", release.VerifierKey("clinic", key.Public().(ed25519.PublicKey)), rows, raw, failed, "not signed"},
		{"no key", "", rows, raw, misused, "--key is missing"},
	} {
		write("", c.rows)
		write(release.ManifestSuffix, c.manifest)
		write(release.SignatureSuffix, sig)
		var out, errs bytes.Buffer
		status := Main([]string{"release", "verify", name, "--key", c.key}, strings.NewReader(""), &out, &errs)
		if got := out.String() + errs.String(); status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: exit status %d, %q; want %d with %q", c.name, status, got, c.status, c.want)
		}
	}
}
