package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

func proofOf(entries [][]byte, index int, extra string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\n%sindex %d\n", extra, index)
	for _, h := range path(index, hashes(entries)) {
		b.WriteString(b64(h) + "\n")
	}
	return b.String() + "\n" + signed(origin, len(entries), mth(hashes(entries)), logKey)
}

func checkProof(t testing.TB, text string, leaf []byte) error {
	p, err := verify.ParseProof([]byte(text))
	if err != nil {
		return err
	}
	_, err = policy(t).Check(p, tlog.Hash(leaf))
	return err
}

func TestProofs(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 8, 300} {
		entries := scrimLog(origin, 1, size, "")
		for _, index := range []int{0, size / 2, size - 1} {
			text := proofOf(entries, index, "extra "+b64([]byte("x"))+"\n")
			if err := checkProof(t, text, leafHash(entries[index])); err != nil {
				t.Errorf("entry %d of %d: %v", index, size, err)
			}
			if err := checkProof(t, text, leafHash([]byte("another"))); kindOf(verify.AsFailure(err)) != verify.Absent {
				t.Errorf("another entry at %d of %d: error %v", index, size, err)
			}
		}
	}
}

func TestTamperedProofs(t *testing.T) {
	entries := scrimLog(origin, 1, 300, "")
	good := proofOf(entries, 100, "")
	lines := strings.Split(good, "\n")
	without := func(i int) string { return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n") }
	swapped := slices.Clone(lines)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, tc := range map[string]struct{ text, kind string }{
		"another index":      {strings.Replace(good, "index 100", "index 101", 1), verify.Absent},
		"an index beyond":    {strings.Replace(good, "index 100", "index 300", 1), verify.Absent},
		"a negative index":   {strings.Replace(good, "index 100", "index -1", 1), verify.Form},
		"an index with zero": {strings.Replace(good, "index 100", "index 0100", 1), verify.Form},
		"no index":           {without(1), verify.Form},
		"a hash less":        {without(3), verify.Absent},
		"a hash more":        {strings.Replace(good, lines[2], lines[2]+"\n"+lines[2], 1), verify.Absent},
		"a hundred hashes":   {strings.Replace(good, lines[2], strings.Repeat(lines[2]+"\n", 100), 1), verify.Form},
		"order":              {strings.Join(swapped, "\n"), verify.Absent},
		"half a hash":        {strings.Replace(good, lines[2], lines[2][:20], 1), verify.Form},
		"another version":    {strings.Replace(good, "@v1", "@v2", 1), verify.Form},
		"extra data twice":   {strings.Replace(good, "index", "extra AAAA\nextra AAAA\nindex", 1), verify.Form},
		"another root":       {strings.Replace(good, b64(mth(hashes(entries))), b64(leafHash(nil)), 1), verify.Signature},
		"another's key":      {strings.Replace(good, signed(origin, 300, mth(hashes(entries)), logKey), signed(origin, 300, mth(hashes(entries)), otherKey), 1), verify.Signature},
		"no checkpoint":      {good[:strings.Index(good, "\n\n")+2], verify.Signature},
		"nothing":            {"", verify.Form},
	} {
		if f := verify.AsFailure(checkProof(t, tc.text, leafHash(entries[100]))); kindOf(f) != tc.kind {
			t.Errorf("%s: failure %v, want kind %s", name, f, tc.kind)
		}
	}
}

func TestInclusionByTiles(t *testing.T) {
	entries := scrimLog(origin, 1, 700, "")
	all := files(origin, entries, logKey)
	dir := write(t, t.TempDir(), all)
	log := open(t, dir)
	c, err := policy(t).Open(all["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, 255, 256, 699} {
		got, path, err := log.Included(t.Context(), c, i)
		if err != nil || got != tlog.Hash(leafHash(entries[i])) || len(path) == 0 {
			t.Errorf("entry %d: %v, path of %d, error %v", i, got, len(path), err)
		}
	}
	for _, i := range []int64{-1, 700} {
		if _, _, err := log.Included(t.Context(), c, i); kindOf(verify.AsFailure(err)) != verify.Absent {
			t.Errorf("entry %d: error %v", i, err)
		}
	}
	flip("tile/0/001", 3)(all)
	write(t, dir, all)
	if _, _, err := log.Included(t.Context(), c, 300); kindOf(verify.AsFailure(err)) != verify.Tiles {
		t.Errorf("a changed tile: error %v", err)
	}
	old, _ := policy(t).Open([]byte(signed(origin, 300, mth(hashes(entries[:300])), logKey)))
	if err := log.Consistent(t.Context(), old, c); kindOf(verify.AsFailure(err)) != verify.Tiles {
		t.Errorf("consistency over a changed tile: error %v", err)
	}
}

func FuzzProof(f *testing.F) {
	entries := scrimLog(origin, 1, 20, "")
	f.Add([]byte(proofOf(entries, 7, "")), 7)
	f.Add([]byte(proofOf(entries, 19, "extra AAAA\n")), 3)
	f.Fuzz(func(t *testing.T, b []byte, i int) {
		p, err := verify.ParseProof(b)
		if err != nil || i < 0 || i >= len(entries) {
			return
		}
		if _, err := policy(t).Check(p, tlog.Hash(leafHash(entries[i]))); err == nil && p.Index != int64(i) {
			t.Errorf("entry %d proven to be at %d", i, p.Index)
		}
	})
}
