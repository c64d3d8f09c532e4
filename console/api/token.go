package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// TokenFile is the name of the file in the data directory that holds the token.
const TokenFile = "admin.token"

// ErrLax is the error of a token file that others can read.
var ErrLax = errors.New("the admin token can be read by others; delete the file and start the gateway again")

// Token reads the token of a data directory, and makes one of 256 random bits if there is none yet.
func Token(dir string) (flow.Secret, error) {
	t, err := ReadToken(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	f, err := os.CreateTemp(dir, "new-*.token") // mode 0600
	if err != nil {
		return flow.Secret{}, fmt.Errorf("making the admin token: %w", err)
	}
	text := rand.Text() + rand.Text()
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, TokenFile))
	}
	if err != nil {
		return flow.Secret{}, fmt.Errorf("making the admin token: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return flow.NewSecret(text), nil
}

// ReadToken reads the token of a data directory. It returns [ErrLax] if others could have read it too.
func ReadToken(dir string) (flow.Secret, error) {
	name := filepath.Join(dir, TokenFile)
	info, err := os.Stat(name)
	if err != nil {
		return flow.Secret{}, fmt.Errorf("reading the admin token: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return flow.Secret{}, fmt.Errorf("%s: %w", name, ErrLax)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return flow.Secret{}, fmt.Errorf("reading the admin token: %w", err)
	}
	text := strings.TrimSpace(string(raw))
	if len(text) < 32 {
		return flow.Secret{}, fmt.Errorf("%s is too short to be a token; delete it and start the gateway again", name)
	}
	return flow.NewSecret(text), nil
}
