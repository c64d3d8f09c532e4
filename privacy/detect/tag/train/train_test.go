package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

func dataDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "names")); err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatalf("there are no name lists at %s", dir)
		}
		t.Skipf("there are no name lists at %s", dir)
	}
	return dir
}

// The model that the program carries is what the command makes of the sources, byte for byte.
func TestModelIsReproduced(t *testing.T) {
	if os.Getenv("SCRIM_LONG") != "1" {
		t.Skip("it takes a minute; SCRIM_LONG=1 runs it")
	}
	want, err := os.ReadFile(filepath.Join("..", "model.bin"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := train(settings{data: dataDir(t), templates: ".", times: defaultTimes, epochs: defaultEpochs}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the model is not what the sources give; go run ./privacy/detect/tag/train writes it")
	}
}

func TestModelIsSmallEnough(t *testing.T) {
	info, err := os.Stat(filepath.Join("..", "model.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 3<<20 {
		t.Errorf("the model has %d bytes, more than 3 MiB", info.Size())
	}
}

// Every template can be filled, its marks lie where its names are, and there are as many as are promised.
func TestTemplates(t *testing.T) {
	src, err := settings{data: dataDir(t), templates: "."}.open()
	if err != nil {
		t.Fatal(err)
	}
	if len(src.templates) < 500 {
		t.Errorf("%d templates, want 500 at least", len(src.templates))
	}
	languages := map[string]bool{}
	for i := range src.templates {
		languages[src.templates[i].lang] = true
		one, err := src.generator.fill(&src.templates[i])
		if err != nil {
			t.Error(err)
			continue
		}
		at := 0
		for _, s := range one.spans {
			if s.start < at || s.end <= s.start || s.end > len(one.s) {
				t.Errorf("%s: span %+v after %d in %q", one.from, s, at, one.s)
			}
			at = s.end
		}
	}
	if len(languages) < 10 {
		t.Errorf("templates in %d languages", len(languages))
	}
}

func TestFilling(t *testing.T) {
	g := &generator{names: &names{given: map[string][]string{"XX": {"Ana"}}, family: map[string][]string{"XX": {"Ruiz"}}, allGiven: []string{"Ana"}, allFamily: []string{"Ruiz"},
		inventGiven: newChain([]string{"ana"}), inventFamily: newChain([]string{"ruiz"})},
		lists: map[string][]list{"club": {{feature.Organisation, "", []string{"{family} Club"}}}}, rnd: random{5}}
	one, err := g.fill(&template{"x", "xx", "{{a}} {person1.family} joined {club}, not [[MISC the {family} Cup]]; {person1.family} left."})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range one.spans {
		b.WriteString(one.s[s.start:s.end] + "|")
	}
	if !strings.HasPrefix(one.s, "{a} ") || len(one.spans) != 4 || one.spans[1].allowed != only(feature.Organisation) || one.spans[2].allowed != only(feature.Other) ||
		one.s[one.spans[0].start:one.spans[0].end] != one.s[one.spans[3].start:one.spans[3].end] {
		t.Errorf("%q with %s", one.s, b.String())
	}
	for _, wrong := range []string{"{person", "[[PER x", "{nolist}", "[[WHAT x]]", "{Person}"} {
		if _, err := g.fill(&template{"x", "en", wrong}); err == nil {
			t.Errorf("%q can be filled", wrong)
		}
	}
}

func TestExp(t *testing.T) {
	for x, want := range map[float32]float32{0: 1, -1: .36787944, -5: .006737947, -40: 0} {
		if got := exp(x); got-want > 1e-4*want+1e-9 || want-got > 1e-4*want+1e-9 {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}
