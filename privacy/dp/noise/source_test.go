package noise

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOnlyTestsChooseRandomness(t *testing.T) {
	root := os.DirFS("../../..")
	files, uses := 0, 0
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		files++
		if !bytes.Contains(text, []byte("SourceFrom")) {
			return nil
		}
		uses++
		if !strings.HasSuffix(path, "_test.go") && path != "privacy/dp/noise/source.go" {
			t.Errorf("%s chooses where noise comes from; only tests may", path)
		}
		return nil
	})
	if err != nil || files < 100 || uses < 2 {
		t.Fatalf("read %d files with %d uses, %v: is this the module?", files, uses, err)
	}
}

func TestWordsAreErasedOnceGiven(t *testing.T) {
	s := NewSource()
	for range 10 {
		s.Uint64()
	}
	for i, w := range s.words {
		if (w == 0) != (i < sourceWords-s.left) {
			t.Fatalf("word %d of %d given is %#x", i, sourceWords-s.left, w)
		}
	}
	for i, b := range s.raw {
		if b != 0 {
			t.Fatalf("raw byte %d still holds randomness", i)
		}
	}
}

func TestASourceThatEndsGivesNoNoise(t *testing.T) {
	for name, s := range map[string]*Source{"short": SourceFrom(bytes.NewReader(make([]byte, 100))), "zero": {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the %s source gave a word", name)
				}
			}()
			s.Uint64()
		}()
	}
}

func TestBelowIsUniform(t *testing.T) {
	s := NewSource()
	// A product alone would give every third number below 3·2^62 twice as often as the others.
	const n = 30_000
	third := 0
	for range n {
		v := s.Below(3 << 62)
		if v >= 3<<62 {
			t.Fatalf("%d is not below 3·2^62", v)
		}
		if v%3 == 0 {
			third++
		}
	}
	if kl(third, n, 1.0/3) > 22 {
		t.Errorf("%d of %d are multiples of three", third, n)
	}
	heads := 0
	for range n {
		heads += int(s.Coin())
	}
	if kl(heads, n, 0.5) > 22 {
		t.Errorf("%d of %d coins are heads", heads, n)
	}
	for range 100 {
		if s.Below(1) != 0 {
			t.Fatal("a number below 1 is not 0")
		}
	}
}

// One source that several goroutines use gives each word once: a word given twice is the same noise on two answers.
func TestASourceGivesEachWordOnce(t *testing.T) {
	const goroutines, each = 4, 100_000
	s := NewSource()
	words := make([][]uint64, goroutines)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			words[g] = make([]uint64, each)
			<-begin
			for i := range each {
				words[g][i] = s.Uint64()
				s.Coin()
			}
		})
	}
	close(begin)
	wg.Wait()
	seen := make(map[uint64]bool, goroutines*each)
	for _, all := range words {
		for _, w := range all {
			if seen[w] || w == 0 {
				t.Fatalf("the word %#x was given twice", w) // by chance less than once in 10⁸ runs
			}
			seen[w] = true
		}
	}
}
