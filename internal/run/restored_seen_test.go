package run_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/internal/stranger/program"
)

// A stranger who remembers the log sees a restore that lost rows. One who never looked sees a tree that began anew.
func TestAStrangerSeesWhatARestoreLost(t *testing.T) {
	t.Parallel()
	w := layWatched(t)
	g, addr, stop := serve(t, w.c, run.Options{})
	key, err := tile.VerifierKey(run.Origin("clinic"), g.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	archive, _ := take(t, g)
	for _, ward := range []string{"a", "b"} {
		if body := count(t, addr, w.key, ward); !strings.Contains(body, "draw") {
			t.Fatal(body)
		}
	}
	witnessed(t, g)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	remembered := filepath.Join(t.TempDir(), "remembered")
	look := func(args ...string) (int, string) {
		var out bytes.Buffer
		return program.Main(append([]string{"log", "--key", key}, args...), strings.NewReader(""), &out, &out), out.String()
	}
	if status, out := look("--remember", remembered, run.LogDir(w.c)); status != 0 {
		t.Fatalf("before: status %d, %s", status, out)
	}
	c := back(t, archive, "", "the disk broke", "")
	g, _, stop = serve(t, c, run.Options{})
	witnessed(t, g)
	trees := g.Log.Trees()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	status, out := look("--remember", remembered, run.LogDir(c))
	if status != 1 {
		t.Errorf("who remembers the log is told, with status %d: %s", status, out)
	}
	t.Log(out)
	status, out = look(run.LogDir(c))
	if status != 0 || !strings.Contains(out, trees[len(trees)-1].Name) {
		t.Errorf("who never looked is told, with status %d: %s", status, out)
	}
	t.Log(out)
}
