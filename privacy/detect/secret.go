package detect

import "strings"

// secretBody is what follows the prefix of an access token.
type secretBody uint8

const (
	bodyToken secretBody = iota // letters, digits, - and _
	bodyDots                    // the same, and dots
	bodyPlain                   // letters and digits
	bodyHex                     // hexadecimal digits, letters in small
)

// minSecretBody is the least length of a body that has no digit.
const minSecretBody = 30

// secretForm is a prefix that issuers of access tokens use, with the least length of what follows.
type secretForm struct {
	prefix string
	min    int
	body   secretBody
}

// secretForms has the prefixes by their first byte.
var secretForms = func() (t [256][]secretForm) {
	add := func(min int, body secretBody, prefixes string) {
		for prefix := range strings.FieldsSeq(prefixes) {
			t[prefix[0]] = append(t[prefix[0]], secretForm{prefix, min, body})
		}
	}
	add(16, bodyPlain, "AKIA ASIA ABIA ACCA")
	add(16, bodyToken, "glpat- glrt- glcbt- sk_live_ sk_test_ rk_live_ rk_test_ xoxb- xoxp- xoxa- xoxs- xoxr- xoxc- xoxd- xoxe- xapp-")
	add(20, bodyToken, "sk- whsec_ sq0 dckr_pat_ hvs. hvb. hvr. tskey- gldt- glft- glsoat- glimt- glagent- gloas- glffct-")
	add(20, bodyDots, "ya29. xoxe.")
	add(22, bodyToken, "github_pat_ GOCSPX-")
	add(24, bodyPlain, "vcp_")
	add(27, bodyPlain, "NRAK-")
	add(30, bodyToken, "AIza ghp_ gho_ ghu_ ghs_ ghr_ npm_ pypi-")
	add(30, bodyPlain, "hf_ gsk_ r8_ xai- pplx- nfp_ ATBB lin_api_ pnu_ ico- glc_")
	add(30, bodyDots, "SG.")
	add(32, bodyToken, "pscale_tkn_ pscale_pw_ pscale_oauth_ glsa_")
	add(32, bodyHex, "dapi dkea key- SK shpat_ shpss_ shpca_ shppa_")
	add(32, bodyPlain, "p8e-")
	add(40, bodyHex, "glptt- pul- rubygems_ sntryu_ sbp_ dop_v1_ doo_v1_ dor_v1_ shippo_live_ shippo_test_")
	add(40, bodyPlain, "secret_ ntn_ cfut_ phx_ bkua_ rdme_")
	add(40, bodyToken, "figd_ fo1_ CFPAT- sntrys_ EAAA 1//0 HRKU-AA tk-us- tfp_")
	add(43, bodyPlain, "oy2")
	add(50, bodyToken, "AGE-SECRET-KEY- PMAK-")
	add(54, bodyPlain, "EZAK EZTK CLOJARS_")
	add(60, bodyToken, "ATATT3 ATCTT3 xkeysib-")
	add(60, bodyDots, "dt0c01.")
	add(100, bodyToken, "ops_eyJ")
	return t
}()

// secret takes access tokens with a well-known prefix, and JSON Web Tokens.
func (c *scanner) secret(q int) (hit, bool) {
	rest := c.s[q:c.end]
	if rest[0] == 'e' && strings.HasPrefix(rest, "eyJ") {
		return c.jwt(q)
	}
	for _, f := range secretForms[rest[0]] {
		if !strings.HasPrefix(rest, f.prefix) {
			continue
		}
		if n := f.body.length(rest[len(f.prefix):]); n >= f.min && !c.wordAt(q+len(f.prefix)+n) {
			return hit{q + len(f.prefix) + n, &byPrefix}, true
		}
	}
	return hit{}, false
}

// length returns how much of the text is a token's body, 0 if it looks like words: a digit is in every token of this length, or
// capitals and small letters are mixed.
func (body secretBody) length(text string) int {
	n, digits, upper, lower := 0, 0, 0, 0
	for ; n < len(text); n++ {
		b := text[n]
		switch {
		case isDigit(b):
			digits++
		case isUpper(b) && body != bodyHex:
			upper++
		case isLetter(b) && (body != bodyHex || isHex(b) && !isUpper(b)):
			lower++
		case (b == '-' || b == '_') && body <= bodyDots, b == '.' && body == bodyDots:
		default:
			goto end
		}
	}
end:
	for n > 0 && (text[n-1] == '.' || text[n-1] == '-') {
		n--
	}
	if digits == 0 && (body != bodyPlain || n < minSecretBody || upper < 5 || lower < 5) {
		return 0
	}
	return n
}

// jwt takes three parts of base64url, the first of which begins as a JSON object does.
func (c *scanner) jwt(q int) (hit, bool) {
	rest := c.s[q:c.end]
	j := 0
	for part := range 3 {
		start := j
		for j < len(rest) && classes[rest[j]]&cToken != 0 {
			j++
		}
		if part == 0 && j-start < 10 || part == 1 && j-start < 4 {
			return hit{}, false
		}
		if part < 2 {
			if j == len(rest) || rest[j] != '.' {
				return hit{}, false
			}
			j++
		}
	}
	if c.wordAt(q + j) {
		return hit{}, false
	}
	return hit{q + j, &byJWT}, true
}

// privateKey sees the first line of a private key in PEM or OpenPGP armour. Its end is the swallower's to find.
func (c *scanner) privateKey(q int) (hit, bool) {
	const begin = "-----BEGIN "
	if c.prev(q, 1) == '-' {
		return hit{}, false
	}
	for i := range len(begin) {
		if c.at(q+i) != begin[i] {
			return hit{}, false
		}
	}
	start := q + len(begin)
	i := start
	for i < start+40 && (isUpper(c.at(i)) || c.at(i) == ' ' || isDigit(c.at(i))) {
		i++
	}
	for d := range 5 {
		if c.at(i+d) != '-' {
			return hit{}, false
		}
	}
	if !strings.Contains(c.s[start:i], "PRIVATE KEY") {
		return hit{}, false
	}
	return hit{i + 5, &byArmour}, true
}

// ibanLengths is the registry of ISO 13616 (SWIFT, release 99), and countries that use the form without being in it.
var ibanLengths = func() (t [26 * 26]uint8) {
	const registry = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23" +
		"GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28" +
		"NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30" +
		"AO25BF28BJ28CF27CG27CI28CM27CV25DZ26GA27GQ27GW25IR26KM27MA28MG27ML28MZ25NE28SN28TD27TG28"
	for i := 0; i < len(registry); i += 4 {
		t[int(registry[i]-'A')*26+int(registry[i+1]-'A')] = (registry[i+2]-'0')*10 + registry[i+3] - '0'
	}
	return t
}()

// iban takes a country code, check digits and an account of the country's length, in one piece or in groups, that pass mod 97.
func (c *scanner) iban(q int) (hit, bool) {
	a, b := c.at(q)|0x20-'a', c.at(q+1)|0x20-'a'
	if a >= 26 || b >= 26 || !isDigit(c.at(q+2)) || !isDigit(c.at(q+3)) {
		return hit{}, false
	}
	want := int(ibanLengths[int(a)*26+int(b)])
	if want == 0 {
		return hit{}, false
	}
	var text [34]byte
	n, i, gaps := 0, q, 0
	for n < want {
		ch := c.at(i)
		if isAlnum(ch) {
			if isLetter(ch) {
				ch &^= 0x20
			}
			text[n] = ch
			n++
			i++
			continue
		}
		size := 1
		if ch == 0xC2 && c.at(i+1) == 0xA0 {
			ch, size = ' ', 2
		}
		if ch != ' ' && ch != '-' || !isAlnum(c.at(i+size)) {
			return hit{}, false
		}
		if gaps++; gaps > 10 {
			return hit{}, false
		}
		i += size
	}
	if c.wordAt(i) || !mod97(text[:n]) {
		return hit{}, false
	}
	return hit{i, &byIBAN}, true
}

// mod97 checks an IBAN in capitals as ISO 13616 has it.
func mod97(x []byte) bool {
	r := 0
	for i := range x {
		b := x[(i+4)%len(x)]
		if isDigit(b) {
			r = r*10 + int(b-'0')
		} else {
			r = r*100 + int(b-'A') + 10
		}
		if r >= 1e7 {
			r %= 97
		}
	}
	return r%97 == 1
}
