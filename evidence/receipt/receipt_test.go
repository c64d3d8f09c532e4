package receipt_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
)

const (
	logName = "scrim.dev/log/hospital.example"
	origin  = logName + "/2026"
)

// rig is a published log of some entries; seeds are fixed so that the page of the forms can show them.
type rig struct {
	key    ed25519.PrivateKey
	reader tile.Reader
	c      tile.Checkpoint
}

func leaf(n int64) []byte { return fmt.Appendf(nil, "leaf %d", n) }

func hash(n int64) tlog.Hash { return tlog.RecordHash(leaf(n)) }

func (r *rig) public() ed25519.PublicKey { return r.key.Public().(ed25519.PublicKey) }

func newRig(t testing.TB, size int64) *rig {
	t.Helper()
	r := &rig{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
	l, err := tile.Open(t.TempDir(), origin, r.key, tile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var leaves [][]byte
	for n := range size {
		leaves = append(leaves, leaf(n))
	}
	if err := l.Append(leaves); err != nil {
		t.Fatal(err)
	}
	if r.c, err = l.Publish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.reader = l.Reader()
	return r
}

func (r *rig) promise(t testing.TB, index int64) receipt.Promise {
	t.Helper()
	at := time.Date(2026, 11, 27, 18, 0, 0, 123_000_000, time.UTC)
	p, err := receipt.Promise{Origin: origin, Seq: index + 100, Index: index, Leaf: hash(index), Time: at, Deadline: at.Add(10 * time.Second)}.Sign(r.key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *rig) prove(t testing.TB, index int64) receipt.Proof {
	t.Helper()
	p, err := receipt.Prove(t.Context(), r.reader, r.c, index)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPromiseIsKeptByItsProof(t *testing.T) {
	r := newRig(t, 300)
	for _, index := range []int64{1, 2, 255, 256, 299} {
		promised, err := receipt.ParseHeader(r.promise(t, index).Header(), logName, r.public())
		if err != nil {
			t.Fatal(err)
		}
		proof, err := receipt.ParseProof(r.prove(t, index).Text(), logName, r.public())
		if err != nil {
			t.Fatal(err)
		}
		if err := promised.Kept(proof); err != nil {
			t.Fatalf("leaf %d: %v", index, err)
		}
		if promised.Seq != index+100 || promised.Leaf != hash(index) || promised.Deadline.Sub(promised.Time) != 10*time.Second {
			t.Fatalf("the promise came back as %+v", promised)
		}
	}
}

// TestLogThatBreaksItsWord proves other things than what was promised.
func TestLogThatBreaksItsWord(t *testing.T) {
	r := newRig(t, 300)
	promised, proof := r.promise(t, 9), r.prove(t, 9)
	another := proof
	another.Checkpoint.Origin = logName + "/2027"
	replaced := promised
	replaced.Leaf = hash(10)
	cases := map[string]error{
		"another place": promised.Kept(r.prove(t, 8)),
		"another tree":  promised.Kept(another),
		"another leaf":  replaced.Kept(proof),
	}
	for name, err := range cases {
		if !errors.Is(err, receipt.ErrBroken) {
			t.Errorf("%s: Kept() error = %v, want ErrBroken", name, err)
		}
	}
}

// TestNobodyElsePromises has other keys, other logs, and a checkpoint that would like to be a promise.
func TestNobodyElsePromises(t *testing.T) {
	r := newRig(t, 30)
	p := r.promise(t, 3)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		note []byte
		log  string
		key  ed25519.PublicKey
		want error
	}{
		"another key":            {p.Note, logName, other.Public().(ed25519.PublicKey), receipt.ErrSignature},
		"another log":            {p.Note, "scrim.dev/log/clinic.example", r.public(), receipt.ErrSignature},
		"a log with that prefix": {p.Note, "scrim.dev/log/hospital.exampl", r.public(), receipt.ErrSignature},
		"a checkpoint":           {r.c.Note, logName, r.public(), receipt.ErrForm},
		"a later deadline":       {bytes.Replace(p.Note, []byte("10.123Z"), []byte("11.123Z"), 1), logName, r.public(), receipt.ErrSignature},
		"another number":         {bytes.Replace(p.Note, []byte("seq 103"), []byte("seq 104"), 1), logName, r.public(), receipt.ErrSignature},
		"nothing":                {nil, logName, r.public(), receipt.ErrForm},
		"without a signature":    {bytes.Split(p.Note, []byte("\n\n"))[0], logName, r.public(), receipt.ErrForm},
	} {
		if got, err := receipt.ParsePromise(c.note, c.log, c.key); !errors.Is(err, c.want) || got.Note != nil {
			t.Errorf("%s: ParsePromise() = %v, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := tile.ParseCheckpoint(p.Note, origin, r.public()); !errors.Is(err, tile.ErrCheckpoint) {
		t.Errorf("a promise read as a checkpoint: %v, want ErrCheckpoint", err)
	}
}

// TestNoBitOfAProofCanBeFlipped flips each bit of a proof's text and of a COSE receipt.
func TestNoBitOfAProofCanBeFlipped(t *testing.T) {
	r := newRig(t, 5)
	proof := r.prove(t, 3)
	proof.Extra = []byte("beside")
	text := proof.Text()
	if p, err := receipt.ParseProof(text, logName, r.public()); err != nil || p.Verify(hash(3)) != nil || string(p.Extra) != "beside" {
		t.Fatalf("ParseProof() = %v, %v", p, err)
	}
	unsigned := bytes.Index(text, []byte("index")) // extra data is nobody's
	for i := unsigned * 8; i < len(text)*8; i++ {
		bad := bytes.Clone(text)
		bad[i/8] ^= 1 << (i % 8)
		if p, err := receipt.ParseProof(bad, logName, r.public()); err == nil && p.Verify(hash(3)) == nil {
			t.Fatalf("bit %d of byte %d (%q) can be flipped", i%8, i/8, text[i/8])
		}
	}
	whole, err := proof.COSE(r.key)
	if err != nil {
		t.Fatal(err)
	}
	if in, err := receipt.VerifyCOSE(whole, hash(3), logName, r.public()); err != nil || in != (receipt.Included{Origin: origin, Size: 5, Index: 3, Root: r.c.Root}) {
		t.Fatalf("VerifyCOSE() = %v, %v", in, err)
	}
	for i := range len(whole) * 8 {
		bad := bytes.Clone(whole)
		bad[i/8] ^= 1 << (i % 8)
		if in, err := receipt.VerifyCOSE(bad, hash(3), logName, r.public()); err == nil {
			t.Fatalf("bit %d of byte %d of the COSE receipt can be flipped: %v", i%8, i/8, in)
		}
	}
}

// TestCOSEReceiptOfEachLeaf compares our own walk up the tree with package tlog's for all trees of up to 40 leaves.
func TestCOSEReceiptOfEachLeaf(t *testing.T) {
	for size := int64(1); size <= 40; size++ {
		r := newRig(t, size)
		for index := range size {
			p := r.prove(t, index)
			if err := p.Verify(hash(index)); err != nil {
				t.Fatal(err)
			}
			whole, err := p.COSE(r.key)
			if err != nil {
				t.Fatal(err)
			}
			in, err := receipt.VerifyCOSE(whole, hash(index), logName, r.public())
			if err != nil || in.Size != size || in.Index != index || in.Root != r.c.Root {
				t.Fatalf("leaf %d of %d: %v, %v", index, size, in, err)
			}
			if in, err := receipt.VerifyCOSE(whole, hash(index+1), logName, r.public()); err == nil {
				t.Fatalf("leaf %d of %d: the receipt is good for another leaf: %v", index, size, in)
			}
		}
	}
}

func TestCOSEReceiptOfAnotherLogOrKey(t *testing.T) {
	r := newRig(t, 5)
	whole, err := r.prove(t, 3).COSE(r.key)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.VerifyCOSE(whole, hash(3), "scrim.dev/log/clinic.example", r.public()); !errors.Is(err, receipt.ErrSignature) {
		t.Errorf("another log: %v, want ErrSignature", err)
	}
	if _, err := receipt.VerifyCOSE(whole, hash(3), logName, other.Public().(ed25519.PublicKey)); !errors.Is(err, receipt.ErrSignature) {
		t.Errorf("another key: %v, want ErrSignature", err)
	}
	if _, err := receipt.VerifyCOSE(whole, hash(3), logName); !errors.Is(err, receipt.ErrSignature) {
		t.Errorf("no key: %v, want ErrSignature", err)
	}
	if len(whole) > 500 {
		t.Errorf("a receipt in a tree of 5 takes %d bytes", len(whole))
	}
}

func TestInLog(t *testing.T) {
	for tree, want := range map[string]bool{
		logName: true, origin: true, logName + "/": false, logName + "/a/b": false, logName + "x": false, "": false, strings.ToUpper(logName): false,
	} {
		if got := receipt.InLog(tree, logName); got != want {
			t.Errorf("InLog(%q) = %v, want %v", tree, got, want)
		}
	}
}

func FuzzParsePromise(f *testing.F) {
	r := newRig(f, 5)
	f.Add(r.promise(f, 3).Note)
	f.Fuzz(func(t *testing.T, signed []byte) {
		p, err := receipt.ParsePromise(signed, logName, r.public())
		if err == nil && (!receipt.InLog(p.Origin, logName) || p.Index < 1 || !bytes.Equal(p.Note, signed)) {
			t.Fatalf("ParsePromise(%q) = %+v", signed, p)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	r := newRig(f, 5)
	p := r.prove(f, 3)
	f.Add(p.Text())
	p.Extra = []byte("x")
	f.Add(p.Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := receipt.ParseProof(text, logName, r.public())
		if err == nil && (!bytes.Equal(p.Text(), text) || p.Checkpoint.Root != r.c.Root) {
			t.Fatalf("ParseProof(%q) = %+v", text, p)
		}
	})
}

func FuzzVerifyCOSE(f *testing.F) {
	r := newRig(f, 5)
	whole, err := r.prove(f, 3).COSE(r.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := receipt.VerifyCOSE(raw, hash(3), logName, r.public())
		if err == nil && (in.Root != r.c.Root || in.Index != 3) {
			t.Fatalf("VerifyCOSE() = %+v", in)
		}
	})
}

func Example() {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	given, err := receipt.Promise{Origin: origin, Seq: 17, Index: 17, Leaf: hash(17), Deadline: time.Now().Add(10 * time.Second)}.Sign(key)
	if err != nil {
		panic(err)
	}
	kept, err := receipt.ParseHeader(given.Header(), logName, public) // by the other party
	fmt.Println(kept.Origin, kept.Index, err)
	// Output: scrim.dev/log/hospital.example/2026 17 <nil>
}
