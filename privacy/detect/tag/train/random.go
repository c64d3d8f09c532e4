package main

// random is a generator of its own (SplitMix64, Steele, Lea and Flood 2014), so that a run is the same on every machine and
// with every version of the language.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below returns a number from 0 up to n, n excluded.
func (r *random) below(n int) int { return int(r.next() >> 33 % uint64(n)) }

// one in n.
func (r *random) one(n int) bool { return r.below(n) == 0 }

// percent is true so often.
func (r *random) percent(p int) bool { return r.below(100) < p }

func (r *random) pick(list []string) string { return list[r.below(len(list))] }

// shuffled returns the numbers below n in some order.
func (r *random) shuffled(n int) []int {
	order := make([]int, n)
	for i := range order {
		j := r.below(i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}
