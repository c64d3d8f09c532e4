package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/stranger/testlog"
	"github.com/scrimhq/scrim/internal/stranger/verify"
)

const origin = testlog.Origin

var (
	logKey, otherKey, witnessKey, cosignedAt = testlog.LogKey, testlog.OtherKey, testlog.WitnessKey, testlog.CosignedAt

	vkey, id, b64, signatureLine, signed, cosign = testlog.VKey, testlog.KeyID, testlog.Base64, testlog.SignatureLine, testlog.Signed, testlog.Cosign
	leafHash, mth, path, hashes, entry           = testlog.LeafHash, testlog.MTH, testlog.Path, testlog.Hashes, testlog.Entry
	scrimLog, tilePath, files, write             = testlog.Scrim, testlog.TilePath, testlog.Files, testlog.Write
)

// memory is a log's files.
type memory map[string][]byte

func (m memory) String() string { return "memory" }

func (m memory) Read(_ context.Context, name string, limit int64) ([]byte, error) {
	b, ok := m[name]
	if !ok {
		return nil, verify.ErrNone
	}
	if int64(len(b)) > limit {
		return nil, verify.ErrLong
	}
	return b, nil
}

func open(t testing.TB, dir string) verify.Log {
	t.Helper()
	src, err := verify.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return verify.Log{Source: src}
}

func policy(t testing.TB) *verify.Policy {
	t.Helper()
	key, err := verify.ParseKey(vkey(origin, 1, logKey))
	if err != nil {
		t.Fatal(err)
	}
	w, err := verify.ParseWitness(vkey("witness.example/w", 4, witnessKey))
	if err != nil {
		t.Fatal(err)
	}
	return &verify.Policy{Keys: []verify.Key{key}, Witnesses: []verify.Witness{w}, Now: func() time.Time { return cosignedAt.Add(time.Minute) }}
}
