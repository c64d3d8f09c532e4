package dialect_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

func collected(s *dialect.Statement) (*[]relation.Group, *dialect.Collector) {
	var got []relation.Group
	return &got, s.Collect(func(g relation.Group) error {
		got = append(got, g)
		return nil
	})
}

func word(s string) relation.Value { return relation.Value{Kind: relation.Text, Text: s} }

// Without bins a row is a group, and nothing is held until another comes.
func TestARowIsHandedOnAsItComes(t *testing.T) {
	got, c := collected(&dialect.Statement{Keys: []relation.Kind{relation.Text}, Sums: 1})
	for i, key := range []any{"b", nil, "a"} {
		if err := c.Row([]any{int64(0), int64(0), key, int64(i), int64(-i)}); err != nil {
			t.Fatal(err)
		}
		if len(*got) != i+1 || !c.Began() {
			t.Fatalf("after %d rows there are %d groups", i+1, len(*got))
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	want := []relation.Group{
		{Keys: []relation.Value{word("b")}, Sums: []int64{0}},
		{Keys: []relation.Value{{Kind: relation.Text, Null: true}}, Units: 1, Sums: []int64{-1}},
		{Keys: []relation.Value{word("a")}, Units: 2, Sums: []int64{-2}},
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("groups %+v, want %+v", *got, want)
	}
}

// With bins a group is handed on when the rows of the next begin, whichever of its own came first.
func TestOneGroupOfBinsIsHeld(t *testing.T) {
	got, c := collected(&dialect.Statement{Keys: []relation.Kind{relation.Text}, Sums: 1, Bins: []int{4, 2}})
	after := []int{0, 0, 0, 1, 1, 2}
	for i, row := range [][]any{
		{int64(1), int64(3), "a", int64(7), int64(0)},
		{int64(0), int64(0), "a", int64(5), int64(50)},
		{int64(2), int64(1), "a", int64(2), int64(0)},
		{int64(0), int64(0), nil, int64(1), int64(10)},
		{int64(1), int64(0), nil, int64(1), int64(0)},
		{int64(0), int64(0), "", int64(1), int64(0)},
	} {
		if err := c.Row(row); err != nil {
			t.Fatal(err)
		}
		if len(*got) != after[i] {
			t.Errorf("after row %d there are %d groups, want %d", i, len(*got), after[i])
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	want := []relation.Group{
		{Keys: []relation.Value{word("a")}, Units: 5, Sums: []int64{50}, Bins: []map[int]int64{{3: 7}, {1: 2}}},
		{Keys: []relation.Value{{Kind: relation.Text, Null: true}}, Units: 1, Sums: []int64{10}, Bins: []map[int]int64{{0: 1}, {}}},
		{Keys: []relation.Value{word("")}, Units: 1, Sums: []int64{0}, Bins: []map[int]int64{{}, {}}},
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("groups %+v, want %+v", *got, want)
	}
}

// A group whose rows do not stand beside each other, or that has no row of its own, is no result.
func TestGroupsThatAreNotWholeAreRefused(t *testing.T) {
	group := func(key any) []any { return []any{int64(0), int64(0), key, int64(1), int64(1)} }
	bin := func(key any) []any { return []any{int64(1), int64(0), key, int64(1), int64(0)} }
	for name, rows := range map[string][][]any{
		"apart":        {group("a"), group("b"), bin("a")},
		"apart within": {group("a"), bin("b"), group("b"), bin("a"), group("c")},
		"cells alone":  {bin("a")},
		"twice":        {group("a"), group("a")},
		"no such bins": {group("a"), {int64(2), int64(0), "a", int64(1), int64(0)}},
	} {
		_, c := collected(&dialect.Statement{Keys: []relation.Kind{relation.Text}, Sums: 1, Bins: []int{4}})
		var err error
		for _, r := range rows {
			if err == nil {
				err = c.Row(r)
			}
		}
		if err == nil {
			err = c.End()
		}
		if !errors.Is(err, dialect.ErrResult) || c.Stopped() != nil {
			t.Errorf("%s: error %v, stopped by %v, want ErrResult", name, err, c.Stopped())
		}
	}
}

func TestWhoStopsAResultGetsHisErrorBack(t *testing.T) {
	enough := errors.New("enough")
	c := (&dialect.Statement{Sums: 1}).Collect(func(relation.Group) error { return enough })
	if err := c.Row([]any{int64(0), int64(0), int64(1), int64(1)}); err != enough || c.Stopped() != enough {
		t.Errorf("error %v, stopped by %v", err, c.Stopped())
	}
}
