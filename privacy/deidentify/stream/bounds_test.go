package stream

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// What a castle keeps must not grow with what came, whoever sends it: one subject without end, subjects that never come again, or both.
func TestCastleKeepsNoMoreThanItsDelay(t *testing.T) {
	for name, subject := range map[string]func(i int) int{
		"one": func(int) int { return 0 }, "new ones": func(i int) int { return i }, "both": func(i int) int { return i * (i % 2) },
	} {
		o := CastleOptions{K: 4, L: 2, Delay: 40, Clusters: 6, Recent: 5, Reuse: 3, Attributes: ageAndCode()}
		c, err := NewCastle(o)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(8, 8))
		for i := range 5000 {
			r := Record{Subject: fmt.Append(nil, subject(i)), Values: texts(fmt.Sprint(rng.IntN(120)), fmt.Sprintf("%05d", rng.IntN(500))), Sensitive: fmt.Append(nil, i)}
			if _, err := c.Push(r); err != nil {
				t.Fatal(err)
			}
			members := 0
			for _, cl := range c.clusters {
				members += len(cl.members)
			}
			if members != c.count || c.count > o.Delay || len(c.queue) > o.Delay || len(c.clusters) > o.Clusters || len(c.losses) > o.Recent ||
				len(c.reusable) > o.Reuse || len(c.all[0]) > o.Delay || len(c.all[1]) > o.Delay {
				t.Fatalf("%s: after %d records: %d held, %d in clusters, queue of %d, %d clusters, %d losses, %d generalisations, %d subjects", name, i+1,
					c.count, members, len(c.queue), len(c.clusters), len(c.losses), len(c.reusable), len(c.all[0]))
			}
		}
	}
}

func TestStreamsMayBeUsedAtOnce(t *testing.T) {
	z, _ := NewZ(ZOptions{Z: 3, Window: time.Hour, Attributes: []string{"age", "code"}})
	c, _ := NewCastle(CastleOptions{K: 3, Delay: 30, Attributes: ageAndCode(), Within: time.Minute})
	var mu sync.Mutex
	seen := map[uint64]int{}
	note := func(out []Output) {
		mu.Lock()
		defer mu.Unlock()
		for _, o := range out {
			seen[o.Record]++
		}
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			next := people(uint64(g), 30)
			for i := range 500 {
				r := next(i)
				if _, err := z.Push(r); err != nil {
					t.Error(err)
				}
				out, err := c.Push(r)
				if err != nil {
					t.Error(err)
				}
				note(out)
				note(c.Tick(time.Now()))
				z.Tick(time.Now())
				_, _ = z.Stats(), c.Stats()
			}
		})
	}
	all.Wait()
	note(c.Flush())
	for r, n := range seen {
		if n != 1 {
			t.Fatalf("record %d came out %d times", r, n)
		}
	}
	if len(seen) != 2000 || z.Stats().Pushed != 2000 {
		t.Errorf("%d records came out, want 2000", len(seen))
	}
}
