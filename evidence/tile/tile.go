// Package tile keeps a transparency log in files: the Merkle tree of RFC 6962, laid out as C2SP tlog-tiles, under
// checkpoints that are signed notes.
//
// One [Log] writes a directory; what it published is read through a [Reader], from the directory or over HTTP, by this
// package or by any other program that knows tlog-tiles. Full tiles and bundles are written once and never changed. What they do
// not hold yet lies in one file, the tail, to which each batch of leaves adds one frame that ends in a signed checkpoint:
// a batch costs one fsync, and after a crash the next Open finds either all of it or nothing.
//
// Nothing here knows what a leaf means. The format of the tail is this package's own business; the rest is
// https://c2sp.org/tlog-tiles, https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note.
package tile

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// Height is of all tiles; it is fixed by C2SP tlog-tiles.
	Height = 8
	// Width is how many hashes a full tile has, and how many entries a full bundle.
	Width = 1 << Height
	// MaxLeaf is how many bytes a leaf may have, so that its length fits in the bundle's two bytes.
	MaxLeaf = 1<<16 - 1

	maxNote   = 64 << 10
	maxBundle = Width * (2 + MaxLeaf)
	maxLevel  = 63 / Height // of a tree of fewer than 2^63 leaves
)

// Options may be left zero.
type Options struct {
	Clock   func() time.Time    // nil: time.Now
	Earlier []ed25519.PublicKey // keys that signed before the present one
	Keep    time.Duration       // how long partial tiles stay once the full one is there, for readers on their way; 0: ten minutes
	Tail    int64               // bytes in the tail from which it is begun anew; 0: 8 MiB
	Memory  int64               // bytes of leaves without a full bundle from which Append writes bundles itself; 0: 32 MiB

	// Fault is called before each change of the disk, "open", "write", "sync", "rename", "remove", "mkdir" or "truncate", with the
	// path; of a rename both, with " → " between. An error it returns is what the change fails with; of a write half is done then. It is
	// for tests. nil: none.
	Fault func(op, path string) error
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Keep <= 0 {
		o.Keep = 10 * time.Minute
	}
	if o.Tail <= 0 {
		o.Tail = 8 << 20
	}
	if o.Memory <= 0 {
		o.Memory = 32 << 20
	}
	return o
}

// Errors a caller may act on.
var (
	ErrOrigin     = errors.New("origin is empty or has spaces or a plus sign")
	ErrSigner     = errors.New("signer is not an Ed25519 key")
	ErrCheckpoint = errors.New("checkpoint is not valid")
	ErrLeaf       = errors.New("leaf is larger than 65535 bytes")
	ErrBatch      = errors.New("batch of leaves is too large")
	ErrLocked     = errors.New("log is being written by another process")
	ErrCorrupt    = errors.New("log is damaged")
	ErrClosed     = errors.New("log is closed")
	ErrTile       = errors.New("tile is not what it should be") // a reader got something, but not that
)

// Path is where a tile lies below the log's directory or address. Of a tile only L, N and W are looked at; level −1 is
// the bundles of entries.
func Path(t tlog.Tile) string {
	level := "entries"
	if t.L >= 0 {
		level = strconv.Itoa(t.L)
	}
	n := t.N
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if t.W != Width {
		name += ".p/" + strconv.Itoa(t.W)
	}
	return "tile/" + level + "/" + name
}

// ParsePath is the inverse of [Path]; it returns an [ErrTile] for everything that Path does not write.
func ParsePath(path string) (tlog.Tile, error) {
	bad := fmt.Errorf("%w: not the path of a tile", ErrTile)
	parts := strings.Split(path, "/")
	if len(parts) < 3 || len(parts) > 12 || parts[0] != "tile" {
		return tlog.Tile{}, bad
	}
	t := tlog.Tile{H: Height, W: Width}
	if parts[1] == "entries" {
		t.L = -1
	} else if l, err := strconv.Atoi(parts[1]); err != nil || l < 0 || l > 63 {
		return tlog.Tile{}, bad
	} else {
		t.L = l
	}
	parts = parts[2:]
	if k := len(parts) - 2; k >= 0 && strings.HasSuffix(parts[k], ".p") {
		w, err := strconv.Atoi(parts[k+1])
		if err != nil || w < 1 || w >= Width {
			return tlog.Tile{}, bad
		}
		t.W = w
		parts[k] = strings.TrimSuffix(parts[k], ".p")
		parts = parts[:k+1]
	}
	for _, p := range parts {
		n, err := strconv.Atoi(strings.TrimPrefix(p, "x"))
		if err != nil || n < 0 || n > 999 || t.N > (1<<62)/1000 {
			return tlog.Tile{}, bad
		}
		t.N = t.N*1000 + int64(n)
	}
	if Path(t) != path {
		return tlog.Tile{}, bad
	}
	return t, nil
}
