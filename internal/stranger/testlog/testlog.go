// Package testlog writes logs for tests, by the letter of the specifications and slowly. It shares nothing with what it tests.
package testlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Origin is of the log that [LogKey] signs.
const Origin = "scrim.dev/log/hospital.example"

// Keys and a time, the same each time.
var (
	LogKey     = ed25519.NewKeyFromSeed([]byte("the log's key in tests only ...."))
	OtherKey   = ed25519.NewKeyFromSeed([]byte("another key in tests only ......"))
	WitnessKey = ed25519.NewKeyFromSeed([]byte("a witness's key in tests only .."))
	CosignedAt = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

// VKey is a verifier key (c2sp.org/signed-note) of that type.
func VKey(name string, kind byte, key ed25519.PrivateKey) string {
	public := append([]byte{kind}, key.Public().(ed25519.PublicKey)...)
	return name + "+" + hex.EncodeToString(KeyID(name, kind, key)) + "+" + base64.StdEncoding.EncodeToString(public)
}

// KeyID is the four bytes before a signature.
func KeyID(name string, kind byte, key ed25519.PrivateKey) []byte {
	sum := sha256.Sum256([]byte(name + "\n" + string(rune(kind)) + string(key.Public().(ed25519.PublicKey))))
	return sum[:4]
}

// Base64 is standard, with padding.
func Base64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// SignatureLine is a line of a signed note.
func SignatureLine(name string, id, sig []byte) string {
	return "— " + name + " " + Base64(append(append([]byte{}, id...), sig...)) + "\n"
}

// Signed is a checkpoint.
func Signed(origin string, size int, root []byte, key ed25519.PrivateKey) string {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, Base64(root))
	return text + "\n" + SignatureLine(origin, KeyID(origin, 1, key), ed25519.Sign(key, []byte(text)))
}

// Cosign adds a cosignature/v1 to a checkpoint.
func Cosign(note, name string, key ed25519.PrivateKey, at time.Time) string {
	text, _, _ := strings.Cut(note, "\n\n")
	sig := ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at.Unix(), text))
	return note + SignatureLine(name, KeyID(name, 4, key), append(binary.BigEndian.AppendUint64(nil, uint64(at.Unix())), sig...))
}

// LeafHash is that of RFC 6962, section 2.1.
func LeafHash(entry []byte) []byte {
	sum := sha256.Sum256(append([]byte{0}, entry...))
	return sum[:]
}

// MTH is the Merkle tree hash of RFC 6962, section 2.1, word by word.
func MTH(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		sum := sha256.Sum256(nil)
		return sum[:]
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	sum := sha256.Sum256(append(append([]byte{1}, MTH(leaves[:k])...), MTH(leaves[k:])...))
	return sum[:]
}

// Path is the audit path of RFC 6962, section 2.1.1.
func Path(m int, leaves [][]byte) [][]byte {
	if len(leaves) <= 1 {
		return nil
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	if m < k {
		return append(Path(m, leaves[:k]), MTH(leaves[k:]))
	}
	return append(Path(m-k, leaves[k:]), MTH(leaves[:k]))
}

// Hashes are the leaf hashes of entries.
func Hashes(entries [][]byte) [][]byte {
	out := make([][]byte, len(entries))
	for i, e := range entries {
		out[i] = LeafHash(e)
	}
	return out
}

// Entry is one of a Scrim log.
func Entry(seq int) []byte {
	return fmt.Appendf(nil, `{"scrim":"entry/2","seq":%d,"event":{"flow":{"id":"f%d"},"outcome":"released","note":"a \"quoted\" {brace"},"sealed":%q,"payload":%q}`,
		seq, seq, Base64(LeafHash([]byte{1, byte(seq)})), Base64(LeafHash([]byte{2, byte(seq)})))
}

// Scrim are the header and entries of a Scrim log of that size.
func Scrim(origin string, first, size int, previous string) [][]byte {
	entries := [][]byte{fmt.Appendf(nil, `{"scrim":"log/1","origin":%q,"first":%d%s}`, origin, first, previous)}
	for i := 1; i < size; i++ {
		entries = append(entries, Entry(first+i-1))
	}
	return entries
}

// TilePath is where a tile of w elements lies.
func TilePath(level string, n, w int) string {
	digits := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		digits = fmt.Sprintf("x%03d/", n%1000) + digits
	}
	if w < 256 {
		digits += ".p/" + strconv.Itoa(w)
	}
	return "tile/" + level + "/" + digits
}

// Files are those of a log with these entries.
func Files(origin string, entries [][]byte, key ed25519.PrivateKey) map[string][]byte {
	all := map[string][]byte{"checkpoint": []byte(Signed(origin, len(entries), MTH(Hashes(entries)), key))}
	for n := 0; n*256 < len(entries); n++ {
		var bundle []byte
		part := entries[n*256 : min(len(entries), n*256+256)]
		for _, e := range part {
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(e))), e...)
		}
		all[TilePath("entries", n, len(part))] = bundle
	}
	nodes := Hashes(entries)
	for level := 0; len(nodes) > 0; level++ {
		var above [][]byte
		for n := 0; n*256 < len(nodes); n++ {
			part := nodes[n*256 : min(len(nodes), n*256+256)]
			var tile []byte
			for _, h := range part {
				tile = append(tile, h...)
			}
			all[TilePath(strconv.Itoa(level), n, len(part))] = tile
			if len(part) == 256 {
				above = append(above, MTH(part))
			}
		}
		nodes = above
	}
	return all
}

// Write puts files into a directory, and returns it.
func Write(t testing.TB, dir string, all map[string][]byte) string {
	t.Helper()
	for name, b := range all {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
