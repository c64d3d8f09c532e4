package capability

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorDir = "testdata/vectors"

// The files say, byte for byte, what this package signs and refuses. Run with -update to write them anew.
func TestVectorsAreUpToDate(t *testing.T) {
	for name, v := range vectors(t) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", " ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path := filepath.Join(vectorDir, name)
		if *update {
			if err := errors.Join(os.MkdirAll(vectorDir, 0o755), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		has, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(has, b.Bytes()) {
			t.Errorf("%s is not what this package does now; if it should be, run go test ./policy/capability -update", path)
		}
	}
}

func readVectors(t *testing.T, name string, to any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// fileAnchors are those of keys.json.
type fileAnchors map[string]ed25519.PublicKey

func (a fileAnchors) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	key, ok := a[string(d)+"/"+kid]
	return key, ok
}

// Everything that the files say is run from the files alone, as another implementation would run it.
func TestVectors(t *testing.T) {
	var keys keyVectors
	readVectors(t, "keys.json", &keys)
	private, known := map[string]ed25519.PrivateKey{}, fileAnchors{}
	for _, k := range keys.Keys {
		seed, err := hex.DecodeString(k.Seed)
		if err != nil {
			t.Fatal(err)
		}
		private[k.Name] = ed25519.NewKeyFromSeed(seed)
		var jwk struct{ X string }
		if err := json.Unmarshal(k.JWK, &jwk); err != nil {
			t.Fatal(err)
		}
		if x, err := base64.RawURLEncoding.DecodeString(jwk.X); err != nil || !bytes.Equal(x, private[k.Name].Public().(ed25519.PublicKey)) || ThumbprintOf(x).String() != k.Thumbprint {
			t.Errorf("key %s: seed, JWK and thumbprint do not belong together", k.Name)
		}
	}
	for _, a := range keys.Anchors {
		known[string(a.Domain)+"/"+a.KID] = private[a.Key].Public().(ed25519.PublicKey)
	}
	at := func(now int64) *Verifier {
		return NewVerifier(known, Options{Clock: func() time.Time { return time.Unix(now, 0) }})
	}
	t.Run("sign", func(t *testing.T) { runSigning(t, private) })
	seen := map[Rule]int{}
	t.Run("chains", func(t *testing.T) { runChains(t, at, seen) })
	t.Run("proofs", func(t *testing.T) { runProofs(t, at, seen) })
	t.Run("requests", func(t *testing.T) { runRequests(t, at, seen) })
	for _, r := range Rules() {
		if seen[r] == 0 && r != RuleSize { // sizes are in TestSizes: a vector would be a file of A's
			t.Errorf("no vector breaks rule %s", r)
		}
	}
	t.Run("narrowing", runNarrowing)
	t.Run("constraints", runConstraints)
}

// A second reading of the page, in another language with nothing but its standard library, comes to the same.
func TestVectorsInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("python3 is not installed")
		}
		t.Skip("python3 is not installed: the vectors are run in Go alone")
	}
	entries, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, e := range entries { // reading them here is what the test cache sees
		if b, err := os.ReadFile(filepath.Join(vectorDir, e.Name())); err != nil || os.WriteFile(filepath.Join(dir, e.Name()), b, 0o600) != nil {
			t.Fatal(e.Name(), err)
		}
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(dir, "run.py")).CombinedOutput()
	if err != nil || !regexp.MustCompile(`^\d{3,} vectors, 0 differ\n$`).Match(out) {
		t.Errorf("run.py: %v\n%s", err, out)
	}
}

func runSigning(t *testing.T, private map[string]ed25519.PrivateKey) {
	var v signVectors
	readVectors(t, "sign.json", &v)
	public := func(name string) ed25519.PublicKey { return private[name].Public().(ed25519.PublicKey) }
	for _, m := range v.Mint {
		if got, err := mint(private[m.Signer], m.KID, m.Issuer, public(m.Holder), m.Grant, time.Unix(m.Now, 0), m.ID); err != nil || got != m.Token {
			t.Errorf("root %s: %v", m.ID, err)
		}
	}
	for _, d := range v.Derive {
		parent, err := ParseChain(d.Parent)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := derive(parent, private[d.Signer], public(d.Holder), d.Grant, time.Unix(d.Now, 0), d.ID); err != nil || got[len(parent)] != d.Token {
			t.Errorf("child %s: %v", d.ID, err)
		}
	}
	for _, p := range v.Prove {
		if got, err := prove(p.Leaf, private[p.Signer], p.Bound.bound(), time.Unix(p.Now, 0), p.ID); err != nil || got != p.Proof {
			t.Errorf("proof %s: %v", p.ID, err)
		}
	}
}

func runChains(t *testing.T, at func(int64) *Verifier, seen map[Rule]int) {
	var v chainVectors
	readVectors(t, "chains.json", &v)
	for _, cv := range v.Vectors {
		c, err := ParseChain(cv.Chain)
		var vd *Verified
		if err == nil {
			vd, err = at(cv.Now).Verify(c)
		}
		if got := verdictOf(err); got != cv.Want {
			t.Errorf("%s: %+v, want %+v", cv.Name, got, cv.Want)
		}
		seen[cv.Want.Rule]++
		for i, w := range cv.Links {
			l := vd.Links[i]
			if l.ID != w.ID || encode(l.Hash[:]) != w.Hash || l.Signer.String() != w.Signer || l.Holder.String() != w.Holder || string(l.Grant.details()) != string(w.Grant.details()) || !l.Grant.Expires.Equal(w.Grant.Expires) {
				t.Errorf("%s: link %d is read as %+v", cv.Name, i, l)
			}
		}
	}
}

func runProofs(t *testing.T, at func(int64) *Verifier, seen map[Rule]int) {
	var v proofVectors
	readVectors(t, "proofs.json", &v)
	c, err := ParseChain(v.Chain)
	if err != nil {
		t.Fatal(err)
	}
	for _, pv := range v.Vectors {
		vd, err := at(pv.Now).Verify(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = at(pv.Now).Proof(vd, pv.Proof, pv.Bound.bound())
		if got := verdictOf(err); got != pv.Want {
			t.Errorf("%s: %+v, want %+v", pv.Name, got, pv.Want)
		}
		seen[pv.Want.Rule]++
	}
}

func runRequests(t *testing.T, at func(int64) *Verifier, seen map[Rule]int) {
	var v requestVectors
	readVectors(t, "requests.json", &v)
	c, err := ParseChain(v.Chain)
	if err != nil {
		t.Fatal(err)
	}
	vd, err := at(start.Unix()).Verify(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, rv := range v.Vectors {
		if got := verdictOf(vd.Admits(rv.request())); got != rv.Want {
			t.Errorf("request %d: %+v, want %+v", i, got, rv.Want)
		}
		seen[rv.Want.Rule]++
	}
	for i, lv := range v.Levels {
		of := &Verified{}
		for _, m := range lv.Links {
			of.Links = append(of.Links, Link{Grant: Grant{Levels: m}})
		}
		if got := of.Level(lv.Label); got != lv.Level {
			t.Errorf("level %d: %s, want %s", i, got, lv.Level)
		}
	}
}

func runNarrowing(t *testing.T) {
	var v narrowVectors
	readVectors(t, "narrowing.json", &v)
	for _, nv := range v.Vectors {
		if got := verdictOf(Narrower(&v.Parent, &nv.Child)); got.Member != nv.Member {
			t.Errorf("%s: %q, want %q", nv.Name, got.Member, nv.Member)
		}
	}
}

func runConstraints(t *testing.T) {
	var v constraintVectors
	readVectors(t, "constraints.json", &v)
	read := func(raw json.RawMessage) *Constraint {
		p, ok := parse(string(raw))
		if !ok {
			t.Fatalf("%s is no JSON", raw)
		}
		c, ok := readConstraint(&p)
		if !ok {
			t.Fatalf("%s is no constraint", raw)
		}
		return &c
	}
	for _, cv := range v.Checks {
		value, ok := parse(cv.Value)
		if !ok || read(cv.Constraint).admits(&value) != cv.Admits {
			t.Errorf("%s admits %s: want %v", cv.Constraint, cv.Value, cv.Admits)
		}
	}
	for _, pv := range v.Pairs {
		if subsumes(read(pv.Parent), read(pv.Child)) != pv.Subsumes {
			t.Errorf("%s takes in %s: want %v", pv.Parent, pv.Child, pv.Subsumes)
		}
	}
	if len(v.Checks) < 100 || len(v.Pairs) < 400 {
		t.Errorf("%d checks and %d pairs: vectors are missing", len(v.Checks), len(v.Pairs))
	}
}
