package detect

import "strings"

// credentialWords end the names of members, variables and settings whose values are secret.
var (
	passwordWords = wordSet("password passwd pwd passphrase pass passcode dbpass dbpassword userpassword loginpassword rootpassword adminpassword kennwort passwort contraseña motdepasse")
	tokenWords    = wordSet(`secret token apikey authtoken accesstoken refreshtoken idtoken clientsecret secretkey accesskey accountkey sharedaccesskey
		privatekey signingkey encryptionkey masterkey appsecret consumersecret webhooksecret bearer basic authkey sessiontoken secretaccesskey sharedkey`)
	keyOwners = wordSet("api access secret private auth account signing encryption master shared client license")
)

// credential takes the value that a name such as password or api_key is given, if it does not look like a word.
func (c *scanner) credential(q int) (hit, bool) {
	i, sign := q, false
	for n := 0; i > 0 && n < 6; n++ {
		switch c.s[i-1] {
		case '=', ':':
			sign = true
		case ' ', '"', '\'', '\\', '>', '!', '#', '$', '%', '^', '&', '*', '~', '+':
		default:
			n = 6
			continue
		}
		i--
	}
	if i == q || !sign && !needsNoSign(c.s[:i]) {
		return hit{}, false
	}
	by := credentialName(c.s[max(0, q-behind):i], sign)
	if by == nil {
		return hit{}, false
	}
	end := q
	for end < q+200 {
		b := c.at(end)
		if b <= ' ' || b >= 0x7F || strings.IndexByte("\"'`,;<>\\|)]}", b) >= 0 || b == '&' && by == &byTokenCue {
			break
		}
		end++
	}
	for end > q && strings.IndexByte(".:!?", c.s[end-1]) >= 0 && (end == len(c.s) || isSpace(c.s[end])) {
		end--
	}
	if !secretive(c.s[q:end], by == &byTokenCue) {
		return hit{}, false
	}
	return hit{end, by}, true
}

// needsNoSign reports whether text ends like a name that is given its value without a sign between them.
func needsNoSign(text string) bool {
	if text == "" {
		return false
	}
	want := ""
	switch text[len(text)-1] | 0x20 {
	case 'r':
		want = "bearer"
	case 'c':
		want = "basic"
	case 'd':
		want = "password"
	}
	return want != "" && len(text) >= len(want) && strings.EqualFold(text[len(text)-len(want):], want)
}

// credentialName reads the name that text, at most behind bytes, ends with.
func credentialName(text string, sign bool) *rule {
	end := len(text)
	i := end
	var name [behind]byte // in small letters, where it stands in the text
	last, before := 0, -1 // where its last word begins, and the one before
	for i > 0 && (isAlnum(text[i-1]) || text[i-1] == '_' || text[i-1] == '-') {
		i--
		b := text[i]
		if isUpper(b) {
			b |= 0x20
		}
		if name[i] = b; isAlnum(b) {
			continue
		}
		if last == 0 {
			last = i + 1
		} else if before < 0 {
			before = i + 1
		}
	}
	if i == end || i == 0 && end == behind {
		return nil
	}
	owner := name[:0]
	switch {
	case last == 0:
		last = i
	case before < 0:
		owner = name[i : last-1]
	default:
		owner = name[before : last-1]
	}
	word := name[last:end]
	switch {
	case !sign && (string(word) == "bearer" || string(word) == "basic"): // Authorization: Bearer …
		return &byTokenCue
	case !sign && string(word) == "password" && strings.Contains(text, "login "): // a line of .netrc
		return &byPasswordCue
	case !sign:
		return nil
	case passwordWords[string(word)]:
		return &byPasswordCue
	case tokenWords[string(word)], string(word) == "key" && keyOwners[string(owner)]:
		return &byTokenCue
	}
	return nil
}

// secretive reports whether the text does not look like a word, a number or a place for one. Tokens must look more so.
func secretive(w string, token bool) bool {
	var seen [128]bool
	var kinds [4]bool
	distinct, letters := 0, 0
	for i := range len(w) {
		b := w[i]
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		switch {
		case isDigit(b):
			kinds[0] = true
		case isUpper(b):
			kinds[1] = true
			letters++
		case isLetter(b):
			kinds[2] = true
			letters++
		default:
			kinds[3] = true
		}
	}
	if w == "" || w[0] == '{' || strings.Contains(w, "://") || strings.Contains(w, "${") || strings.Contains(w, "{{") || strings.Contains(w, "(") && token {
		return false
	}
	n := 0
	for _, k := range kinds {
		if k {
			n++
		}
	}
	if token {
		return len(w) >= 16 && distinct >= 8 && kinds[0] && letters > 0
	}
	return len(w) >= 6 && distinct >= 4 && (n >= 2 && letters > 0 || len(w) <= 12 && n == 1 && kinds[0])
}
