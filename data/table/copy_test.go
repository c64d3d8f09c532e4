package table_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/table"
)

// counter is a table of chunks of ten rows that holds nothing but their numbers.
type counter struct {
	chunks, given int
	rows          int   // of a chunk as Next says it; 0: ten
	broken        int64 // row in whose chunk Read fails
	ahead         *atomic.Int64
	most          atomic.Int64
}

func (c *counter) Columns() []table.Column { return []table.Column{{Name: "n"}, {Name: "m"}} }
func (c *counter) Close() error            { return nil }

func (c *counter) Next(ctx context.Context) (table.Chunk, error) {
	if c.given == c.chunks {
		return table.Chunk{}, io.EOF
	}
	c.given++
	if c.ahead != nil {
		if n := c.ahead.Add(1); n > c.most.Load() {
			c.most.Store(n)
		}
	}
	rows := 10
	if c.rows != 0 {
		rows = c.rows
	}
	return table.Chunk{First: int64(c.given-1)*10 + 1, Rows: rows, Bytes: 100}, nil
}

func (c *counter) Read(_ context.Context, k table.Chunk, b *table.Batch) error {
	if c.broken > 0 && k.First <= c.broken && c.broken < k.First+10 {
		time.Sleep(time.Millisecond) // so that later chunks fail earlier
	}
	if c.broken > 0 && k.First+10 > c.broken {
		return &table.Error{Table: "t", Row: max(c.broken, k.First), Why: "is broken"}
	}
	b.First, b.Rows, b.Width, b.Cells, b.Drop = k.First, 10, 2, b.Cells[:0], nil
	for i := range 10 {
		n := []byte(fmt.Sprint(k.First + int64(i)))
		b.Cells = append(b.Cells, table.Cell{Kind: table.Number, Text: n}, table.Cell{Kind: table.Text, Text: n})
	}
	return nil
}

// list is a writer that keeps rows in memory.
type list struct {
	rows        []string
	behind      int64
	checkpoints int
	fail        error
	slow        time.Duration
	ahead       *atomic.Int64
}

func (l *list) Encode(b *table.Batch) (table.Encoded, error) {
	var out []string
	for i := range b.Rows {
		if b.Drop == nil || !b.Drop[i] {
			out = append(out, string(b.Row(i)[0].Text))
		}
	}
	return table.Encoded{First: b.First, Rows: b.Rows, Data: out}, nil
}

func (l *list) Write(_ context.Context, e table.Encoded) error {
	time.Sleep(l.slow)
	if l.ahead != nil {
		l.ahead.Add(-1)
	}
	l.rows = append(l.rows, e.Data.([]string)...)
	return l.fail
}

func (l *list) Checkpoint(context.Context) error       { l.checkpoints++; return nil }
func (l *list) Rows() int64                            { return l.behind }
func (l *list) Finish(context.Context) (string, error) { return "", nil }
func (l *list) Commit(context.Context) error           { return nil }
func (l *list) Close() error                           { return nil }

// noneLeft fails the test if goroutines are left that were not there before.
func noneLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 60_000 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	})
}

func TestCopyKeepsTheOrderAndHoldsFewChunks(t *testing.T) {
	noneLeft(t)
	const workers = 4
	ahead := new(atomic.Int64)
	src := &counter{chunks: 200, ahead: ahead}
	dst := &list{slow: 50 * time.Microsecond, ahead: ahead}
	var calls int
	var last table.Progress
	err := table.Copy(t.Context(), src, dst, func(b *table.Batch) error {
		b.Select([]int{1})
		if b.First%70 == 1 {
			time.Sleep(time.Millisecond)
		}
		b.Drop = make([]bool, b.Rows)
		b.Drop[4] = true
		return nil
	}, table.Options{Workers: workers, Checkpoint: -1, Progress: func(p table.Progress) { calls++; last = p }})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := 1; i <= 2000; i++ {
		if i%10 != 5 {
			want = append(want, fmt.Sprint(i))
		}
	}
	if strings.Join(dst.rows, " ") != strings.Join(want, " ") {
		t.Errorf("rows are not those of the source, in order, without those left out")
	}
	if most := src.most.Load(); most > workers+2 {
		t.Errorf("%d chunks in flight, want at most %d", most, workers+2)
	}
	if calls != 200 || last != (table.Progress{Rows: 2000, Bytes: 20000}) || dst.checkpoints != 200 {
		t.Errorf("%d reports, the last %+v, %d checkpoints", calls, last, dst.checkpoints)
	}
}

func TestTheEarliestErrorWins(t *testing.T) {
	noneLeft(t)
	for range 20 {
		dst := &list{}
		err := table.Copy(t.Context(), &counter{chunks: 50, broken: 123}, dst, nil, table.Options{Workers: 4})
		if err == nil || err.Error() != "t: row 123: is broken" || len(dst.rows) != 120 {
			t.Fatalf("error %v behind %d rows, want row 123 behind 120", err, len(dst.rows))
		}
	}
	full := errors.New("no space")
	if err := table.Copy(t.Context(), &counter{chunks: 50}, &list{fail: full}, nil, table.Options{}); err != full {
		t.Errorf("a writer that fails: error %v, want its own", err)
	}
	sour := errors.New("plan says no")
	err := table.Copy(t.Context(), &counter{chunks: 50}, &list{}, func(b *table.Batch) error { return sour }, table.Options{})
	if err != sour {
		t.Errorf("a change that fails: error %v, want its own", err)
	}
}

func TestCopyStopsWhenItIsTold(t *testing.T) {
	noneLeft(t)
	ctx, cancel := context.WithCancel(t.Context())
	dst := &list{slow: time.Millisecond}
	began := time.Now()
	err := table.Copy(ctx, &counter{chunks: 1 << 20}, dst, nil, table.Options{Progress: func(p table.Progress) {
		if p.Rows == 100 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(dst.rows) > 200 || time.Since(began) > time.Minute {
		t.Errorf("error %v behind %d rows after %v, want Canceled soon behind 100", err, len(dst.rows), time.Since(began))
	}
}

func TestCopyGoesOnBehindWhatIsWritten(t *testing.T) {
	for _, rows := range []int{0, -1} { // also where chunks do not say how many rows they have
		for _, behind := range []int64{0, 1, 10, 25, 100, 199, 200} {
			dst := &list{behind: behind}
			changed := new(atomic.Int64)
			err := table.Copy(t.Context(), &counter{chunks: 20, rows: rows}, dst, func(b *table.Batch) error {
				changed.Add(int64(b.Rows))
				return nil
			}, table.Options{Workers: 3})
			if err != nil || int64(len(dst.rows)) != 200-behind || changed.Load() != 200-behind {
				t.Errorf("behind %d: %d rows, %d changed, %v", behind, len(dst.rows), changed.Load(), err)
			}
			if len(dst.rows) > 0 && dst.rows[0] != fmt.Sprint(behind+1) {
				t.Errorf("behind %d: goes on with row %s", behind, dst.rows[0])
			}
		}
	}
}

func TestSelectNamesWhatIsMissing(t *testing.T) {
	for _, names := range [][]string{{"x"}, {"n", "n"}} {
		_, err := table.Select("t", &counter{}, names)
		if e, ok := errors.AsType[*table.Error](err); !ok || e.Column != names[len(names)-1] {
			t.Errorf("%v: error %v, want one that names the column", names, err)
		}
	}
}

// Example copies a table and counts its rows.
func Example() {
	dst := &list{}
	err := table.Copy(context.Background(), &counter{chunks: 3}, dst, nil, table.Options{})
	fmt.Println(len(dst.rows), err)
	// Output: 30 <nil>
}
