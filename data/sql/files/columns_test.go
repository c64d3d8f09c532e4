package files

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

// TestWholeNumbersAreReadAsTheirText compares with what [relation.Field.Read] makes of the text of a number.
func TestWholeNumbersAreReadAsTheirText(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	nulls, clamped, tried := 0, 0, 0
	for range 100_000 {
		is := parquet.Whole{Kind: parquet.WholeKind(1 + rng.IntN(4)), Places: rng.IntN(12), Per: []int64{1, 1000, 1_000_000, 1_000_000_000}[rng.IntN(4)]}
		f := relation.Field{Exact: rng.IntN(2) == 0}
		v := int64(rng.Uint64()) >> rng.IntN(64)
		var text string
		switch is.Kind {
		case parquet.Scaled:
			f.Type = relation.Widest(relation.Number, rng.IntN(10))
			text = relationtest.Decimal(max(v, relation.MinNumber), is.Places)
			v = max(v, relation.MinNumber)
		case parquet.Days:
			f.Type = relation.Widest(relation.Date, 0)
			text = time.Unix(min(max(v, -1e12), 1e12)*86400, 0).UTC().Format(time.DateOnly)
		case parquet.Moments:
			f.Type = relation.Widest(relation.Date+relation.Kind(rng.IntN(2)), 0)
			sec, rest := v/is.Per, v%is.Per
			text = time.Unix(sec, rest*(1_000_000_000/is.Per)).UTC().Format("2006-01-02T15:04:05.999999999")
		case parquet.Flag:
			f.Type = relation.TruthType
			v &= 1
			text = fmt.Sprint(v == 1)
		}
		if f.Type.Kind != relation.Truth && rng.IntN(2) == 0 { // narrower
			f.Type.Min, f.Type.Max = f.Type.Min>>rng.IntN(60), f.Type.Max>>rng.IntN(60)
		}
		read := wholeReader(&f, is)
		if read == nil {
			continue
		}
		tried++
		got, ok := read(v)
		want := f.Read(text)
		if ok == want.Null || ok && got != want.Int {
			t.Fatalf("%+v as %+v: %d is %d, %v, and %q is %+v", is, f, v, got, ok, text, want)
		}
		if !ok {
			nulls++
		} else if got == f.Type.Max || got == f.Type.Min {
			clamped++
		}
	}
	if nulls < 1000 || clamped < 1000 || tried < 90_000 {
		t.Errorf("of %d numbers %d were NULL and %d on a bound", tried, nulls, clamped)
	}
}
