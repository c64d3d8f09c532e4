package hop_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "testdata/vectors/statements.json"

// vectors are what another implementation is held to.
type vectors struct {
	About   string `json:"about"`
	Seed    string `json:"seed"` // of the Ed25519 key, in hexadecimal
	Public  string `json:"public"`
	Kid     string `json:"kid"`
	Opening struct {
		Salt   string  `json:"salt"`
		Flow   flow.ID `json:"flow"`
		Parent flow.ID `json:"parent"`
	} `json:"opening"`
	Cases []vector `json:"cases"`
}

type vector struct {
	Name      string        `json:"name"`
	Statement string        `json:"statement"`
	Issuer    flow.DomainID `json:"issuer"`   // whose certificate the connection shows
	Audience  flow.DomainID `json:"audience"` // who reads it
	Now       int64         `json:"now"`
	Skew      int           `json:"skew"`
	MaxHops   int           `json:"max_hops"`
	Method    string        `json:"method"`
	Target    string        `json:"target"`
	Body      string        `json:"body"`
	Last      string        `json:"last,omitempty"` // SHA-256 of the last token's signing input, in hexadecimal
	Rule      hop.Rule      `json:"rule,omitempty"` // that it breaks; absent: none
	Payload   string        `json:"payload,omitempty"`
}

func written() vectors {
	v := vectors{About: "Hop statements, docs/spec/hops.md. The seed is no secret.", Seed: hex.EncodeToString(keyOf('h').Seed()), Kid: "key-1"}
	v.Public = hex.EncodeToString(keyOf('h').Public().(ed25519.PublicKey))
	o := hop.Opening{Salt: [32]byte{1, 2, 3}, Flow: "06g5u2q1k0"}
	v.Opening.Salt, v.Opening.Flow, v.Opening.Parent = base64.RawURLEncoding.EncodeToString(o.Salt[:]), o.Flow, o.Commitment().Parent()
	good := must(hop.Sign(keyOf('h'), "key-1", example()))
	leaf := example().Capability
	add := func(name, text string, rule hop.Rule, change func(*vector)) {
		c := vector{
			Name: name, Statement: text, Issuer: "hospital", Audience: "insurer", Now: noon.Unix() + 1, Skew: 5, MaxHops: 8,
			Method: "POST", Target: "/a2a/prior-auth?x=1&y=2", Body: string(body), Last: hex.EncodeToString(leaf[:]), Rule: rule,
		}
		if change != nil {
			change(&c)
		}
		v.Cases = append(v.Cases, c)
	}
	add("good", good, "", func(c *vector) { c.Payload = payloadOf(good) })
	add("too long", strings.Repeat("A", hop.MaxBytes+1), hop.RuleSize, nil)
	add("of one part", "AA", hop.RuleForm, nil)
	add("a member twice", resign(`"hop":1`, `"hop":1,"hop":0`), hop.RuleForm, nil)
	add("an unknown member", resign(`"hop":1`, `"hop":1,"more":0`), hop.RuleForm, nil)
	add("white space", resign(`"hop":1`, `"hop": 1`), hop.RuleForm, nil)
	add("no algorithm", headed(`{"alg":"none","kid":"key-1","typ":"scrim-hop+jwt"}`), hop.RuleAlgorithm, nil)
	add("RSA", headed(`{"alg":"RS256","kid":"key-1","typ":"scrim-hop+jwt"}`), hop.RuleAlgorithm, nil)
	add("another type", headed(`{"alg":"EdDSA","kid":"key-1","typ":"scrim-pop+jwt"}`), hop.RuleType, nil)
	add("another version", resign(`"v":1`, `"v":2`), hop.RuleVersion, nil)
	add("another domain's connection", good, hop.RuleIssuer, func(c *vector) { c.Issuer = "lab" })
	add("made for another domain", good, hop.RuleAudience, func(c *vector) { c.Audience = "reinsurer" })
	add("too late", good, hop.RuleTime, func(c *vector) { c.Now += 35 })
	add("too early", good, hop.RuleTime, func(c *vector) { c.Now -= 7 })
	add("for too long", resign(`"exp":1795780830`, `"exp":1795780861`), hop.RuleTime, nil)
	add("too many hops", good, hop.RuleHops, func(c *vector) { c.MaxHops = 1 })
	add("a key that nobody pinned", must(hop.Sign(keyOf('h'), "key-2", example())), hop.RuleKey, nil)
	add("another key", must(hop.Sign(keyOf('x'), "key-1", example())), hop.RuleSignature, nil)
	add("another target", good, hop.RuleMethod, func(c *vector) { c.Target = "/a2a/claims" })
	add("another body", good, hop.RuleBody, func(c *vector) { c.Body += " " })
	add("no capability", good, hop.RuleCapability, func(c *vector) { c.Last = "" })
	return v
}

// The vectors are what this package writes and what it makes of it, byte for byte; a case each for the rules that can be
// shown in one.
func TestVectors(t *testing.T) {
	want, err := json.MarshalIndent(written(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata/vectors", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != string(want)+"\n" {
		t.Error("the file is not what is written now; -update writes it anew, and says that the format has changed")
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Cases {
		s, err := hop.Verify(c.Statement, pinned, hop.Expect{
			Issuer: c.Issuer, Audience: c.Audience, Now: time.Unix(c.Now, 0), Skew: time.Duration(c.Skew) * time.Second, MaxHops: c.MaxHops,
		})
		if err == nil {
			var last *[32]byte
			if b, _ := hex.DecodeString(c.Last); len(b) == 32 {
				last = (*[32]byte)(b)
			}
			err = s.For(hop.RequestOf(c.Method, c.Target, []byte(c.Body)), last)
		}
		if c.Rule == "" && err != nil || c.Rule != "" && ruleOf(err) != c.Rule {
			t.Errorf("%s: %v, want rule %q", c.Name, err, c.Rule)
		}
	}
}
