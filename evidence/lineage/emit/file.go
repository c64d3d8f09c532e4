package emit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/evidence/lineage"
)

// File appends events to a file, one a line. It holds each once, whenever the process ends, and is readable by its owner alone.
// Who moves the file away gets another one.
type File struct {
	Path string

	tail []byte // of the file, which nobody noted: events that were written just before the process ended, or somebody else's
}

// mostTail bounds how much of an end that nobody noted is compared with what is to be written.
const mostTail = 64 << 20

func (f *File) begin(place int64) error {
	f.tail = nil
	raw, err := os.Open(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the file for lineage: %w", err)
	}
	defer raw.Close() //nolint:errcheck // it was only read
	info, err := raw.Stat()
	if err != nil {
		return fmt.Errorf("opening the file for lineage: %w", err)
	}
	if n := info.Size() - place; n <= 0 || n > mostTail {
		return nil // as it was noted, or begun anew by somebody
	}
	if f.tail, err = io.ReadAll(io.NewSectionReader(raw, place, info.Size()-place)); err != nil {
		return fmt.Errorf("reading the end of the file for lineage: %w", err)
	}
	return nil
}

func (*File) wants(*lineage.Event) bool { return true }

func (f *File) send(_ context.Context, events [][]byte) (int, int64, error) {
	var b []byte
	for _, ev := range events {
		b = append(append(b, ev...), '\n')
	}
	switch tail := f.tail; {
	case len(tail) == 0:
	case bytes.HasPrefix(b, tail): // all of it was written before, maybe in part
		b, f.tail = b[len(tail):], nil
	case bytes.HasPrefix(tail, b):
		b, f.tail = nil, tail[len(b):]
	default: // somebody else's
		if f.tail = nil; tail[len(tail)-1] != '\n' {
			b = append([]byte("\n"), b...)
		}
	}
	place, err := f.write(b)
	if err != nil {
		return 0, 0, err
	}
	return len(events), place - int64(len(f.tail)), nil
}

// write appends and returns how long the file is then, durably. What was written in part is taken back.
func (f *File) write(b []byte) (size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return 0, fmt.Errorf("making the directory of the file for lineage: %w", err)
	}
	file, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("opening the file for lineage: %w", err)
	}
	before, err := file.Seek(0, io.SeekEnd)
	if err == nil && len(b) > 0 {
		if _, err = file.Write(b); err == nil {
			err = file.Sync()
		}
		if err != nil {
			_ = file.Truncate(before) // where that fails, too, the end is found when the file is opened next
			_ = f.begin(before)
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("writing lineage: %w", err)
	}
	return before + int64(len(b)), nil
}
