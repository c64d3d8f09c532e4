package anonymity

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// written returns what a value becomes at each level.
func written(t *testing.T, c *Coding, text string) string {
	t.Helper()
	code, err := c.Code([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	h := c.Attribute("x").Hierarchy
	var out []string
	for l := range h.Levels() {
		b, _ := c.Append(nil, Cell{Level: l, Code: h.At(l, code)})
		out = append(out, string(b))
	}
	return strings.Join(out, " ")
}

func TestCodingsWrite(t *testing.T) {
	coding := must[*Coding](t)
	for _, c := range []struct {
		name   string
		coding *Coding
		covers []string // value → what it becomes at each level
		not    []string
	}{
		{"plain", PlainCoding(), []string{"x *", "Ω *"}, nil},
		{"integers", coding(NumberCoding(Numbers{Widths: []string{"5", "20"}, Bottom: "18", Top: "90", Integers: true})),
			[]string{"17 <18 <18 *", "18 [18-19] [18-19] *", "42 [40-44] [40-59] *", "89 [85-89] [80-89] *", "90 >=90 >=90 *", "-3 <18 <18 *"},
			[]string{"", "4.0", "1e3", "x", "+4", " 4", "99999999999999999999", "0x10"}},
		{"negative integers", coding(NumberCoding(Numbers{Widths: []string{"10"}, Integers: true})), []string{"-1 [-10--1] *", "0 [0-9] *", "-10 [-10--1] *"}, nil},
		{"decimals", coding(NumberCoding(Numbers{Widths: []string{"0.5", "10"}, Origin: "0.25"})),
			[]string{"0.2499 [-0.25,0.25) [-9.75,0.25) *", "0.25 [0.25,0.75) [0.25,10.25) *", "-0.251 [-0.75,-0.25) [-9.75,0.25) *", "7 [6.75,7.25) [0.25,10.25) *"},
			[]string{"NaN", "1,5", ".5", "5.", "-"}},
		{"postal codes", coding(MaskCoding(Masks{Hidden: []int{1, 3}, Digits: true, Length: 5})), []string{"02139 0213* 02*** *"}, []string{"2139", "0213a", ""}},
		{"from the left", coding(MaskCoding(Masks{Hidden: []int{2}, Left: true})), []string{"äöü **ü *", "a * *"}, []string{"\xff"}},
		{"dates", coding(DateCoding(Day, Month, Quarter, Year, Decade)),
			[]string{"1980-12-31T23:59:59+02:00 1980-12-31 1980-12 1980-Q4 1980 1980s *", "1989-03 1989-03 1989-03 1989-Q1 1989 1980s *", "2001 2001 2001 2001 2001 2000s *", "2024-02-29 2024-02-29 2024-02 2024-Q1 2024 2020s *"},
			[]string{"2023-02-29", "03/04/1980", "80", "1980-1-1", ""}},
		{"listed", coding(ReadListed(strings.NewReader("\ufeffBerlin;DE;*\nParis;FR;*\n\"a;b\";FR;*\n"))), []string{"Berlin DE *", "a;b FR *"}, []string{"berlin", "Rome", ""}},
	} {
		var values []string
		for _, line := range c.covers {
			value, _, _ := strings.Cut(line, " ")
			values = append(values, value)
			if _, err := c.coding.Code([]byte(value)); err != nil {
				t.Errorf("%s: %q is not covered", c.name, value)
			}
		}
		for _, value := range c.not {
			if _, err := c.coding.Code([]byte(value)); !errors.Is(err, ErrUncovered) || len(value) > 1 && strings.Contains(err.Error(), value) {
				t.Errorf("%s: Code(%q) error = %v, want ErrUncovered without the value", c.name, value, err)
			}
		}
		if err := c.coding.Fix(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, line := range c.covers {
			if got := written(t, c.coding, values[i]); got != line {
				t.Errorf("%s: %q, want %q", c.name, got, line)
			}
		}
		if n := c.coding.Attribute("x").Hierarchy.Levels(); n != c.coding.Levels() {
			t.Errorf("%s: Levels() = %d, the hierarchy has %d", c.name, c.coding.Levels(), n)
		}
		if _, err := c.coding.Code([]byte("7654321")); !errors.Is(err, ErrUncovered) {
			t.Errorf("%s: a value that was not learnt: Code() error = %v, want ErrUncovered", c.name, err)
		}
	}
}

func TestCodingsRefuse(t *testing.T) {
	for name, make := range map[string]func() (*Coding, error){
		"widths that do not nest":  func() (*Coding, error) { return NumberCoding(Numbers{Widths: []string{"5", "12"}}) },
		"a width of nothing":       func() (*Coding, error) { return NumberCoding(Numbers{Widths: []string{"0"}}) },
		"a fraction of an integer": func() (*Coding, error) { return NumberCoding(Numbers{Widths: []string{"0.5"}, Integers: true}) },
		"bottom above top":         func() (*Coding, error) { return NumberCoding(Numbers{Widths: []string{"5"}, Bottom: "9", Top: "1"}) },
		"a huge width":             func() (*Coding, error) { return NumberCoding(Numbers{Widths: []string{"1" + strings.Repeat("0", 30)}}) },
		"masks that shrink":        func() (*Coding, error) { return MaskCoding(Masks{Hidden: []int{3, 2}}) },
		"steps that go back":       func() (*Coding, error) { return DateCoding(Year, Month) },
		"no rows":                  func() (*Coding, error) { return ReadListed(strings.NewReader("")) },
		"ragged rows":              func() (*Coding, error) { return ReadListed(strings.NewReader("a;b;*\nc;*\n")) },
		"an ancestor falls apart":  func() (*Coding, error) { return ReadListed(strings.NewReader("a;b;c\nd;b;e\n")) },
		"a value twice":            func() (*Coding, error) { return ReadListed(strings.NewReader("a;b\na;c\n")) },
		"an empty ancestor":        func() (*Coding, error) { return ReadListed(strings.NewReader("a;;*\n")) },
		"not UTF-8":                func() (*Coding, error) { return ReadListed(strings.NewReader("\xff;b\n")) },
		"a column of nothing": func() (*Coding, error) {
			c := PlainCoding()
			return c, c.Fix()
		},
	} {
		if _, err := make(); !errors.Is(err, ErrHierarchy) {
			t.Errorf("%s: error = %v, want ErrHierarchy", name, err)
		}
	}
}

// Whatever order values come in and however many goroutines bring them, codes and tables are the same; a null stays a null.
func TestTablesDoNotDependOnTheOrderOfRows(t *testing.T) {
	build := func(workers, turn int) (*Table, *Coding) {
		age, city := must[*Coding](t)(NumberCoding(Numbers{Widths: []string{"10"}, Integers: true})), PlainCoding()
		builders := make([]*Builder, workers)
		var wg sync.WaitGroup
		for w := range builders {
			builders[w] = NewBuilder(2, 0)
			wg.Go(func() {
				for i := w; i < 3000; i += workers {
					n := (i*turn + 17) % 3000
					a, err := age.Code([]byte(fmt.Sprint(n % 97)))
					c, err2 := city.Code([]byte(fmt.Sprint("city ", n%13)))
					if n%13 == 5 {
						c, err2 = city.Missing()
					}
					if err != nil || err2 != nil {
						t.Error(err, err2)
					}
					builders[w].Add([]uint32{a, c}, nil)
				}
			})
		}
		wg.Wait()
		for _, other := range builders[1:] {
			if err := builders[0].Merge(other); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(age.Fix(), city.Fix()); err != nil {
			t.Fatal(err)
		}
		table, err := builders[0].Table([]Attribute{age.Attribute("age"), city.Attribute("city")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return table, city
	}
	one, _ := build(1, 1)
	for _, workers := range []int{1, 2, 5} {
		other, city := build(workers, 7)
		if one.Rows() != 3000 || one.Len() != other.Len() || fmt.Sprint(one.keys, one.counts) != fmt.Sprint(other.keys, other.counts) {
			t.Fatalf("%d workers and another order of rows give another table", workers)
		}
		code, err := city.Missing()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := city.Append(nil, Cell{Code: code}); ok {
			t.Error("a null has a text")
		}
		if text, ok := city.Append(nil, Cell{Level: 1, Code: 0}); !ok || string(text) != "*" {
			t.Errorf("at the last level everything is %q, want *", text)
		}
	}
}

func TestBuilderWidensAndFinds(t *testing.T) {
	b := NewBuilder(3, 1)
	const n = 5000
	for i := range uint32(n) {
		b.Add([]uint32{i % 7, i, i * 3 % 4096}, []uint32{i % 2})
		b.Add([]uint32{i % 7, i, i * 3 % 4096}, []uint32{0})
	}
	own := make([]uint32, n)
	for i := range own {
		own[i] = uint32(i)
	}
	h := must[*Hierarchy](t)(NewHierarchy([][]uint32{own, make([]uint32, n)}))
	table := must[*Table](t)(b.Table([]Attribute{{Name: "a", Hierarchy: h}, {Name: "b", Hierarchy: h}, {Name: "c", Hierarchy: h}}, []Sensitive{{Name: "s", Values: 2}}))
	if table.Len() != n || table.Rows() != 2*n || b.Rows() != 0 {
		t.Errorf("%d combinations in %d rows, want %d in %d", table.Len(), table.Rows(), n, 2*n)
	}
	for i := range uint32(n) {
		at, ok := table.Find([]uint32{i % 7, i, i * 3 % 4096})
		if !ok || table.Count(at) != 2 {
			t.Fatalf("row %d: found %v with %d rows, want 2", i, ok, table.Count(at))
		}
	}
	if _, ok := table.Find([]uint32{6, 0, 0}); ok {
		t.Error("a combination is found that was not added")
	}
	b.Add([]uint32{0, n, 0}, []uint32{0})
	if _, err := b.Table([]Attribute{{Name: "a", Hierarchy: h}, {Name: "b", Hierarchy: h}, {Name: "c", Hierarchy: h}}, []Sensitive{{Name: "s", Values: 2}}); !errors.Is(err, ErrTable) {
		t.Errorf("a code beyond the hierarchy: Table() error = %v, want ErrTable", err)
	}
}

func FuzzReadListed(f *testing.F) {
	f.Add("a;b;*\nc;b;*\n")
	f.Add("\"x\"\"y\",z\n,z\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadListed(strings.NewReader(text))
		if err != nil {
			return
		}
		h := c.Attribute("x").Hierarchy
		for v := range h.Codes(0) {
			own, _ := c.Append(nil, Cell{Code: uint32(v)})
			if code, err := c.Code(own); err != nil || int(code) != v {
				t.Fatalf("value %d has code %d (%v)", v, code, err)
			}
			for l := 1; l < h.Levels(); l++ {
				if text, ok := c.Append(nil, Cell{Level: l, Code: h.At(l, uint32(v))}); !ok || len(text) == 0 {
					t.Fatalf("value %d has no text at level %d", v, l)
				}
			}
		}
	})
}

func TestTablesAndHierarchiesAreBounded(t *testing.T) {
	deep := make([][]uint32, 65)
	for l := range deep {
		deep[l] = []uint32{0}
	}
	if _, err := NewHierarchy(deep); !errors.Is(err, ErrHierarchy) {
		t.Errorf("65 levels: NewHierarchy() error = %v, want ErrHierarchy", err)
	}
	h := must[*Hierarchy](t)(NewHierarchy(deep[:64]))
	wide := make([]Attribute, 257)
	for a := range wide {
		wide[a] = Attribute{Name: fmt.Sprint(a), Hierarchy: h}
	}
	b := NewBuilder(257, 0)
	b.Add(make([]uint32, 257), nil)
	if _, err := b.Table(wide, nil); !errors.Is(err, ErrTable) {
		t.Errorf("257 columns: Table() error = %v, want ErrTable", err)
	}
	b = NewBuilder(100, 0)
	b.Add(make([]uint32, 100), nil)
	table := must[*Table](t)(b.Table(wide[:100], nil))
	if _, err := Search(t.Context(), table, Options{Models: []Model{KAnonymity{1}}}); !errors.Is(err, ErrLattice) {
		t.Errorf("64 levels of a hundred attributes: Search() error = %v, want ErrLattice", err)
	}
}
