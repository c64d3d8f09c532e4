package page

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// funcs are those that every template may use.
var funcs = template.FuncMap{
	"asset":  Asset,
	"time":   showTime,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"date":   func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"count":  showCount,
	"short":  short,
	"plural": plural,
	"bytes":  showBytes,
	"took":   func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() },
	"join":   strings.Join,
	"path":   url.PathEscape,
	"query":  url.QueryEscape,
	"dict":   dict,
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// showCount writes a number with its thousands apart.
func showCount(n any) (string, error) {
	s := ""
	switch n := n.(type) {
	case int, int64, int32, uint64, uint32, uint:
		s = fmt.Sprint(n)
	case float64:
		return fmt.Sprint(math.Round(n*1000) / 1000), nil
	default:
		return "", fmt.Errorf("%T is not counted", n)
	}
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // a narrow space
	}
	return sign + s, nil
}

func short(s string) string {
	if r := []rune(s); len(r) > 12 {
		return string(r[:12]) + "…"
	}
	return s
}

func plural(n int, one, many string) string {
	s, _ := showCount(n) // an int
	return s + " " + flow.Plural(n, one, many)
}

func showBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), 0
	for f >= unit && i < 5 {
		f, i = f/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, " KMGTP"[i])
}

// dict makes a map of names and values, for templates that take more than one thing.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes pairs")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict takes names")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
