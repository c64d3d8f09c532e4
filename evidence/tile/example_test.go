package tile_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	log, err := tile.Open(dir, "scrim.dev/log/clinic.example", private, tile.Options{})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	if err := log.Append([][]byte{[]byte("first"), []byte("second"), []byte("third")}); err != nil {
		panic(err)
	}
	if _, err := log.Publish(ctx, nil); err != nil {
		panic(err)
	}

	// Somebody else, who has the key and the directory or its address.
	reader := tile.Dir(dir)
	note, err := reader.Checkpoint(ctx)
	if err != nil {
		panic(err)
	}
	c, err := tile.ParseCheckpoint(note, "scrim.dev/log/clinic.example", public)
	if err != nil {
		panic(err)
	}
	proof, err := tile.Inclusion(ctx, reader, c, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Size, "leaves; the proof has", len(proof), "hashes")
	fmt.Println(tlog.CheckRecord(proof, c.Size, c.Root, 1, tlog.RecordHash([]byte("second"))))
	// Output:
	// 3 leaves; the proof has 2 hashes
	// <nil>
}
