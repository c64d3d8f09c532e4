package utility_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/internal/bench/utility"
)

// adult finds the published files.
func adult(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	paths := []string{filepath.Join(dir, "tables/adult/adult.data"), filepath.Join(dir, "tables/adult/adult.test")}
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			if os.Getenv("SCRIM_REQUIRE") == "1" {
				t.Fatalf("Adult is not there: %v", err)
			}
			t.Skip("Adult is not there: set SCRIM_DATA")
		}
	}
	return paths
}

// Twenty questions go all the way: from their text through files and noise to numbers, which are as near to what is exactly true as their intervals
// say, and the nearer the more is paid.
func TestTwentyQuestionsAboutAdult(t *testing.T) {
	t.Parallel()
	runs := 12
	if os.Getenv("SCRIM_LONG") == "1" {
		runs = 200
	}
	results, err := utility.Run(t.Context(), utility.Options{Adult: adult(t), Runs: runs})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 60 {
		t.Fatalf("%d results, want 20 questions at 3 ε", len(results))
	}
	held, n := 0.0, 0
	for i, r := range results {
		if r.Held > 0 {
			held += r.Held
			n++
		}
		if r.Epsilon == 10 && r.RMSE > results[i-2].RMSE/5 && r.RMSE > 3 {
			t.Errorf("%s: error %v for ε = 10, and %v for a hundredth of it", r.Question, r.RMSE, results[i-2].RMSE)
		}
		t.Logf("%5v %-9s rmse %-12.5g rel %-10.4g half %-10.4g held %.3f shown %.2f  %s", r.Epsilon, r.Noise, r.RMSE, r.Relative, r.Width, r.Held, r.Shown, r.Question)
	}
	if held/float64(n) < 0.94 {
		t.Errorf("intervals hold in %v of all answers", held/float64(n))
	}
}
