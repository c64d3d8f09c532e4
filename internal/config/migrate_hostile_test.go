package config

import (
	"errors"
	"testing"
)

// Files whose lines end in ways that only YAML knows, and files that begin with a mark, are refused, not torn.
func TestMigrateRefusesLinesItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"# c\ra: 1", "# c\u0085a: 1", "# c\u2028a: 1\u2028", "\ufeffa: 1\n"} {
		if out, _, err := Migrate([]byte(text)); !errors.Is(err, ErrNoFile) {
			t.Errorf("Migrate(%q) = %q, %v; want ErrNoFile", text, out, err)
		}
	}
}
