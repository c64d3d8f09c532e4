package change

import (
	"bytes"
	"slices"
)

// Line is one line that one side of a file has and the other has not.
type Line struct {
	Sign   byte // '-': it is gone; '+': it is new
	Number int  // in its own side, from 1
	Text   string
}

// mostCompared bounds lines that are aligned; what is longer is shown as gone and new from the first difference to the last.
const mostCompared = 2000

// Lines returns what differs between two sides of a file, line by line.
func Lines(old, now []byte) (all []Line) {
	a, b := split(old), split(now)
	start := 0
	for start < len(a) && start < len(b) && bytes.Equal(a[start], b[start]) {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && bytes.Equal(a[len(a)-1-end], b[len(b)-1-end]) {
		end++
	}
	a, b = a[start:len(a)-end], b[start:len(b)-end]
	gone := func(i int) { all = append(all, Line{'-', start + i + 1, string(a[i])}) }
	fresh := func(j int) { all = append(all, Line{'+', start + j + 1, string(b[j])}) }
	i, j := 0, 0
	if len(a) <= mostCompared && len(b) <= mostCompared {
		common := longest(a, b)
		for i < len(a) && j < len(b) {
			switch {
			case bytes.Equal(a[i], b[j]):
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				gone(i)
				i++
			default:
				fresh(j)
				j++
			}
		}
	}
	for ; i < len(a); i++ {
		gone(i)
	}
	for ; j < len(b); j++ {
		fresh(j)
	}
	return all
}

// longest returns the lengths of the longest common subsequences of what is left from each pair of places on.
func longest(a, b [][]byte) [][]uint16 {
	rows := make([][]uint16, len(a)+1)
	for i := range rows {
		rows[i] = make([]uint16, len(b)+1)
	}
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if bytes.Equal(x, y) {
				rows[i][j] = rows[i+1][j+1] + 1
			} else {
				rows[i][j] = max(rows[i+1][j], rows[i][j+1])
			}
		}
	}
	return rows
}

func split(b []byte) [][]byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}
