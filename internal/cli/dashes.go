package cli

import (
	"regexp"
	"strings"
)

// dashed is an id in base64url (of 32 bytes) that begins with a dash, as one in 64 does. No flag looks like it.
var dashed = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

const shield = "\x00" // no argument of a process begins with it

// shielded marks ids that would be taken for flags. What follows a flag may be its value and is left as it is.
func shielded(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		if out[i] = a; dashed.MatchString(a) && (i == 0 || !strings.HasPrefix(args[i-1], "--") || strings.Contains(args[i-1], "=")) {
			out[i] = shield + a
		}
	}
	return out
}

// unshielded takes the marks off.
func unshielded(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.TrimPrefix(a, shield)
	}
	return out
}
