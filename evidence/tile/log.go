package tile

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/store/durable"
)

// Log is a log open for writing. It is safe for concurrent use; batches that are appended at once go one after the other.
type Log struct {
	dir       string // all up to lock are fixed by Open
	origin    string
	signer    note.Signer
	verifiers note.Verifiers
	opt       Options
	disk      disk
	lock      *os.File

	publishing sync.Mutex // held by Publish from beginning to end

	flushing sync.Mutex // guards the fields below; held while tiles are written
	durable  int64      // full tiles of a tree of this size are on the disk
	shown    map[int]tlog.Tile
	old      []stale

	mu     sync.Mutex // guards the fields below; held while the tail is written
	edge   *edge
	signed Checkpoint // over all of the edge
	tail   tail
	closed bool

	published Checkpoint // guarded by mu; written under publishing
}

// stale is a folder of partial tiles that a full one has replaced.
type stale struct {
	path string
	due  time.Time
}

// Open opens the log in dir for writing, or begins one there; only one Log at a time may have it open, else [ErrLocked].
//
// The origin names the log for ever; it may have neither spaces nor plus signs, else [ErrOrigin]. The signer must be an Ed25519 key,
// else [ErrSigner]. What a crash left half done is mended; Open returns [ErrCorrupt] if more is wrong than a crash can cause, and
// changes nothing then. A log that was begun has no checkpoint until the first Publish.
func Open(dir, origin string, signer crypto.Signer, opt Options) (*Log, error) {
	s, err := NewSigner(origin, signer)
	if err != nil {
		return nil, err
	}
	public, _ := signer.Public().(ed25519.PublicKey)
	verifiers, err := verifiersOf(origin, append([]ed25519.PublicKey{public}, opt.Earlier...))
	if err != nil {
		return nil, err
	}
	l := &Log{
		dir: dir, origin: origin, signer: s, verifiers: verifiers, opt: opt.withDefaults(), disk: disk{opt.Fault}, shown: map[int]tlog.Tile{},
	}
	if err := l.open(); err != nil {
		if l.tail.f != nil {
			_ = l.tail.f.Close()
		}
		if l.lock != nil {
			_ = durable.Release(l.lock)
		}
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	state := filepath.Join(l.dir, tailFolder)
	if err := l.disk.mkdir(state); err != nil {
		return err
	}
	var err error
	if l.lock, err = os.OpenFile(filepath.Join(state, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := durable.Lock(l.lock); errors.Is(err, durable.ErrHeld) {
		return ErrLocked
	} else if err != nil {
		return err
	}
	l.tail = tail{disk: l.disk, path: filepath.Join(state, "tail")}
	f, err := os.Open(l.tail.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l.create()
	}
	if err != nil {
		return err
	}
	whole, err := l.recover(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := l.checkPublished(); err != nil {
		return err
	}
	if err := l.tail.open(whole); err != nil {
		return err
	}
	return l.mend()
}

// create begins a log in a directory that has none.
func (l *Log) create() error {
	for _, name := range []string{"checkpoint", "tile"} {
		if _, err := os.Lstat(filepath.Join(l.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, fmt.Errorf("%w: %s is there, yet no %s/tail: restore it, or choose an empty directory", ErrCorrupt, name, tailFolder))
		}
	}
	l.edge = &edge{}
	if err := l.sign(); err != nil {
		return err
	}
	return l.tail.replace(l.edge.begin(l.signed.Note))
}

func (l *Log) recover(f *os.File) (whole int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	l.edge, l.signed, whole, err = readTail(f, info.Size(), l.origin, l.verifiers)
	if err == nil {
		l.durable = l.edge.first
	}
	return whole, err
}

// checkPublished reads the published checkpoint, which the tree must continue.
func (l *Log) checkPublished() error {
	signed, err := os.ReadFile(filepath.Join(l.dir, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := parseCheckpoint(signed, l.origin, l.verifiers)
	if err != nil {
		return fmt.Errorf("%w: the published checkpoint: %w", ErrCorrupt, err)
	}
	if c.Size > l.edge.size {
		return fmt.Errorf("%w: %d leaves were published and only %d are there: an older copy of the directory was restored", ErrCorrupt, c.Size, l.edge.size)
	}
	root, err := tlog.TreeHash(c.Size, tlog.HashReaderFunc(l.readHashes(l.edge)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if root != c.Root {
		return fmt.Errorf("%w: the tree does not continue the published checkpoint", ErrCorrupt)
	}
	l.published = c
	return nil
}

// sign takes a checkpoint of the edge; the caller holds mu.
func (l *Log) sign() (err error) {
	l.signed, err = Checkpoint{Origin: l.origin, Size: l.edge.size, Root: l.edge.root()}.Sign(l.signer)
	return err
}

// Append adds leaves to the tree, in order: all of them, durable when it returns, or none. A leaf of more than [MaxLeaf] bytes is
// an [ErrLeaf]. After any other error the same leaves may be given again once the disk is well; if the program ends before,
// the next Open may find all of them in the tree, but never some.
func (l *Log) Append(leaves [][]byte) error {
	size := frameHead + maxNote
	for _, leaf := range leaves {
		if len(leaf) > MaxLeaf {
			return ErrLeaf
		}
		size += 2 + len(leaf)
	}
	if size > maxFrame {
		return ErrBatch
	}
	if len(leaves) == 0 {
		return nil
	}
	if l.waiting() > l.opt.Memory {
		if _, err := l.flush(); err != nil {
			return fmt.Errorf("writing tiles: %w", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.tail.torn {
		if err := l.tail.replace(l.edge.begin(l.signed.Note)); err != nil {
			return fmt.Errorf("mending the tail: %w", err)
		}
	}
	before, signed := l.edge.mark(), l.signed
	for _, leaf := range leaves {
		l.edge.push(append([]byte(nil), leaf...))
	}
	err := l.sign()
	if err == nil {
		err = l.tail.add(frame(appendBatch(make([]byte, frameHead, size), leaves, l.signed.Note)))
	}
	if err != nil {
		l.edge.back(before)
		l.signed = signed
		return fmt.Errorf("writing the tail: %w", err)
	}
	return nil
}

func (l *Log) waiting() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.edge.bytes
}

// Size is the number of leaves.
func (l *Log) Size() int64 { return l.Signed().Size }

// Root is the root of the tree as it is now.
func (l *Log) Root() tlog.Hash { return l.Signed().Root }

// Signed is the checkpoint over all leaves that are in the tree. It is not to be shown before Publish has shown it.
func (l *Log) Signed() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signed
}

// Published is the checkpoint that readers see; its Note is nil before the first Publish.
func (l *Log) Published() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published
}

// Leaf returns the hash of leaf n, whether it was published or not.
func (l *Log) Leaf(n int64) (tlog.Hash, error) {
	if n < 0 {
		return tlog.Hash{}, fmt.Errorf("no leaf %d", n)
	}
	h, err := l.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
	if err != nil {
		return tlog.Hash{}, err
	}
	return h[0], nil
}

// ReadHashes implements [tlog.HashReader] over the tree as it is now. What it reads from full tiles it does not verify.
func (l *Log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	l.mu.Lock()
	v := l.edge.view()
	l.mu.Unlock()
	return l.readHashes(v)(indexes)
}

func (l *Log) readHashes(e *edge) func([]int64) ([]tlog.Hash, error) {
	return func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			h, ok, err := e.hash(index)
			if err == nil && !ok {
				t := tlog.TileForIndex(Height, index)
				t.W = Width
				var data []byte
				if data, err = os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(Path(t)))); err == nil {
					h, err = tlog.HashFromTile(t, data, index)
				}
			}
			if err != nil {
				return nil, fmt.Errorf("reading a hash of the tree: %w", err)
			}
			hashes[i] = h
		}
		return hashes, nil
	}
}

// Reader reads what was published.
func (l *Log) Reader() Reader { return Dir(l.dir) }

// Close writes what is due and lets another process open the log. It does not publish. Closing again does nothing.
func (l *Log) Close() error {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	_, err := l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tail.f != nil {
		if e := l.tail.f.Close(); !errors.Is(e, os.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, durable.Release(l.lock))
}
