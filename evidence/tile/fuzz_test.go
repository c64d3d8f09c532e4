package tile

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const fuzzOrigin = "scrim.dev/log/fuzz"

// FuzzParseText holds that what is read as a checkpoint is written as it was.
func FuzzParseText(f *testing.F) {
	f.Add("scrim.dev/log/clinic\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	f.Add("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseText(text)
		if err != nil {
			return
		}
		if c.Size < 0 || c.Origin == "" || !bytes.HasPrefix([]byte(text), []byte(c.text())) {
			t.Fatalf("ParseText(%q) = %v", text, c)
		}
	})
}

// FuzzParsePath holds that a path has one meaning and a meaning one path.
func FuzzParsePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/entries/x001/234.p/7", "tile/63/x999/x999/999"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := ParsePath(path); err == nil && (Path(tile) != path || tile.N < 0 || tile.L < -1) {
			t.Fatalf("ParsePath(%q) = %v", path, tile)
		}
	})
}

// FuzzSplitBundle holds that the entries are the whole bundle.
func FuzzSplitBundle(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0}, 2)
	f.Fuzz(func(t *testing.T, bundle []byte, want int) {
		entries, err := SplitBundle(bundle, want)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = appendLeaf(again, e)
		}
		if len(entries) != want || !bytes.Equal(again, bundle) {
			t.Fatalf("SplitBundle(%x, %d) = %x", bundle, want, entries)
		}
	})
}

// FuzzReadTail holds that a tail from anywhere is refused or a tree that the key signed.
func FuzzReadTail(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signer, err := NewSigner(fuzzOrigin, key)
	if err != nil {
		f.Fatal(err)
	}
	verifiers, err := verifiersOf(fuzzOrigin, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)})
	if err != nil {
		f.Fatal(err)
	}
	seeds := 0
	var e edge
	for n := range 600 {
		e.push([]byte{byte(n)})
		if n%250 == 3 {
			e.drop(e.size &^ (Width - 1))
			f.Add(tailOf(f, &e, signer))
			seeds++
		}
	}
	if seeds != 3 {
		f.Fatalf("%d seeds, want 3", seeds)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		e, last, whole, err := readTail(bytes.NewReader(file), int64(len(file)), fuzzOrigin, verifiers)
		if err != nil {
			return
		}
		if whole > int64(len(file)) || last.Size != e.size || last.Root != e.root() {
			t.Fatalf("readTail() = %d leaves, checkpoint of %d", e.size, last.Size)
		}
	})
}

func tailOf(f *testing.F, e *edge, signer note.Signer) []byte {
	f.Helper()
	c, err := Checkpoint{Origin: fuzzOrigin, Size: e.size, Root: e.root()}.Sign(signer)
	if err != nil {
		f.Fatal(err)
	}
	return e.begin(c.Note)
}
