//go:build unix

package plan_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/vault"
)

// keys are those of a keyring of its own. Its tokens are AES-SIV of the value alone, without the vault's handles.
type keys struct {
	ring *vault.Keyring
}

func (k keys) Epoch() string { return k.ring.Epoch() }
func (k keys) Tokens(l flow.Label) (deidentify.Tokens, error) {
	return sealed{k.ring.Deterministic("bench", string(l))}, nil
}
func (k keys) MAC(l flow.Label) (deidentify.MAC, error) { return k.ring.MAC("bench", string(l)) }
func (k keys) PRF(l flow.Label) (deidentify.PRF, error) { return k.ring.PRF("bench", string(l)) }
func (k keys) Cipher(l flow.Label, radix int) (deidentify.Cipher, error) {
	return k.ring.FF1(radix, "bench", string(l))
}

type sealed struct{ d *vault.Deterministic }

func (s sealed) Token(dst, value, _ []byte) ([]byte, error) {
	b, err := s.d.Seal(value, nil)
	if err != nil {
		return dst, err
	}
	return fmt.Appendf(dst, "stk1_%x", b), nil
}

func testKeys(t testing.TB) keys {
	t.Helper()
	ring, err := vault.OpenKeyring(context.Background(), filepath.Join(t.TempDir(), "keyset.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return keys{ring}
}

// processorTime is what the process has used.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const fivePlan = `
version: 1
columns:
  phone: {technique: mask, keep: 4, label: person/contact/phone}
  patient: {technique: token, label: health/record-number}
  email: {technique: one-way, label: person/contact/email}
  seen: {technique: shift-date, days: 180, subject: patient}
  cost: {technique: bucket, width: 100}
  note: {technique: keep}
  ward: {technique: keep}
  code: {technique: keep}
  status: {technique: keep}
`

// BenchmarkFields changes JSON lines by a plan with five transforms, one of each kind: mask, SIV token, one-way code, date shift, bucket.
// A record has nine members and about as many bytes as the name says.
func BenchmarkFields(b *testing.B) {
	for _, size := range []int{512, 1024} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			dir := b.TempDir()
			var in bytes.Buffer
			for i := 0; in.Len() < 64<<20; i++ {
				head := fmt.Sprintf(`{"phone":"+1-555-%07d","patient":"MRN-%08d","email":"patient%d@example.org","seen":"2024-%02d-%02d","cost":%d.%02d,"ward":"W%d","code":"E11.%d","status":"final","note":"`,
					i%10000000, i, i, 1+i%12, 1+i%28, i%5000, i%100, i%40, i%10)
				fill := strings.Repeat("The patient slept well and was seen in the morning round. ", 20)
				in.WriteString(head + fill[:max(size-len(head)-4, 0)] + "\"}\n")
			}
			path := filepath.Join(dir, "in.jsonl")
			if err := os.WriteFile(path, in.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
			n := int64(in.Len())
			in = bytes.Buffer{}
			p, err := plan.Parse("plan.yaml", []byte(fivePlan))
			if err != nil {
				b.Fatal(err)
			}
			src, err := lines.File(path, lines.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer src.Close()
			r, err := src.Open(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			columns := r.Columns()
			r.Close()
			k := testKeys(b)
			began := processorTime(b)
			b.ResetTimer()
			b.SetBytes(n)
			b.ReportAllocs()
			for i := range b.N {
				c, err := p.Compile(columns, k, folder(dir))
				if err != nil {
					b.Fatal(err)
				}
				to := filepath.Join(dir, fmt.Sprintf("out%d.jsonl", i))
				if _, err := plan.Run(context.Background(), c, src, lines.Target(to, lines.Options{}), plan.Options{}); err != nil {
					b.Fatal(err)
				}
				os.Remove(to)
			}
			if spent := (processorTime(b) - began).Seconds(); spent > 0 { // what a machine that does nothing else would do with two cores
				b.ReportMetric(float64(n)*float64(b.N)/1e6/spent*2, "MB/s/2-cores")
			}
		})
	}
}
