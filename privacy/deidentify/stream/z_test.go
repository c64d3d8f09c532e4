package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// clock is one that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func texts(values ...string) []Value {
	out := make([]Value, len(values))
	for i, v := range values {
		out[i] = Value{Text: v}
	}
	return out
}

// definition is z-anonymity word by word: all records that were in order, and a look at each of them.
type definition struct {
	z      int
	window time.Duration
	seen   []Record
	latest time.Time
}

func (d *definition) passes(r Record, of []int) bool {
	subjects := map[string]bool{}
	for _, s := range d.seen {
		same := r.Time.Sub(s.Time) < d.window
		for _, i := range of {
			same = same && s.Values[i] == r.Values[i]
		}
		if same {
			subjects[string(s.Subject)] = true
		}
	}
	return len(subjects) >= d.z
}

func TestZAgreesWithTheDefinition(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := definition{z: 2 + rng.IntN(5), window: time.Duration(1 + rng.IntN(400))}
		each := seed%2 == 1
		c := &clock{start}
		z, err := NewZ(ZOptions{Z: d.z, Window: d.window, Attributes: []string{"place", "sex"}, Each: each, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		passed, suppressed := 0, 0
		for i := range 600 {
			c.t = c.t.Add(time.Duration(rng.IntN(12)))
			r := Record{Time: c.t, Subject: []byte{byte(rng.IntN(12))}, Values: texts(fmt.Sprint(rng.IntN(4)), fmt.Sprint(rng.IntN(2))), Carry: i}
			if rng.IntN(9) == 0 {
				r.Values[1] = Value{Null: true}
			}
			switch rng.IntN(15) {
			case 0:
				r.Time = c.t.Add(-time.Duration(rng.IntN(30)))
			case 1:
				r.Time = c.t.Add(time.Duration(1 + rng.IntN(30)))
			}
			out, err := z.Push(r)
			if err != nil || len(out) != 1 || out[0].Carry != i || out[0].Record != uint64(i+1) {
				t.Fatalf("seed %d: record %d came out as %v, %v", seed, i, out, err)
			}
			want := []bool{false, false}
			if !r.Time.Before(d.latest) && !r.Time.After(c.t) {
				d.latest = r.Time
				d.seen = append(d.seen, r)
				want = []bool{d.passes(r, []int{0, 1}), d.passes(r, []int{0, 1})}
				if each {
					want = []bool{d.passes(r, []int{0}), d.passes(r, []int{1})}
				}
			} else if out[0].Why != Clock {
				t.Fatalf("seed %d: record %d is out of order and came out as %v", seed, i, out[0].Why)
			}
			for a, pass := range want {
				got := Value{Null: true}
				if out[0].Cells != nil {
					got = out[0].Cells[a]
				}
				if pass && got != r.Values[a] || !pass && !got.Null {
					t.Fatalf("seed %d: record %d: attribute %d passed = %v, want %v", seed, i, a, !got.Null, pass)
				}
			}
			if (out[0].Why == Published) != (want[0] || want[1]) {
				t.Fatalf("seed %d: record %d came out as %v, want %v", seed, i, out[0].Why, want)
			}
			if out[0].Why == Published {
				passed++
			} else {
				suppressed++
			}
		}
		if s := z.Stats(); s.Pushed != 600 || s.Published != uint64(passed) || s.Suppressed != uint64(suppressed) {
			t.Fatalf("stats are %+v, want %d passed and %d suppressed", s, passed, suppressed)
		}
	}
}

func TestZWindowIsOpenAtItsBeginning(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  Reason
	}{{time.Hour - 1, Published}, {time.Hour, Few}} {
		z, _ := NewZ(ZOptions{Z: 2, Window: time.Hour, Attributes: []string{"a"}, Now: func() time.Time { return start.Add(time.Hour) }})
		z.Push(Record{Time: start, Subject: []byte("x"), Values: texts("1")})
		out, _ := z.Push(Record{Time: start.Add(c.after), Subject: []byte("y"), Values: texts("1")})
		if out[0].Why != c.want {
			t.Errorf("%v after the other subject: %v, want %v", c.after, out[0].Why, c.want)
		}
	}
}

func TestZCountsSubjectsNotRecords(t *testing.T) {
	z, _ := NewZ(ZOptions{Z: 3, Window: time.Hour, Attributes: []string{"a"}})
	for i := range 1000 {
		if out, _ := z.Push(Record{Subject: []byte{byte(i % 2)}, Values: texts("rare")}); out[0].Why != Few {
			t.Fatalf("two subjects alone: record %d came out as %v", i, out[0].Why)
		}
	}
}

func TestZDoesNotMixUpValues(t *testing.T) {
	z, _ := NewZ(ZOptions{Z: 2, Window: time.Hour, Attributes: []string{"a", "b"}})
	for i, v := range [][]Value{texts("1", "23"), texts("12", "3"), texts("123", ""), texts("", "123"),
		{{Text: "123"}, {Null: true}}, {{Null: true}, {Text: "123"}}, {{Text: "123\x00"}, {Null: true}}, texts("a\x01b", ""), texts("a", "b\x01")} {
		if out, _ := z.Push(Record{Subject: []byte{byte(i)}, Values: v}); out[0].Why != Few {
			t.Errorf("combination %d was taken for one before it", i)
		}
	}
	each, _ := NewZ(ZOptions{Z: 2, Window: time.Hour, Attributes: []string{"a", "b"}, Each: true})
	each.Push(Record{Subject: []byte("x"), Values: texts("1", "2")})
	if out, _ := each.Push(Record{Subject: []byte("y"), Values: texts("2", "1")}); out[0].Why != Few {
		t.Error("a value of one attribute counted for another")
	}
}

// A flood of combinations that nobody else shows must neither take memory without end nor let anything pass.
func TestZFullSuppresses(t *testing.T) {
	c := &clock{start}
	z, _ := NewZ(ZOptions{Z: 2, Window: time.Minute, Attributes: []string{"a"}, Capacity: 10, Now: c.now})
	push := func(subject, value string) Reason {
		t.Helper()
		out, err := z.Push(Record{Subject: []byte(subject), Values: texts(value)})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Why
	}
	push("x", "common")
	for i := range 1000 {
		if why := push("flood", fmt.Sprint(i)); i >= 9 && why != Full {
			t.Fatalf("combination %d: %v, want full", i, why)
		}
	}
	if n := z.Stats().Held; n != 10 {
		t.Fatalf("%d combinations are held, want 10", n)
	}
	if push("y", "common") != Published {
		t.Error("what was held before the flood no longer passes")
	}
	if push("x", "new") != Full || push("y", "new") != Full {
		t.Error("a combination that is not held passed or was taken")
	}
	c.t = c.t.Add(time.Minute)
	if push("x", "new") != Few || push("y", "new") != Published {
		t.Error("room is not made when the window has passed")
	}
}

func TestZFullNeverPassesWhatTheDefinitionDoesNot(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	c := &clock{start}
	d := definition{z: 3, window: 50}
	z, _ := NewZ(ZOptions{Z: 3, Window: 50, Attributes: []string{"a"}, Capacity: 5, Now: c.now})
	passed, full := 0, 0
	for range 5000 {
		c.t = c.t.Add(time.Duration(rng.IntN(4)))
		r := Record{Time: c.t, Subject: []byte{byte(rng.IntN(9))}, Values: texts(fmt.Sprint(min(rng.IntN(12), rng.IntN(12))))}
		d.seen = append(d.seen, r)
		if len(d.seen) > 200 {
			d.seen = d.seen[1:]
		}
		out, _ := z.Push(r)
		switch out[0].Why {
		case Published:
			passed++
			if !d.passes(r, []int{0}) {
				t.Fatal("a value passed without its subjects")
			}
		case Full:
			full++
		}
	}
	if passed < 500 || full < 500 {
		t.Fatalf("%d passed and %d found no room: the test tests little", passed, full)
	}
}

// A clock that was wrong must not bring back a window that is over, or forget one that is not.
func TestZBackwardClockSuppresses(t *testing.T) {
	c := &clock{start}
	z, _ := NewZ(ZOptions{Z: 2, Window: time.Hour, Attributes: []string{"a"}, Now: c.now})
	push := func(subject string) Reason {
		out, _ := z.Push(Record{Subject: []byte(subject), Values: texts("1")})
		return out[0].Why
	}
	push("x")
	push("y")
	c.t = start.Add(-time.Second)
	for _, s := range []string{"x", "y", "z"} {
		if why := push(s); why != Clock {
			t.Errorf("a second back: %v, want clock", why)
		}
	}
	z.Tick(c.t)
	c.t = start.Add(time.Minute)
	if push("x") != Published {
		t.Error("nothing passes when the clock is right again")
	}
	c.t = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if push("x") != Clock {
		t.Error("a time that does not fit passed")
	}
}

// A record that names a time far ahead must not empty the window or stop the stream.
func TestZRecordFromTheFutureChangesNothing(t *testing.T) {
	z, _ := NewZ(ZOptions{Z: 2, Window: time.Hour, Attributes: []string{"a"}, Now: func() time.Time { return start }})
	z.Push(Record{Subject: []byte("x"), Values: texts("1")})
	out, _ := z.Push(Record{Time: start.Add(1), Subject: []byte("m"), Values: texts("1")})
	z.Tick(start.Add(24 * time.Hour))
	next, _ := z.Push(Record{Subject: []byte("y"), Values: texts("1")})
	if out[0].Why != Clock || next[0].Why != Published {
		t.Errorf("from the future: %v; after it: %v", out[0].Why, next[0].Why)
	}
}

func TestZMemoryStaysBelowItsBound(t *testing.T) {
	const capacity, many = 3000, 7
	for _, zz := range []int{2, 5, 20} {
		c := &clock{start}
		z, _ := NewZ(ZOptions{Z: zz, Window: time.Hour, Attributes: []string{"a"}, Capacity: capacity, Now: c.now})
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for s := range many * zz {
			for v := range 2 * capacity {
				z.Push(Record{Subject: fmt.Append(nil, s), Values: texts(fmt.Sprint(v))})
			}
			if zz == 20 && s > 25 {
				break
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		if held > z.Bound() {
			t.Errorf("z %d: %d bytes are held, bound is %d", zz, held, z.Bound())
		}
		if held < z.Bound()/3 {
			t.Errorf("z %d: %d bytes are held, and a bound of %d says little", zz, held, z.Bound())
		}
		runtime.KeepAlive(z)
	}
}

func TestZRefuses(t *testing.T) {
	good := ZOptions{Z: 2, Window: 1, Attributes: []string{"a"}}
	for name, change := range map[string]func(*ZOptions){
		"z 1": func(o *ZOptions) { o.Z = 1 }, "no window": func(o *ZOptions) { o.Window = 0 }, "no attribute": func(o *ZOptions) { o.Attributes = nil },
		"a name twice": func(o *ZOptions) { o.Attributes = []string{"a", "a"} }, "no name": func(o *ZOptions) { o.Attributes = []string{""} },
		"capacity": func(o *ZOptions) { o.Capacity = -1 },
	} {
		o := good
		o.Attributes = slices.Clone(good.Attributes)
		change(&o)
		if z, err := NewZ(o); !errors.Is(err, ErrOptions) || z != nil {
			t.Errorf("%s: NewZ() = %v, want ErrOptions", name, err)
		}
	}
	z, _ := NewZ(good)
	if out, err := z.Push(Record{Values: texts("1")}); !errors.Is(err, ErrRecord) || out != nil {
		t.Errorf("without subject: %v", err)
	}
	if out, err := z.Push(Record{Subject: []byte("x")}); !errors.Is(err, ErrRecord) || out != nil {
		t.Errorf("without values: %v", err)
	}
	z.Flush()
	if _, err := z.Push(Record{Subject: []byte("x"), Values: texts("1")}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Flush: %v, want ErrClosed", err)
	}
	z.Tick(time.Now())
	if s := z.Stats(); s.Pushed != 0 || s.Refused != 2 || s.Held != 0 {
		t.Errorf("stats are %+v", s)
	}
}
