package verify_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

func witnesses(n int) (names []string, keys []ed25519.PrivateKey) {
	for i := range n {
		names = append(names, fmt.Sprintf("w%d.example", i))
		keys = append(keys, ed25519.NewKeyFromSeed(fmt.Appendf(nil, "witness %d, a key in tests only ..", i)[:32]))
	}
	return names, keys
}

func TestAQuorumIsCounted(t *testing.T) {
	names, keys := witnesses(3)
	note := signed(origin, 0, mth(nil), logKey)
	at := func(n int) string { return cosign(note, names[n], keys[n], cosignedAt) }
	with := func(which ...int) string {
		out := note
		for _, n := range which {
			out += strings.TrimPrefix(at(n), note)
		}
		return out
	}
	policy := func(need int) *verify.Policy {
		key, _ := verify.ParseKey(vkey(origin, 1, logKey))
		p := &verify.Policy{Keys: []verify.Key{key}, MaxAge: time.Hour, Now: func() time.Time { return cosignedAt.Add(time.Minute) }}
		for i := range names {
			w, err := verify.ParseWitness(vkey(names[i], 4, keys[i]))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.AddWitness(w); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Require(need); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tc := range map[string]struct {
		note string
		need int
		kind string
	}{
		"none demanded":              {with(), 0, ""},
		"two of three":               {with(0, 2), 2, ""},
		"one is too few":             {with(1), 2, verify.Quorum},
		"one who signs twice":        {with(1, 1), 2, verify.Quorum},
		"one who signs at two times": {with(1) + strings.TrimPrefix(cosign(note, names[1], keys[1], cosignedAt.Add(1)), note), 2, verify.Quorum},
		"too long ago":               {cosign(with(0), names[1], keys[1], cosignedAt.Add(-2*time.Hour)), 2, verify.Quorum},
		"in times to come":           {cosign(with(0), names[1], keys[1], cosignedAt.Add(time.Hour)), 2, verify.Quorum},
		"a stranger beside":          {cosign(with(0, 1), "stranger.example", otherKey, cosignedAt), 2, ""},
		"a stranger instead":         {cosign(with(0), "stranger.example", otherKey, cosignedAt), 2, verify.Quorum},
		"a namesake":                 {cosign(with(0), names[1], otherKey, cosignedAt), 2, verify.Quorum},
		"over another root":          {with(0) + strings.TrimPrefix(cosign(signed(origin, 1, mth(nil), logKey), names[1], keys[1], cosignedAt), signed(origin, 1, mth(nil), logKey)), 2, verify.Signature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy(tc.need).Open([]byte(tc.note))
			if f := verify.AsFailure(err); kindOf(f) != tc.kind {
				t.Errorf("failure %v, want kind %q", f, tc.kind)
			}
		})
	}
	if err := policy(0).Require(4); err == nil {
		t.Error("4 of 3 witnesses can be demanded")
	}
}

func TestPoliciesAreReadStrictly(t *testing.T) {
	names, keys := witnesses(3)
	log := "log " + vkey(origin, 1, logKey) + " https://log.example/\n"
	w := func(i int) string { return fmt.Sprintf("witness W%d %s\n", i, vkey(names[i], 4, keys[i])) }
	for name, tc := range map[string]struct {
		text string
		ok   bool
	}{
		"none":                     {log + "quorum none\n", true},
		"one":                      {"# ours\n\n" + log + w(0) + " quorum\tW0 \n", true},
		"groups":                   {log + w(0) + w(1) + w(2) + "group A any W0 W1\ngroup B all A W2\nquorum B\n", true},
		"a number":                 {log + w(0) + w(1) + "group A 2 W0 W1\nquorum A\n", true},
		"no quorum line":           {log, false},
		"two quorum lines":         {log + "quorum none\nquorum none\n", false},
		"quorum of nobody":         {log + "quorum W9\n", false},
		"too many":                 {log + w(0) + "group A 2 W0\nquorum A\n", false},
		"zero":                     {log + w(0) + "group A 0 W0\nquorum A\n", false},
		"not in decimal":           {log + w(0) + "group A 01 W0\nquorum A\n", false},
		"one witness twice":        {log + w(0) + strings.Replace(w(0), "W0", "W1", 1) + "quorum none\n", false},
		"a member twice":           {log + w(0) + w(1) + "group A any W0 W1\ngroup B any W0\nquorum A\n", false},
		"a name twice":             {log + w(0) + strings.Replace(w(1), "W1", "W0", 1) + "quorum none\n", false},
		"a witness called none":    {log + strings.Replace(w(1), "W1", "none", 1) + "quorum none\n", false},
		"a log's key as a witness": {"witness W " + vkey(origin, 1, logKey) + "\nquorum W\n", false},
		"control characters":       {log + "quorum\rnone\n", false},
		"a word too many":          {log + "quorum none at all\n", false},
	} {
		if _, err := verify.ParsePolicy(tc.text); (err == nil) != tc.ok {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestGroupsOfAPolicy(t *testing.T) {
	names, keys := witnesses(3)
	text := "log " + vkey(origin, 1, logKey) + "\n"
	for i := range names {
		text += fmt.Sprintf("witness W%d %s\n", i, vkey(names[i], 4, keys[i]))
	}
	p, err := verify.ParsePolicy(text + "group A any W0 W1\ngroup B all A W2\nquorum B\n")
	if err != nil {
		t.Fatal(err)
	}
	p.Now = func() time.Time { return cosignedAt }
	for mask := range 8 {
		note := signed(origin, 0, mth(nil), logKey)
		for i := range names {
			if mask>>i&1 == 1 {
				note = cosign(note, names[i], keys[i], cosignedAt)
			}
		}
		_, err := p.Open([]byte(note))
		if want := mask&3 != 0 && mask&4 != 0; (err == nil) != want {
			t.Errorf("witnesses %03b: error %v", mask, err)
		}
	}
}

func TestKeysAreReadStrictly(t *testing.T) {
	good := vkey(origin, 1, logKey)
	if _, err := note.NewVerifier(good); err != nil { // another implementation takes it too
		t.Fatal(err)
	}
	if _, err := verify.ParseKey(good + "\n"); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no key": origin, "a name with a space": "a b" + good[len(origin):], "another name": "x" + good, "a bit of the id": strings.Replace(good, "+", "+0", 1),
		"half": good[:len(good)-8], "a witness's": vkey(origin, 4, logKey), "base64 with line ends": good[:len(good)-8] + "\n" + good[len(good)-8:],
	} {
		if _, err := verify.ParseKey(bad); err == nil {
			t.Errorf("%s: %q is taken", name, bad)
		}
	}
}

// A key is good for periods of its log, and not for logs that are merely called alike.
func TestAKeyIsForItsLogAndItsPeriods(t *testing.T) {
	for o, good := range map[string]bool{origin: true, origin + "/2026": true, origin + "x": false, origin + ".evil": false, "scrim.dev/log": false} {
		_, err := policy(t).Open([]byte(signed(o, 0, mth(nil), logKey)))
		if (err == nil) != good {
			t.Errorf("%s: error %v", o, err)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	good := signed(origin, 700, leafHash(nil), logKey)
	f.Add([]byte(good))
	f.Add([]byte(cosign(good, "witness.example/w", witnessKey, cosignedAt)))
	f.Add([]byte(origin + "\n7\nx\n\n— a b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := policy(t).Open(b)
		if err == nil && (c.Origin != origin || c.Size != 700) {
			t.Errorf("%q passed", b) // nobody but the fixture has the key
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add("log " + vkey(origin, 1, logKey) + "\nwitness W " + vkey("w", 4, witnessKey) + "\ngroup A any W\nquorum A\n")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := verify.ParsePolicy(s); err == nil {
			_, _ = p.Open([]byte(signed(origin, 0, mth(nil), logKey)))
		}
	})
}
