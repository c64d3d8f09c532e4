package run_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/internal/run"
)

// TestAReloadChangesWhatIsFound changes a list beside the configuration: from the next message on it is what is looked for,
// in whole texts and in streams.
func TestAReloadChangesWhatIsFound(t *testing.T) {
	file := lay(t, "version: 1\ndomain: clinic\ndetection:\n  lists: [{name: project, label: secret/password, file: words.txt}]\n", map[string]string{"words.txt": "Blue Heron\n"})
	g, _, _ := serve(t, load(t, file), run.Options{})
	finds := func(text string) (n int) {
		t.Helper()
		found, err := g.Gateway.Snapshot().Detector.Find(t.Context(), text, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := g.Gateway.Snapshot().Detector.Stream(nil)
		streamed := 0
		for _, p := range append(s.Write(text), s.Close()...) {
			if p.Finding != nil {
				streamed++
			}
		}
		if streamed != len(found) {
			t.Errorf("%d are found in a stream, %d in the whole", streamed, len(found))
		}
		return len(found)
	}
	if finds("of blue heron we say nothing") != 1 || finds("of red kite we say nothing") != 0 {
		t.Fatal("the list is not what is looked for")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "words.txt"), []byte("Red Kite\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if finds("of blue heron we say nothing") != 0 || finds("of red kite we say nothing") != 1 {
		t.Error("the reload changed nothing")
	}
}
