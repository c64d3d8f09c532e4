package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

// A journal of version 1 was a chain of hashes with signed checkpoints over it. Its rows are carried into the tree once
// they are seen to be what was signed. docs/spec/log.md has the format.
const (
	genesisDomain = "scrim journal v1\n"
	entryDomain   = "scrim journal entry v1\n"
	walkPage      = 512 // rows read in one view, so that a walk holds up no checkpoint of the database
)

// link is a place in the chain: after size rows it ends in hash.
type link struct {
	size int64
	hash [32]byte
}

func genesis(origin string) link { return link{0, sha256.Sum256([]byte(genesisDomain + origin))} }

// next returns the link after one more row.
func (p link) next(event, sealed []byte) link {
	var commitment [32]byte // zeros: nothing was sealed
	if len(sealed) > 0 {
		commitment = sha256.Sum256(sealed)
	}
	n := link{size: p.size + 1}
	b := make([]byte, 0, 1024)
	b = append(b, entryDomain...)
	b = binary.BigEndian.AppendUint64(b, uint64(n.size))
	b = append(b, p.hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(event)))
	b = append(b, event...)
	b = append(b, commitment[:]...)
	n.hash = sha256.Sum256(b)
	return n
}

// chained is a signed statement of how many rows the chain has and how it ends there.
type chained struct {
	size int64
	hash [32]byte
}

// parseChained reads a checkpoint of the chain: origin, size, hash and time, a line each.
func parseChained(signed []byte, origin string, verifiers note.Verifiers) (chained, error) {
	n, err := note.Open(signed, verifiers)
	if err != nil {
		return chained{}, errors.New("none of the journal's keys signed it")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != origin || lines[4] != "" || !strings.HasPrefix(lines[3], "time ") {
		return chained{}, errors.New("it is of another journal")
	}
	c := chained{}
	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != len(c.hash) {
		return chained{}, errors.New("its hash is not 32 bytes of base64")
	}
	if c.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.size < 0 {
		return chained{}, errors.New("its size is not a number")
	}
	c.hash = [32]byte(hash)
	return c, nil
}

// chain walks the rows of version 1.
type chain struct {
	db     store.DB
	origin string
	size   int64
	signed map[int64][32]byte // what checkpoints say, by size
}

// openChain reads the checkpoints over the first size rows: the database's own, and those that were archived.
func openChain(ctx context.Context, db store.DB, origin, archive string, keys []ed25519.PublicKey, size int64) (*chain, error) {
	var list []note.Verifier
	for _, key := range keys {
		v, err := tile.NewVerifier(origin, key)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	verifiers := note.VerifierList(list...)
	c := &chain{db, origin, size, map[int64][32]byte{}}
	take := func(what string, row int64, signed []byte) error {
		p, err := parseChained(signed, origin, verifiers)
		switch {
		case err != nil:
			return &Tampered{row, fmt.Sprintf("%s is forged: %v", what, err)}
		case p.size > size:
			return &Tampered{size + 1, setBack(p.size)}
		}
		if old, ok := c.signed[p.size]; ok && old != p.hash {
			return &Tampered{p.size, "two checkpoints say different things"}
		}
		c.signed[p.size] = p.hash
		return nil
	}
	err := db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT size, note FROM audit_chained ORDER BY size")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var size int64
			var signed []byte
			if err := rows.Scan(&size, &signed); err != nil {
				return err
			}
			if err := take("the checkpoint", size, signed); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	notes, err := chainedNotes(archive)
	for _, n := range notes {
		if err == nil {
			err = take("an archived checkpoint", 1, n)
		}
	}
	return c, err
}

var chainedName = regexp.MustCompile(`^[0-9]{19}\.checkpoint$`)

// chainedNotes are the archived checkpoints of version 1, which lie beside the folders of the trees.
func chainedNotes(archive string) ([][]byte, error) {
	if archive == "" {
		return nil, nil
	}
	files, err := os.ReadDir(archive)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var notes [][]byte
	for _, f := range files {
		if err == nil && chainedName.MatchString(f.Name()) {
			var b []byte
			b, err = os.ReadFile(filepath.Join(archive, f.Name()))
			notes = append(notes, b)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading archived checkpoints: %w", err)
	}
	return notes, nil
}

func (c *chain) pass(ctx context.Context, after int64, hand func([]row) error) error {
	at := genesis(c.origin)
	for at.size < c.size {
		page, err := readRows(ctx, c.db, at.size+1, min(at.size+walkPage, c.size))
		if err != nil {
			return err
		}
		if err := c.fit(&at, page); err != nil {
			return err
		}
		if i := slices.IndexFunc(page, func(r row) bool { return r.seq > after }); i >= 0 && hand != nil {
			if err := hand(page[i:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fit moves along a page of rows, which must not be empty.
func (c *chain) fit(at *link, page []row) error {
	if len(page) == 0 {
		return &Tampered{at.size + 1, "the row is missing"}
	}
	for i := range page {
		r := &page[i]
		next := at.next(r.event, r.sealed)
		switch {
		case r.seq != next.size:
			return &Tampered{next.size, "the row is missing"}
		case string(r.proof) != string(next.hash[:]):
			return &Tampered{next.size, "the row does not follow from the one before"}
		}
		if want, ok := c.signed[r.seq]; ok && want != next.hash {
			return &Tampered{r.seq, "the checkpoint has another hash"}
		}
		if id, parent, err := flowOf(r.event); err != nil || id != r.flow || parent != r.parent {
			return &Tampered{r.seq, "the index names another flow than the event"}
		}
		*at = next
	}
	return nil
}

// row is one as the database has it.
type row struct {
	seq               int64
	flow, parent      string
	event             []byte // empty: pruned
	sealed            []byte
	proof             []byte
	payload, subjects []byte
}

func (r *row) leaf() []byte { return leafOf(r.seq, r.event, r.sealed, r.payload, r.subjects) }

// readRows reads rows from a number to another one.
func readRows(ctx context.Context, db store.DB, from, to int64) ([]row, error) {
	var page []row
	err := db.View(ctx, func(tx store.Tx) error {
		page = page[:0]
		rows, err := tx.Query("SELECT seq, flow, parent, event, sealed, proof, payload, subjects FROM audit_entries WHERE seq >= ? AND seq <= ? ORDER BY seq", from, to)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.seq, &r.flow, &r.parent, &r.event, &r.sealed, &r.proof, &r.payload, &r.subjects); err != nil {
				return err
			}
			page = append(page, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return page, nil
}

func setBack(size int64) string {
	return fmt.Sprintf("the journal ends, yet a signed checkpoint covers %d rows: the database was set back or cut", size)
}

// head is where the journal ends.
type head struct {
	size    int64
	tree    string // name of the last row's tree; "": there is none yet
	first   int64  // row of that tree
	chained int64  // rows of version 1
	pruned  int64
}

func readHead(tx store.Tx) (h head, err error) {
	const query = "SELECT size, tree, tree_first, chained, pruned FROM audit_head WHERE id = 1"
	err = tx.QueryRow(query).Scan(&h.size, &h.tree, &h.first, &h.chained, &h.pruned)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil // rows without a head are noticed as beyond it
	}
	return h, err
}

// treeRow is a tree as the database has it.
type treeRow struct {
	name  string
	first int64
	began time.Time
}

func readTrees(tx store.Tx) (trees []treeRow, err error) {
	rows, err := tx.Query("SELECT name, tree_first, began FROM audit_trees ORDER BY tree_first")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t treeRow
		var began int64
		if err := rows.Scan(&t.name, &t.first, &began); err != nil {
			return nil, err
		}
		t.began = time.Unix(0, began)
		trees = append(trees, t)
	}
	return trees, rows.Err()
}
