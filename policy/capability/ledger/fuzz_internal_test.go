package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

type oneKey struct{ key ed25519.PublicKey }

func (o oneKey) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return o.key, d == "insurer.example" && kid == "k1"
}

// Whatever comes, it is refused, or it is the one form of what it says: signed again it gives the same bytes.
func FuzzList(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	l := &list{issuer: "insurer.example", version: 7, issued: time.Unix(1_800_000_000, 0), denied: newEntries()}
	add := func() (signed []byte) {
		signed, err := l.sign("k1", key)
		if err != nil {
			f.Fatal(err)
		}
		parts := bytes.Split(signed, []byte("."))
		body, err := base64.RawURLEncoding.AppendDecode(nil, parts[1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed)
		f.Add(body)
		return parts[0]
	}
	add()
	for n, k := range []Kind{OfToken, OfToken, OfHolder, OfTask} {
		l.denied[k][digest{byte(n)}] = 1_900_000_000 + int64(n)
	}
	head := add()
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(signed []byte) {
			if d, err := IssuerOf(signed); err == nil && !domainName(d) {
				t.Errorf("IssuerOf() = %q", d)
			}
			got, err := readList(signed, oneKey{key.Public().(ed25519.PublicKey)})
			if err != nil {
				return
			}
			again, err := got.sign("k1", key)
			if err != nil || !bytes.Equal(again, signed) {
				t.Errorf("what was taken is written in another form: %v", err)
			}
			if stored, err := storedList(signed); err != nil || !stored.denied.equal(got.denied) {
				t.Errorf("it cannot be read again: %v", err)
			}
		}
		check(b)
		in := append(append(bytes.Clone(head), '.'), base64.RawURLEncoding.AppendEncode(nil, b)...) // what a peer signs that means harm
		check(base64.RawURLEncoding.AppendEncode(append(bytes.Clone(in), '.'), ed25519.Sign(key, in)))
	})
}
