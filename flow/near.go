package flow

import "strings"

// Nearest returns the word nearest to a misspelled one, and whether any is near enough to be worth a hint: at most a
// third of its letters, and one, changed, put in or taken out, whatever their case. The first of several equally near wins.
func Nearest(word string, words []string) (string, bool) {
	best, at, found := len(word)/3+2, "", false
	for _, w := range words {
		if d := editDistance(strings.ToLower(word), strings.ToLower(w), best); d < best {
			best, at, found = d, w, true
		}
	}
	return at, found
}

// editDistance is the Levenshtein distance of two words, or at least limit if they are further apart or very long.
func editDistance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit || len(a) > 100 || len(b) > 100 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
