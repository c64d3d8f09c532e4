package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

// check does what "scrim-verify log" does with a directory.
func check(t testing.TB, dir string, r verify.Reading) (verify.Whole, error) {
	t.Helper()
	return checkLog(t, open(t, dir), r)
}

func checkLog(t testing.TB, log verify.Log, r verify.Reading) (verify.Whole, error) {
	t.Helper()
	p := policy(t)
	raw, err := log.Checkpoint(t.Context())
	if err != nil {
		return verify.Whole{}, err
	}
	c, err := p.Open(raw)
	if err != nil {
		return verify.Whole{}, err
	}
	return log.Whole(t.Context(), c, r)
}

func TestLogsOfManySizesVerify(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 255, 256, 257, 511, 512, 1000, 65535, 65536, 65537} {
		if size > 1000 && os.Getenv("SCRIM_LONG") == "" {
			continue // 300 tiles and more
		}
		entries := scrimLog(origin, 1, size, "")[:size]
		var earlier []verify.Checkpoint
		for _, n := range []int{0, 1, size / 2, size - 1, size} {
			if n >= 0 && n <= size {
				c, err := policy(t).Open([]byte(signed(origin, n, mth(hashes(entries[:n])), logKey)))
				if err != nil {
					t.Fatal(err)
				}
				earlier = append(earlier, c)
			}
		}
		dir := write(t, t.TempDir(), files(origin, entries, logKey))
		w, err := check(t, dir, verify.Reading{Earlier: earlier})
		if err != nil || w.Entries != int64(size) {
			t.Errorf("size %d: %d entries, error %v", size, w.Entries, err)
		}
		if w, err := check(t, dir, verify.Reading{Hashes: true, Earlier: earlier}); err != nil || w.Entries != 0 {
			t.Errorf("size %d by hashes: %d entries, error %v", size, w.Entries, err)
		}
	}
}

// flip returns a copy with one bit of one file changed.
func flip(name string, bit int) func(map[string][]byte) {
	return func(all map[string][]byte) {
		b := bytes.Clone(all[name])
		b[bit/8%len(b)] ^= 1 << (bit % 8)
		all[name] = b
	}
}

// tampered is the corpus: what is done to a log of 700 entries, and how it is found out.
func tampered() map[string]struct {
	kind string
	do   func(map[string][]byte)
} {
	type change = func(map[string][]byte)
	entries := scrimLog(origin, 5, 700, "")
	remade := func(e [][]byte) change { // all files of a log with other entries, but the old checkpoint
		return func(all map[string][]byte) {
			for name, b := range files(origin, e, logKey) {
				if name != "checkpoint" {
					all[name] = b
				}
			}
		}
	}
	resigned := func(e [][]byte) change { // by the log's key: its keeper is the attacker
		return func(all map[string][]byte) {
			clear(all)
			maps.Copy(all, files(origin, e, logKey))
		}
	}
	swapped, removed, doubled := slices.Clone(entries), slices.Delete(slices.Clone(entries), 300, 301), slices.Insert(slices.Clone(entries), 300, entries[300])
	swapped[300], swapped[301] = swapped[301], swapped[300]
	late, atSeam := slices.Clone(entries), slices.Delete(slices.Clone(entries), 256, 257)
	late[600], late[601] = late[601], late[600]
	edit := func(i int, old, new string) [][]byte {
		e := slices.Clone(entries)
		e[i] = bytes.Replace(e[i], []byte(old), []byte(new), 1)
		return e
	}
	cut := func(name string, n int) change { return func(all map[string][]byte) { all[name] = all[name][:n] } }
	grow := func(name string, b ...byte) change {
		return func(all map[string][]byte) { all[name] = append(bytes.Clone(all[name]), b...) }
	}
	lose := func(name string) change { return func(all map[string][]byte) { delete(all, name) } }
	last := tilePath("entries", 2, 188)
	return map[string]struct {
		kind string
		do   change
	}{
		"bit of the checkpoint's size":   {verify.Signature, flip("checkpoint", (len(origin)+2)*8)},
		"bit of the checkpoint's root":   {verify.Signature, flip("checkpoint", (len(origin)+8)*8)},
		"bit of the checkpoint's origin": {verify.Signature, flip("checkpoint", 8)},
		"bit of the signature": {verify.Signature, func(all map[string][]byte) {
			text, _, _ := strings.Cut(string(all["checkpoint"]), "\n\n")
			sig := ed25519.Sign(logKey, []byte(text+"\n"))
			sig[40] ^= 1
			all["checkpoint"] = []byte(text + "\n\n" + signatureLine(origin, id(origin, 1, logKey), sig))
		}},
		"bit of an entry":                        {verify.Entries, flip(tilePath("entries", 1, 256), 8*1000)},
		"bit of the last entry":                  {verify.Entries, flip(last, 8*300)},
		"bit of a length":                        {verify.Entries, flip(tilePath("entries", 0, 256), 8)},
		"bit of a leaf hash":                     {verify.Entries, flip(tilePath("0", 0, 256), 8*33)},
		"bit of a partial tile of leaves":        {verify.Entries, flip(tilePath("0", 2, 188), 8*40)},
		"bit of an upper tile":                   {verify.Tiles, flip(tilePath("1", 0, 2), 8*40)},
		"removed entry":                          {verify.Order, remade(append(removed, entry(704)))},
		"removed entry, bundle alone":            {verify.Entries, func(all map[string][]byte) { all[last] = files(origin, removed, logKey)[tilePath("entries", 2, 187)] }},
		"removed entry, signed anew":             {verify.Order, resigned(removed)},
		"entries put in another order":           {verify.Order, remade(swapped)},
		"entries put in another order, resigned": {verify.Order, resigned(swapped)},
		"removed entry at a seam, resigned":      {verify.Order, resigned(atSeam)},
		"order of late entries, resigned":        {verify.Order, resigned(late)},
		"entry twice, resigned":                  {verify.Order, resigned(doubled)},
		"header of another log":                  {verify.Order, resigned(edit(0, "hospital", "insurer"))},
		"header gone, resigned":                  {verify.Order, resigned(entries[1:])},
		"header twice":                           {verify.Order, resigned(slices.Insert(slices.Clone(entries), 5, entries[0]))},
		"member twice":                           {verify.Form, resigned(edit(1, `"seq":5`, `"seq":5,"seq":6`))},
		"member in escapes":                      {verify.Form, resigned(edit(1, `"seq":5`, `"s\u0065q":6,"seq":5`))},
		"unknown member":                         {verify.Form, resigned(edit(1, `"seq":5`, `"seq":5,"more":1`))},
		"number in another form":                 {verify.Form, resigned(edit(1, `"seq":5`, `"seq":5.0`))},
		"commitment cut short":                   {verify.Form, resigned(edit(1, `"payload":"`, `"payload":"AA==","payloae":"`))},
		"no JSON":                                {verify.Form, resigned(edit(1, `{"scrim"`, `{scrim`))},
		"entry of another kind":                  {verify.Form, resigned(edit(1, "entry/2", "entry/3"))},
		"truncated bundle":                       {verify.Entries, cut(last, 100)},
		"truncated tile":                         {verify.Tiles, cut(tilePath("0", 1, 256), 8160)},
		"empty tile":                             {verify.Tiles, cut(tilePath("1", 0, 2), 0)},
		"truncated checkpoint":                   {verify.Form, cut("checkpoint", 60)},
		"empty checkpoint":                       {verify.Signature, cut("checkpoint", 0)},
		"oversize tile":                          {verify.Unreadable, grow(tilePath("0", 1, 256), 0)},
		"oversize bundle":                        {verify.Entries, grow(last, 0, 0)},
		"bundle with a loose byte":               {verify.Entries, grow(last, 0)},
		"bundle lost":                            {verify.Unreadable, lose(tilePath("entries", 1, 256))},
		"first bundle lost":                      {verify.Unreadable, lose(tilePath("entries", 0, 256))},
		"tile lost":                              {verify.Unreadable, lose(tilePath("0", 0, 256))},
		"upper tile lost":                        {verify.Unreadable, lose(tilePath("1", 0, 2))},
		"checkpoint lost":                        {verify.Unreadable, lose("checkpoint")},
		"checkpoint too large":                   {verify.Unreadable, grow("checkpoint", bytes.Repeat([]byte("x"), 1<<20)...)},
		"signed by another key":                  {verify.Signature, func(all map[string][]byte) { maps.Copy(all, files(origin, entries, otherKey)) }},
		"another origin":                         {verify.Signature, func(all map[string][]byte) { maps.Copy(all, files("scrim.dev/log/insurer.example", entries, logKey)) }},
		"signed for the wrong tree":              {verify.Tiles, func(all map[string][]byte) { all["checkpoint"] = []byte(signed(origin, 700, leafHash(nil), logKey)) }},
		"size beyond all entries":                {verify.Form, func(all map[string][]byte) { all["checkpoint"] = []byte(signed(origin, 1<<60, leafHash(nil), logKey)) }},
		"size beyond what is there":              {verify.Unreadable, func(all map[string][]byte) { all["checkpoint"] = []byte(signed(origin, 70_000, leafHash(nil), logKey)) }},
		"only a witness signed": {verify.Signature, func(all map[string][]byte) {
			text, _, _ := strings.Cut(signed(origin, 700, mth(hashes(entries)), logKey), "\n\n")
			all["checkpoint"] = []byte(cosign(text+"\n\n", "witness.example/w", witnessKey, cosignedAt))
		}},
		"a witness's signature that does not fit": {verify.Signature, func(all map[string][]byte) {
			sig := append(binary.BigEndian.AppendUint64(nil, 1), make([]byte, 64)...)
			all["checkpoint"] = append(bytes.Clone(all["checkpoint"]), signatureLine("witness.example/w", id("witness.example/w", 4, witnessKey), sig)...)
		}},
	}
}

func TestEveryTamperingIsFoundOut(t *testing.T) {
	whole := files(origin, scrimLog(origin, 5, 700, ""), logKey)
	if w, err := check(t, write(t, t.TempDir(), whole), verify.Reading{}); err != nil || w.First != 5 || w.Entries != 700 {
		t.Fatalf("the log as it was written: %+v, error %v", w, err)
	}
	for name, tc := range tampered() {
		t.Run(name, func(t *testing.T) {
			all := maps.Clone(whole)
			tc.do(all)
			_, err := checkLog(t, verify.Log{Source: memory(all)}, verify.Reading{})
			if f := verify.AsFailure(err); f == nil || f.Kind != tc.kind {
				t.Errorf("failure %v, want kind %s", f, tc.kind)
			}
		})
	}
}

// Where entries are not to be had, the root alone still tells that they are not what they were.
func TestTheRootAloneTells(t *testing.T) {
	whole := files(origin, scrimLog(origin, 5, 700, ""), logKey)
	for _, name := range []string{"removed entry", "entries put in another order", "bit of a leaf hash", "bit of a partial tile of leaves", "bit of an upper tile"} {
		all := maps.Clone(whole)
		tampered()[name].do(all)
		if f := verify.AsFailure(errorOf(checkLog(t, verify.Log{Source: memory(all)}, verify.Reading{Hashes: true}))); kindOf(f) != verify.Tiles {
			t.Errorf("%s: failure %v, want kind tiles", name, f)
		}
	}
}

// Every bit of every file counts: 20 of each file, spread over it.
func TestNoBitCanBeFlipped(t *testing.T) {
	whole := files(origin, scrimLog(origin, 7, 300, ""), logKey)
	log := verify.Log{Source: memory(maps.Clone(whole))}
	for name, b := range whole {
		for i := range 20 {
			bit := (len(b)*8/20)*i + i%8
			changed := bytes.Clone(b)
			changed[bit/8] ^= 1 << (bit % 8)
			log.Source.(memory)[name] = changed
			if _, err := checkLog(t, log, verify.Reading{}); err == nil && !lastBase64Bits(name, b, changed) {
				t.Errorf("bit %d of %s changed and nobody noticed", bit, name)
			}
		}
		log.Source.(memory)[name] = b
	}
	if _, err := checkLog(t, log, verify.Reading{}); err != nil {
		t.Errorf("mended: error %v", err)
	}
}

// lastBase64Bits: two spellings of one signature are one signature.
func lastBase64Bits(name string, a, b []byte) bool {
	return name == "checkpoint" && len(a) == len(b) && !bytes.Equal(a, b) && bytes.Equal(a[:len(a)-5], b[:len(b)-5])
}

func TestForksAndRollbacksAreFoundOut(t *testing.T) {
	entries := scrimLog(origin, 1, 700, "")
	at := func(e [][]byte) verify.Checkpoint {
		c, err := policy(t).Open([]byte(signed(origin, len(e), mth(hashes(e)), logKey)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	other := slices.Clone(entries)
	other[300] = bytes.Replace(other[300], []byte("released"), []byte("refused."), 1)
	dir := write(t, t.TempDir(), files(origin, entries, logKey))
	log := open(t, dir)
	for name, tc := range map[string]struct {
		seen verify.Checkpoint
		kind string
	}{
		"earlier":                 {at(entries[:500]), ""},
		"earlier, within a tile":  {at(entries[:301]), ""},
		"earlier, before any":     {at(nil), ""},
		"the same":                {at(entries), ""},
		"a branch":                {at(other[:500]), verify.Fork},
		"a branch of equal size":  {at(other), verify.Fork},
		"a branch from the start": {at(scrimLog(origin, 2, 10, "")), verify.Fork},
		"a longer one":            {at(append(slices.Clone(entries), entry(700))), verify.Rollback},
		"a longer branch":         {at(append(slices.Clone(other), entry(700))), verify.Rollback},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := check(t, dir, verify.Reading{Earlier: []verify.Checkpoint{tc.seen}})
			if f := verify.AsFailure(err); kindOf(f) != tc.kind {
				t.Errorf("whole log: failure %v, want kind %q", f, tc.kind)
			}
			if f := verify.AsFailure(log.Consistent(t.Context(), tc.seen, at(entries))); kindOf(f) != tc.kind {
				t.Errorf("by tiles: failure %v, want kind %q", f, tc.kind)
			}
		})
	}
}

func kindOf(f *verify.Failure) string {
	if f == nil {
		return ""
	}
	return f.Kind
}

func TestPeriodsFollowEachOther(t *testing.T) {
	first := scrimLog(origin+"/2025", 1, 40, "")
	end := signed(origin+"/2025", 40, mth(hashes(first)), logKey)
	ended, err := policy(t).Open([]byte(end))
	if err != nil {
		t.Fatal(err)
	}
	previous := func(origin, note string) string {
		return fmt.Sprintf(`,"previous":{"origin":%q,"checkpoint":%q}`, origin, note)
	}
	branch := signed(origin+"/2025", 40, leafHash(nil), logKey)
	for name, tc := range map[string]struct {
		first    int
		previous string
		kind     string
	}{
		"as it was":        {40, previous(origin+"/2025", end), ""},
		"a gap":            {41, previous(origin+"/2025", end), verify.Order},
		"an overlap":       {39, previous(origin+"/2025", end), verify.Order},
		"another end":      {40, previous(origin+"/2025", branch), verify.Fork},
		"none before":      {40, "", verify.Fork},
		"signed by others": {40, previous(origin+"/2025", signed(origin+"/2025", 40, mth(hashes(first)), otherKey)), verify.Signature},
		"not a note":       {40, previous(origin+"/2025", "hello"), verify.Signature},
		"of another log":   {40, previous(origin+"/2024", signed(origin+"/2024", 40, mth(hashes(first)), logKey)), verify.Fork},
	} {
		t.Run(name, func(t *testing.T) {
			e := scrimLog(origin+"/2026", tc.first, 30, tc.previous)
			w, err := check(t, write(t, t.TempDir(), files(origin+"/2026", e, logKey)), verify.Reading{})
			if err != nil {
				t.Fatal(err)
			}
			if f := verify.AsFailure(w.Header.Follows(policy(t), ended, 1)); kindOf(f) != tc.kind {
				t.Errorf("failure %v, want kind %q", f, tc.kind)
			}
		})
	}
}

func TestPartialTilesMayGiveWayToFullOnes(t *testing.T) {
	entries := scrimLog(origin, 1, 600, "")
	all := files(origin, entries, logKey)
	all["checkpoint"] = []byte(signed(origin, 300, mth(hashes(entries[:300])), logKey)) // there is no tile of 44 any more
	dir := write(t, t.TempDir(), all)
	c, _ := policy(t).Open(all["checkpoint"])
	if _, err := check(t, dir, verify.Reading{}); err == nil || !strings.Contains(err.Error(), "tile/1/000") {
		t.Errorf("error %v, want that tile/1/000.p/1 is not there", err) // only level 1 has no full successor
	}
	write(t, dir, map[string][]byte{"tile/1/000.p/1": all["tile/1/000.p/2"][:32]})
	if w, err := check(t, dir, verify.Reading{}); err != nil || w.Entries != 300 {
		t.Errorf("%d entries, error %v", w.Entries, err)
	}
	if _, _, err := open(t, dir).Included(context.Background(), c, 299); err != nil {
		t.Error(err)
	}
}

func TestForeignLogsVerifyWithoutBeingLookedInto(t *testing.T) {
	entries := [][]byte{[]byte("a"), {}, []byte("c"), bytes.Repeat([]byte("x"), 65535)}
	dir := write(t, t.TempDir(), files(origin, entries, logKey))
	if _, err := check(t, dir, verify.Reading{Foreign: true}); err != nil {
		t.Error(err)
	}
	if f := verify.AsFailure(errorOf(check(t, dir, verify.Reading{}))); kindOf(f) != verify.Form {
		t.Errorf("failure %v, want kind form", f)
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestCancelledReadingEnds(t *testing.T) {
	dir := write(t, t.TempDir(), files(origin, scrimLog(origin, 1, 600, ""), logKey))
	log := open(t, dir)
	raw, _ := log.Checkpoint(t.Context())
	c, _ := policy(t).Open(raw)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Whole(ctx, c, verify.Reading{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func FuzzLeaf(f *testing.F) {
	f.Add(entry(5))
	f.Add(scrimLog(origin, 1, 1, `,"previous":{"origin":"a/b","checkpoint":"x\n"}`)[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 65535 {
			return
		}
		w, err := checkLog(t, verify.Log{Source: memory(files(origin, [][]byte{b}, logKey))}, verify.Reading{})
		if err == nil && (w.Header == nil || !bytes.Contains(b, []byte(origin))) {
			t.Errorf("%q passed for a header", b)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(files(origin, scrimLog(origin, 1, 3, ""), logKey)["tile/entries/000.p/3"])
	f.Add(binary.BigEndian.AppendUint16(nil, 65535))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := files(origin, scrimLog(origin, 1, 3, ""), logKey)
		same := bytes.Equal(all["tile/entries/000.p/3"], b)
		all["tile/entries/000.p/3"] = b
		if _, err := checkLog(t, verify.Log{Source: memory(all)}, verify.Reading{}); (err == nil) != same {
			t.Errorf("error %v, but same is %v", err, same)
		}
	})
}
