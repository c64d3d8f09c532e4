package deidentify

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// ErrHierarchy is wrapped by the errors of [Hierarchies.With].
var ErrHierarchy = errors.New("hierarchy is not valid")

// maxRows and maxColumns bound what one hierarchy may hold.
const (
	maxRows    = 200_000
	maxColumns = 17 // a value and up:16
)

// Hierarchies holds, by label, the trees that up:N climbs. The zero value has none. It is immutable and safe for concurrent use.
type Hierarchies struct {
	trees map[flow.Label]map[string][]string // ancestors of a folded value, nearest first
}

// With returns the hierarchies with one more, read from CSV (RFC 4180, separated by comma or semicolon): each
// row is a value followed by its ancestors, nearest first; every row has the same number of columns.
//
// Values are compared without regard to case and to spaces around them. Rows must form a tree: what shares an ancestor shares all
// further ones, so that up:2 tells nothing that up:1 does not. Errors wrap [ErrHierarchy] and name the row.
func (h Hierarchies) With(label flow.Label, from io.Reader) (Hierarchies, error) {
	tree, err := readTree(from)
	if err != nil {
		return Hierarchies{}, fmt.Errorf("hierarchy of %s: %w", label, err)
	}
	next := Hierarchies{trees: maps.Clone(h.trees)}
	if next.trees == nil {
		next.trees = make(map[flow.Label]map[string][]string, 1)
	}
	next.trees[label] = tree
	return next, nil
}

func readTree(from io.Reader) (map[string][]string, error) {
	in := bufio.NewReader(from)
	first, _ := in.Peek(4096)
	line, _, _ := strings.Cut(string(first), "\n")
	r := csv.NewReader(in)
	if strings.Contains(line, ";") {
		r.Comma = ';'
	}
	tree := make(map[string][]string)
	above := make(map[string]string) // column and ancestor → its own ancestors
	for row := 1; ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // encoding/csv names line and column, not the text
			return nil, fmt.Errorf("%w: %w", ErrHierarchy, err)
		}
		if len(cells) < 2 || len(cells) > maxColumns || row > maxRows {
			return nil, fmt.Errorf("%w: row %d: want 2 to %d columns and at most %d rows", ErrHierarchy, row, maxColumns, maxRows)
		}
		if err := addRow(tree, above, cells); err != nil {
			return nil, fmt.Errorf("%w: row %d: %w", ErrHierarchy, row, err)
		}
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("%w: it has no rows", ErrHierarchy)
	}
	return tree, nil
}

func addRow(tree map[string][]string, above map[string]string, cells []string) error {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
		if cells[i] == "" {
			return fmt.Errorf("column %d is empty", i+1)
		}
	}
	for i := 1; i < len(cells); i++ {
		rest := strings.Join(cells[i+1:], "\x00")
		key := fmt.Sprintf("%d\x00%s", i, cells[i])
		if old, ok := above[key]; ok && old != rest {
			return fmt.Errorf("the ancestor in column %d has other ancestors than in an earlier row", i+1)
		}
		above[key] = rest
	}
	value := fold(cells[0])
	if old, ok := tree[value]; ok && strings.Join(old, "\x00") != strings.Join(cells[1:], "\x00") {
		return errors.New("the value has other ancestors than in an earlier row")
	}
	tree[value] = cells[1:]
	return nil
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// has reports whether there is a tree for the label or one above it.
func (h Hierarchies) has(l flow.Label) bool {
	for a := range l.Ancestors() {
		if _, ok := h.trees[a]; ok {
			return true
		}
	}
	return false
}

// climb returns the n-th ancestor of the value in the tree of the label or of the nearest label above it that has one.
func (h Hierarchies) climb(l flow.Label, s Scalar, n int) (string, bool) {
	for a := range l.Ancestors() {
		tree, ok := h.trees[a]
		if !ok {
			continue
		}
		up, ok := tree[fold(s.Text)]
		if !ok {
			return "", false
		}
		text := up[min(n, len(up))-1]
		switch s.Kind {
		case Number:
			return text, jsonLiteral.MatchString(text)
		case Bool:
			return text, text == "true" || text == "false"
		}
		return text, true
	}
	return "", false
}
