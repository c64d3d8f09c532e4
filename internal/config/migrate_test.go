package config

import (
	"bytes"
	"errors"
	"testing"

	"go.yaml.in/yaml/v3"
)

const before = `# Who asked for this: Ann, 2026-10-02

domain:   clinic   # as in the contract
agents:            # order matters to people
  - {id: zoe}
  - {id: ann}
`

// A file without a version gets one, and nothing else of it changes, not a blank.
func TestMigrationKeepsWhatPeopleWrote(t *testing.T) {
	out, from, err := Migrate([]byte(before))
	want := "# Who asked for this: Ann, 2026-10-02\n\nversion: 1\n" + before[len("# Who asked for this: Ann, 2026-10-02\n\n"):]
	if err != nil || from != 0 || string(out) != want {
		t.Errorf("Migrate() = %q, %d, %v, want %q", out, from, err, want)
	}
	again, from, err := Migrate(out)
	if err != nil || from != 1 || !bytes.Equal(again, out) {
		t.Errorf("again: %q, %d, %v, want the same", again, from, err)
	}
}

// Versions follow one another, each sees what the one before made, and a step that does not lead where it says is an error.
func TestMigrationsAreAChain(t *testing.T) {
	next := func(text []byte, root *yaml.Node) ([]byte, error) {
		if root.Content[0].Value != "version" {
			t.Error("the second step does not see what the first one made")
		}
		return bytes.Replace(text, []byte("version: 1"), []byte("version: 2"), 1), nil
	}
	out, from, err := migrate([]byte(before), []step{versioned, next})
	if err != nil || from != 0 || !bytes.Contains(out, []byte("version: 2\ndomain:   clinic   # as")) {
		t.Errorf("migrate() = %q, %d, %v", out, from, err)
	}
	lazy := func(text []byte, _ *yaml.Node) ([]byte, error) { return text, nil }
	if _, _, err := migrate([]byte(before), []step{versioned, lazy}); err == nil {
		t.Error("a step that did nothing was taken for one")
	}
}

// What is no configuration, or a newer one, is refused, and nothing of it is repeated.
func TestWhatIsNotMigrated(t *testing.T) {
	for text, want := range map[string]error{
		"version: 2\ndomain: secretname": ErrNewerFile, "version: secretname": ErrNoFile, "- secretname": ErrNoFile, "": ErrNoFile, "{domain: secretname}": ErrNoFile,
		"version: 1\nversion: 1": ErrNoFile, "a: [secretname": ErrNoFile, "version: -1": ErrNoFile,
	} {
		_, _, err := Migrate([]byte(text))
		if !errors.Is(err, want) || bytes.Contains([]byte(err.Error()), []byte("secretname")) {
			t.Errorf("Migrate(%q) error = %v, want %v", text, err, want)
		}
	}
}
