package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/scrimhq/scrim/store/durable"
)

const (
	keyFormat  = "scrim-keyring/1"
	maxKeyFile = 1 << 20
)

// keyFile is the file at the keyring's path, in JSON.
type keyFile struct {
	Format  string `json:"format"`
	Wrapped bool   `json:"wrapped"`
	Keys    []byte `json:"keys"` // contents, wrapped or not
}

var errAbsent = errors.New("keyring file is absent")

func readKeyFile(ctx context.Context, path string, w Wrapper) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("opening the keyring: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the keyring: %w", err)
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring %s has mode %v: %w", path, info.Mode(), ErrLax)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	var file keyFile
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&file) != nil || file.Format != keyFormat {
		return nil, fmt.Errorf("keyring %s is not of format %s", path, keyFormat)
	}
	switch {
	case file.Wrapped && w == nil:
		return nil, fmt.Errorf("keyring %s: %w", path, ErrWrapped)
	case !file.Wrapped && w != nil:
		return nil, fmt.Errorf("keyring %s: %w", path, ErrPlain)
	case w == nil:
		return file.Keys, nil
	}
	plain, err := w.Unwrap(ctx, file.Keys)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w: %w", path, ErrUnwrap, err)
	}
	return plain, nil
}

// writeKeyFile puts a whole file in place, durably, or none. Without replace a file that is there already stays, and that is no error.
func writeKeyFile(ctx context.Context, path string, w Wrapper, plain []byte, replace bool) error {
	file := keyFile{Format: keyFormat, Keys: plain, Wrapped: w != nil}
	if w != nil {
		sealed, err := w.Wrap(ctx, plain)
		if err != nil {
			return fmt.Errorf("wrapping the keyring: %w", err)
		}
		file.Keys = sealed
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	temp, err := writeTemp(dir, append(raw, '\n'))
	if err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	defer os.Remove(temp)
	put := os.Rename
	if !replace {
		put = os.Link // refuses to replace
	}
	if err := put(temp, path); err != nil && (replace || !errors.Is(err, fs.ErrExist)) {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	if err := durable.SyncDir(dir); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	return nil
}

func writeTemp(dir string, raw []byte) (name string, err error) {
	f, err := os.CreateTemp(dir, ".keyring-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(raw); err != nil {
		_ = f.Close()
		return "", err
	}
	if err = f.Sync(); err != nil {
		_ = f.Close()
		return "", err
	}
	return f.Name(), f.Close()
}
