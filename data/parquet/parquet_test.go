package parquet_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/table"
)

// columns has one column of each type.
var columns = []table.Column{
	{Name: "zip", Type: table.String}, {Name: "age", Type: table.Integer, Required: true}, {Name: "dose", Type: table.Decimal},
	{Name: "weight", Type: table.Float}, {Name: "smokes", Type: table.Truth}, {Name: "born", Type: table.Date},
	{Name: "seen", Type: table.Timestamp}, {Name: "scan", Type: table.Bytes}, {Name: "note", Type: table.Mixed},
}

func text(s string) table.Cell   { return table.Cell{Kind: table.Text, Text: []byte(s)} }
func number(s string) table.Cell { return table.Cell{Kind: table.Number, Text: []byte(s)} }

// sample returns the cells of a row.
func sample(n int) []table.Cell {
	if n%7 == 3 {
		row := make([]table.Cell, len(columns))
		row[1] = number("0")
		return row
	}
	return []table.Cell{
		text(fmt.Sprintf("%05d", n)), number(fmt.Sprint(n - 40)), number(fmt.Sprintf("%d.10", n)), number(fmt.Sprintf("%d.5", n)),
		{Kind: table.Bool, Text: []byte(fmt.Sprint(n%2 == 0))}, text(time.Unix(int64(n-9000)*86400, 0).UTC().Format(time.DateOnly)),
		text(time.Unix(int64(n)*4321, int64(n%1000)*1000).UTC().Format(time.RFC3339Nano)), text("AAEC"), text(strings.Repeat("ü", n%5)),
	}
}

func batch(from, to int) *table.Batch {
	b := &table.Batch{First: int64(from + 1), Rows: to - from, Width: len(columns)}
	for i := from; i < to; i++ {
		b.Cells = append(b.Cells, sample(i)...)
	}
	return b
}

func create(t *testing.T, path string, run table.Run) table.Writer {
	t.Helper()
	w, err := parquet.Target(path, parquet.Options{}).Create(t.Context(), columns, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func put(t *testing.T, w table.Writer, from, to int) {
	t.Helper()
	e, err := w.Encode(batch(from, to))
	if err == nil {
		err = w.Write(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, w table.Writer) {
	t.Helper()
	if _, err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// read returns all cells of a file as text, and its columns.
func read(t testing.TB, path string, names ...string) ([]string, []table.Column, error) {
	src, err := parquet.File(path)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	return drain(t.Context(), src, names)
}

const mostRows = 5_000 // what a hostile file is read of

func drain(ctx context.Context, src table.Source, names []string) (rows []string, cols []table.Column, err error) {
	r, err := src.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if names != nil {
		if r, err = table.Select(src.Name(), r, names); err != nil {
			return nil, nil, err
		}
	}
	var b table.Batch
	for {
		c, err := r.Next(ctx)
		if err == io.EOF {
			return rows, r.Columns(), nil
		}
		if err != nil {
			return rows, nil, err
		}
		if c.Rows > mostRows {
			return rows, nil, errors.New("endless")
		}
		if err := r.Read(ctx, c, &b); err != nil {
			return rows, nil, err
		}
		for i := range b.Rows {
			rows = append(rows, line(b.Row(i)))
		}
		if len(rows) > mostRows {
			return rows, nil, errors.New("endless")
		}
	}
}

func line(cells []table.Cell) string {
	var s strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&s, "%d:%s|", c.Kind, c.Text)
	}
	return s.String()
}

func TestEveryTypeComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	w := create(t, path, table.Run{Tag: "a"})
	const n = 3000
	for i := 0; i < n; i += 100 {
		put(t, w, i, i+100)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the final name is there before Commit")
	}
	publish(t, w)
	got, cols, err := read(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("read %d rows, want %d", len(got), n)
	}
	for i := range got {
		want := sample(i)
		if want[2].Kind == table.Number {
			want[2].Kind = table.Text // a decimal without a scale is exact text
		}
		if got[i] != line(want) {
			t.Fatalf("row %d = %s, want %s", i+1, got[i], line(want))
		}
	}
	for i, c := range cols {
		want := columns[i]
		if want.Type == table.Mixed || want.Type == table.Decimal {
			want.Type = table.String
		}
		if c != want {
			t.Errorf("column %+v, want %+v", c, want)
		}
	}
}

func TestResumedFileIsTheSameRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	w := create(t, path, table.Run{Tag: "a"})
	put(t, w, 0, 500)
	if err := w.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, w, 500, 700)
	if err := w.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, w, 700, 900) // lost with the crash
	w.Close()
	f, err := os.OpenFile(path+".scrim-partial", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("half a row group") // as a crash leaves it
	f.Close()

	if _, err := parquet.Target(path, parquet.Options{}).Create(t.Context(), columns, table.Run{Tag: "b", Resume: true}); !errors.Is(err, table.ErrPartial) {
		t.Errorf("another run's table: %v, want ErrPartial", err)
	}
	w = create(t, path, table.Run{Tag: "a", Resume: true})
	if w.Rows() != 700 {
		t.Fatalf("Rows() = %d, want 700", w.Rows())
	}
	put(t, w, 700, 1000)
	publish(t, w)
	got, _, err := read(t, path)
	if err != nil || len(got) != 1000 {
		t.Fatalf("%d rows, error %v; want 1000", len(got), err)
	}
	for i, row := range got {
		if want := strings.SplitN(row, "|", 2)[0]; !strings.Contains(line(sample(i)), want) {
			t.Fatalf("row %d is another", i+1)
		}
	}
	// Another reader agrees.
	raw, _ := os.ReadFile(path)
	other, err := pq.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || other.NumRows() != 1000 {
		t.Fatalf("parquet-go: %v", err)
	}
	if _, err := parquet.Target(path, parquet.Options{}).Create(t.Context(), columns, table.Run{}); !errors.Is(err, table.ErrExists) {
		t.Errorf("Create over a file: %v, want ErrExists", err)
	}
}

func TestLongTextsDoNotGrowTheFooter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := parquet.Target(path, parquet.Options{Codec: parquet.Snappy}).Create(t.Context(), []table.Column{{Name: "a/b", Type: table.String}}, table.Run{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	long := strings.Repeat("long", 1<<20)
	e, err := w.Encode(&table.Batch{First: 1, Rows: 2, Width: 1, Cells: []table.Cell{text(long), text("x" + long)}, Drop: []bool{false, true}})
	if err == nil {
		err = w.Write(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w)
	raw, _ := os.ReadFile(path)
	if n := binary.LittleEndian.Uint32(raw[len(raw)-8:]); n > 4096 {
		t.Errorf("the footer has %d bytes", n)
	}
	if got, _, err := read(t, path); err != nil || len(got) != 1 || got[0] != "1:"+long+"|" {
		t.Errorf("%d rows, %v", len(got), err)
	}
}

func TestDecimalsAndTimesKeepTheSourcesScale(t *testing.T) {
	src, err := parquet.File("testdata/arrow-v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := parquet.Target(path, parquet.Options{}).Create(t.Context(), r.Columns(), table.Run{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := table.Copy(t.Context(), r, w, nil, table.Options{Checkpoint: -1}); err != nil {
		t.Fatal(err)
	}
	publish(t, w)
	want, columns, _ := read(t, "testdata/arrow-v1.parquet")
	got, cols, err := read(t, path)
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%q\n%v, want\n%q", got, err, want)
	}
	for i := range cols {
		if cols[i] != columns[i] {
			t.Errorf("column %+v, want %+v", cols[i], columns[i])
		}
	}
}

func TestCellThatDoesNotFitIsNamedAndNotShown(t *testing.T) {
	w := create(t, filepath.Join(t.TempDir(), "t.parquet"), table.Run{})
	for at, cell := range map[int]table.Cell{
		1: text("canary-1"), 3: number("1e999"), 4: text("canary"), 5: text("2023-02-30"), 6: text("2023-02-30T00:00:00Z"), 7: text("?"),
	} {
		b := batch(0, 2)
		b.Row(1)[at] = cell
		_, err := w.Encode(b)
		wrong, ok := errors.AsType[*table.Error](err)
		if !ok || wrong.Row != 2 || wrong.Column != columns[at].Name || strings.Contains(err.Error(), string(cell.Text)+" ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("column %s: error %v", columns[at].Name, err)
		}
	}
	b := batch(0, 1)
	b.Row(0)[1] = table.Cell{}
	if _, err := w.Encode(b); err == nil {
		t.Error("a null in a column without nulls was taken")
	}
}

// person is written by the other implementation, in its encodings.
type person struct {
	ID     int64    `parquet:"id,delta"`
	Small  int32    `parquet:"small,delta"`
	Name   string   `parquet:"name,dict"`
	Delta  string   `parquet:"delta_text,delta"`
	Opt    *string  `parquet:"opt,optional"`
	F32    float32  `parquet:"f32,split"`
	F64    float64  `parquet:"f64"`
	B      bool     `parquet:"b"`
	UUID   [16]byte `parquet:"uuid,uuid"`
	Dec    int64    `parquet:"dec,decimal(2:18)"`
	U64    uint64   `parquet:"u64"`
	Date   int32    `parquet:"date,date"`
	Millis int64    `parquet:"ms,timestamp(millisecond)"`
	Nanos  int64    `parquet:"ns,timestamp(nanosecond)"`
	Raw    []byte   `parquet:"raw"`
	Home   struct {
		City string `parquet:"city"`
		Zip  *int32 `parquet:"zip,optional"`
	} `parquet:"home"`
}

func people(n int) []person {
	out := make([]person, n)
	for i := range out {
		p := &out[i]
		p.ID, p.Small, p.Name, p.Delta = int64(i)*1e9-5, int32(-i), fmt.Sprint("n", i%13), fmt.Sprintf("prefix-%06d", i)
		if i%3 == 0 {
			s := fmt.Sprint("o", i)
			p.Opt = &s
		}
		p.F32, p.F64, p.B = float32(i)/3, float64(i)/7, i%2 == 1
		p.UUID[15], p.Dec, p.U64 = byte(i), int64(i)-3, math.MaxUint64-uint64(i)
		p.Date, p.Millis, p.Nanos, p.Raw = int32(i-100), int64(i)*1001-7, int64(i)*1001, []byte{byte(i), 0xff}
		p.Home.City = "c"
		if i%5 == 0 {
			z := int32(i)
			p.Home.Zip = &z
		}
	}
	return out
}

func writeOther(t testing.TB, n int, version int, codec compress.Codec) string {
	t.Helper()
	return writePages(t, n, version, codec, 1000)
}

func writePages(t testing.TB, n int, version int, codec compress.Codec, page int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pq.NewGenericWriter[person](f, pq.Compression(codec), pq.DataPageVersion(version), pq.PageBufferSize(page), pq.MaxRowsPerRowGroup(int64(n/2+1)))
	if _, err := w.Write(people(n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return path
}

func TestFilesOfAnotherWriter(t *testing.T) {
	codecs := map[string]compress.Codec{"none": &pq.Uncompressed, "snappy": &pq.Snappy, "gzip": &pq.Gzip, "zstd": &pq.Zstd, "brotli": &pq.Brotli, "lz4": &pq.Lz4Raw}
	for name, codec := range codecs {
		for version := 1; version <= 2; version++ {
			const n = 2500
			got, cols, err := read(t, writeOther(t, n, version, codec))
			if err != nil {
				t.Fatalf("%s, pages of version %d: %v", name, version, err)
			}
			if len(got) != n {
				t.Fatalf("%s: %d rows", name, len(got))
			}
			at := map[string]int{}
			for i, c := range cols {
				at[c.Name] = i
			}
			for i, p := range people(n) {
				cells := strings.Split(got[i], "|")
				want := map[string]string{
					"id": fmt.Sprintf("2:%d", p.ID), "small": fmt.Sprintf("2:%d", p.Small), "name": "1:" + p.Name, "delta_text": "1:" + p.Delta,
					"b": fmt.Sprintf("3:%v", p.B), "u64": fmt.Sprintf("2:%d", p.U64), "home/city": "1:c", "home/zip": "0:", "opt": "0:",
					"dec": fmt.Sprintf("2:%.2f", float64(p.Dec)/100), "date": "1:" + time.Unix(int64(p.Date)*86400, 0).UTC().Format(time.DateOnly),
					"ms": "1:" + time.UnixMilli(p.Millis).UTC().Format(time.RFC3339Nano), "ns": "1:" + time.Unix(0, p.Nanos).UTC().Format(time.RFC3339Nano),
					"uuid": fmt.Sprintf("1:00000000-0000-0000-0000-0000000000%02x", p.UUID[15]),
				}
				if p.Opt != nil {
					want["opt"] = "1:" + *p.Opt
				}
				if p.Home.Zip != nil {
					want["home/zip"] = fmt.Sprintf("2:%d", *p.Home.Zip)
				}
				for column, w := range want {
					if cells[at[column]] != w {
						t.Fatalf("%s v%d: row %d, column %s = %s, want %s", name, version, i+1, column, cells[at[column]], w)
					}
				}
			}
		}
	}
}

func TestListsAreRefusedByName(t *testing.T) {
	type row struct {
		ID   int64          `parquet:"id"`
		Tags []string       `parquet:"tags,list"`
		Bag  []int64        `parquet:"bag"`
		M    map[string]int `parquet:"m"`
		End  string         `parquet:"end"`
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := pq.WriteFile(path, []row{{1, []string{"a", "b"}, []int64{1}, map[string]int{"x": 1}, "e"}}); err != nil {
		t.Fatal(err)
	}
	_, _, err := read(t, path)
	if wrong, ok := errors.AsType[*table.Error](err); !ok || (wrong.Column != "tags" && wrong.Column != "bag" && wrong.Column != "m") {
		t.Fatalf("error %v, want one that names the list", err)
	}
	got, _, err := read(t, path, "end", "id")
	if err != nil || len(got) != 1 || got[0] != "1:e|2:1|" {
		t.Errorf("without the lists: %q, %v", got, err)
	}
}

func TestChangedFileIsNoticed(t *testing.T) {
	path := writeOther(t, 50, 1, &pq.Zstd)
	src, err := parquet.File(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := drain(t.Context(), src, nil); err != nil || src.Fingerprint() == "" {
		t.Fatalf("first reading: %v", err)
	}
	other, _ := os.ReadFile(writeOther(t, 51, 1, &pq.Zstd))
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := drain(t.Context(), src, nil); !errors.Is(err, table.ErrChanged) {
		t.Errorf("second reading: %v, want ErrChanged", err)
	}
}

func TestFooterThatLiesIsShort(t *testing.T) {
	// A list of 2^31-1 row groups in a dozen bytes.
	meta := []byte{0x15, 0x02, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00}
	b := append([]byte("PAR1"), meta...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	b = append(b, "PAR1"...)
	path := filepath.Join(t.TempDir(), "t.parquet")
	os.WriteFile(path, b, 0o600)
	allocs := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, _, err := read(b, path); err == nil {
				b.Fatal("no error")
			}
		}
	}).AllocedBytesPerOp()
	if allocs > 1<<20 {
		t.Errorf("refusing it took %d bytes", allocs)
	}
}

func TestFileOfArrow(t *testing.T) {
	raw, err := os.ReadFile("testdata/arrow.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	names := strings.Split(lines[0], "|")
	for _, file := range []string{"testdata/arrow-v1.parquet", "testdata/arrow-v2.parquet"} {
		got, _, err := read(t, file, names...)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(lines)-1 {
			t.Fatalf("%s: %d rows, want %d", file, len(got), len(lines)-1)
		}
		for i, want := range lines[1:] {
			if got[i] != want+"|" {
				t.Errorf("%s: row %d =\n%s, want\n%s|", file, i+1, got[i], want)
			}
		}
	}
}

func TestPageThatUnpacksToMuchIsRefused(t *testing.T) {
	type row struct {
		ID   int64  `parquet:"id"`
		Bomb []byte `parquet:"bomb"`
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := pq.WriteFile(path, []row{{1, make([]byte, 80<<20)}}, pq.Compression(&pq.Zstd), pq.SkipPageBounds("bomb"), pq.SkipPageStatistics("bomb")); err != nil {
		t.Fatal(err)
	}
	if stat, _ := os.Stat(path); stat.Size() > 1<<20 {
		t.Fatalf("the bomb has %d bytes", stat.Size())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := read(t, path)
	runtime.ReadMemStats(&after)
	if wrong, ok := errors.AsType[*table.Error](err); !ok || wrong.Column != "bomb" {
		t.Errorf("error %v, want one that names the column", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
		t.Errorf("refusing it took %d bytes", took)
	}
	if got, _, err := read(t, path, "id"); err != nil || len(got) != 1 {
		t.Errorf("without the column: %q, %v", got, err)
	}
}

func TestMemoryDoesNotGrowWithRows(t *testing.T) {
	rows := 300_000
	if os.Getenv("SCRIM_LONG") != "" {
		rows = 3_000_000
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	w := create(t, path, table.Run{})
	runtime.GC() // what other tests left
	most := uint64(0)
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	for i := 0; i < rows; i += 10_000 {
		put(t, w, 0, 10_000)
		look()
	}
	publish(t, w)
	src, err := parquet.File(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var seen atomic.Int64
	err = table.Each(t.Context(), r, func(worker int, b *table.Batch) error {
		if seen.Add(int64(b.Rows)); worker == 0 {
			look()
		}
		return nil
	}, table.Options{Workers: 1})
	if err != nil || seen.Load() != int64(rows) {
		t.Fatalf("%d rows, %v", seen.Load(), err)
	}
	if most > 600<<20 {
		t.Errorf("the heap had %d MiB", most>>20)
	}
	t.Logf("%d rows, heap at most %d MiB", rows, most>>20)
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		w, err := parquet.Target(filepath.Join(b.TempDir(), "t.parquet"), parquet.Options{}).Create(b.Context(), columns, table.Run{})
		if err != nil {
			b.Fatal(err)
		}
		one := batch(0, 10_000)
		for range 20 {
			e, err := w.Encode(one)
			if err == nil {
				err = w.Write(b.Context(), e)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Finish(b.Context()); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	path := writePages(b, 200_000, 1, &pq.Snappy, 1<<20)
	stat, _ := os.Stat(path)
	b.SetBytes(stat.Size())
	for b.Loop() {
		src, err := parquet.File(path)
		if err != nil {
			b.Fatal(err)
		}
		r, err := src.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := table.Each(b.Context(), r, func(int, *table.Batch) error { return nil }, table.Options{}); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
