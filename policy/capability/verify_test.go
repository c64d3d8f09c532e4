package capability

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// forge signs whatever header and payload.
func forge(header, payload string, key ed25519.PrivateKey) Token {
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	return Token(input + "." + encode(ed25519.Sign(key, []byte(input))))
}

// parts returns a token's header and payload as JSON.
func parts(t testing.TB, tok Token) (header, payload string) {
	t.Helper()
	seg := strings.Split(string(tok), ".")
	h, ok := decode(seg[0])
	p, ok2 := decode(seg[1])
	if !ok || !ok2 {
		t.Fatal("the token does not decode")
	}
	return string(h), string(p)
}

// altered returns the chain with an edit to one token, signed again by the key that must sign it, so that only what the
// edit says is wrong. Edits come in pairs, old and new; one that finds nothing fails the test.
func altered(t testing.TB, c Chain, link int, edits ...string) Chain {
	t.Helper()
	signer := "hospital"
	if link > 0 {
		signer = "h" + string(rune('0'+link-1))
	}
	header, payload := parts(t, c[link])
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(payload, edits[i]) && !strings.Contains(header, edits[i]) {
			t.Fatalf("nothing to alter: %s is not in %s", edits[i], payload)
		}
		payload = strings.Replace(payload, edits[i], edits[i+1], 1)
		header = strings.Replace(header, edits[i], edits[i+1], 1)
	}
	out := append(Chain{}, c...)
	out[link] = forge(header, payload, keyOf(signer))
	return out
}

// breaks asserts which rule an error names, where, and of what.
func breaks(t *testing.T, err error, rule Rule, link int, member string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Errorf("error = %v, want rule %s of link %d (%s)", err, rule, link, member)
		return
	}
	if e.Rule != rule || e.Link != link || e.Member != member {
		t.Errorf("error = %v, want rule %s of link %d (%s)", e, rule, link, member)
	}
	if !errors.Is(err, rule) {
		t.Errorf("errors.Is does not find %s", rule)
	}
}

func twoLinks(t testing.TB) Chain {
	return mustDerive(t, mustMint(t, rootGrant()), "h0", "h1", Grant{Agent: "intake/summary"})
}

// chainCase is a chain and the rule it breaks.
type chainCase struct {
	name   string
	chain  Chain
	rule   Rule
	link   int
	member string
}

// forgedChains are things an attacker would try, each with everything else right.
func forgedChains(t testing.TB) []chainCase {
	c := twoLinks(t)
	header, payload := parts(t, c[1])
	macOf := func(alg string, key []byte) Token {
		input := encode([]byte(strings.Replace(header, "EdDSA", alg, 1))) + "." + encode([]byte(payload))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return Token(input + "." + encode(mac.Sum(nil)))
	}
	other := rootGrant()
	other.Names = []string{"night-desk"}
	otherRoot := mustMint(t, other)[0]
	flipped := c[1][:len(c[1])-10] + swap(c[1][len(c[1])-10:len(c[1])-9]) + c[1][len(c[1])-9:]
	return []chainCase{
		{"no tokens", Chain{}, RuleForm, WholeChain, "chain"},
		{"a child alone", Chain{c[1]}, RuleForm, 0, "iss"},
		{"the root twice", Chain{c[0], c[0]}, RuleSignature, 1, ""},
		{"the child twice", Chain{c[0], c[1], c[1]}, RuleSignature, 2, ""},
		{"in the wrong order", Chain{c[1], c[0]}, RuleForm, 0, "iss"},
		{"parent swapped for another of the same holder", Chain{otherRoot, c[1]}, RuleParent, 1, "par_hash"},
		{"child signed by the wrong key", Chain{c[0], forge(header, payload, keyOf("h1"))}, RuleSignature, 1, ""},
		{"child signed by the issuer", Chain{c[0], forge(header, payload, keyOf("hospital"))}, RuleSignature, 1, ""},
		{"one bit of the signature", Chain{c[0], flipped}, RuleSignature, 1, ""},
		{"signature of no bytes that fit", Chain{c[0], c[1][:len(c[1])-4]}, RuleForm, 1, "signature"},
		{"signature in another spelling", Chain{c[0], respelled(c[1])}, RuleForm, 1, "signature"},
		{"alg none", Chain{c[0], Token(encode([]byte(`{"alg":"none","typ":"scrim-cap+jwt"}`)) + "." + encode([]byte(payload)) + ".AA")}, RuleAlgorithm, 1, "alg"},
		{"no alg", altered(t, c, 1, `"alg":"EdDSA",`, ``), RuleAlgorithm, 1, "alg"},
		{"alg in other letters", altered(t, c, 1, `EdDSA`, `eddsa`), RuleAlgorithm, 1, "alg"},
		{"MAC with the public key as secret", Chain{c[0], macOf("HS256", publicOf("h0"))}, RuleAlgorithm, 1, "alg"},
		{"RSA", Chain{c[0], macOf("RS256", publicOf("h0"))}, RuleAlgorithm, 1, "alg"},
		{"MAC that calls itself EdDSA", Chain{c[0], macOf("EdDSA", publicOf("h0"))}, RuleForm, 1, "signature"},
		{"alg that is no string", altered(t, c, 1, `"EdDSA"`, `["EdDSA"]`), RuleForm, 1, "alg"},
		{"typ of a proof", altered(t, c, 1, typeToken, typeProof), RuleType, 1, "typ"},
		{"typ of the draft", altered(t, c, 1, typeToken, "aat+jwt"), RuleType, 1, "typ"},
		{"no typ", altered(t, c, 1, `,"typ":"`+typeToken+`"`, ``), RuleType, 1, "typ"},
		{"crit", altered(t, c, 1, `"alg"`, `"crit":["exp"],"exp":1,"alg"`), RuleCritical, 1, "crit"},
		{"crit, empty", altered(t, c, 0, `"alg"`, `"crit":[],"alg"`), RuleCritical, 0, "crit"},
		{"header with a member twice", altered(t, c, 1, `"alg"`, `"alg":"EdDSA","alg"`), RuleForm, 1, "header"},
		{"unknown issuer", altered(t, c, 0, `"iss":"spiffe://hospital","kid"`, `"iss":"spiffe://elsewhere","kid"`), RuleAnchor, 0, ""},
		{"unknown key id", altered(t, c, 0, `"kid":"k1"`, `"kid":"k2"`), RuleAnchor, 0, ""},
		{"no key id", altered(t, c, 0, `"kid":"k1",`, ``), RuleForm, 0, "kid"},
		{"signed by one domain in another's name", altered(t, c, 0, `"iss":"spiffe://hospital","kid"`, `"iss":"spiffe://lab","kid"`), RuleSignature, 0, ""},
		{"issuer of the claims is another", altered(t, c, 0, `"iss":"spiffe://hospital","jti"`, `"iss":"spiffe://lab","jti"`), RuleIssuer, 0, "iss"},
		{"root with a parent", altered(t, c, 0, `"ver":1`, `"par_hash":"AAAA","ver":1`, `"names":["care-desk"],`, ``), RuleParent, 0, "par_hash"},
		{"root that is deep", altered(t, c, 0, `"del_depth":0`, `"del_depth":1`), RuleDepth, 0, "del_depth"},
		{"child that skips a depth", altered(t, c, 1, `"del_depth":1`, `"del_depth":2`), RuleDepth, 1, "del_depth"},
		{"child that stays at its depth", altered(t, c, 1, `"del_depth":1`, `"del_depth":0`), RuleDepth, 1, "del_depth"},
		{"child that may go deeper than its parent", altered(t, c, 1, `"del_max_depth":3`, `"del_max_depth":4`), RuleDepth, 1, "del_max_depth"},
		{"child below its own depth", altered(t, c, 1, `"del_max_depth":3`, `"del_max_depth":0`), RuleDepth, 1, "del_max_depth"},
		{"root deeper than verifiers allow", altered(t, c, 0, `"del_max_depth":3`, `"del_max_depth":9`), RuleDepth, 0, "del_max_depth"},
		{"depth that no verifier allows", altered(t, c, 0, `"del_max_depth":3`, `"del_max_depth":33`), RuleForm, 0, "del_max_depth"},
		{"child of another holder by name", altered(t, c, 1, ThumbprintOf(publicOf("h0")).String(), ThumbprintOf(publicOf("h1")).String()), RuleIssuer, 1, "iss"},
		{"child without a parent hash", altered(t, c, 1, `"par_hash":`, `"par_gone":`), RuleParent, 1, "par_hash"},
		{"child that outlives its parent", altered(t, c, 1, `"exp":1772445600`, `"exp":1772445601`), RuleWidened, 1, "expires"},
		{"child before its parent", altered(t, c, 1, `"iat":1772442000`, `"iat":1772441999`), RuleLifetime, 1, "iat"},
		{"token that ends before it begins", altered(t, c, 1, `"iat":1772442000`, `"iat":1772445600`), RuleLifetime, 1, "exp"},
		{"root that lives too long", altered(t, c, 0, `"exp":1772445600`, `"exp":1772528401`), RuleLifetime, 0, "exp"},
		{"one id twice", altered(t, c, 1, idOf(t, c[1]), idOf(t, c[0])), RuleRepeated, 1, "jti"},
	}
}

func TestForgedChains(t *testing.T) {
	for _, tt := range forgedChains(t) {
		t.Run(tt.name, func(t *testing.T) {
			vd, err := verifierAt(start.Add(time.Minute), Options{}).Verify(tt.chain)
			breaks(t, err, tt.rule, tt.link, tt.member)
			if vd != nil {
				t.Error("a chain comes back with the error")
			}
		})
	}
}

// respelled returns the token with the unused bits of its last character set.
func respelled(s Token) Token {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(s) - 1
	return s[:last] + Token(alphabet[strings.IndexByte(alphabet, s[last])|1:][:1])
}

func swap(s Token) Token {
	if s == "A" {
		return "B"
	}
	return "A"
}

// malformedTokens are payloads as they must not be, each signed by the right key.
func malformedTokens(t testing.TB) (cases []chainCase) {
	c := twoLinks(t)
	for _, tt := range []struct {
		name, old, now, member string
	}{
		{"jti missing", `"jti"`, `"jtl"`, "jti"},
		{"jti empty", idOf(t, c[1]), ``, "jti"},
		{"jti with a space", idOf(t, c[1]), `a b`, "jti"},
		{"jti a number", `"` + idOf(t, c[1]) + `"`, `1`, "jti"},
		{"iat with a fraction", `"iat":1772442000`, `"iat":1772442000.0`, "iat"},
		{"iat with an exponent", `"iat":1772442000`, `"iat":1772442e3`, "iat"},
		{"exp a string", `"exp":1772445600`, `"exp":"1772445600"`, "exp"},
		{"exp negative", `"exp":1772445600`, `"exp":-1`, "exp"},
		{"exp beyond the calendar", `"exp":1772445600`, `"exp":253402300800`, "exp"},
		{"exp that overflows", `"exp":1772445600`, `"exp":99999999999999999999`, "exp"},
		{"exp missing", `"exp"`, `"exq"`, "exp"},
		{"nbf null", `"ver":1`, `"nbf":null,"ver":1`, "nbf"},
		{"version missing", `,"ver":1`, ``, "ver"},
		{"version of tomorrow", `"ver":1`, `"ver":2`, "ver"},
		{"par_hash a number", `"par_hash":"` + hashOf(t, c[0]) + `"`, `"par_hash":7`, "par_hash"},
		{"del_depth with a fraction", `"del_depth":1`, `"del_depth":1.0`, "del_depth"},
		{"del_depth missing", `"del_depth"`, `"del_deptb"`, "del_depth"},
		{"no holder", `"cnf"`, `"cnl"`, "cnf"},
		{"holder by reference", `"cnf":{`, `"cnf":{"kid":"x",`, "cnf"},
		{"private key of the holder", `"kty":"OKP"`, `"d":"AAAA","kty":"OKP"`, "cnf"},
		{"another curve", `"crv":"Ed25519"`, `"crv":"X25519"`, "cnf"},
		{"another kind of key", `"kty":"OKP"`, `"kty":"oct"`, "cnf"},
		{"a key with a line end", `"x":"`, `"x":"\n`, "cnf"},
		{"a short key", `"x":"`, `"x":"AAAA`, "cnf"},
		{"no details", `"authorization_details"`, `"authorization_detail"`, "authorization_details"},
		{"details that are no list", `"authorization_details":[`, `"authorization_details":{},"x":[`, "authorization_details"},
		{"no entry of ours", `https://scrim.dev/cap/v1`, `https://example.org/other`, "authorization_details"},
		{"an entry of tomorrow", `https://scrim.dev/cap/v1`, `https://scrim.dev/cap/v2`, "authorization_details"},
		{"an entry of tomorrow beside ours", `{"tools"`, `{"type":"https://scrim.dev/cap/v2"},{"tools"`, "authorization_details"},
		{"two entries of ours", `{"tools"`, `{"agent":"intake","type":"https://scrim.dev/cap/v1"},{"tools"`, "authorization_details"},
		{"two entries of tools", `{"tools"`, `{"tools":{},"type":"attenuating_agent_token"},{"tools"`, "tools"},
		{"an entry without a type", `{"tools"`, `{},{"tools"`, "authorization_details"},
		{"a bound nobody knows", `"agent":"intake/summary"`, `"agent":"intake/summary","weekdays":["mon"]`, "authorization_details"},
		{"a bound with letters that look alike", `"recipients"`, `"reсipients"`, "authorization_details"}, // a Cyrillic с
		{"a bound in other letters", `"recipients"`, `"Recipients"`, "authorization_details"},
		{"a bound twice", `"uses":9`, `"uses":9,"uses":1`, "payload"},
		{"a bound twice, once escaped", `"uses":9`, `"uses":9,"use\u0073":1`, "payload"},
		{"a claim twice", `"ver":1`, `"ver":1,"ver":1`, "payload"},
		{"no agent", `"agent":"intake/summary",`, ``, "agent"},
		{"agent with an empty word", `intake/summary`, `intake//summary`, "agent"},
		{"agent with dots", `intake/summary`, `intake/../summary`, "agent"},
		{"names in a child", `"recipients"`, `"names":[],"recipients"`, "names"},
		{"recipients null", `["insurer/*","lab/tests"]`, `null`, "recipients"},
		{"recipient without a domain", `"lab/tests"`, `"tests"`, "recipients"},
		{"recipient of every domain", `"lab/tests"`, `"*/*"`, "recipients"},
		{"purpose that rules the terminal", `"billing"`, `"\u001b[2Jbilling"`, "purposes"},
		{"purpose written from right to left", `"billing"`, `"\u202ebilling"`, "purposes"},
		{"purpose that is no string", `"billing"`, `7`, "purposes"},
		{"criticality unknown", `"criticality":"routine"`, `"criticality":"urgent"`, "criticality"},
		{"level unknown", `"person":"tokenized"`, `"person":"hidden"`, "levels"},
		{"label that is none", `"person":"tokenized"`, `"Person":"tokenized"`, "levels"},
		{"label with an empty word", `"person":"tokenized"`, `"person/":"tokenized"`, "levels"},
		{"columns null", `"labs":"*"`, `"labs":null`, "datasets"},
		{"cost negative", `"epsilon_nano":1000000000`, `"epsilon_nano":-1`, "cost"},
		{"cost that overflows", `"epsilon_nano":1000000000`, `"epsilon_nano":9223372036854775808`, "cost"},
		{"cost with an exponent", `"epsilon_nano":1000000000`, `"epsilon_nano":1e9`, "cost"},
		{"δ above one", `"delta_pico":10`, `"delta_pico":1000000000001`, "cost"},
		{"cost by half", `"delta_pico":10,`, ``, "cost"},
		{"uses negative", `"uses":9`, `"uses":-1`, "uses"},
		{"nobody counts", `"counted":"insurer",`, ``, "counted"},
		{"counted by nobody", `"counted":"insurer"`, `"counted":""`, "counted"},
		{"via a pattern", `"via":["hospital"]`, `"via":["*"]`, "via"},
		{"tools that are no object", `{"prior-auth/*":{}`, `{"prior-auth/*":[]`, "tools"},
		{"tool without an agent", `"prior-auth/*"`, `"submit"`, "tools"},
		{"tools with another member", `{"tools"`, `{"deny":[],"tools"`, "tools"},
		{"constraint unknown", `"constraint_type":"range"`, `"constraint_type":"regex"`, "tools"},
		{"constraint with another member", `"max":30`, `"max":30,"step":5`, "tools"},
		{"constraint with a number that no double is", `"max":30`, `"max":9007199254740993`, "tools"},
		{"constraint with a huge exponent", `"max":30`, `"max":1e999999999`, "tools"},
		{"constraint with a tiny exponent", `"max":30`, `"max":1e-999999999`, "tools"},
		{"range upside down", `"max":30`, `"max":0`, "tools"},
		{"one of nothing", `"values":["A1","B2"]`, `"values":[]`, "tools"},
		{"optional that is no truth", `"optional":true`, `"optional":1`, "tools"},
		{"half a surrogate pair", `"billing"`, `"\ud83d"`, "payload"},
		{"more than fits", `"ver":1`, `"ver":1} `, "payload"},
		{"too deep", `"ver":1`, `"ver":1,"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20), "payload"},
	} {
		cases = append(cases, chainCase{tt.name, altered(t, c, 1, tt.old, tt.now), RuleForm, 1, tt.member})
	}
	return cases
}

func TestMalformedTokens(t *testing.T) {
	for _, tt := range malformedTokens(t) {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifierAt(start.Add(time.Minute), Options{}).Verify(tt.chain)
			breaks(t, err, tt.rule, tt.link, tt.member)
		})
	}
}

func idOf(t testing.TB, tok Token) string {
	links, err := Chain{tok}.Unverified()
	if err != nil {
		t.Fatal(err)
	}
	return links[0].ID
}

func hashOf(t testing.TB, tok Token) string {
	h, ok := tok.Hash()
	if !ok {
		t.Fatal("no token")
	}
	return encode(h[:])
}

// unusualChains are chains that verify, though their tokens are not what this package would write.
func unusualChains(t testing.TB) (cases []chainCase) {
	c, edits := twoLinks(t), map[string][]string{
		"an unknown claim":             {`"ver":1`, `"ver":1,"sub":"me","x":[{"y":1e400}]`},
		"an entry of another type":     {`{"tools"`, `{"type":"payment","amount":1},{"tools"`},
		"the other name of Ed25519":    {`"EdDSA"`, `"Ed25519"`},
		"keys in the header":           {`"alg"`, `"jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"},"jku":"https://evil.example","x5c":["AAAA"],"alg"`},
		"an unknown header parameter":  {`"alg"`, `"nonsense":1,"alg"`},
		"audience as a list of one":    {`"aud":["hospital","insurer"]`, `"aud":["insurer"]`},
		"audience as a string":         {`"aud":["hospital","insurer"]`, `"aud":"insurer"`},
		"space":                        {`"ver":1`, ` "ver" : 1 `},
		"an escaped letter":            {`"ver":1`, `"v\u0065r":1`},
		"the same number":              {`"max":30`, `"max":3.0e1`},
		"both edges of a range said":   {`"max":30`, `"max":30,"max_inclusive":true`},
		"a range that leaves its edge": {`"max":30`, `"max":30,"max_inclusive":false`},
	}
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		cases = append(cases, chainCase{name: name, chain: altered(t, c, 1, edits[name]...)})
	}
	return cases
}

// What is unknown and no bound is passed over, and other spellings of the same thing are the same thing.
func TestWhatIsIgnored(t *testing.T) {
	for _, tt := range unusualChains(t) {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := verifierAt(start.Add(time.Minute), Options{}).Verify(tt.chain); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	g := rootGrant()
	g.NotBefore = start.Add(10 * time.Minute)
	c := mustDerive(t, mustMint(t, g), "h0", "h1", Grant{Expires: start.Add(30 * time.Minute)})
	verify := func(c Chain, at time.Duration, skew time.Duration) error {
		_, err := verifierAt(start.Add(at), Options{Skew: skew}).Verify(c)
		return err
	}
	breaks(t, verify(c, 9*time.Minute, 0), RuleEarly, 0, "nbf")
	breaks(t, verify(c, 4*time.Minute, time.Hour), RuleEarly, 0, "nbf") // skew is at most five minutes
	breaks(t, verify(c, 30*time.Minute, time.Hour), RuleExpired, 1, "exp")
	breaks(t, verify(c, 2*time.Hour, 0), RuleExpired, 0, "exp")
	breaks(t, verify(mustMint(t, rootGrant()), -31*time.Second, 0), RuleEarly, 0, "iat")
	for _, err := range []error{
		verify(c, 10*time.Minute-30*time.Second, 0), verify(c, 5*time.Minute, time.Hour), verify(c, 30*time.Minute-time.Nanosecond, 0),
		verify(mustMint(t, rootGrant()), -30*time.Second, 0),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSizes(t *testing.T) {
	c := fourLinks(t)
	long := rootGrant()
	for range 60 {
		long.Tasks = append(long.Tasks, flow.TaskID(strings.Repeat("t", 190)))
	}
	big := mustMint(t, long)
	_, err := verifierAt(start, Options{}).Verify(big)
	breaks(t, err, RuleSize, 0, "token")
	if _, err := verifierAt(start, Options{MaxToken: 64 << 10}).Verify(big); err != nil {
		t.Error(err)
	}
	_, err = verifierAt(start, Options{MaxChain: len(c.String())}).Verify(c)
	breaks(t, err, RuleSize, WholeChain, "chain")
	_, err = verifierAt(start, Options{MaxDepth: 2}).Verify(c)
	breaks(t, err, RuleDepth, WholeChain, "chain")
	many := rootGrant()
	many.Tasks = make([]flow.TaskID, maxEntries+1)
	for i := range many.Tasks {
		many.Tasks[i] = "t"
	}
	_, err = Mint(keyOf("hospital"), "k1", "hospital", publicOf("h0"), many, start)
	breaks(t, err, RuleForm, 0, "tasks")
}

func TestParseChain(t *testing.T) {
	c := fourLinks(t)
	for _, tt := range []struct {
		name, header string
		rule         Rule
		link         int
	}{
		{"nothing", "", RuleForm, WholeChain},
		{"no token", "x", RuleForm, 0},
		{"a space", string(c[0]) + " ", RuleForm, 0},
		{"a line end", string(c[0]) + "\n", RuleForm, 0},
		{"padding", string(c[0]) + "=", RuleForm, 0},
		{"an empty token", string(c[0]) + "~", RuleForm, 1},
		{"a token too many in front", "~" + string(c[0]), RuleForm, 0},
		{"four segments", string(c[0]) + "~a.b.c.d", RuleForm, 1},
		{"an empty segment", "a..c", RuleForm, 0},
		{"no header", ".b.c", RuleForm, 0},
		{"no signature", "a.b.", RuleForm, 0},
		{"a great many", strings.Repeat("a.b.c~", 33) + "a.b.c", RuleDepth, WholeChain},
		{"very long", strings.Repeat("a", hardChain+1), RuleSize, WholeChain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseChain(tt.header)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Rule != tt.rule || e.Link != tt.link || got != nil {
				t.Errorf("ParseChain() = %d tokens, %v, want rule %s of link %d", len(got), err, tt.rule, tt.link)
			}
		})
	}
	got, err := ParseChain(c.String())
	if err != nil || got.String() != c.String() {
		t.Errorf("a chain does not survive its header: %v", err)
	}
}

// Without anchors nobody is believed.
func TestNoAnchors(t *testing.T) {
	v := NewVerifier(nil, Options{Clock: func() time.Time { return start }})
	_, err := v.Verify(twoLinks(t))
	breaks(t, err, RuleAnchor, 0, "")
}

// An error holds nothing that a token said, whatever it said.
func TestErrorsEchoNothing(t *testing.T) {
	for _, r := range Rules() {
		for _, e := range []*Error{broken(r, ""), broken(r, "exp").at(3), broken(r, "key").at(OfProof)} {
			if !strings.HasPrefix(e.Error(), "capability ") || !strings.Contains(e.Error(), string(r)) {
				t.Errorf("%q does not read as an error of this package", e.Error())
			}
		}
	}
	const canary = "canary7f3a"
	c := twoLinks(t)
	for _, edit := range [][]string{{`"ver":1`, `"` + canary + `":1,"` + canary + `":1,"ver":1`}, {`"uses"`, `"` + canary + `"`}, {`"billing"`, `"\u0000` + canary + `"`}, {`EdDSA`, canary}, {`"person"`, `"` + canary + `é"`}} {
		_, err := verifierAt(start, Options{}).Verify(altered(t, c, 1, edit...))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("error = %v", err)
		}
	}
}
