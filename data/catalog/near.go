package catalog

import "github.com/scrimhq/scrim/flow"

// nearHint returns "did you mean …?" for the name nearest to got, or "" if none is near.
func nearHint(got string, names []string) string {
	if best, ok := flow.Nearest(got, names); ok {
		return "did you mean " + best + "?"
	}
	return ""
}
