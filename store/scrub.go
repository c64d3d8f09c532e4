package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Scrubber is what a [DB] also is whose files can be made to hold nothing of rows that were deleted.
type Scrubber interface {
	// Scrub returns when no file of the database holds any of the traces: bytes of rows that were deleted before. A trace has at least 8 bytes,
	// best 16 that are random. Without traces it takes nothing on trust and writes the database anew, which takes as long as copying it.
	// Others wait meanwhile. After [ErrResidue], or another error, it may be called again.
	Scrub(ctx context.Context, traces [][]byte) error
}

// ErrResidue is the error of a scrub after which deleted bytes may still be in a file.
var ErrResidue = errors.New("deleted rows may still be in the database's files")

const (
	scrubTries = 20
	scrubPause = 250 * time.Millisecond
	shortTrace = 8 // bytes
)

// Scrub implements [Scrubber].
//
// Deleting overwrites a row where it lies, yet a row that was moved to another page when the tree was balanced may have left a copy in the
// gap of its old page, and the write-ahead log has all versions of a page since its last checkpoint. So the log is emptied and the database searched, and
// only if it holds a trace is it written anew.
func (s *SQLite) Scrub(ctx context.Context, traces [][]byte) error {
	if len(traces) > 0 {
		if err := s.emptyLog(ctx); err != nil {
			return err
		}
		switch found, err := s.holds(ctx, traces); {
		case err != nil:
			return fmt.Errorf("searching the database: %w", err)
		case !found:
			return nil
		}
	}
	if err := s.exclusive(ctx, func() error { _, err := s.writer.session.conn.ExecContext(ctx, "VACUUM"); return err }); err != nil {
		return fmt.Errorf("writing the database anew: %w", err)
	}
	return s.emptyLog(ctx) // what is found from now on was written since
}

// exclusive runs f while nobody writes.
func (s *SQLite) exclusive(ctx context.Context, f func() error) error {
	w := s.writer
	w.lead.Lock()
	defer w.lead.Unlock()
	w.mu.RLock()
	closed := w.closed
	w.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	if err := w.broken.get(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// emptyLog moves what the write-ahead log holds to the database and cuts the log off. A long view keeps it from doing so.
func (s *SQLite) emptyLog(ctx context.Context) error {
	for try := 0; ; try++ {
		var busy, frames, moved int64
		err := s.exclusive(ctx, func() (err error) {
			conn := s.writer.session.conn
			if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 100"); err != nil { // everybody waits while we do
				return err
			}
			defer func() {
				_, e := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout.Milliseconds()))
				err = errors.Join(err, e)
			}()
			return conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
		})
		if err != nil {
			return fmt.Errorf("emptying the write-ahead log: %w", err)
		}
		if busy == 0 {
			return nil
		}
		if try == scrubTries {
			return fmt.Errorf("emptying the write-ahead log: somebody has been reading the database all the time: %w", ErrResidue)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(scrubPause):
		}
	}
}

// holds reports whether a file of the database holds one of the traces.
func (s *SQLite) holds(ctx context.Context, traces [][]byte) (bool, error) {
	seek := newSeeker(traces)
	if seek == nil {
		return false, nil
	}
	for _, path := range []string{s.path, s.path + "-wal"} {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		found, err := seek.in(ctx, f)
		if err := errors.Join(err, f.Close()); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// seeker looks for many traces at once, by their first bytes.
type seeker struct {
	first  [1 << 16]bool       // by the first two bytes
	traces map[uint64][][]byte // by the first eight
	most   int                 // length of the longest
}

func newSeeker(traces [][]byte) *seeker {
	if len(traces) == 0 {
		return nil
	}
	s := &seeker{traces: map[uint64][][]byte{}}
	for _, t := range traces {
		if len(t) < shortTrace {
			continue
		}
		s.first[binary.LittleEndian.Uint16(t)] = true
		k := binary.LittleEndian.Uint64(t)
		s.traces[k] = append(s.traces[k], t)
		s.most = max(s.most, len(t))
	}
	return s
}

func (s *seeker) in(ctx context.Context, r io.Reader) (bool, error) {
	buf := make([]byte, 1<<20)
	n := 0
	for {
		got, err := io.ReadFull(r, buf[n:])
		n += got
		if s.found(buf[:n]) {
			return true, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
		keep := min(n, s.most) // what begins here may end in the next piece
		copy(buf, buf[n-keep:n])
		n = keep
	}
}

func (s *seeker) found(b []byte) bool {
	for i := 0; i+shortTrace <= len(b); i++ {
		if !s.first[binary.LittleEndian.Uint16(b[i:])] {
			continue
		}
		for _, t := range s.traces[binary.LittleEndian.Uint64(b[i:])] {
			if bytes.HasPrefix(b[i:], t) {
				return true
			}
		}
	}
	return false
}

var _ Scrubber = (*SQLite)(nil)
