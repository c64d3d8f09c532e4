package mosaic_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/demo/mosaic"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// TestMosaicAttack: three agents of one domain single most patients out by three harmless pieces, and few where the gateway remembers what
// the domain was shown: whatever the order, over weeks or all at once. The list is that of small towns, with some hundred people in a postal
// code, where the rules' levels hide less than where ten thousand live. Over weeks it is an eighth at most. All at once it is chance who comes first: about 4
// of a hundred are expected, and a quarter is ten deviations off.
func TestMosaicAttack(t *testing.T) {
	opt := mosaic.Options{Patients: 100, People: patients.Generate(1, 60_000), Seed: 1, NoSync: true}
	for _, atOnce := range []bool{false, true} {
		opt.AtOnce = atOnce
		off, err := mosaic.Run(t.Context(), t.TempDir(), false, opt)
		if err != nil {
			t.Fatal(err)
		}
		if off.SingledOut < off.Patients*9/10 || off.Coarser != 0 || off.Fits != 1 {
			t.Errorf("at once %v: without the memory %d of %d are singled out, want at least nine of ten: the attack is none", atOnce, off.SingledOut, off.Patients)
		}
		on, err := mosaic.Run(t.Context(), t.TempDir(), true, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("at once %v: off %d, on %d of %d, by one piece alone %d; %v fits %d", atOnce, off.SingledOut, on.SingledOut, on.Patients, on.Alone, on.Featured, on.Fits)
		most := off.SingledOut / 8
		if atOnce {
			most = off.SingledOut / 4
		}
		if on.SingledOut-on.Alone > most || on.Coarser < on.Patients || on.Fits < 2 {
			t.Errorf("at once %v: with the memory %d of %d are singled out, %d by one piece alone, want at most %d more; of the one whom the demo is about is held %v, which fits %d",
				atOnce, on.SingledOut, on.Patients, on.Alone, most, on.Featured, on.Fits)
		}
	}
}

// TestShow tells what came of it in a few lines.
func TestShow(t *testing.T) {
	var out strings.Builder
	if err := mosaic.Show(t.Context(), &out, t.TempDir(), mosaic.Options{Patients: 30, Population: 8_000, Seed: 1, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 4 || !strings.Contains(text, "1957-03-14; it fits 1 of") {
		t.Errorf("Show() says %s", text)
	}
}
