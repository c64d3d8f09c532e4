package audit

import (
	"fmt"
	"strconv"
	"strings"
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

// anewMark stands in the name of a tree that began within its period, because what others saw of the tree before was lost: "2026-r1795834902", with the time.
const anewMark = "-r"

// periodOf returns the name of the period of a tree, whether it began with it or anew within it.
func periodOf(tree string) string {
	at := strings.LastIndex(tree, anewMark)
	if at < 0 {
		return tree
	}
	if _, err := strconv.ParseUint(tree[at+len(anewMark):], 10, 63); err != nil {
		return tree
	}
	return tree[:at]
}

// isAnew reports whether a tree is the one that began anew at a time.
func isAnew(tree string, at int64) bool {
	return strings.HasSuffix(tree, anewMark+strconv.FormatInt(at, 10))
}

// Later returns the origins of trees that the log may have begun after a tree, up to a time, by its period alone; ok is false if they are more than a few.
func (p Period) Later(origin, tree string, began, now time.Time) (origins []string, ok bool) {
	const few = 4
	at := p.of(began)
	for len(origins) <= few {
		if at.to.IsZero() || now.Before(at.to) {
			return origins, true
		}
		if at = p.of(at.to); at.name != periodOf(tree) {
			origins = append(origins, treeOrigin(origin, at.name))
		}
	}
	return nil, false
}

// Origin names the tree of the period that a time lies in.
func (p Period) Origin(origin string, now time.Time) string {
	return treeOrigin(origin, p.of(now).name)
}
