package tile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Reader reads a published log. A file that is not there is an error that is [fs.ErrNotExist].
type Reader interface {
	// Tile returns exactly t.W hashes, of the full tile if the partial one is no longer there. They are not verified.
	Tile(ctx context.Context, t tlog.Tile) ([]byte, error)
	// Bundle returns bundle n with exactly partial entries, or all 256 if that is 0. They are not verified.
	Bundle(ctx context.Context, n int64, partial int) ([]byte, error)
	// Checkpoint returns the signed note. Nobody has looked at its signatures.
	Checkpoint(ctx context.Context) ([]byte, error)
}

// Dir reads the log in a directory. A log may be written to it meanwhile.
func Dir(path string) Reader { return reader{dir(path)} }

// source gets the file with a slash-separated path, of at most limit bytes.
type source interface {
	get(ctx context.Context, path string, limit int64) ([]byte, error)
}

type reader struct{ source source }

// Tile implements [Reader].
func (r reader) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if t.H != Height || t.L < 0 || t.L > 63 || t.N < 0 || t.W < 1 || t.W > Width {
		return nil, fmt.Errorf("%w: there is no such tile", ErrTile)
	}
	want := t.W * tlog.HashSize
	data, err := r.source.get(ctx, Path(t), int64(want))
	if t.W < Width && (errors.Is(err, fs.ErrNotExist) || err == nil && len(data) != want) {
		t.W = Width
		if data, err = r.source.get(ctx, Path(t), Width*tlog.HashSize); err == nil && len(data) == Width*tlog.HashSize {
			data = data[:want]
		}
	}
	if err != nil {
		return nil, err
	}
	if len(data) != want {
		return nil, fmt.Errorf("%w: it has %d bytes, want %d", ErrTile, len(data), want)
	}
	return data, nil
}

// Bundle implements [Reader].
func (r reader) Bundle(ctx context.Context, n int64, partial int) ([]byte, error) {
	if n < 0 || partial < 0 || partial >= Width {
		return nil, fmt.Errorf("%w: there is no such bundle", ErrTile)
	}
	t := tlog.Tile{H: Height, L: -1, N: n, W: Width}
	if partial > 0 {
		t.W = partial
		data, err := r.source.get(ctx, Path(t), maxBundle)
		if err == nil {
			if _, err := SplitBundle(data, partial); err == nil {
				return data, nil
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		t.W = Width
	}
	data, err := r.source.get(ctx, Path(t), maxBundle)
	if err != nil {
		return nil, err
	}
	if _, err := SplitBundle(data, Width); err != nil {
		return nil, err
	}
	if partial > 0 {
		return firstEntries(data, partial)
	}
	return data, nil
}

// Checkpoint implements [Reader].
func (r reader) Checkpoint(ctx context.Context) ([]byte, error) {
	return r.source.get(ctx, "checkpoint", maxNote)
}

type dir string

func (d dir) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, limit)
	return data, errors.Join(err, f.Close())
}

func readAll(f io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrTile, limit)
	}
	return data, nil
}
