package parquet

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/scrimhq/scrim/data/table"
)

// readSome reads some thousand rows of a file that is in memory, at most.
func readSome(ctx context.Context, raw []byte) (rows int, err error) {
	r := &reader{file: file{name: "fuzz", f: bytes.NewReader(raw), size: int64(len(raw))}, row: 1}
	if err := r.begin(); err != nil {
		return 0, err
	}
	var whole []string
	for i := range r.columns {
		if r.columns[i].why == "" {
			whole = append(whole, r.columns[i].Name)
		}
	}
	if err := r.Select(whole); err != nil || len(whole) == 0 {
		return 0, err
	}
	var b table.Batch
	for rows < 5000 {
		if r.group == len(r.meta.RowGroups) && (r.now == nil || r.now.given == r.now.rows) {
			return rows, nil
		}
		c, err := r.Next(ctx)
		if err != nil {
			return rows, err
		}
		c.Rows = min(c.Rows, 5000)
		if err := r.Read(ctx, c, &b); err != nil {
			return rows, err
		}
		rows += b.Rows
	}
	return rows, nil
}

type patient struct {
	ID    int64    `parquet:"id,delta"`
	Name  string   `parquet:"name,dict"`
	Text  string   `parquet:"text,delta"`
	Opt   *string  `parquet:"opt,optional"`
	F32   float32  `parquet:"f32,split"`
	B     bool     `parquet:"b"`
	UUID  [16]byte `parquet:"uuid,uuid"`
	Dec   int64    `parquet:"dec,decimal(2:18)"`
	Date  int32    `parquet:"date,date"`
	Nanos int64    `parquet:"ns,timestamp(nanosecond)"`
	Tags  []string `parquet:"tags,list"`
}

func small(t testing.TB, version int, codec compress.Codec) []byte {
	t.Helper()
	var b bytes.Buffer
	s := "here"
	w := pq.NewGenericWriter[patient](&b, pq.DataPageVersion(version), pq.Compression(codec))
	if _, err := w.Write([]patient{{ID: 1, Name: "n", Text: "aa", Opt: &s, Tags: []string{"x"}}, {ID: -7, Name: "n", Text: "aab", B: true}, {Name: "m"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDamagedBytesAreNoPanic damages every byte of small files, in turn.
func TestDamagedBytesAreNoPanic(t *testing.T) {
	for version := 1; version <= 2; version++ {
		good := small(t, version, &pq.Uncompressed)
		if n, err := readSome(t.Context(), good); n != 3 || err != nil {
			t.Fatalf("%d rows of an undamaged file, %v", n, err)
		}
		failed := 0
		for i := range good {
			for _, x := range []byte{0x01, 0x10, 0x80, 0xff} {
				b := bytes.Clone(good)
				b[i] ^= x
				start := time.Now()
				if _, err := readSome(t.Context(), b); err != nil {
					failed++
				}
				if d := time.Since(start); d > time.Minute {
					t.Errorf("byte %d: took %v", i, d)
				}
			}
		}
		if failed < len(good) {
			t.Errorf("%d of %d damages were noticed", failed, 4*len(good))
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, codec := range []compress.Codec{&pq.Uncompressed, &pq.Snappy, &pq.Zstd} {
		f.Add(small(f, 1, codec))
		f.Add(small(f, 2, codec))
	}
	for _, name := range []string{"testdata/arrow-v1.parquet", "testdata/arrow-v2.parquet"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readSome(t.Context(), b)
	})
}
