package hop_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
)

// keyOf is a key of the vectors: the seed is one byte, 32 times. It guards nothing.
func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(b)), 32)))
}

// keys are those pinned for the hospital.
type keys map[string]ed25519.PublicKey

func (k keys) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	key, ok := k[string(d)+" "+kid]
	return key, ok
}

var (
	pinned = keys{"hospital key-1": keyOf('h').Public().(ed25519.PublicKey)}
	noon   = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	body   = []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage"}`)
	here   = hop.Expect{Issuer: "hospital", Audience: "insurer", Now: noon, Skew: 5 * time.Second, MaxHops: 8}
)

func example() *hop.Statement {
	leaf := [32]byte(slices.Repeat([]byte{7}, 32))
	return &hop.Statement{
		ID: [16]byte(slices.Repeat([]byte{1}, 16)), Issuer: "hospital", Audience: "insurer", IssuedAt: noon, Expires: noon.Add(hop.Lifetime),
		Request: hop.RequestOf("POST", "/a2a/prior-auth?x=1&y=2", body), Agent: "intake", Hop: 1,
		Record:  hop.Opening{Salt: [32]byte(slices.Repeat([]byte{3}, 32)), Flow: "06g5u2q1k0"}.Commitment(),
		Purpose: "prior-authorisation", Criticality: flow.Routine, Capability: &leaf,
		Limits: hop.Limits{Retain: 24 * time.Hour, Levels: map[flow.Label]flow.Treatment{
			"person/name":       {Level: flow.Masked},
			"person/birth-date": {Level: flow.Generalized, Param: "year"},
			"person/id":         {Level: flow.Masked, Param: "keep:4"},
		}},
	}
}

func sign(t testing.TB, s *hop.Statement) string {
	t.Helper()
	text, err := hop.Sign(keyOf('h'), "key-1", s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ruleOf(err error) hop.Rule {
	if e, ok := errors.AsType[*hop.Error](err); ok {
		return e.Rule
	}
	return hop.Rule(fmt.Sprint("no hop.Error: ", err))
}

func TestWhatIsSignedIsRead(t *testing.T) {
	for name, change := range map[string]func(*hop.Statement){
		"with all":         func(*hop.Statement) {},
		"with the least":   func(s *hop.Statement) { s.Capability, s.Purpose, s.Limits, s.Hop = nil, "", hop.Limits{}, 0 },
		"with no times":    func(s *hop.Statement) { s.Expires = time.Time{} },
		"with parts of it": func(s *hop.Statement) { s.Criticality = flow.Critical; s.Agent = "intake/summariser" },
	} {
		t.Run(name, func(t *testing.T) {
			want := example()
			change(want)
			got, err := hop.Verify(sign(t, want), pinned, here)
			if err != nil {
				t.Fatal(err)
			}
			if want.Expires.IsZero() {
				want.Expires = noon.Add(hop.Lifetime)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read\n%+v, want\n%+v", got, want)
			}
		})
	}
}

// Each line is what a gateway in between could try; the rule is what meets it.
func TestStatementsThatAreNotBelieved(t *testing.T) {
	for _, tc := range []struct {
		name string
		rule hop.Rule
		text func() string
		at   func(*hop.Expect)
	}{
		{"made for another domain", hop.RuleAudience, nil, func(e *hop.Expect) { e.Audience = "reinsurer" }},
		{"of another domain than the connection", hop.RuleIssuer, nil, func(e *hop.Expect) { e.Issuer = "lab" }},
		{"over a connection without a certificate", hop.RuleIssuer, nil, func(e *hop.Expect) { e.Issuer = "" }},
		{"too late", hop.RuleTime, nil, func(e *hop.Expect) { e.Now = noon.Add(hop.Lifetime + e.Skew) }},
		{"too early", hop.RuleTime, nil, func(e *hop.Expect) { e.Now = noon.Add(-e.Skew - time.Second) }},
		{"after too many gateways", hop.RuleHops, nil, func(e *hop.Expect) { e.MaxHops = 1 }},
		{"signed by another key", hop.RuleSignature, func() string { return must(hop.Sign(keyOf('x'), "key-1", example())) }, nil},
		{"signed by a key nobody pinned", hop.RuleKey, func() string { return must(hop.Sign(keyOf('h'), "key-2", example())) }, nil},
		{"with another payload", hop.RuleSignature, func() string { return forge(sign(t, example()), `"hop":1`, `"hop":0`) }, nil},
		{"with a member twice", hop.RuleForm, func() string { return resign(`"hop":1`, `"hop":1,"hop":0`) }, nil},
		{"with an unknown member", hop.RuleForm, func() string { return resign(`"hop":1`, `"hop":1,"more":0`) }, nil},
		{"with a member in capitals", hop.RuleForm, func() string { return resign(`"hop":1`, `"Hop":1`) }, nil},
		{"with white space", hop.RuleForm, func() string { return resign(`"hop":1`, `"hop": 1`) }, nil},
		{"with a number in another form", hop.RuleForm, func() string { return resign(`"hop":1`, `"hop":1e0`) }, nil},
		{"without a purpose", hop.RuleForm, func() string { return resign(`"purpose":"prior-authorisation",`, ``) }, nil},
		{"with a level in other words", hop.RuleForm, func() string { return resign(`"masked"`, `"open"`) }, nil},
		{"with a parameter of another level", hop.RuleForm, func() string { return resign(`"param":"keep:4"`, `"param":"year"`) }, nil},
		{"for its own domain", hop.RuleForm, func() string { return resign(`"aud":"insurer"`, `"aud":"hospital"`) }, nil},
		{"that holds for an hour", hop.RuleTime, func() string { return resign(`"exp":1795780830`, `"exp":1795784400`) }, nil},
		{"that ends before it begins", hop.RuleTime, func() string { return resign(`"exp":1795780830`, `"exp":1795780800`) }, nil},
		{"of another version", hop.RuleVersion, func() string { return resign(`"v":1`, `"v":2`) }, nil},
		{"with an escaped text", hop.RuleForm, func() string { return resign(`"intake"`, `"\u0069ntake"`) }, nil},
		{"with a hash that is short", hop.RuleForm, func() string { return resign(`"cap":"Bw`, `"cap":"`) }, nil},
		{"with a quote in the agent", hop.RuleForm, func() string { return resign(`"intake"`, `"in\"take"`) }, nil},
		{"without an algorithm", hop.RuleAlgorithm, func() string { return headed(`{"alg":"none","kid":"key-1","typ":"scrim-hop+jwt"}`) }, nil},
		{"with RSA", hop.RuleAlgorithm, func() string { return headed(`{"alg":"RS256","kid":"key-1","typ":"scrim-hop+jwt"}`) }, nil},
		{"of another type", hop.RuleType, func() string { return headed(`{"alg":"EdDSA","kid":"key-1","typ":"scrim-pop+jwt"}`) }, nil},
		{"with a key of its own", hop.RuleForm, func() string { return headed(`{"alg":"EdDSA","jwk":{},"kid":"key-1","typ":"scrim-hop+jwt"}`) }, nil},
		{"with crit", hop.RuleForm, func() string {
			return headed(`{"alg":"EdDSA","kid":"key-1","typ":"scrim-hop+jwt","crit":["b64"],"b64":false}`)
		}, nil},
		{"too long", hop.RuleSize, func() string { return strings.Repeat("A", hop.MaxBytes+1) }, nil},
		{"empty", hop.RuleForm, func() string { return "" }, nil},
		{"of two parts", hop.RuleForm, func() string { return "e30.e30" }, nil},
		{"with a line break", hop.RuleForm, func() string { return strings.Replace(sign(t, example()), ".", "\n.", 1) }, nil},
		{"with padding", hop.RuleForm, func() string { return sign(t, example()) + "=" }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, e := sign(t, example()), here
			if tc.text != nil {
				text = tc.text()
			}
			if tc.at != nil {
				tc.at(&e)
			}
			s, err := hop.Verify(text, pinned, e)
			if got := ruleOf(err); got != tc.rule || s != nil {
				t.Errorf("Verify() = %v, %v; want rule %s and no statement", s, err, tc.rule)
			}
			if err != nil && (strings.Contains(err.Error(), "intake") || strings.Contains(err.Error(), "hospital")) {
				t.Errorf("the error repeats the statement: %v", err)
			}
		})
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func payloadOf(text string) string {
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	return string(raw)
}

// forge exchanges words of a payload and leaves the signature.
func forge(text, old, with string) string {
	part := strings.Split(text, ".")
	part[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(payloadOf(text), old, with, 1)))
	return strings.Join(part, ".")
}

// resign signs what no gateway of ours would write.
func resign(old, with string) string {
	text := must(hop.Sign(keyOf('h'), "key-1", example()))
	if !strings.Contains(payloadOf(text), old) {
		panic("the example does not say " + old)
	}
	return signed(strings.Split(forge(text, old, with), "."))
}

func headed(head string) string {
	part := strings.Split(must(hop.Sign(keyOf('h'), "key-1", example())), ".")
	part[0] = base64.RawURLEncoding.EncodeToString([]byte(head))
	return signed(part)
}

func signed(part []string) string {
	text := part[0] + "." + part[1]
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(keyOf('h'), []byte(text)))
}

func TestAStatementIsForOneRequest(t *testing.T) {
	s := example()
	leaf, other := *s.Capability, [32]byte{9}
	for _, tc := range []struct {
		name string
		rule hop.Rule
		r    hop.Request
		last *[32]byte
	}{
		{"another body", hop.RuleBody, hop.RequestOf("POST", s.Request.Target, append(slices.Clone(body), ' ')), &leaf},
		{"another target", hop.RuleMethod, hop.RequestOf("POST", "/a2a/claims", body), &leaf},
		{"another query", hop.RuleMethod, hop.RequestOf("POST", s.Request.Target+"&z=3", body), &leaf},
		{"another method", hop.RuleMethod, hop.RequestOf("GET", s.Request.Target, body), &leaf},
		{"no chain", hop.RuleCapability, hop.RequestOf("POST", s.Request.Target, body), nil},
		{"another chain", hop.RuleCapability, hop.RequestOf("POST", s.Request.Target, body), &other},
	} {
		if got := ruleOf(s.For(tc.r, tc.last)); got != tc.rule {
			t.Errorf("%s: rule %s, want %s", tc.name, got, tc.rule)
		}
	}
	if err := s.For(hop.RequestOf("POST", s.Request.Target, body), &leaf); err != nil {
		t.Errorf("its own request: %v", err)
	}
	s.Capability = nil
	if got := ruleOf(s.For(hop.RequestOf("POST", s.Request.Target, body), &leaf)); got != hop.RuleCapability {
		t.Errorf("a chain that it does not speak of: rule %s, want %s", got, hop.RuleCapability)
	}
}

func TestSignRefusesWhatNobodyWouldRead(t *testing.T) {
	for name, change := range map[string]func(*hop.Statement){
		"no agent":             func(s *hop.Statement) { s.Agent = "" },
		"a quote in a purpose": func(s *hop.Statement) { s.Purpose = `a"b` },
		"no target":            func(s *hop.Statement) { s.Request.Target = "" },
		"a target of another":  func(s *hop.Statement) { s.Request.Target = "http://elsewhere/" },
		"a long target":        func(s *hop.Statement) { s.Request.Target = "/" + strings.Repeat("a", hop.MaxTarget) },
		"a long life":          func(s *hop.Statement) { s.Expires = s.IssuedAt.Add(hop.MaxLifetime + time.Second) },
		"its own domain":       func(s *hop.Statement) { s.Audience = s.Issuer },
		"a negative hop":       func(s *hop.Statement) { s.Hop = -1 },
		"a label in capitals":  func(s *hop.Statement) { s.Limits.Levels["Person"] = flow.Treatment{} },
		"too many labels": func(s *hop.Statement) {
			for i := range hop.MaxLevels {
				s.Limits.Levels[flow.Label(fmt.Sprintf("a/l%d", i))] = flow.Treatment{}
			}
		},
		"a level that is none": func(s *hop.Statement) { s.Limits.Levels["a"] = flow.Treatment{Level: flow.Raw + 1} },
	} {
		s := example()
		change(s)
		if text, err := hop.Sign(keyOf('h'), "key-1", s); err == nil || text != "" {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := hop.Sign(keyOf('h'), "key 1", example()); err == nil {
		t.Error("a key id with a space: signed")
	}
}

func TestTwoCommitmentsToOneRecordHaveNothingInCommon(t *testing.T) {
	a, b := hop.Opening{Salt: [32]byte{1}, Flow: "f"}, hop.Opening{Salt: [32]byte{2}, Flow: "f"}
	if a.Commitment() == b.Commitment() {
		t.Error("two salts give one commitment")
	}
	if c, ok := hop.ParseParent(a.Commitment().Parent()); !ok || c != a.Commitment() {
		t.Errorf("ParseParent(Parent()) = %x, %v", c, ok)
	}
	for _, id := range []flow.ID{"", "06g5u2q1k0", hop.ParentPrefix, a.Commitment().Parent() + "A", "HOP:" + a.Commitment().Parent()[4:]} {
		if _, ok := hop.ParseParent(id); ok {
			t.Errorf("%q is taken for a commitment", id)
		}
	}
}

var taxonomy = flow.DefaultTaxonomy()

// Over random limits: the meet lets through no more of any label than either, and shrinking lets through no more still.
func TestMeetOfLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 11))
	classes := taxonomy.All()
	draw := func() hop.Limits {
		l := hop.Limits{Levels: map[flow.Label]flow.Treatment{}, Retain: time.Duration(r.IntN(5)) * time.Hour}
		for range r.IntN(12) {
			c := classes[r.IntN(len(classes))]
			levels := c.Family.Levels()
			l.Levels[c.Label] = c.Resolve(flow.Treatment{Level: levels[r.IntN(4)]})
		}
		return l
	}
	// no more than: an absent limit is everything
	within := func(c flow.Class, a, b hop.Limits) bool {
		bt, bounded := b.Of(c.Label)
		at, ok := a.Of(c.Label)
		return !bounded || bt.Level == flow.Raw || ok && !c.Family.Reveals(at, bt)
	}
	for range 2000 {
		a, b := draw(), draw()
		m := a.Meet(b, taxonomy)
		n := 1 + r.IntN(12)
		few, ok := m.Within(n, taxonomy)
		trimmed := m.Trim()
		if ok && len(few.Levels) > n {
			t.Fatalf("Within(%d) has %d labels", n, len(few.Levels))
		}
		for _, c := range classes {
			if !within(c, m, a) || !within(c, m, b) {
				t.Fatalf("%s: the meet of\n%v and\n%v is\n%v", c.Label, a, b, m)
			}
			if !within(c, trimmed, m) || !within(c, m, trimmed) {
				t.Fatalf("%s: %v without what bounds nothing is %v", c.Label, m, trimmed)
			}
			if ok && !within(c, few, m) {
				t.Fatalf("%s: %v within %d is %v", c.Label, m, n, few)
			}
		}
		if m.Retain > min(a.Retain, b.Retain) {
			t.Fatalf("retention grew to %s", m.Retain)
		}
	}
}

// What strangers send is refused or read, and what is read is what was written.
func FuzzVerify(f *testing.F) {
	f.Add(must(hop.Sign(keyOf('h'), "key-1", example())))
	f.Add(resign(`"hop":1`, `"hop":1,"hop":0`))
	f.Add(headed(`{"alg":"none","kid":"key-1","typ":"scrim-hop+jwt"}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := hop.Verify(text, pinned, here)
		if err != nil {
			if s != nil || ruleOf(err) == "" {
				t.Fatalf("an error comes with a statement, or names no rule: %v", err)
			}
			return
		}
		again, err := hop.Sign(keyOf('h'), "key-1", s)
		if err != nil || again != text {
			t.Fatalf("read, but written otherwise: %v", err)
		}
	})
}

// The payload alone, signed by the fuzzer: the reader behind the signature.
func FuzzPayload(f *testing.F) {
	f.Add(payloadOf(must(hop.Sign(keyOf('h'), "key-1", example()))))
	f.Fuzz(func(t *testing.T, p string) {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"key-1","typ":"scrim-hop+jwt"}`))
		s, err := hop.Verify(signed([]string{head, base64.RawURLEncoding.EncodeToString([]byte(p))}), pinned, here)
		if err == nil && payloadOf(must(hop.Sign(keyOf('h'), "key-1", s))) != p {
			t.Fatal("two payloads say the same")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	text := sign(b, example())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hop.Verify(text, pinned, here); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	s := example()
	for b.Loop() {
		sign(b, s)
	}
}
