package audit

import (
	"fmt"
	"time"
)

// Period is how long rows go into the same tree.
type Period string

// The periods, in UTC. The zero value is [Always].
const (
	Always  Period = "none" // one tree
	Year    Period = "year"
	Quarter Period = "quarter"
	Month   Period = "month"
	Day     Period = "day"
)

// span is one period of time.
type span struct {
	name     string
	from, to time.Time // zero: without end
}

// of returns the span that t lies in.
func (p Period) of(t time.Time) span {
	t = t.UTC()
	y, m, d := t.Date()
	from := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	switch p {
	case Year:
		return span{fmt.Sprintf("%04d", y), from(y, 1, 1), from(y+1, 1, 1)}
	case Quarter:
		q := (m - 1) / 3
		return span{fmt.Sprintf("%04d-q%d", y, q+1), from(y, 3*q+1, 1), from(y, 3*q+4, 1)}
	case Month:
		return span{fmt.Sprintf("%04d-%02d", y, m), from(y, m, 1), from(y, m+1, 1)}
	case Day:
		return span{fmt.Sprintf("%04d-%02d-%02d", y, m, d), from(y, m, d), from(y, m, d+1)}
	}
	return span{name: allTime}
}

const allTime = "all" // name of the tree that has no period

// treeOrigin names the tree of a period.
func treeOrigin(origin, name string) string {
	if name == allTime {
		return origin
	}
	return origin + "/" + name
}
