package audit

import (
	"strings"
	"testing"
)

// Whatever a program writes, it is so many answers or an error, and the error does not repeat it.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"1 2 3", "[1, null, -9223372036854775808]", "[NaN,1e999,-0]", "[]", "[1 2,3]", "{\"a\":1}", "\xff"} {
		f.Add(seed, 3, false)
		f.Add(seed, 3, true)
	}
	f.Fuzz(func(t *testing.T, line string, n int, real bool) {
		n = min(max(n, 0), 64)
		dst := make([]int64, n)
		err := readAnswers([]byte(line), real, dst)
		if err == nil && len(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("[], \t\n\v\f\r\u0085\u00a0", r) || r > 0x1000 })) < n {
			t.Errorf("%d answers out of %q", n, line)
		}
		if err != nil && len(line) > 12 && strings.Contains(err.Error(), line) {
			t.Errorf("the error repeats the line: %v", err)
		}
	})
}
