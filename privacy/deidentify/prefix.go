package deidentify

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// cutPrefix keeps the first n letters or digits of a postal code or of a code with categories.
func cutPrefix(c flow.Class, s Scalar, n int) (string, bool) {
	switch {
	case c.Kind == flow.Postal && s.Kind == String:
		return cutPostal(s.Text, n)
	case c.Kind == flow.Code && s.Kind == String:
		return cutCode(s.Text, n)
	case c.Kind == flow.Code && s.Kind == Number && isDigits(s.Text) && s.Text[0] != '0' && len(s.Text) <= 16:
		return s.Text[:min(n, len(s.Text))], true
	}
	return "", false // a postal code that is a number has lost its zeros, and asterisks would make it a string
}

var (
	postal = regexp.MustCompile(`^[A-Z0-9](?:[ -]?[A-Z0-9]){2,10}$`)
	cut    = regexp.MustCompile(`^[A-Z0-9]{1,10}\*\*$`) // as cutPostal writes it
	code   = regexp.MustCompile(`^[A-Z0-9](?:[./-]?[A-Z0-9]){0,15}$`)
)

var within = strings.NewReplacer(" ", "", "-", "")

// plainDigits appends the first n digits of a postal code that is 3 to 11 digits and nothing else: the common form, without an allocation.
func plainDigits(dst, text []byte, n int) ([]byte, bool) {
	if len(text) < 3 || len(text) > 11 {
		return dst, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return dst, false
		}
	}
	return append(append(dst, text[:min(n, len(text)-1)]...), "**"...), true
}

// cutPostal hides at least one character of a whole code, and not how many.
func cutPostal(text string, n int) (string, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if cut.MatchString(text) {
		stem := strings.TrimSuffix(text, "**")
		return stem[:min(n, len(stem))] + "**", true
	}
	if !postal.MatchString(text) || !strings.ContainsAny(text, "0123456789") {
		return "", false
	}
	stem := within.Replace(text)
	return stem[:min(n, len(stem)-1)] + "**", true
}

// cutCode leaves a code that is no longer than its category as it is: E11 is the category of E11.9 and of itself. A cut
// that leaves letters alone goes on to the first of them, since several letters would be read as a word the next time.
func cutCode(text string, n int) (string, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if !code.MatchString(text) || len(text) > 1 && !strings.ContainsAny(text, "0123456789") {
		return "", false // a word is not a code; a letter is a chapter of many
	}
	for i := range len(text) {
		if strings.IndexByte("./-", text[i]) >= 0 {
			continue
		}
		if n == 0 {
			if !strings.ContainsAny(text[:i], "0123456789") {
				return text[:1], true
			}
			return strings.TrimRight(text[:i], "./-"), true
		}
		n--
	}
	return text, true
}

// cutNetwork keeps the first n bits of an IPv4 address, 2n+8 at most 64 of an IPv6 one. Ports and zones go.
func cutNetwork(s Scalar, n int) (string, bool) {
	if s.Kind != String {
		return "", false
	}
	addr, bits, ok := parseNetwork(strings.TrimSpace(s.Text))
	if !ok {
		return "", false
	}
	keep := n
	if addr.Is6() {
		keep = min(2*n+8, 64)
	}
	p, err := addr.Prefix(min(keep, bits))
	if err != nil {
		return "", false
	}
	return p.String(), true
}

// parseNetwork returns the address without zone, and how many of its bits are known.
func parseNetwork(text string) (netip.Addr, int, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() {
			return netip.Addr{}, 0, false
		}
		return p.Addr(), p.Bits(), true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		text = ap.Addr().String()
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, 0, false
	}
	a = a.Unmap().WithZone("")
	return a, a.BitLen(), true
}
