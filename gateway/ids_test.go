package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

func idRing(t testing.TB, path string) *vault.Keyring {
	t.Helper()
	k, err := vault.OpenKeyring(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// idGateway is a gateway that has keys and nothing else.
func idGateway(t testing.TB) *Gateway {
	return &Gateway{keys: idRing(t, filepath.Join(t.TempDir(), "keys"))}
}

// randomID draws ids of the kinds that protocols see: UUIDs, hexadecimal, numbers, words, and long ones.
func randomID(r *rand.Rand) id {
	var b [16]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	switch r.IntN(5) {
	case 0:
		b[6], b[8] = b[6]&0x0f|byte(1+r.IntN(8))<<4, b[8]&0x3f|0x80
		return id{text: uuidText(b)}
	case 1:
		return id{text: fmt.Sprintf("%x", b)}
	case 2:
		return id{text: strconv.Itoa(r.IntN(1_000_000)), number: true}
	}
	s := make([]byte, 1+r.IntN(maxText))
	for i := range s {
		s[i] = byte('!' + r.IntN('~'-'!'+1))
	}
	return id{text: string(s)}
}

func mustID(t testing.TB, f func(id) (id, error), v id) id {
	t.Helper()
	out, err := f(v)
	if err != nil {
		t.Fatalf("mapping %q: %v", v.text, err)
	}
	return out
}

// Whatever an id is: it comes back from the domain that it was given to, two domains hold nothing alike, the same id is always
// given out alike, and what a domain calls its own comes back to it and to nobody else as it was. 3,000 ids.
func TestIDsOfThreeDomains(t *testing.T) {
	g := idGateway(t)
	a, b, c := g.border("own", "a"), g.border("own", "b"), g.border("own", "c")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	seen := map[string]string{} // whose it is, and of what
	note := func(who string, v id) {
		t.Helper()
		key := v.text
		if old, ok := seen[key]; ok && old != who {
			t.Fatalf("%q is held by %s and by %s", key, old, who)
		}
		seen[key] = who
	}
	for range 3000 {
		ours := randomID(r)
		for name, k := range map[string]*borderKeys{"a": a, "b": b, "c": c} {
			given := mustID(t, k.there, ours)
			note(name, given)
			if again := mustID(t, k.there, ours); again != given {
				t.Fatalf("%v is %v to %s and then %v", ours, given, name, again)
			}
			if back := mustID(t, k.here, given); back != ours {
				t.Fatalf("%v came back from %s as %v", ours, name, back)
			}
			if len(given.text) > maxMapped || given.text == ours.text {
				t.Fatalf("%v is %v to %s", ours, given, name)
			}
		}
		theirs := randomID(r)
		seen[theirs.text] = "a"
		taken := mustID(t, a.here, theirs)
		if home := mustID(t, a.there, taken); home != theirs {
			t.Fatalf("a's %v went home as %v", theirs, home)
		}
		onward, err := b.there(taken)
		if err != nil {
			continue // a long one of a's is too long for b
		}
		note("b", onward)
		if strings.Contains(onward.text, theirs.text) && len(theirs.text) > 8 { // fewer letters turn up in a sealed id by chance
			t.Fatalf("b is shown a's %v: %v", theirs, onward)
		}
		if back := mustID(t, b.here, onward); back != taken {
			t.Fatalf("%v came back from b as %v", taken, back)
		}
	}
}

// The form of an id is kept where it has one, so that what validates ids goes on working.
func TestFormsOfIDsAreKept(t *testing.T) {
	k := idGateway(t).border("own", "a")
	for _, s := range []string{"0193e0a4-7c1e-7b3a-9f00-5a1c2d3e4f50", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "9b2f4c1e-0d3a-4e5f-8a6b-7c8d9e0f1a2b", "00000000-0000-0000-0000-000000000000"} {
		got := mustID(t, k.there, id{text: s}).text
		var b [16]byte
		if !parseUUID(got, &b) || got[14] != s[14] || b[8]>>6 != map[bool]byte{true: 2}[s[19] != '0'] || got == s {
			t.Errorf("%s is given out as %s, which is no other UUID of its version", s, got)
		}
	}
	if got := mustID(t, k.there, id{text: "9b2f4c1e0d3a4e5f8a6b7c8d9e0f1a2b"}).text; len(got) != 32 || strings.Trim(got, "0123456789abcdef") != "" {
		t.Errorf("32 hexadecimal digits are given out as %s", got)
	}
	for _, s := range []string{"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "f81d4fae_7dec-11d0-a765-00a0c91e6bf6"} {
		given := mustID(t, k.there, id{text: s})
		if !strings.HasPrefix(given.text, sealedPrefix) || mustID(t, k.here, given).text != s {
			t.Errorf("%s is given out as %s", s, given.text)
		}
	}
}

// A number comes back as a number, and the same digits as a text as a text.
func TestNumbersComeBackAsNumbers(t *testing.T) {
	k := idGateway(t).border("own", "a")
	number, text := mustID(t, k.there, id{text: "17", number: true}), mustID(t, k.there, id{text: "17"})
	if number == text || number.number {
		t.Errorf("17 and \"17\" are given out as %v and %v", number, text)
	}
	if v := mustID(t, k.here, number); v != (id{text: "17", number: true}) {
		t.Errorf("17 came back as %v", v)
	}
	if v := mustID(t, k.here, text); v != (id{text: "17"}) {
		t.Errorf("\"17\" came back as %v", v)
	}
}

// An id passes through several gateways, each of which seals what the last one sealed.
func TestIDsPassManyDomains(t *testing.T) {
	v := id{text: "task-17"}
	hops := 0
	for i := range 20 {
		next, err := idGateway(t).border("own", flow.DomainID(strconv.Itoa(i))).there(v)
		if err != nil {
			break
		}
		v, hops = next, hops+1
	}
	if hops < 10 {
		t.Errorf("an id passes %d gateways, want ten", hops)
	}
}

// What was given out opens after a restart, a rotation, and the end of the epoch it was given out in.
func TestIDsOutliveEpochs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	ring := idRing(t, path)
	before := ring.Epoch()
	ids := []id{{text: "task-17"}, {text: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}}
	var given []id
	for _, v := range ids {
		given = append(given, mustID(t, (&Gateway{keys: ring}).border("own", "a").there, v))
	}
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ring.Retire(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	k := (&Gateway{keys: idRing(t, path)}).border("own", "a")
	for i, v := range ids {
		if back := mustID(t, k.here, given[i]); back != v {
			t.Errorf("%s came back as %s", v.text, back.text)
		}
		if again := mustID(t, k.there, v); again != given[i] {
			t.Errorf("%s is given out as %s and then as %s", v.text, given[i].text, again.text)
		}
	}
}

// A domain that replays what another was given, alters what it was given, or makes something up gets what any id of its own
// gets: our side sees an id that it never made, and the sender gets its own back.
func TestForgedIDsAreTheForgersOwn(t *testing.T) {
	g := idGateway(t)
	a, b := g.border("own", "a"), g.border("own", "b")
	for _, ours := range []string{"task-17", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "9b2f4c1e0d3a4e5f8a6b7c8d9e0f1a2b"} {
		minted := mustID(t, a.there, id{text: ours})
		forgeries := map[string]id{"replayed": minted, "guessed": {text: ours}}
		if i := len(minted.text) / 2; minted.text[i] == '4' {
			forgeries["altered"] = id{text: minted.text[:i] + "5" + minted.text[i+1:]}
		} else {
			forgeries["altered"] = id{text: minted.text[:i] + "4" + minted.text[i+1:]}
		}
		if strings.HasPrefix(minted.text, sealedPrefix) {
			forgeries["of zeros"] = id{text: sealedPrefix + sealedEncoding.EncodeToString(make([]byte, 32))}
			forgeries["cut"] = id{text: minted.text[:len(minted.text)-1]}
			forgeries["our agents' view"] = mustID(t, a.here, id{text: "a's own"})
		}
		for how, forged := range forgeries {
			got := mustID(t, b.here, forged)
			if got.text == ours || got == forged || got == minted {
				t.Errorf("%s: %s of b is %s to our side", how, forged.text, got.text)
			}
			if back := mustID(t, b.there, got); back != forged {
				t.Errorf("%s: b's %s goes back as %s", how, forged.text, back.text)
			}
			if to := mustID(t, a.there, got); to == minted || to == forged {
				t.Errorf("%s: b can tell what a was given: %s", how, to.text)
			}
		}
	}
}

func TestIDsTooLongToBeMapped(t *testing.T) {
	k := idGateway(t).border("own", "a")
	if v, err := k.there(id{text: strings.Repeat("x", maxText)}); err != nil || len(v.text) > maxMapped {
		t.Errorf("an id of %d bytes: %v, length %d", maxText, err, len(v.text))
	}
	if _, err := k.there(id{text: strings.Repeat("x", maxText+1)}); err == nil {
		t.Errorf("an id of %d bytes was mapped", maxText+1)
	}
}

func TestTracesOfThreeDomains(t *testing.T) {
	g := idGateway(t)
	s := &Snapshot{Domain: "own"}
	parties := func(from, to flow.DomainID) flow.Flow {
		return flow.Flow{From: flow.Party{Domain: from}, To: flow.Party{Domain: to}}
	}
	const ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
	if got := g.Traceparent(t.Context(), s, parties("own", "own"), ours); got != ours {
		t.Errorf("within the domain a trace became %s", got)
	}
	a, b := g.Traceparent(t.Context(), s, parties("own", "a"), ours), g.Traceparent(t.Context(), s, parties("own", "b"), ours)
	for _, v := range []string{a, b} {
		if len(v) != 55 || v[:3] != "00-" || v[52:] != "-01" || strings.Contains(v, ours[3:35]) || strings.Contains(v, ours[36:52]) {
			t.Errorf("another domain is shown %s", v)
		}
	}
	if a[3:35] == b[3:35] || a[36:52] == b[36:52] {
		t.Errorf("two domains are shown %s and %s", a, b)
	}
	if back := g.Traceparent(t.Context(), s, parties("a", "own"), a); back[3:35] != ours[3:35] {
		t.Errorf("a trace came back as %s", back)
	}
	at := g.TraceOf(s, "own", ours)
	if at == "" || g.TraceOf(s, "a", a) != at || g.TraceOf(s, "b", b) != at || strings.Contains(ours, string(at)) {
		t.Errorf("the journal calls the trace %s, from a %s, from b %s", at, g.TraceOf(s, "a", a), g.TraceOf(s, "b", b))
	}
	if g.TraceOf(s, "b", a) == at || g.TraceOf(s, "own", a) == at {
		t.Error("what a was given is the same trace when b sends it")
	}
}

func FuzzIDs(f *testing.F) {
	k := idGateway(f).border("own", "a")
	for _, s := range []string{"", "task-17", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "9b2f4c1e0d3a4e5f8a6b7c8d9e0f1a2b", "sid1_", "sid1_" + strings.Repeat("A", 43), "sid1_" + strings.Repeat("A", 64), "\x00", "\x80"} {
		f.Add(s, false)
	}
	f.Add("-17", true)
	f.Add(mustID(f, k.there, id{text: "task-17"}).text, false)
	f.Add(mustID(f, k.here, id{text: "task-17"}).text, false)
	f.Fuzz(func(t *testing.T, s string, number bool) {
		v := id{text: s, number: number}
		if strings.HasPrefix(s, "\x00") {
			return // refused before it is mapped
		}
		for name, way := range map[string][2]func(id) (id, error){"there": {k.there, k.here}, "here": {k.here, k.there}} {
			out, err := way[0](v)
			if err != nil {
				continue
			}
			back, err := way[1](out)
			if err != nil || back != v {
				t.Errorf("%s: %q became %q and came back as %q, %v", name, v.text, out.text, back.text, err)
			}
			if len(out.text) > maxMapped && len(out.text) > len(s) {
				t.Errorf("%s: %q became %d bytes", name, s, len(out.text))
			}
		}
	})
}

func BenchmarkIDs(b *testing.B) {
	k := idGateway(b).border("own", "a")
	sealed := mustID(b, k.there, id{text: "task-17"})
	for name, v := range map[string]id{"word": {text: "task-17"}, "uuid": {text: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, "hex": {text: "9b2f4c1e0d3a4e5f8a6b7c8d9e0f1a2b"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = k.there(v)
			}
		})
	}
	b.Run("back", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = k.here(sealed)
		}
	})
	b.Run("another's", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = k.there(sealed)
		}
	})
}
