package report_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/stranger/verify"
	"github.com/scrimhq/scrim/observe/report"
)

// FuzzReport: whoever has the log's key can sign anything, and neither reader falls over it; what both take they take alike.
func FuzzReport(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	const origin = "scrim.dev/log/hospital"
	made := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	signer, err := tile.NewSigner(origin, key)
	if err != nil {
		f.Fatal(err)
	}
	j := openJournal(f, audit.Options{})
	j.set(made.Add(-30 * time.Second))
	j.write(f, 30)
	d, err := report.Make(f.Context(), j.house(), report.Query{Kind: report.ROPA})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"scrim":"report/1","counts":[{"id":"","by":null,"figures":[{}]}]}`))
	vkey, err := tile.VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		f.Fatal(err)
	}
	k, err := verify.ParseKey(vkey)
	if err != nil {
		f.Fatal(err)
	}
	policy := verify.Policy{Keys: []verify.Key{k}}
	entry := []byte(`{"scrim":"entry/2","seq":1,"event":{"time":"2026-03-02T08:59:00Z","outcome":"released","reason":"x","levels":[{"label":"a","level":"raw","count":1}]}}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		b := base64.StdEncoding.EncodeToString(sum[:])
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("scrim.dev/report@v1\n%s\nkind gdpr-ropa\ntime %s\njson %s\nhtml %s\ncsv %s\n", origin, made.Format(time.RFC3339), b, b, b)}, signer)
		if err != nil {
			t.Fatal(err)
		}
		quoted := new(bytes.Buffer)
		enc := json.NewEncoder(quoted)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(string(signed)); err != nil {
			t.Fatal(err)
		}
		file := []byte(`{"report":` + string(body) + `,"note":` + string(bytes.TrimSpace(quoted.Bytes())) + "}\n")
		_, own := report.Decode(file)
		r, err := policy.OpenReport(file)
		if bytes.Equal(body, seed) && err != nil {
			t.Errorf("the seed is refused: %v", err)
		}
		if err != nil {
			return
		}
		if own != nil {
			t.Errorf("a stranger takes what Decode() does not: %v", own)
		}
		n := r.Recount()
		if err := n.Add(origin, 1, entry, tlog.RecordHash(entry)); err == nil {
			_ = n.Done()
		}
	})
}
