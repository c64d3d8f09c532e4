package gatewaytest

import "regexp"

// Said is a text without what a gateway draws at random: tokens, mapped identifiers, and references, of refusals and of handles. A short word
// turns up in these by chance, and whoever looks whether a text shows it would find it there.
func Said(text string) string { return drawn.ReplaceAllString(text, "") }

var drawn = regexp.MustCompile(`\bs[a-z]{2}1_[\w-]+|\b[0-9a-v]{26}(?:[0-9a-v]{6})?\b`)
