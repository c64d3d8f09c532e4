package tile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The tail is a file of frames: length and CRC-32C of the payload, four bytes each, and the payload. The first is
//
//	"scrim tail 1\n", size A of a tree whose full tiles are all on the disk, the hashes of that tree's unfinished tiles from level 1
//	upwards, then like the others: number of leaves (four bytes), the leaves as in bundles, and a signed checkpoint over all so far
//
// Numbers are big-endian. Each frame is durable before the next is begun, so only the last can be torn.
const (
	tailMagic  = "scrim tail 1\n"
	frameHead  = 8
	maxFrame   = 256 << 20
	tailFolder = ".state"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame completes a payload that has frameHead bytes free before it.
func frame(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameHead))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[frameHead:], castagnoli))
	return b
}

// appendBatch is the part that all frames have.
func appendBatch(b []byte, leaves [][]byte, signed []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(leaves)))
	for _, leaf := range leaves {
		b = appendLeaf(b, leaf)
	}
	return append(b, signed...)
}

// begin is the first frame of a tail that starts where the edge does.
func (e *edge) begin(signed []byte) []byte {
	b := append(make([]byte, frameHead, 64<<10), tailMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.first))
	for i := 1; i < len(e.levels) && e.first>>(Height*i) > 0; i++ {
		n := e.first >> (Height * i) % Width
		for _, h := range e.levels[i].hashes[:n] {
			b = append(b, h[:]...)
		}
	}
	return frame(appendBatch(b, e.leaves, signed))
}

// readTail rebuilds the edge. It returns it with the newest checkpoint, and how many bytes of the file are whole frames.
// What is not as Append wrote it is an [ErrCorrupt], but for a torn frame at the end.
func readTail(f io.Reader, size int64, origin string, verifiers note.Verifiers) (e *edge, last Checkpoint, whole int64, err error) {
	var signed []byte
	for whole < size {
		payload, torn, err := readFrame(f, size-whole)
		if err != nil {
			return nil, Checkpoint{}, 0, err
		}
		if torn {
			break
		}
		rest := payload
		if e == nil {
			if e, rest, err = readBegin(payload); err != nil {
				return nil, Checkpoint{}, 0, err
			}
		}
		if signed, err = e.readBatch(rest); err != nil {
			return nil, Checkpoint{}, 0, err
		}
		whole += frameHead + int64(len(payload))
	}
	if e == nil {
		return nil, Checkpoint{}, 0, fmt.Errorf("%w: the tail has no beginning", ErrCorrupt)
	}
	if last, err = parseCheckpoint(signed, origin, verifiers); err != nil {
		return nil, Checkpoint{}, 0, fmt.Errorf("%w: the tail's last checkpoint: %w", ErrCorrupt, err)
	}
	if last.Size != e.size || last.Root != e.root() {
		return nil, Checkpoint{}, 0, fmt.Errorf("%w: the tail's leaves do not give the root that was signed", ErrCorrupt)
	}
	return e, last, whole, nil
}

// readFrame reads the next frame, of which at most left bytes are there.
func readFrame(f io.Reader, left int64) (payload []byte, torn bool, err error) {
	if left < frameHead {
		return nil, true, nil
	}
	var head [frameHead]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, false, fmt.Errorf("reading the tail: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > maxFrame || n > left-frameHead {
		return nil, true, nil
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(f, payload); err != nil {
		return nil, false, fmt.Errorf("reading the tail: %w", err)
	}
	if crc32.Checksum(payload, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		if n < left-frameHead { // the next frame was begun, so this one had been whole
			return nil, false, fmt.Errorf("%w: a frame within the tail was changed", ErrCorrupt)
		}
		return nil, true, nil
	}
	return payload, false, nil
}

func readBegin(b []byte) (e *edge, rest []byte, err error) {
	bad := fmt.Errorf("%w: the tail's first frame is not one", ErrCorrupt)
	b, ok := bytes.CutPrefix(b, []byte(tailMagic))
	if !ok || len(b) < 8 {
		return nil, nil, bad
	}
	first := int64(binary.BigEndian.Uint64(b))
	b = b[8:]
	if first < 0 || first%Width != 0 {
		return nil, nil, bad
	}
	var levels [][]tlog.Hash
	for l := 1; first>>(Height*l) > 0; l++ {
		hashes := make([]tlog.Hash, 0, Width)
		for range first >> (Height * l) % Width {
			if len(b) < tlog.HashSize {
				return nil, nil, bad
			}
			hashes, b = append(hashes, tlog.Hash(b[:tlog.HashSize])), b[tlog.HashSize:]
		}
		levels = append(levels, hashes)
	}
	return restore(first, levels), b, nil
}

// readBatch adds a frame's leaves and returns its checkpoint.
func (e *edge) readBatch(b []byte) (signed []byte, err error) {
	bad := fmt.Errorf("%w: a frame of the tail is not one", ErrCorrupt)
	if len(b) < 4 {
		return nil, bad
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	for range n {
		leaf, rest, ok := nextLeaf(b)
		if !ok {
			return nil, bad
		}
		e.push(leaf)
		b = rest
	}
	return b, nil
}

// tail is the file, open for writing.
type tail struct {
	disk disk
	path string
	f    *os.File
	size int64 // of whole frames
	torn bool  // the file may have more than those: it must be replaced before anything is added
}

// add appends one frame and makes it durable.
func (t *tail) add(frame []byte) error {
	err := t.disk.write(t.f, frame)
	if err == nil {
		err = t.disk.sync(t.f)
	}
	if err == nil {
		t.size += int64(len(frame))
		return nil
	}
	t.torn = true
	undo := t.disk.truncate(t.f, t.size)
	if undo == nil {
		_, undo = t.f.Seek(t.size, io.SeekStart)
	}
	if undo == nil {
		undo = t.disk.sync(t.f)
	}
	t.torn = undo != nil
	return err
}

// replace puts a new file with one frame in the tail's place. If that fails the old file stays, or in the worst case the tail is torn.
func (t *tail) replace(frame []byte) error {
	fresh := t.path + ".new"
	if err := t.disk.put(fresh, frame); err != nil {
		return err
	}
	if t.f != nil {
		t.torn = true // until it is open again; on some systems no open file can be replaced
		if err := t.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("closing the old tail: %w", err)
		}
	}
	if err := t.disk.rename(fresh, t.path); err != nil {
		return err
	}
	if err := t.open(int64(len(frame))); err != nil {
		return err
	}
	t.torn = true
	if err := t.disk.syncDir(t.path); err != nil {
		return err
	}
	t.torn = false
	return nil
}

// open opens the file and forgets what comes after size, which is durable before open returns.
func (t *tail) open(size int64) error {
	f, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the tail: %w", err)
	}
	at, err := f.Seek(0, io.SeekEnd)
	if err == nil && at != size {
		if err = t.disk.truncate(f, size); err == nil {
			err = t.disk.sync(f)
		}
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	t.f, t.size = f, size
	return nil
}
