package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
)

var issued = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// keyOf makes a key that is the same each time, for examples.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// ring is the keys of one domain.
type ring map[string]ed25519.PublicKey

func (r ring) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	key, ok := r[string(d)+" "+kid]
	return key, ok
}

func known() ring {
	return ring{"hospital.example k1": keyOf(1).Public().(ed25519.PublicKey), "insurer.example k1": keyOf(2).Public().(ed25519.PublicKey)}
}

func ptr[T any](v T) *T { return &v }

func example() *bundle.Bundle {
	return &bundle.Bundle{
		Issuer: "hospital.example", Name: "baseline", Version: 1, Issued: issued, Expires: issued.AddDate(0, 0, 30),
		Content: bundle.Content{
			Policies: "@id(\"no-training\")\nforbid (principal, action == Action::\"train\", resource);\n",
			Labels: []bundle.Label{
				{Label: "health", Level: ptr(flow.Generalized), Retain: 30 * 24 * time.Hour},
				{Label: "person/contact", Tier: ptr(flow.Restricted)},
			},
			Datasets: []bundle.Dataset{{
				Name: "claims", Purposes: []flow.Purpose{"claims-handling"}, Techniques: []string{"aggregate"}, Epsilon: 2_000_000_000,
				Columns: []bundle.Column{{Name: "note", Labels: []flow.Label{"health/note"}}},
			}},
			Defaults: bundle.Defaults{Capability: true, Criticality: ptr(flow.Routine), Pad: 2 * time.Second},
		},
	}
}

func signed(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	text, err := b.Sign("k1", keyOf(1))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantRule(t *testing.T, what string, err error, rule bundle.Rule) {
	t.Helper()
	if e, ok := errors.AsType[*bundle.Error](err); !ok || e.Rule != rule {
		t.Errorf("%s: error = %v, want rule %s", what, err, rule)
	}
}

func TestABundleIsReadAsItWasSigned(t *testing.T) {
	b := example()
	text := signed(t, b)
	for name, read := range map[string]func() (*bundle.Bundle, error){
		"Parse":  func() (*bundle.Bundle, error) { return bundle.Parse(text, known()) },
		"Stored": func() (*bundle.Bundle, error) { return bundle.Stored(text) },
	} {
		got, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := signed(t, got); !bytes.Equal(again, text) || got.Digest() != b.Digest() || !got.Same(&b.Content) {
			t.Errorf("%s: signed again it is\n%s\nwant\n%s", name, again, text)
		}
	}
}

// TestADigestIsOfWhatIsSaid changes one thing at a time.
func TestADigestIsOfWhatIsSaid(t *testing.T) {
	first := example().Digest()
	seen := map[bundle.Digest]string{first: "the example"}
	for name, edit := range map[string]func(b *bundle.Bundle){
		"domain":   func(b *bundle.Bundle) { b.Issuer = "insurer.example" },
		"name":     func(b *bundle.Bundle) { b.Name = "other" },
		"version":  func(b *bundle.Bundle) { b.Version = 2 },
		"previous": func(b *bundle.Bundle) { b.Previous = first },
		"policies": func(b *bundle.Bundle) { b.Policies += " " },
		"level":    func(b *bundle.Bundle) { b.Labels[0].Level = ptr(flow.Dropped) },
		"tier":     func(b *bundle.Bundle) { b.Labels[1].Tier = ptr(flow.Confidential) },
		"retain":   func(b *bundle.Bundle) { b.Labels[0].Retain += time.Second },
		"column":   func(b *bundle.Bundle) { b.Datasets[0].Columns[0].Name = "notes" },
		"ε":        func(b *bundle.Bundle) { b.Datasets[0].Epsilon++ },
		"default":  func(b *bundle.Bundle) { b.Defaults.Capability = false },
	} {
		b := example()
		edit(b)
		if other, twice := seen[b.Digest()]; twice {
			t.Errorf("another %s has the digest of %s", name, other)
		}
		seen[b.Digest()] = name
	}
	later := example()
	later.Issued, later.Expires = later.Issued.Add(time.Hour), later.Expires.Add(time.Hour)
	if later.Digest() != first {
		t.Error("signed again, it has another digest")
	}
}

func forge(t testing.TB, key ed25519.PrivateKey, head string, edit func(string) string) []byte {
	t.Helper()
	parts := strings.Split(string(signed(t, example())), ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		text := edit(string(body))
		if text == string(body) {
			t.Fatal("the edit changed nothing")
		}
		body = []byte(text)
	}
	if head == "" {
		head = `{"alg":"EdDSA","iss":"hospital.example","kid":"k1","typ":"scrim-bundle+jwt"}`
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(body)
	return []byte(input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(input))))
}

func TestBundlesThatAreRefused(t *testing.T) {
	swap := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	with := func(from, to string) []byte { return forge(t, keyOf(1), "", swap(from, to)) }
	head := func(h string) []byte { return forge(t, keyOf(1), h, nil) }
	good := signed(t, example())
	many := func(n int, one func(i int) string) string {
		var parts []string
		for i := range n {
			parts = append(parts, one(i))
		}
		return strings.Join(parts, ",")
	}
	for _, c := range []struct {
		name string
		text []byte
		rule bundle.Rule
	}{
		{"longer than any", bytes.Repeat([]byte("a"), bundle.MaxText+1), bundle.RuleSize},
		{"empty", nil, bundle.RuleForm},
		{"two parts", []byte("a.b"), bundle.RuleForm},
		{"no signature", good[:bytes.LastIndexByte(good, '.')+1], bundle.RuleForm},
		{"padding", append(bytes.Clone(good), '='), bundle.RuleForm},
		{"a line end", slicesInsert(good, 40, '\n'), bundle.RuleForm},
		{"alg none", head(`{"alg":"none","iss":"hospital.example","kid":"k1","typ":"scrim-bundle+jwt"}`), bundle.RuleAlgorithm},
		{"another type", head(`{"alg":"EdDSA","iss":"hospital.example","kid":"k1","typ":"scrim-deny+jwt"}`), bundle.RuleType},
		{"crit", head(`{"alg":"EdDSA","crit":["b64"],"iss":"hospital.example","kid":"k1","typ":"scrim-bundle+jwt"}`), bundle.RuleForm},
		{"a member twice in the header", head(`{"alg":"EdDSA","alg":"EdDSA","iss":"hospital.example","kid":"k1","typ":"scrim-bundle+jwt"}`), bundle.RuleForm},
		{"a key that is not known", head(`{"alg":"EdDSA","iss":"hospital.example","kid":"k2","typ":"scrim-bundle+jwt"}`), bundle.RuleKey},
		{"a domain that is not known", head(`{"alg":"EdDSA","iss":"bank.example","kid":"k1","typ":"scrim-bundle+jwt"}`), bundle.RuleKey},
		{"signed by another domain's key", forge(t, keyOf(2), "", nil), bundle.RuleSignature},
		{"another domain's, signed by that in its own name", forge(t, keyOf(2), `{"alg":"EdDSA","iss":"insurer.example","kid":"k1","typ":"scrim-bundle+jwt"}`, nil), bundle.RuleForm},
		{"a member twice", with(`"name":"baseline"`, `"name":"other","name":"baseline"`), bundle.RuleForm},
		{"a member in capitals", with(`"name":"baseline"`, `"Name":"baseline"`), bundle.RuleForm},
		{"a member that is unknown", with(`"exp":`, `"evil":1,"exp":`), bundle.RuleForm},
		{"spaces", with(`"exp":`, `"exp": `), bundle.RuleForm},
		{"something after it", with(`"ver":1}`, `"ver":1}{}`), bundle.RuleForm},
		{"a version with a fraction", with(`"ver":1`, `"ver":1.0`), bundle.RuleForm},
		{"version 0", with(`"ver":1`, `"ver":0`), bundle.RuleContent},
		{"a version that readers round", with(`"ver":1`, `"prev":"`+strings.Repeat("ab", 32)+`","ver":9007199254740993`), bundle.RuleContent},
		{"a second version without the first", with(`"ver":1`, `"ver":2`), bundle.RuleContent},
		{"a first version after another", with(`"ver":1`, `"prev":"`+strings.Repeat("ab", 32)+`","ver":1`), bundle.RuleContent},
		{"a digest in capitals", with(`"ver":1`, `"prev":"`+strings.Repeat("AB", 32)+`","ver":2`), bundle.RuleContent},
		{"a domain in capitals", forge(t, keyOf(1), `{"alg":"EdDSA","iss":"Hospital","kid":"k1","typ":"scrim-bundle+jwt"}`, swap("hospital.example", "Hospital")), bundle.RuleKey},
		{"a name with a slash", with(`"name":"baseline"`, `"name":"../x"`), bundle.RuleContent},
		{"no end", with(`"exp":1780488000`, `"exp":0`), bundle.RuleContent},
		{"a life that is too long", with(`"exp":1780488000`, `"exp":1980488000`), bundle.RuleContent},
		{"an end that overflows", with(`"exp":1780488000`, `"exp":9223372036854775807`), bundle.RuleContent},
		{"a label that is none", with(`"label":"health"`, `"label":"Health"`), bundle.RuleContent},
		{"labels out of order", with(`"label":"health"`, `"label":"zoo"`), bundle.RuleContent},
		{"a level that is none", with(`"level":"generalized"`, `"level":"naked"`), bundle.RuleContent},
		{"a tier that is none", with(`"tier":"restricted"`, `"tier":"open"`), bundle.RuleContent},
		{"a retention that overflows", with(`"retain":2592000`, `"retain":9223372036854775807`), bundle.RuleContent},
		{"a retention below zero", with(`"retain":2592000`, `"retain":-1`), bundle.RuleContent},
		{"a dataset that closes its Cedar name", with(`"name":"claims"`, `"name":"claims\");"`), bundle.RuleContent},
		{"a purpose that closes its Cedar name", with(`"claims-handling"`, `"a\");permit(principal,action,resource)"`), bundle.RuleContent},
		{"a technique that is none", with(`"techniques":["aggregate"]`, `"techniques":["raw"]`), bundle.RuleContent},
		{"a budget below zero", with(`"epsilon":2000000000`, `"epsilon":-1`), bundle.RuleContent},
		{"policies too long", with(`"policies":"`, `"policies":"`+strings.Repeat("/", bundle.MaxPolicies)), bundle.RuleSize},
		{"more labels than any", with(`"labels":[{"label"`, `"labels":[`+many(5000, func(i int) string { return fmt.Sprintf(`{"label":"a%05d","retain":1}`, i) })+`,{"label"`), bundle.RuleSize},
	} {
		_, err := bundle.Parse(c.text, known())
		wantRule(t, c.name, err, c.rule)
	}
}

func slicesInsert(b []byte, at int, c byte) []byte {
	return append(append(bytes.Clone(b[:at]), c), b[at:]...)
}

func TestVersionsFollowOneAnother(t *testing.T) {
	first := example()
	next := func(edit func(b *bundle.Bundle)) *bundle.Bundle {
		b := example()
		b.Version, b.Previous = 2, first.Digest()
		b.Labels[0].Level = ptr(flow.Masked)
		if edit != nil {
			edit(b)
		}
		return b
	}
	if err := next(nil).Follows(first); err != nil {
		t.Errorf("the second version after the first: %v", err)
	}
	if err := next(nil).Follows(nil); err != nil {
		t.Errorf("a version after none: %v", err)
	}
	again := example()
	again.Issued, again.Expires = again.Issued.Add(time.Hour), again.Expires.Add(time.Hour)
	if err := again.Follows(first); err != nil {
		t.Errorf("the first version, signed again: %v", err)
	}
	second := next(nil)
	for _, c := range []struct {
		name          string
		next, earlier *bundle.Bundle
		rule          bundle.Rule
	}{
		{"an earlier version", first, second, bundle.RuleRollback},
		{"an earlier signature", first, again, bundle.RuleRollback},
		{"another second version", next(func(b *bundle.Bundle) { b.Labels[0].Level = ptr(flow.Raw) }), second, bundle.RuleFork},
		{"after another first version", next(func(b *bundle.Bundle) { b.Previous[0]++ }), first, bundle.RuleFork},
		{"the third after the first", next(func(b *bundle.Bundle) { b.Version = 3 }), first, bundle.RuleGap},
		{"another domain's", next(func(b *bundle.Bundle) { b.Issuer = "insurer.example" }), first, bundle.RuleIssuer},
		{"another name", next(func(b *bundle.Bundle) { b.Name = "other" }), first, bundle.RuleName},
	} {
		wantRule(t, c.name, c.next.Follows(c.earlier), c.rule)
	}
}

func TestABundleHasItsTime(t *testing.T) {
	b := example()
	for at, rule := range map[time.Time]bundle.Rule{
		b.Issued: "", b.Expires.Add(-time.Second): "", b.Issued.Add(-bundle.Skew): "", b.Expires: bundle.RuleExpired, b.Issued.Add(-time.Hour): bundle.RuleFuture,
	} {
		if err := b.InForce(at); rule == "" && err != nil {
			t.Errorf("at %s: %v", at, err)
		} else if rule != "" {
			wantRule(t, at.String(), err, rule)
		}
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	for name, edit := range map[string]func(b *bundle.Bundle){
		"a time with fractions": func(b *bundle.Bundle) { b.Issued = b.Issued.Add(time.Millisecond) },
		"columns out of order": func(b *bundle.Bundle) {
			b.Datasets[0].Columns = append(b.Datasets[0].Columns, bundle.Column{Name: "a", Labels: []flow.Label{"health"}})
		},
		"a column without labels": func(b *bundle.Bundle) { b.Datasets[0].Columns[0].Labels = nil },
		"a pad of microseconds":   func(b *bundle.Bundle) { b.Defaults.Pad = time.Microsecond },
		"a label without limits":  func(b *bundle.Bundle) { b.Labels[0] = bundle.Label{Label: "health"} },
		"policies of no text":     func(b *bundle.Bundle) { b.Policies = "\xff" },
	} {
		b := example()
		edit(b)
		_, err := b.Sign("k1", keyOf(1))
		wantRule(t, name, err, bundle.RuleContent)
	}
	_, err := example().Sign("k 1", keyOf(1))
	wantRule(t, "a key without a proper id", err, bundle.RuleKey)
}

// FuzzParse looks that what is taken has one form, and that nothing panics on its way into policies.
func FuzzParse(f *testing.F) {
	f.Add(signed(f, example()))
	f.Add(forge(f, keyOf(1), "", func(s string) string { return strings.Replace(s, `"ver":1`, `"ver":2`, 1) }))
	f.Add([]byte("a.b.c"))
	f.Add(example().Payload())
	plain, err := policy.Load(fstest.MapFS{}, policy.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.HasPrefix(text, []byte("{")) { // a payload: a text of base64 is hard to hit on
			b64 := base64.RawURLEncoding.EncodeToString
			text = []byte(b64([]byte(`{"alg":"EdDSA","iss":"hospital.example","kid":"k1","typ":"scrim-bundle+jwt"}`)) + "." + b64(text) + "." + b64(make([]byte, ed25519.SignatureSize)))
		}
		b, err := bundle.Stored(text)
		if err != nil {
			if _, ok := errors.AsType[*bundle.Error](err); !ok {
				t.Fatalf("error = %T %v", err, err)
			}
			return
		}
		again, err := b.Sign("k1", keyOf(1))
		if err != nil {
			t.Fatalf("what was read cannot be signed: %v", err)
		}
		c, err := bundle.Stored(again)
		if err != nil || c.Digest() != b.Digest() {
			t.Fatalf("read again it is another: %v", err)
		}
		if _, err := plain.CheckOutside(b.Outside()); err == nil {
			if _, err := policy.Load(fstest.MapFS{}, policy.Options{Outside: []policy.Outside{b.Outside()}}); err != nil {
				t.Fatalf("what was checked cannot be kept to: %v", err)
			}
		}
	})
}

func ExampleBundle() {
	b := &bundle.Bundle{Issuer: "hospital.example", Name: "baseline", Version: 1, Issued: issued, Expires: issued.AddDate(0, 0, 30)}
	b.Labels = []bundle.Label{{Label: "health/diagnosis", Level: ptr(flow.Generalized)}}
	text, err := b.Sign("k1", keyOf(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := bundle.Parse(text, known())
	fmt.Println(got.ID(), got.Version, got.Labels[0].Label, *got.Labels[0].Level, err)
	// Output: hospital.example/baseline 1 health/diagnosis generalized <nil>
}
