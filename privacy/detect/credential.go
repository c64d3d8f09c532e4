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
	if i == q {
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

// credentialName reads the name that text ends with.
func credentialName(text string, sign bool) *rule {
	end := len(text)
	i := end
	for i > 0 && (isAlnum(text[i-1]) || text[i-1] == '_' || text[i-1] == '-') {
		i--
	}
	if i == end || i == 0 && end == behind {
		return nil
	}
	name := strings.ToLower(text[i:end])
	last, before := name, ""
	if at := strings.LastIndexAny(name, "_-"); at >= 0 {
		last, before = name[at+1:], name[:at]
		if at = strings.LastIndexAny(before, "_-"); at >= 0 {
			before = before[at+1:]
		}
	}
	switch {
	case !sign && (last == "bearer" || last == "basic"): // Authorization: Bearer …
		return &byTokenCue
	case !sign && last == "password" && strings.Contains(text, "login "): // a line of .netrc
		return &byPasswordCue
	case !sign:
		return nil
	case passwordWords[last]:
		return &byPasswordCue
	case tokenWords[last], last == "key" && keyOwners[before]:
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
