package demo

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

//go:embed files
var embedded embed.FS

// Files returns what a domain's gateway is configured with: scrim.yaml with ${…} still to be filled in, policies/,
// schemas/ and, for the hospital, contracts/.
func Files(d flow.DomainID) (fs.FS, error) {
	if d != Hospital && d != Insurer && d != Lab {
		return nil, fmt.Errorf("the demo has no domain %q", d)
	}
	return fs.Sub(embedded, "files/"+string(d))
}

// Lay writes a domain's files into dir, with scrim.yaml filled in from vars, and each secret into secrets/ under its
// name, readable by nobody else. It returns the path of scrim.yaml. A variable that the file names and vars lacks is an error.
func Lay(dir string, d flow.DomainID, vars map[string]string, secrets map[string]flow.Secret) (string, error) {
	files, err := Files(d)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		return "", fmt.Errorf("laying out the files of %s: %w", d, err)
	}
	err = fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if e.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := fs.ReadFile(files, name)
		if err == nil && name == "scrim.yaml" {
			content, err = fill(content, vars)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("laying out the files of %s: %w", d, err)
	}
	for name, secret := range secrets {
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(secret.Expose()), 0o600); err != nil {
			return "", fmt.Errorf("laying out the secrets of %s: %w", d, err)
		}
	}
	return filepath.Join(dir, "scrim.yaml"), nil
}

// fill replaces ${NAME} by the variable's value. Comments keep theirs.
func fill(content []byte, vars map[string]string) ([]byte, error) {
	var missing []error
	var out strings.Builder
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(line, "#") {
			line = os.Expand(line, func(name string) string {
				v, ok := vars[name]
				if !ok {
					missing = append(missing, fmt.Errorf("nothing to put in place of ${%s}", name))
				}
				return v
			})
		}
		out.WriteString(line)
	}
	return []byte(out.String()), errors.Join(missing...)
}
