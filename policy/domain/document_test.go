package domain_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
)

var issued = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// keyOf makes a key that is the same each time, for examples.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func publicOf(n byte) ed25519.PublicKey { return keyOf(n).Public().(ed25519.PublicKey) }

func authorityOf(t testing.TB, edit func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Scrim authority of hospital.example"},
		NotBefore: issued.Add(-5 * time.Minute), NotAfter: issued.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{{Scheme: "spiffe", Host: "hospital.example"}},
		PermittedURIDomains: []string{"hospital.example"}, PermittedDNSDomainsCritical: true,
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, publicOf(9), keyOf(9))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func example(t testing.TB) *domain.Document {
	return &domain.Document{
		Domain: "hospital.example", Version: 7, IssuedAt: issued, Expires: issued.AddDate(0, 0, 7),
		Keys: []domain.Key{
			{ID: domain.KeyID(publicOf(2)), Public: publicOf(2), NotBefore: issued.AddDate(0, -2, 0), NotAfter: issued.AddDate(0, 0, 2)},
			{ID: domain.KeyID(publicOf(3)), Public: publicOf(3), NotBefore: issued.AddDate(0, 0, -1)},
		},
		Gateways: []string{"https://gateway.hospital.example:7072"}, Log: &domain.LogKey{Origin: "scrim.dev/journal/hospital.example", Public: publicOf(4)},
		Techniques: []string{"masked", "tokenized"}, Revocations: "https://gateway.hospital.example:7072/.well-known/scrim/revocations",
		Authorities: []*x509.Certificate{authorityOf(t, nil)},
	}
}

func signed(t testing.TB, d *domain.Document) string {
	t.Helper()
	text, err := d.Sign(keyOf(1))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantRule(t *testing.T, what string, err error, rule domain.Rule) {
	t.Helper()
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || e.Rule != rule {
		t.Errorf("%s: error = %v, want rule %s", what, err, rule)
	}
}

func TestADocumentIsReadAsItWasSigned(t *testing.T) {
	d := example(t)
	text := signed(t, d)
	wire, err := domain.FromJSON(domain.JSON(text))
	if err != nil || wire != text {
		t.Fatalf("FromJSON(JSON(text)) = %q, %v", wire, err)
	}
	got, err := domain.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if again := signed(t, got); again != text {
		t.Errorf("signed again it is\n%s\nwant\n%s", again, text)
	}
	if got.Fingerprint() != d.Fingerprint() || !got.Identity.Equal(publicOf(1)) {
		t.Error("another identity was read than signed")
	}
}

// forge signs a payload that Sign would not.
func forge(t testing.TB, key ed25519.PrivateKey, head string, edit func(map[string]any)) string {
	t.Helper()
	_, rest, _ := strings.Cut(signed(t, example(t)), ".")
	body, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		var p map[string]any
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		edit(p)
		if raw, err = json.Marshal(p); err != nil {
			t.Fatal(err)
		}
	}
	return forgeRaw(key, head, raw)
}

func forgeRaw(key ed25519.PrivateKey, head string, raw []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	if head == "" {
		head = `{"alg":"EdDSA","typ":"scrim-domain+jwt","jwk":{"kty":"OKP","crv":"Ed25519","x":"` + b64(key.Public().(ed25519.PublicKey)) + `"}}`
	}
	input := b64([]byte(head)) + "." + b64(raw)
	return input + "." + b64(ed25519.Sign(key, []byte(input)))
}

func set(name string, v any) func(map[string]any) {
	return func(p map[string]any) { p[name] = v }
}

func TestDocumentsThatAreRefused(t *testing.T) {
	good := forge(t, keyOf(1), "", func(map[string]any) {})
	if _, err := domain.Parse(good); err != nil {
		t.Fatalf("a document with its members in another order: %v", err)
	}
	x := base64.RawURLEncoding.EncodeToString(publicOf(1))
	head := func(text string) string { return forge(t, keyOf(1), text, nil) }
	raw := func(from, to string) string {
		_, rest, _ := strings.Cut(good, ".")
		body, _, _ := strings.Cut(rest, ".")
		b, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil || !bytes.Contains(b, []byte(from)) {
			t.Fatalf("%q is not in the payload", from)
		}
		return forgeRaw(keyOf(1), "", bytes.Replace(b, []byte(from), []byte(to), 1))
	}
	with := func(name string, v any) string { return forge(t, keyOf(1), "", set(name, v)) }
	jwk := func(n byte, more string) string {
		return `{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(publicOf(n)) + `"` + more + `}`
	}
	keys := func(list ...string) string {
		return with("keys", json.RawMessage("["+strings.Join(list, ",")+"]"))
	}
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, "https://g"+string(rune('a'+i))+".example")
		}
		return all
	}
	notCA := authorityOf(t, func(c *x509.Certificate) {
		c.IsCA, c.MaxPathLenZero, c.KeyUsage, c.PermittedURIDomains = false, false, 0, nil
	})
	for _, c := range []struct {
		name, text string
		rule       domain.Rule
	}{
		{"longer than any", strings.Repeat("a", domain.MaxText+1), domain.RuleSize},
		{"empty", "", domain.RuleForm},
		{"two parts", "a.b", domain.RuleForm},
		{"four parts", good + ".a", domain.RuleForm},
		{"padding", good + "=", domain.RuleForm},
		{"a line end", good[:20] + "\n" + good[20:], domain.RuleForm},
		{"a bit that is not used", good[:len(good)-1] + nextLetter(good[len(good)-1]), domain.RuleForm},
		{"alg none", head(`{"alg":"none","typ":"scrim-domain+jwt","jwk":` + jwk(1, "") + `}`), domain.RuleAlgorithm},
		{"alg HS256", head(`{"alg":"HS256","typ":"scrim-domain+jwt","jwk":` + jwk(1, "") + `}`), domain.RuleAlgorithm},
		{"alg RS256", head(`{"alg":"RS256","typ":"scrim-domain+jwt","jwk":{"kty":"RSA","crv":"Ed25519","x":"` + x + `"}}`), domain.RuleAlgorithm},
		{"a key of another curve", head(`{"alg":"EdDSA","typ":"scrim-domain+jwt","jwk":{"kty":"OKP","crv":"X25519","x":"` + x + `"}}`), domain.RuleAlgorithm},
		{"a short key", head(`{"alg":"EdDSA","typ":"scrim-domain+jwt","jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}`), domain.RuleAlgorithm},
		{"another type", head(`{"alg":"EdDSA","typ":"scrim-cap+jwt","jwk":` + jwk(1, "") + `}`), domain.RuleType},
		{"crit", head(`{"alg":"EdDSA","typ":"scrim-domain+jwt","crit":["b64"],"jwk":` + jwk(1, "") + `}`), domain.RuleForm},
		{"a member twice in the header", head(`{"alg":"EdDSA","alg":"EdDSA","typ":"scrim-domain+jwt","jwk":` + jwk(1, "") + `}`), domain.RuleForm},
		{"a key with an id in the header", head(`{"alg":"EdDSA","typ":"scrim-domain+jwt","jwk":` + jwk(1, `,"kid":"a"`) + `}`), domain.RuleForm},
		{"signed by another key", forge(t, keyOf(5), `{"alg":"EdDSA","typ":"scrim-domain+jwt","jwk":`+jwk(1, "")+`}`, nil), domain.RuleSignature},
		{"a member twice", raw(`"version":7`, `"version":7,"version":8`), domain.RuleForm},
		{"a member in capitals", raw(`"version":7`, `"Version":7`), domain.RuleForm},
		{"a member that folds to another", raw(`"version":7`, `"verſion":7`), domain.RuleForm},
		{"a member that is unknown", with("x", 1), domain.RuleForm},
		{"something after it", raw(`"version":7`, `"version":7}{"a":1`), domain.RuleForm},
		{"a version with a fraction", raw(`"version":7`, `"version":7.5`), domain.RuleForm},
		{"deep", with("gateways", json.RawMessage(strings.Repeat("[", 20)+strings.Repeat("]", 20))), domain.RuleForm},
		{"version 0", with("version", 0), domain.RuleContent},
		{"a version that readers round", raw(`"version":7`, `"version":9007199254740993`), domain.RuleContent},
		{"no domain", with("domain", ""), domain.RuleContent},
		{"a domain in capitals", with("domain", "Hospital"), domain.RuleContent},
		{"a domain with a slash", with("domain", "a/b"), domain.RuleContent},
		{"a domain with an empty part", with("domain", "a..b"), domain.RuleContent},
		{"a domain that ends in a dot", with("domain", "a."), domain.RuleContent},
		{"no end", with("exp", 0), domain.RuleContent},
		{"an end before the beginning", with("exp", issued.Unix()), domain.RuleContent},
		{"a life that is too long", with("exp", issued.Add(domain.MaxLife+time.Second).Unix()), domain.RuleContent},
		{"an end that overflows", raw(`"exp":1778500800`, `"exp":9223372036854775807`), domain.RuleContent},
		{"no keys", keys(), domain.RuleContent},
		{"a key without a beginning", keys(jwk(2, `,"kid":"a"`)), domain.RuleContent},
		{"a key without an id", keys(jwk(2, `,"nbf":1`)), domain.RuleContent},
		{"two keys of one id", keys(jwk(2, `,"kid":"a","nbf":1`), jwk(3, `,"kid":"a","nbf":1`)), domain.RuleContent},
		{"a key twice", keys(jwk(2, `,"kid":"a","nbf":1`), jwk(2, `,"kid":"b","nbf":1`)), domain.RuleContent},
		{"a key that ends before it begins", keys(jwk(2, `,"kid":"a","nbf":9,"exp":9`)), domain.RuleContent},
		{"the identity key as a signing key", keys(jwk(1, `,"kid":"a","nbf":1`)), domain.RuleContent},
		{"a gateway without TLS", with("gateways", []string{"http://g.example"}), domain.RuleContent},
		{"a gateway with a user", with("gateways", []string{"https://u:p@g.example"}), domain.RuleContent},
		{"a gateway with a query", with("gateways", []string{"https://g.example/?a"}), domain.RuleContent},
		{"a gateway with an escape", with("gateways", []string{"https://g.example/%2e%2e"}), domain.RuleContent},
		{"a gateway with a step back", with("gateways", []string{"https://g.example/a/../b"}), domain.RuleContent},
		{"a gateway with a slash at its end", with("gateways", []string{"https://g.example/"}), domain.RuleContent},
		{"a gateway twice", with("gateways", []string{"https://g.example", "https://g.example"}), domain.RuleContent},
		{"17 gateways", with("gateways", many(17)), domain.RuleContent},
		{"a list of revocations without TLS", with("revocations", "http://g.example/r"), domain.RuleContent},
		{"a technique with a space", with("techniques", []string{"a b"}), domain.RuleContent},
		{"no certificate", with("ca", []string{"AAAA"}), domain.RuleContent},
		{"a certificate of no authority", with("ca", []string{base64.StdEncoding.EncodeToString(notCA.Raw)}), domain.RuleContent},
		{"a log's key with an end", with("log", json.RawMessage(`{"origin":"o","key":`+jwk(4, `,"exp":9`)+`}`)), domain.RuleContent},
	} {
		d, err := domain.Parse(c.text)
		wantRule(t, c.name, err, c.rule)
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%s: the error is long: it may repeat the document", c.name)
		}
		if d != nil {
			t.Errorf("%s: a document came with the error", c.name)
		}
	}
}

// nextLetter is another letter of base64url that differs in the lowest bit.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[strings.IndexByte(letters, c)^1])
}

func TestADocumentFollowsItsOwn(t *testing.T) {
	read := func(key ed25519.PrivateKey, edit func(*domain.Document)) *domain.Document {
		d := example(t)
		if edit != nil {
			edit(d)
		}
		text, err := d.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := domain.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := read(keyOf(1), nil)
	if err := first.Follows(nil); err != nil {
		t.Errorf("after none: %v", err)
	}
	if err := read(keyOf(1), nil).Follows(first); err != nil {
		t.Errorf("the same again: %v", err)
	}
	later := read(keyOf(1), func(d *domain.Document) { d.Version = 8; d.Keys = d.Keys[1:] })
	if err := later.Follows(first); err != nil {
		t.Errorf("a later one with other keys: %v", err)
	}
	if later.Fingerprint() != first.Fingerprint() {
		t.Error("the fingerprint changed with the keys")
	}
	wantRule(t, "an earlier one", first.Follows(later), domain.RuleRollback)
	wantRule(t, "another one of the same version", read(keyOf(1), func(d *domain.Document) { d.Gateways = nil }).Follows(first), domain.RuleFork)
	wantRule(t, "by another key", read(keyOf(5), func(d *domain.Document) { d.Version = 9 }).Follows(first), domain.RuleFingerprint)
	wantRule(t, "of another domain", read(keyOf(1), func(d *domain.Document) { d.Version, d.Domain = 9, "clinic.example" }).Follows(first), domain.RuleDomain)
	wantRule(t, "at its end", first.InForce(first.Expires), domain.RuleExpired)
	wantRule(t, "long before", first.InForce(issued.Add(-2*domain.Skew)), domain.RuleFuture)
	if err := first.InForce(issued.Add(-domain.Skew / 2)); err != nil {
		t.Errorf("a little before: %v", err)
	}
}

func TestKeysCountInTheirTime(t *testing.T) {
	d := example(t)
	old, young := d.Keys[0], d.Keys[1]
	for _, c := range []struct {
		name string
		kid  string
		now  time.Time
		want bool
	}{
		{"both", old.ID, issued, true}, {"both", young.ID, issued, true}, {"unknown", "x", issued, false},
		{"at the old one's end", old.ID, old.NotAfter, false}, {"the new one then", young.ID, old.NotAfter, true},
		{"before the new one", young.ID, young.NotBefore.Add(-2 * domain.Skew), false},
	} {
		if _, got := d.Key(c.kid, c.now); got != c.want {
			t.Errorf("%s: Key() = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAddressesThatAreGateways(t *testing.T) {
	d := &domain.Document{Gateways: []string{"https://g.example:7072/edge", "https://[::1]"}}
	for text, want := range map[string]bool{
		"https://g.example:7072/edge": true, "https://G.example:7072/edge/a2a/x": true, "https://[::1]/a": true, "https://[::1]:443/": true,
		"https://g.example:7072/edge/a%20b": true, "https://g.example:7072/edges": false, "https://g.example:7072/": false, "https://g.example/edge": false,
		"http://g.example:7072/edge": false, "https://g.example:7072/edge/../x": false, "https://g.example:7072/edge/%2e%2e/x": false,
		"https://g.example:7072/edge/a%2f..%2fb": false, "https://u@g.example:7072/edge": false, "https://g.example.evil:7072/edge": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := d.Gateway(u); got != want {
			t.Errorf("Gateway(%s) = %v, want %v", text, got, want)
		}
	}
	elsewhere, _ := url.Parse("https://g.example:7072/other")
	if !d.Meets(elsewhere) {
		t.Error("a connection to a gateway's host and port is none to the gateway")
	}
}

func TestFingerprints(t *testing.T) {
	f := example(t)
	f.Identity = publicOf(1)
	print := f.Fingerprint()
	text := print.String()
	for _, spelled := range []string{text, strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", " "), strings.ReplaceAll(strings.ReplaceAll(text, "0", "O"), "1", "l")} {
		if got, err := domain.ParseFingerprint(spelled); err != nil || !got.Equal(print) {
			t.Errorf("ParseFingerprint(%q) = %v, %v", spelled, got, err)
		}
	}
	for _, bad := range []string{"", text[:38], text + "a", "u" + text[1:], print.Short(), strings.Repeat("a", 200)} {
		if got, err := domain.ParseFingerprint(bad); err == nil || !got.IsZero() {
			t.Errorf("ParseFingerprint(%q) = %v, %v, want ErrFingerprint", bad, got, err)
		}
	}
	if domain.FingerprintOf("clinic.example", publicOf(1)) == print || domain.FingerprintOf("hospital.example", publicOf(2)) == print {
		t.Error("another domain or key has the same fingerprint")
	}
}

func TestNamesInCertificates(t *testing.T) {
	good := domain.Name{Domain: "hospital.example", Kind: domain.Gateway, Name: "edge-1"}
	if got, ok := domain.ParseName(good.URL()); !ok || got != good {
		t.Errorf("ParseName(%s) = %v, %v", good, got, ok)
	}
	for _, text := range []string{
		"spiffe://hospital.example/gateway/", "spiffe://hospital.example/gateway", "spiffe://hospital.example/gateway/a/b", "spiffe://hospital.example/gateway//a",
		"spiffe://hospital.example/server/a", "spiffe://Hospital/gateway/a", "spiffe://hospital.example:443/gateway/a", "spiffe://u@hospital.example/gateway/a",
		"https://hospital.example/gateway/a", "spiffe://hospital.example/gateway/a?b", "spiffe://hospital.example/gateway/a#b", "spiffe:///gateway/a",
		"spiffe://hospital.example/gateway/%61", "spiffe://hospital.example/gateway/../agent/a", "spiffe://hospital.example//gateway/a",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := domain.ParseName(u); ok {
			t.Errorf("ParseName(%s) = %v, want none", text, got)
		}
	}
	if _, ok := domain.NameOf(&x509.Certificate{URIs: []*url.URL{good.URL(), good.URL()}}); ok {
		t.Error("a certificate with two names has one")
	}
}

func TestWhatIsNotRightIsNotSigned(t *testing.T) {
	d := example(t)
	d.Gateways = []string{"http://g.example"}
	_, err := d.Sign(keyOf(1))
	wantRule(t, "a gateway without TLS", err, domain.RuleContent)
	_, err = example(t).Sign(notEd25519{})
	wantRule(t, "a key of another algorithm", err, domain.RuleAlgorithm)
}

type notEd25519 struct{ crypto.Signer }

func (notEd25519) Public() crypto.PublicKey { return "key" }

func FuzzParse(f *testing.F) {
	text := signed(f, example(f))
	f.Add(text)
	f.Add(string(domain.JSON(text)))
	f.Add(forgeRaw(keyOf(1), "", []byte(`{"domain":"a","version":1,"iat":1,"exp":2,"keys":[]}`)))
	f.Fuzz(func(t *testing.T, text string) {
		if compact, err := domain.FromJSON([]byte(text)); err == nil {
			text = compact
		}
		read(t, text)
		read(t, forgeRaw(keyOf(1), "", []byte(text))) // past the signature
	})
}

// read checks that what is taken is written again as something that says the same.
func read(t *testing.T, text string) {
	d, err := domain.Parse(text)
	if err != nil {
		if _, ok := errors.AsType[*domain.Error](err); !ok {
			t.Fatalf("Parse() error = %v, of another kind", err)
		}
		return
	}
	again, err := d.Sign(keyOf(1))
	if err != nil {
		t.Fatalf("what was taken is not signed again: %v", err)
	}
	back, err := domain.Parse(again)
	if err != nil {
		t.Fatal(err)
	}
	if d.Fingerprint() == back.Fingerprint() {
		if err := back.Follows(d); err != nil {
			t.Fatalf("what was taken is another thing signed again: %v", err)
		}
	}
}

func ExampleParse() {
	published := []byte(`{"payload":"e30","protected":"e30","signature":""}`)
	text, err := domain.FromJSON(published)
	if err != nil {
		return
	}
	pinned, err := domain.ParseFingerprint("0000-0000-0000-0000-0000-0000-0000-0000")
	if err != nil {
		return
	}
	d, err := domain.Parse(text)
	if err != nil || d.InForce(time.Now()) != nil || !d.Fingerprint().Equal(pinned) {
		return // not believed
	}
	var peer flow.DomainID = d.Domain
	_ = peer
	// Output:
}
