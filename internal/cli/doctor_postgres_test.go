//go:build unix

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/store/pgtest"
)

// The doctor looks at the database as a gateway would use it, names what is wrong with it, and never its password.
func TestDoctorLooksAtTheDatabase(t *testing.T) {
	durable, lax := pgtest.Start(t, "fsync=on"), pgtest.Start(t)
	for name, c := range map[string]struct{ url, want string }{
		"a server that syncs":     {durable.URL("postgres"), "durable write p50"},
		"one that does not":       {lax.URL("postgres"), "does not promise durable writes"},
		"one that is not":         {"postgres://owner:" + lax.Password() + "@127.0.0.1:1/x", "cannot be reached"},
		"a database that is not":  {durable.URL("nosuch"), "no such database"},
		"an address that is none": {"owner:" + lax.Password() + "@h", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{
				"url": c.url, "policies/10.cedar": "permit (principal, action, resource);\n",
				"scrim.yaml": "version: 1\ndomain: clinic\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstore: {postgres: {file: url}, schema: doctor}\n",
			} {
				file = filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(dir, "scrim-data"), 0o700); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			Main([]string{"doctor", "-c", filepath.Join(dir, "scrim.yaml")}, strings.NewReader(""), &out, &errs)
			said := out.String() + errs.String()
			if !strings.Contains(said, c.want) || strings.Contains(said, lax.Password()) {
				t.Errorf("doctor says\n%s\nwant %q, and no password", said, c.want)
			}
		})
	}
}
