package capability

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// What the profile writes.
const (
	typeToken   = "scrim-cap+jwt"
	typeProof   = "scrim-pop+jwt"
	version     = 1
	entryScrim  = "https://scrim.dev/cap/v1"
	entryFamily = "https://scrim.dev/cap/"
	entryTools  = "attenuating_agent_token"

	issuerPrefix = "spiffe://"
	holderPrefix = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"
)

// ThumbprintOf returns the thumbprint of an Ed25519 public key (RFC 7638, RFC 8037 appendix A.3).
func ThumbprintOf(key ed25519.PublicKey) Thumbprint {
	return sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + encode(key) + `"}`))
}

// String returns the thumbprint in base64url.
func (t Thumbprint) String() string { return encode(t[:]) }

// split returns the signing input and the signature of a compact JWS; false where it is none.
func (t Token) split() (input, signature string, ok bool) {
	for i := range len(t) {
		if !tokenBytes[t[i]] {
			return "", "", false
		}
	}
	last := strings.LastIndexByte(string(t), '.')
	if last <= 0 || strings.Count(string(t), ".") != 2 {
		return "", "", false
	}
	input, signature = string(t[:last]), string(t[last+1:])
	return input, signature, input[0] != '.' && input[len(input)-1] != '.' && signature != ""
}

// tokenBytes are those of base64url, and the dot between parts.
var tokenBytes = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") {
		is[c] = true
	}
	return is
}()

// Hash returns the SHA-256 of the token's signing input, which children and proofs refer to; false where it is no token.
func (t Token) Hash() ([32]byte, bool) {
	input, _, ok := t.split()
	return sha256.Sum256([]byte(input)), ok
}

// head is a protected header.
type head struct {
	alg, typ, kid, iss string
}

// readHead reads the protected header of a JWS and applies the rules for headers. Members that name keys (jwk, jku, x5c,
// x5u) and unknown ones are ignored: keys come from anchors and parents alone.
func readHead(segment, typ string) (head, *Error) {
	raw, ok := decode(segment)
	if !ok {
		return head{}, broken(RuleForm, "header")
	}
	v, ok := parse(string(raw))
	if !ok || v.kind != isObject {
		return head{}, broken(RuleForm, "header")
	}
	var h head
	for _, m := range []struct {
		name string
		to   *string
	}{{"alg", &h.alg}, {"typ", &h.typ}, {"kid", &h.kid}, {"iss", &h.iss}} {
		if has, ok := v.get(m.name); ok {
			if has.kind != isString {
				return head{}, broken(RuleForm, m.name)
			}
			*m.to = has.text
		}
	}
	if _, ok := v.get("crit"); ok {
		return head{}, broken(RuleCritical, "crit")
	}
	if h.alg != "EdDSA" && h.alg != "Ed25519" {
		return head{}, broken(RuleAlgorithm, "alg")
	}
	if h.typ != typ {
		return head{}, broken(RuleType, "typ")
	}
	return h, nil
}

// claims is the payload of a token.
type claims struct {
	id, issuer string
	issued     int64
	depth      int
	parent     string // par_hash
	hasParent  bool
	holder     ed25519.PublicKey
	grant      Grant
}

// readClaims reads a payload whose signature has been verified.
func readClaims(segment string) (*claims, *Error) {
	raw, ok := decode(segment)
	if !ok {
		return nil, broken(RuleForm, "payload")
	}
	v, ok := parse(string(raw))
	if !ok || v.kind != isObject {
		return nil, broken(RuleForm, "payload")
	}
	var c claims
	var exp, nbf, depth, maxDepth, ver int64
	need := []struct {
		name string
		ok   bool
	}{
		{"jti", v.string("jti", &c.id) && isID(c.id)},
		{"iss", v.string("iss", &c.issuer)},
		{"iat", v.date("iat", &c.issued)},
		{"exp", v.date("exp", &exp)},
		{"del_depth", v.integer("del_depth", &depth) && depth <= hardDepth},
		{"del_max_depth", v.integer("del_max_depth", &maxDepth) && maxDepth <= hardDepth},
		{"ver", v.integer("ver", &ver) && ver == version},
	}
	for _, n := range need {
		if !n.ok {
			return nil, broken(RuleForm, n.name)
		}
	}
	if _, ok := v.get("nbf"); ok {
		if !v.date("nbf", &nbf) {
			return nil, broken(RuleForm, "nbf")
		}
		c.grant.NotBefore = time.Unix(nbf, 0).UTC()
	}
	if _, ok := v.get("par_hash"); ok {
		if c.hasParent = true; !v.string("par_hash", &c.parent) {
			return nil, broken(RuleForm, "par_hash")
		}
	}
	if c.holder = readHolder(&v); c.holder == nil {
		return nil, broken(RuleForm, "cnf")
	}
	c.depth, c.grant.MaxDepth, c.grant.Expires = int(depth), int(maxDepth), time.Unix(exp, 0).UTC()
	if err := readAudience(&v, &c.grant); err != nil {
		return nil, err
	}
	if err := readDetails(&v, &c.grant); err != nil {
		return nil, err
	}
	if m := c.grant.malformed(!c.hasParent); m != "" {
		return nil, broken(RuleForm, m)
	}
	return &c, nil
}

func (v *value) string(name string, to *string) bool {
	m, ok := v.get(name)
	if !ok || m.kind != isString {
		return false
	}
	*to = m.text
	return true
}

// integer reads a member that is a number of 0 or more, without fraction or exponent.
func (v *value) integer(name string, to *int64) bool {
	m, ok := v.get(name)
	if !ok || m.kind != isNumber || strings.Trim(m.text, "0123456789") != "" {
		return false
	}
	n, err := strconv.ParseInt(m.text, 10, 64)
	*to = n
	return err == nil
}

// date reads a NumericDate in whole seconds, up to the end of the year 9999.
func (v *value) date(name string, to *int64) bool { return v.integer(name, to) && *to <= maxTime }

// isID reports whether the text can be a token's or a proof's id: it also stands in deny-lists and on command lines.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == ""
}

// readHolder reads cnf.jwk: an Ed25519 public key, and nothing else that could be a private one.
func readHolder(v *value) ed25519.PublicKey {
	cnf, ok := v.get("cnf")
	if !ok {
		return nil
	}
	jwk, ok := cnf.get("jwk")
	if !ok || len(cnf.members) != 1 {
		return nil
	}
	return readJWK(jwk)
}

func readJWK(jwk *value) ed25519.PublicKey {
	if jwk.kind != isObject || len(jwk.members) != 3 {
		return nil
	}
	var kty, crv, x string
	if !jwk.string("kty", &kty) || !jwk.string("crv", &crv) || !jwk.string("x", &x) || kty != "OKP" || crv != "Ed25519" {
		return nil
	}
	key, ok := decode(x)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil
	}
	return key
}

func readAudience(v *value, g *Grant) *Error {
	aud, ok := v.get("aud")
	switch {
	case !ok:
		return nil
	case aud.kind == isString:
		g.Audience = []flow.DomainID{flow.DomainID(aud.text)}
		return nil
	case !readTexts(aud, &g.Audience):
		return broken(RuleForm, "aud")
	}
	return nil
}

// readTexts reads an array of strings; the list is then not nil.
func readTexts[S ~string](v *value, to *[]S) bool {
	if v.kind != isArray || len(v.items) > maxEntries {
		return false
	}
	list := make([]S, 0, len(v.items))
	for i := range v.items {
		if v.items[i].kind != isString {
			return false
		}
		list = append(list, S(v.items[i].text))
	}
	*to = list
	return true
}

// readDetails reads authorization_details: exactly one entry of the profile's own type, at most one with tools. Entries of
// types that are not of this family are ignored, as the draft has it; a later version of our own is not.
func readDetails(v *value, g *Grant) *Error {
	list, ok := v.get("authorization_details")
	if !ok || list.kind != isArray {
		return broken(RuleForm, "authorization_details")
	}
	own := 0
	for i := range list.items {
		entry := &list.items[i]
		var typ string
		if entry.kind != isObject || !entry.string("type", &typ) {
			return broken(RuleForm, "authorization_details")
		}
		switch {
		case typ == entryScrim:
			if own++; own > 1 {
				return broken(RuleForm, "authorization_details")
			}
			if err := readEntry(entry, g); err != nil {
				return err
			}
		case typ == entryTools:
			if g.Tools != nil || !readTools(entry, g) {
				return broken(RuleForm, "tools")
			}
		case strings.HasPrefix(typ, entryFamily):
			return broken(RuleForm, "authorization_details")
		}
	}
	if own != 1 {
		return broken(RuleForm, "authorization_details")
	}
	return nil
}

// readEntry reads the profile's own entry. A member it does not know is a bound it would not keep, and so is refused.
func readEntry(entry *value, g *Grant) *Error {
	for i := range entry.members {
		m := &entry.members[i]
		if known, ok := readLimit(m.name, &m.value, entry, g); !known {
			return broken(RuleForm, "authorization_details")
		} else if !ok {
			return broken(RuleForm, m.name)
		}
	}
	return nil
}

func readLimit(name string, v, entry *value, g *Grant) (known, ok bool) {
	switch name {
	case "type":
		return true, true
	case "agent":
		return true, entry.string(name, &g.Agent)
	case "names":
		return true, readTexts(v, &g.Names)
	case "recipients":
		return true, readTexts(v, &g.Recipients)
	case "purposes":
		return true, readTexts(v, &g.Purposes)
	case "tasks":
		return true, readTexts(v, &g.Tasks)
	case "techniques":
		return true, readTexts(v, &g.Techniques)
	case "via":
		return true, readTexts(v, &g.Via)
	case "counted":
		g.Counted = flow.DomainID(v.text)
		return true, v.kind == isString && v.text != ""
	case "criticality":
		c, err := flow.ParseCriticality(v.text)
		g.Criticality = &c
		return true, v.kind == isString && err == nil
	case "uses":
		g.Uses = new(int64)
		return true, entry.integer(name, g.Uses)
	case "cost":
		g.Cost = new(flow.Cost)
		return true, len(v.members) == 2 && v.integer("epsilon_nano", &g.Cost.EpsilonNano) && v.integer("delta_pico", &g.Cost.DeltaPico)
	case "levels":
		return true, readLevels(v, g)
	case "datasets":
		return true, readDatasets(v, g)
	}
	return false, false
}

func readLevels(v *value, g *Grant) bool {
	if v.kind != isObject || len(v.members) > maxEntries {
		return false
	}
	g.Levels = make(map[flow.Label]flow.Level, len(v.members))
	for i := range v.members {
		m := &v.members[i]
		level, err := flow.ParseLevel(m.text)
		if m.kind != isString || err != nil {
			return false
		}
		g.Levels[flow.Label(m.name)] = level
	}
	return true
}

// allColumns stands for every column of a dataset.
const allColumns = "*"

func readDatasets(v *value, g *Grant) bool {
	if v.kind != isObject || len(v.members) > maxEntries {
		return false
	}
	g.Datasets = make(map[string][]string, len(v.members))
	for i := range v.members {
		m := &v.members[i]
		var columns []string
		if (m.kind != isString || m.text != allColumns) && !readTexts(&m.value, &columns) {
			return false
		}
		g.Datasets[m.name] = columns
	}
	return true
}

func readTools(entry *value, g *Grant) bool {
	tools, ok := entry.get("tools")
	return ok && len(entry.members) == 2 && readToolMap(tools, g)
}

func readToolMap(tools *value, g *Grant) bool {
	if tools.kind != isObject || len(tools.members) > maxEntries {
		return false
	}
	g.Tools = make(map[string]Arguments, len(tools.members))
	for i := range tools.members {
		m := &tools.members[i]
		if m.kind != isObject || len(m.members) > maxEntries {
			return false
		}
		args := make(Arguments, len(m.members))
		for j := range m.members {
			c, ok := readConstraint(&m.members[j].value)
			if !ok {
				return false
			}
			args[m.members[j].name] = c
		}
		g.Tools[m.name] = args
	}
	return true
}
