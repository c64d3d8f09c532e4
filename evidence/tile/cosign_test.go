package tile_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

// TestCosignaturesStandBesideTheLogsOwn plays a witness that remembers a tree and checks the proof before it signs.
func TestCosignaturesStandBesideTheLogsOwn(t *testing.T) {
	key, witness := newKey(t), newKey(t)
	signer, err := tile.NewSigner("witness.example", witness)
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, t.TempDir(), key, tile.Options{})
	var seen tile.Checkpoint
	asked := 0
	cosign := func(_ context.Context, c tile.Checkpoint, prove tile.Prove) ([]byte, error) {
		asked++
		proof, err := prove(seen.Size)
		if err != nil {
			return nil, err
		}
		if seen.Size > 0 {
			if err := tlog.CheckTree(proof, c.Size, c.Root, seen.Size, seen.Root); err != nil {
				return nil, err
			}
		}
		seen = c
		with, err := c.Sign(signer)
		if err != nil {
			return nil, err
		}
		return with.Note[bytes.Index(with.Note, []byte("\n\n"))+2:], nil
	}
	for _, to := range []int64{5, 300, 70_000} {
		if err := l.Append(leaves(l.Size(), to)); err != nil {
			t.Fatal(err)
		}
		c, err := l.Publish(t.Context(), cosign)
		if err != nil {
			t.Fatal(err)
		}
		v, err := tile.NewVerifier("witness.example", public(witness))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := note.Open(c.Note, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 {
			t.Fatalf("the witness's signature: %v", err)
		}
		if got := published(t, l.Reader(), key); got.Size != to {
			t.Fatalf("published %d, want %d", got.Size, to)
		}
	}
	before := l.Published()
	if c, err := l.Publish(t.Context(), cosign); err != nil || asked != 4 || c.Size != before.Size {
		t.Fatalf("Publish() of nothing new: %v, asked %d times, want once more", err, asked)
	}
	silent := func(context.Context, tile.Checkpoint, tile.Prove) ([]byte, error) { return nil, nil }
	if c, err := l.Publish(t.Context(), silent); err != nil || !bytes.Equal(c.Note, before.Note) {
		t.Fatalf("Publish() of nothing new, and the witness is silent: %v; the cosignature went", err)
	}
}

// TestNothingIsPublishedWithoutTheCosignaturesAskedFor also tries to smuggle in something other than signatures.
func TestNothingIsPublishedWithoutTheCosignaturesAskedFor(t *testing.T) {
	key := newKey(t)
	l := open(t, t.TempDir(), key, tile.Options{})
	if err := l.Append(leaves(0, 5)); err != nil {
		t.Fatal(err)
	}
	away := errors.New("witness is away")
	if _, err := l.Publish(t.Context(), func(context.Context, tile.Checkpoint, tile.Prove) ([]byte, error) { return nil, away }); !errors.Is(err, away) {
		t.Fatalf("Publish() error = %v, want the witness's", err)
	}
	for _, lines := range []string{"— x", "garbage\n", "\n", "\nother\n\n— " + origin + " AAAAAAA=\n", "— a b c\n"} {
		if _, err := l.Publish(t.Context(), func(context.Context, tile.Checkpoint, tile.Prove) ([]byte, error) { return []byte(lines), nil }); err == nil {
			t.Errorf("Publish() with the lines %q: no error", lines)
		}
	}
	if c := l.Published(); c.Note != nil {
		t.Fatalf("published %d leaves, want nothing", c.Size)
	}
	if c, err := l.Publish(t.Context(), nil); err != nil || c.Size != 5 {
		t.Fatalf("Publish() = %v, %v", c, err)
	}
}
