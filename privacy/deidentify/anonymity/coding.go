package anonymity

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Coding turns the text of one column into codes, and says what each level of its hierarchy writes.
//
// One kind is fixed when it is made ([ListedCoding]); the others learn a column's values as they come, until [Coding.Fix].
// Code and Missing are safe for concurrent use, with themselves and each other.
type Coding struct {
	form  form
	learn learner
	fixed *fixed // nil while learning
}

// form is one kind of coding: which texts it covers and what they become.
type form interface {
	levels() int
	covers(text []byte) bool
	compare(a, b string) int // the order of values
	ordered() bool           // whether that order means something
	label(level int, text string) string
	span(dst []byte, first, last string) []byte // the text of a range of values
}

// fixed is what a coding is once its values are known.
type fixed struct {
	hierarchy *Hierarchy
	texts     [][]string // by level and code
	null      []int      // by level, the code of null, or -1
	from      []uint32   // code while learning → code
	ordered   bool
}

// everything is what the last level writes.
const everything = "*"

// PlainCoding learns any values and has two levels: the value itself and "*".
func PlainCoding() *Coding { return newCoding(plain{}) }

type plain struct{}

func (plain) levels() int             { return 2 }
func (plain) covers([]byte) bool      { return true }
func (plain) compare(a, b string) int { return strings.Compare(a, b) }
func (plain) ordered() bool           { return false }

func (plain) label(int, string) string { return everything }

func (plain) span(dst []byte, first, last string) []byte { return spanDots(dst, first, last) }

// ValueCoding learns any values of a sensitive attribute. Their order, by which [OrderedTCloseness] measures, is that of decimal numbers by
// size, and behind them other texts by their bytes, as dates of ISO 8601 come.
func ValueCoding() *Coding { return newCoding(amounts{}) }

type amounts struct{ plain }

func (amounts) compare(a, b string) int {
	switch isA, isB := decimal(a), decimal(b); {
	case isA && isB:
		return compareDecimal(a, b)
	case isA:
		return -1
	case isB:
		return 1
	}
	return strings.Compare(a, b)
}

// spanDots writes a range of values as [first..last].
func spanDots(dst []byte, first, last string) []byte {
	dst = append(append(dst, '['), first...)
	return append(append(append(dst, ".."...), last...), ']')
}

func newCoding(f form) *Coding {
	c := &Coding{form: f}
	c.learn.begin()
	return c
}

// Levels returns the number of levels, known before anything is learnt.
func (c *Coding) Levels() int { return c.form.levels() }

// Code returns the code of a value, and learns it if the coding does so. It returns [ErrUncovered] for a value that has no place;
// after Fix also for one that was not learnt. The error does not hold the value.
func (c *Coding) Code(text []byte) (uint32, error) {
	if code, ok := c.learn.find(text); ok {
		return code, nil
	}
	if c.fixed != nil || !c.form.covers(text) {
		return 0, ErrUncovered
	}
	return c.learn.add(string(text), false)
}

// Missing returns the code of a null. A null stays a null at every level but the last. A listed coding covers it if it lists the
// empty text.
func (c *Coding) Missing() (uint32, error) {
	if code, ok := c.learn.missing(); ok {
		return code, nil
	}
	if c.fixed != nil {
		return 0, ErrUncovered
	}
	return c.learn.add("", true)
}

// Fix ends learning: values get their final codes, in the order of numbers, dates, or bytes, whatever order they came in. From then
// on Code returns final codes, and [Coding.Attribute] says how those given before are to be read. No other method may run meanwhile.
// It returns an error that wraps [ErrHierarchy] if nothing was learnt.
func (c *Coding) Fix() error {
	if c.fixed != nil {
		return nil
	}
	all := c.learn.entries()
	if len(all) == 0 {
		return fmt.Errorf("%w: the column has no values", ErrHierarchy)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		if a.null != b.null {
			if a.null {
				return 1 // last, behind all values
			}
			return -1
		}
		if order := c.form.compare(a.text, b.text); order != 0 {
			return order
		}
		return strings.Compare(a.text, b.text)
	})
	f := &fixed{from: make([]uint32, len(all))}
	texts, null := make([]string, len(all)), -1
	for i, e := range all {
		texts[i] = e.text
		f.from[e.code] = uint32(i)
		if e.null {
			null = i
		}
	}
	f.ordered = c.form.ordered() && null < 0
	if err := f.climb(texts, null, c.form.levels(), c.form.label); err != nil {
		return err
	}
	c.learn.renumber(f.from)
	c.fixed = f
	return nil
}

// climb makes the levels: values with the same label at a level have the same code there.
func (f *fixed) climb(texts []string, null, levels int, label func(level int, text string) string) error {
	f.texts, f.null = append(f.texts, texts), append(f.null, null)
	codes := [][]uint32{make([]uint32, len(texts))}
	for v := range texts {
		codes[0][v] = uint32(v)
	}
	for l := 1; l < levels; l++ {
		seen, level, written, none := map[string]uint32{}, make([]uint32, len(texts)), []string(nil), -1
		for v, text := range texts {
			if v == null && l < levels-1 {
				none = len(written)
				level[v], written = uint32(none), append(written, "")
				continue
			}
			name := label(l, text)
			code, ok := seen[name]
			if !ok {
				code = uint32(len(written))
				seen[name], written = code, append(written, name)
			}
			level[v] = code
		}
		codes, f.texts, f.null = append(codes, level), append(f.texts, written), append(f.null, none)
	}
	h, err := NewHierarchy(codes)
	f.hierarchy = h
	return err
}

// Attribute returns the quasi-identifier of a fixed coding. It panics if the coding still learns.
func (c *Coding) Attribute(name string) Attribute {
	f := c.must()
	return Attribute{Name: name, Hierarchy: f.hierarchy, Ordered: f.ordered, From: f.from}
}

// Sensitive returns the sensitive attribute of a fixed coding. It panics if the coding still learns.
func (c *Coding) Sensitive(name string) Sensitive {
	f := c.must()
	return Sensitive{Name: name, Values: f.hierarchy.Codes(0), Hierarchy: f.hierarchy, From: f.from}
}

func (c *Coding) must() *fixed {
	if c.fixed == nil {
		panic("anonymity: a coding is asked for its hierarchy before Fix")
	}
	return c.fixed
}

// Append appends the text of a cell of a fixed coding. It reports false, and appends nothing, if the cell is a null.
func (c *Coding) Append(dst []byte, cell Cell) ([]byte, bool) {
	f := c.must()
	if cell.Range && cell.Code != cell.Last {
		return c.form.span(dst, f.texts[0][cell.Code], f.texts[0][cell.Last]), true
	}
	if f.null[cell.Level] == int(cell.Code) {
		return dst, false
	}
	return append(dst, f.texts[cell.Level][cell.Code]...), true
}

// ListedCoding returns the coding of a table of text: a row is a value followed by what it becomes, level by level. All rows are
// equally long. A value is looked up as it is spelt. Errors wrap [ErrHierarchy] and name row and column.
func ListedCoding(rows [][]string) (*Coding, error) {
	if len(rows) == 0 || len(rows[0]) == 0 || len(rows[0]) > maxLevels {
		return nil, fmt.Errorf("%w: it has no rows, or more than %d columns", ErrHierarchy, maxLevels)
	}
	form := &listed{width: len(rows[0]), row: map[string][]string{}}
	c := newCoding(form)
	above := make([]map[string]string, form.width) // by column, an ancestor's own ancestor
	for i := range above {
		above[i] = map[string]string{}
	}
	var texts []string
	for i, row := range rows {
		if len(row) != form.width {
			return nil, fmt.Errorf("%w: row %d has %d columns, the first %d", ErrHierarchy, i+1, len(row), form.width)
		}
		if old, ok := form.row[row[0]]; ok {
			if !slices.Equal(old, row) {
				return nil, fmt.Errorf("%w: row %d: the value has other ancestors than in an earlier row", ErrHierarchy, i+1)
			}
			continue
		}
		for l := 1; l < form.width; l++ {
			if row[l] == "" {
				return nil, fmt.Errorf("%w: row %d, column %d is empty", ErrHierarchy, i+1, l+1)
			}
			if l+1 == form.width {
				break
			}
			if old, ok := above[l][row[l]]; ok && old != row[l+1] {
				return nil, fmt.Errorf("%w: row %d: what is in column %d has another ancestor than in an earlier row", ErrHierarchy, i+1, l+1)
			}
			above[l][row[l]] = row[l+1]
		}
		form.row[row[0]] = row
		if _, err := c.learn.add(row[0], false); err != nil {
			return nil, err
		}
		texts = append(texts, row[0])
	}
	if code, ok := c.learn.find(nil); ok {
		c.learn.setMissing(code)
	}
	c.fixed = &fixed{}
	if err := c.fixed.climb(texts, -1, form.width, form.label); err != nil {
		return nil, err
	}
	return c, nil
}

// maxLevels is how many levels a hierarchy may have.
const maxLevels = 64

type listed struct {
	width int
	row   map[string][]string
}

func (f *listed) levels() int                              { return f.width }
func (f *listed) covers(text []byte) bool                  { return f.row[string(text)] != nil }
func (f *listed) compare(a, b string) int                  { return 0 }
func (f *listed) ordered() bool                            { return false }
func (f *listed) label(level int, text string) string      { return f.row[text][level] }
func (*listed) span(dst []byte, first, last string) []byte { return spanDots(dst, first, last) }

var errMany = errors.New("the column has too many different values")

var byteOrderMark = []byte("\ufeff")

// cutMark removes the mark that some programs put before UTF-8.
func cutMark(b []byte) []byte { return bytes.TrimPrefix(b, byteOrderMark) }
