package detect

import "strings"

// secretForm is a prefix that issuers of access tokens use, with the least length of what follows.
type secretForm struct {
	prefix string
	min    int
	dots   bool // dots may occur
}

var secretForms = [...]secretForm{
	{"AKIA", 16, false}, {"ASIA", 16, false}, {"AIza", 30, false},
	{"ghp_", 30, false}, {"gho_", 30, false}, {"ghu_", 30, false}, {"ghs_", 30, false}, {"ghr_", 30, false}, {"github_pat_", 22, false},
	{"glpat-", 16, false}, {"sk-", 20, false}, {"sk_live_", 16, false}, {"sk_test_", 16, false}, {"rk_live_", 16, false}, {"rk_test_", 16, false},
	{"xoxb-", 16, false}, {"xoxp-", 16, false}, {"xoxa-", 16, false}, {"xoxs-", 16, false}, {"xoxr-", 16, false}, {"xapp-", 16, false},
	{"npm_", 30, false}, {"hf_", 30, false}, {"SG.", 30, true}, {"ya29.", 20, true}, {"dop_v1_", 30, false}, {"whsec_", 20, false},
	{"pypi-", 30, false}, {"sq0", 20, false}, {"shpat_", 30, false}, {"hvs.", 20, false}, {"AGE-SECRET-KEY-", 50, false},
}

// secretFirst has the bytes that a secret can begin with.
var secretFirst = func() (t [256]bool) {
	t['e'] = true
	for _, f := range secretForms {
		t[f.prefix[0]] = true
	}
	return t
}()

// secret takes access tokens with a well-known prefix, and JSON Web Tokens.
func (c *scanner) secret(q int) (hit, bool) {
	rest := c.s[q:c.end]
	if !secretFirst[rest[0]] {
		return hit{}, false
	}
	if strings.HasPrefix(rest, "eyJ") {
		return c.jwt(q)
	}
	for i := range secretForms {
		f := &secretForms[i]
		if f.prefix[0] != rest[0] || !strings.HasPrefix(rest, f.prefix) {
			continue
		}
		j, digits := len(f.prefix), 0
		for j < len(rest) && (classes[rest[j]]&cToken != 0 || f.dots && rest[j] == '.') {
			if isDigit(rest[j]) {
				digits++
			}
			j++
		}
		for j > 0 && (rest[j-1] == '.' || rest[j-1] == '-') {
			j--
		}
		if j-len(f.prefix) < f.min || digits == 0 || c.wordAt(q+j) {
			continue
		}
		return hit{q + j, &byPrefix}, true
	}
	return hit{}, false
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
