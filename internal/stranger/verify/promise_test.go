package verify_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

func promiseOf(index int, leaf []byte, key ed25519.PrivateKey) string {
	text := fmt.Sprintf("scrim.dev/promise@v1\n%s\nseq %d\nindex %d\nleaf %s\ntime 2026-11-27T12:00:00.000Z\ndeadline 2026-11-27T12:00:10.000Z\n",
		origin, index, index, b64(leaf))
	return text + "\n" + signatureLine(origin, id(origin, 1, key), ed25519.Sign(key, []byte(text)))
}

func TestPromises(t *testing.T) {
	entries := scrimLog(origin, 1, 300, "")
	log := verify.Log{Source: memory(files(origin, entries, logKey))}
	raw, _ := log.Checkpoint(t.Context())
	c, err := policy(t).Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	before, after := time.Date(2026, 11, 27, 12, 0, 5, 0, time.UTC), time.Date(2026, 11, 27, 12, 0, 10, 0, time.UTC)
	good := promiseOf(7, leafHash(entries[7]), logKey)
	for name, tc := range map[string]struct {
		promise string
		now     time.Time
		kind    string
	}{
		"kept":                 {good, after, ""},
		"kept early":           {good, before, ""},
		"as the header has it": {base64.StdEncoding.EncodeToString([]byte(good)) + "\n", after, ""},
		"another entry":        {promiseOf(8, leafHash(entries[7]), logKey), after, verify.Absent},
		"beyond, in time":      {promiseOf(300, leafHash(nil), logKey), before, verify.Early},
		"beyond, and due":      {promiseOf(300, leafHash(nil), logKey), after, verify.Absent},
		"another's key":        {promiseOf(7, leafHash(entries[7]), otherKey), after, verify.Signature},
		"a later deadline":     {strings.Replace(good, "00:10", "00:20", 1), after, verify.Signature},
		"another origin":       {strings.Replace(good, "hospital", "hospitale", 1), after, verify.Signature},
		"a checkpoint":         {string(raw), after, verify.Form},
		"nothing":              {"", after, verify.Form},
	} {
		p, err := policy(t).OpenPromise([]byte(tc.promise))
		if err == nil {
			err = log.Kept(t.Context(), p, c, tc.now)
		}
		if f := verify.AsFailure(err); kindOf(f) != tc.kind {
			t.Errorf("%s: failure %v, want kind %q", name, f, tc.kind)
		}
	}
	twice := policy(t)
	twice.Keys = append(twice.Keys, twice.Keys...)
	if _, err := twice.OpenPromise([]byte(good)); err != nil {
		t.Errorf("a key that is given twice: %v", err)
	}
}

func FuzzPromise(f *testing.F) {
	f.Add([]byte(promiseOf(7, leafHash(nil), logKey)))
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(promiseOf(7, leafHash(nil), logKey)))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := policy(t).OpenPromise(b); err == nil && p.Index != 7 {
			t.Errorf("%q passed", b)
		}
	})
}
