package detect

import (
	"net/netip"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// email takes local@domain.tld within the run at hand.
func (c *scanner) email(q int) (hit, bool) {
	if q < c.noMail {
		return hit{}, false
	}
	k := q
	for k < c.end && classes[c.s[k]]&cLocal != 0 {
		k++
	}
	if k == c.end || c.s[k] != '@' || k == q {
		c.noMail = k
		return hit{}, false
	}
	end, label := 0, k+1
	for i := k + 1; ; i++ {
		var b byte
		if i < c.end {
			b = c.s[i]
		}
		if classes[b]&cWord != 0 || b == '-' && i > label {
			continue
		}
		if i == label { // empty label
			break
		}
		if label > k+1 && topLevel(c.s[label:i]) {
			end = i
		}
		if b != '.' {
			break
		}
		label = i + 1
	}
	if end == 0 {
		c.noMail = k
		return hit{}, false
	}
	return hit{end, &byEmail}, true
}

// topLevel reports whether the label can be a top level domain: letters of any script, or punycode.
func topLevel(x string) bool {
	if len(x) < 2 {
		return false
	}
	if strings.HasPrefix(x, "xn--") {
		return x[len(x)-1] != '-'
	}
	for i := range len(x) {
		if !isLetter(x[i]) && x[i] < 0x80 {
			return false
		}
	}
	return true
}

// ipv4 takes four numbers below 256, unless words before them say that it is a version or a section.
func (c *scanner) ipv4(q int) (hit, bool) {
	i := q
	for part := range 4 {
		v, n, more := c.small(i, 3)
		if n == 0 || more || v > 255 || n > 1 && c.at(i) == '0' {
			return hit{}, false
		}
		i += n
		if part < 3 {
			if c.at(i) != '.' {
				return hit{}, false
			}
			i++
		}
	}
	if b := c.at(i); b == '.' && isDigit(c.at(i+1)) || b == '-' && c.wordAt(i+1) || b == '_' || c.wordAt(i) {
		return hit{}, false
	}
	if b := c.prev(q, 1); (b == '.' || b == '-' || b == '_') && isAlnum(c.prev(q, 2)) || c.cue(q).kind == cueOther {
		return hit{}, false
	}
	return hit{i, &byIPv4}, true
}

// ipv6 takes what [netip.ParseAddr] accepts.
func (c *scanner) ipv6(q int) (hit, bool) {
	if b := c.prev(q, 1); b == ':' || b == '.' || isAlnum(b) || !isHex(c.s[q]) && c.at(q+1) != ':' {
		return hit{}, false
	}
	colons, digits, double := 0, 0, false
	i := q
	for ; i < q+46; i++ {
		b := c.at(i)
		if b == ':' {
			colons++
			double = double || i > q && c.at(i-1) == ':'
		} else if isDigit(b) {
			digits++
		} else if !isHex(b) && b != '.' {
			break
		}
	}
	for i > q && (c.s[i-1] == '.' || c.s[i-1] == ':' && !(i > q+1 && c.s[i-2] == ':')) {
		i--
	}
	if digits == 0 || colons < 2 || !double && colons < 6 || c.wordAt(i) {
		return hit{}, false
	}
	if _, err := netip.ParseAddr(c.s[q:i]); err != nil {
		return hit{}, false
	}
	return hit{i, &byIPv6}, true
}

// mac takes six pairs of hexadecimal digits with the same separator, : or -.
func (c *scanner) mac(q, we int) (hit, bool) {
	sep := c.at(we)
	if we-q != 2 || sep != ':' && sep != '-' {
		return hit{}, false
	}
	if b := c.prev(q, 1); (b == sep || b == '.') && isAlnum(c.prev(q, 2)) {
		return hit{}, false
	}
	for part := range 6 {
		i := q + 3*part
		if !isHex(c.at(i)) || !isHex(c.at(i+1)) || part < 5 && c.at(i+2) != sep {
			return hit{}, false
		}
	}
	end := q + 17
	if c.wordAt(end) || c.at(end) == sep && c.wordAt(end+1) {
		return hit{}, false
	}
	return hit{end, &byMAC}, true
}

// url takes scheme://… and www.…, and labels it by the strictest thing within.
func (c *scanner) url(q int) (hit, bool) {
	if c.inner {
		return hit{}, false
	}
	i := q
	for i < q+16 && (isAlnum(c.at(i)) || c.at(i) == '+' || c.at(i) == '-' || c.at(i) == '.') {
		if c.at(i) == '.' && i == q+3 && c.at(q)|0x20 == 'w' && c.at(q+1)|0x20 == 'w' && c.at(q+2)|0x20 == 'w' {
			break
		}
		i++
	}
	rest := i + 1
	if c.at(i) == ':' && i-q >= 2 {
		if c.at(i+1) != '/' || c.at(i+2) != '/' {
			return hit{}, false
		}
		rest = i + 3
	} else if c.at(i) != '.' || i != q+3 || c.at(q)|0x20 != 'w' {
		return hit{}, false
	}
	end := c.urlEnd(rest)
	if end == rest || c.touched && c.lim == q+Holdback {
		return hit{}, false
	}
	c.label = c.urlLabel(rest, end)
	return hit{end, &byURL}, true
}

// urlEnd returns where the address that goes on at i ends, closing marks of the sentence around it left out.
func (c *scanner) urlEnd(i int) int {
	start, depth := i, 0
	for i < c.lim {
		b := c.s[i]
		if b >= 0x80 {
			r, n := c.rune(i)
			if n == 0 || !letterRune(r) {
				break
			}
			i += n
			continue
		}
		if classes[b]&cURL == 0 || b == ')' && depth == 0 {
			break
		}
		if b == '(' {
			depth++
		} else if b == ')' {
			depth--
		}
		i++
	}
	if i == c.lim {
		c.touched = true
	}
	for i > start && strings.IndexByte(".,;:!?'*&=-(", c.s[i-1]) >= 0 {
		i--
	}
	return i
}

// urlLabel returns the strictest label of what the address holds.
func (c *scanner) urlLabel(start, end int) flow.Label {
	label := byURL.label
	text := c.s[start:end]
	authority := text
	for i := range len(text) {
		if b := text[i]; b == '/' || b == '?' || b == '#' {
			authority = text[:i]
			break
		}
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if colon := strings.IndexByte(authority[:at], ':'); colon >= 0 && colon+1 < at {
			return "secret/password"
		}
	}
	if holdsSecret(text) {
		label = c.tax.Stricter(label, "secret/api-key")
	}
	inner := scanner{s: text, final: true, tax: c.tax, known: c.known, rules: c.rules, inner: true}
	for f, long := range inner.all {
		if long {
			return flow.Unlabelled
		}
		label = c.tax.Stricter(label, f.Label)
	}
	return label
}

var secretParameters = [...]string{"token", "access_token", "id_token", "refresh_token", "api_key", "apikey", "key", "secret", "client_secret", "password",
	"passwd", "pwd", "sig", "signature", "auth", "x-amz-signature", "x-amz-security-token", "session", "sessionid", "code"}

// holdsSecret reports whether a query parameter of the address has a name that secrets have, and a value.
func holdsSecret(text string) bool {
	_, query, ok := strings.Cut(text, "?")
	if !ok {
		if _, query, ok = strings.Cut(text, "#"); !ok {
			return false
		}
	}
	for query != "" {
		n, equals := 0, -1
		for ; n < len(query) && query[n] != '&' && query[n] != ';' && query[n] != '#' && query[n] != '?'; n++ {
			if query[n] == '=' && equals < 0 {
				equals = n
			}
		}
		pair := query[:n]
		query = query[min(n+1, len(query)):]
		if equals < 0 || len(pair)-equals-1 < 4 {
			continue
		}
		name := pair[:equals]
		for _, s := range secretParameters {
			if strings.EqualFold(name, s) {
				return true
			}
		}
	}
	return false
}
