package config

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/tile"
)

func vkeyOf(t *testing.T, origin string, seed byte) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), 32)))
	vkey, err := tile.VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

func TestWitnessesAreConfiguredByKeys(t *testing.T) {
	one, next, two := vkeyOf(t, "log.example/a", 'a'), vkeyOf(t, "log.example/a", 'b'), vkeyOf(t, "log.example/b", 'c')
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "policies", "none.cedar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	parse := func(yaml string) (*Config, error) {
		return Parse("scrim.yaml", []byte("version: 1\ndomain: insurer\n"+yaml), dir)
	}
	c, err := parse(fmt.Sprintf("witness: {logs: [%q, %q, %q]}\n", one, two, next))
	if err != nil {
		t.Fatal(err)
	}
	all := c.Witnessed()
	if len(all) != 2 || all[0].Origin != "log.example/a" || len(all[0].Keys) != 2 || len(all[1].Keys) != 1 {
		t.Errorf("logs %+v, want two, the first with two keys", all)
	}
	if c.WitnessName() != "scrim.dev/witness/insurer" {
		t.Errorf("the witness is called %s", c.WitnessName())
	}
	for yaml, want := range map[string]string{
		`witness: {name: "a b"}`:                           "name of a key",
		`witness: {logs: [nothing]}`:                       "name+id+key",
		fmt.Sprintf(`witness: {logs: [%q, %q]}`, one, one): "listed twice",
		fmt.Sprintf(`witness: {logs: [%q]}`, "x"+one):      "id does not belong",
	} {
		if _, err := parse(yaml + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", yaml, err, want)
		}
	}
}
