package utility

import (
	"math"
	"slices"
)

// question is one of the twenty, and what is exactly true: computed here and not by what is measured. Numbers of a group stand under its keys, each with
// a bar behind it.
type question struct {
	sql   string
	truth func([]person) map[string][]float64
}

type (
	key  func(*person) string
	stat func([]*person) []float64
)

// by computes statistics of groups.
func by(k key, stats ...stat) func([]person) map[string][]float64 {
	return func(people []person) map[string][]float64 {
		groups := map[string][]*person{}
		for i := range people {
			groups[k(&people[i])] = append(groups[k(&people[i])], &people[i])
		}
		all := map[string][]float64{}
		for name, of := range groups {
			for _, s := range stats {
				all[name] = append(all[name], s(of)...)
			}
		}
		return all
	}
}

func whole(*person) string { return "" }

func count(of []*person) []float64 { return []float64{float64(len(of))} }

// where counts those for which something is so.
func where(is func(*person) bool) stat {
	return func(of []*person) []float64 {
		n := 0.0
		for _, p := range of {
			if is(p) {
				n++
			}
		}
		return []float64{n}
	}
}

func sum(of func(*person) int64) stat {
	return func(all []*person) []float64 {
		n := 0.0
		for _, p := range all {
			n += float64(of(p))
		}
		return []float64{n}
	}
}

func mean(of func(*person) int64) stat {
	return func(all []*person) []float64 { return []float64{sum(of)(all)[0] / float64(len(all))} }
}

func deviation(of func(*person) int64) stat {
	return func(all []*person) []float64 {
		m, v := mean(of)(all)[0], 0.0
		for _, p := range all {
			d := float64(of(p)) - m
			v += d * d
		}
		return []float64{math.Sqrt(v / float64(len(all)-1))}
	}
}

// quantile is the least value that at least that part of all is not above.
func quantile(q float64, of func(*person) int64) stat {
	return func(all []*person) []float64 {
		x := make([]int64, len(all))
		for i, p := range all {
			x[i] = of(p)
		}
		slices.Sort(x)
		return []float64{float64(x[max(int(math.Ceil(q*float64(len(x))))-1, 0)])}
	}
}

// bars counts equal bins.
func bars(lo, width int64, n int, of func(*person) int64) stat {
	return func(all []*person) []float64 {
		bins := make([]float64, n)
		for _, p := range all {
			bins[min(max(int((of(p)-lo)/width), 0), n-1)]++
		}
		return bins
	}
}

func age(p *person) int64   { return p.age }
func hours(p *person) int64 { return p.hours }
func gain(p *person) int64  { return p.gain }
func rich(p *person) bool   { return p.income == ">50K" }

func sex(p *person) string       { return p.sex + "|" }
func income(p *person) string    { return p.income + "|" }
func education(p *person) string { return p.education + "|" }

// questions are the twenty: totals, groups of few and of many, private groups, sums with wide bounds, means, shares, quantiles, spread, shape.
func questions() []question {
	country := func(p *person) string {
		if p.country == "" {
			return "" // NULL is a group of its own
		}
		return p.country + "|"
	}
	return []question{
		{"SELECT count(*) FROM people", by(whole, count)},
		{"SELECT count(*) FROM people WHERE income = '>50K' AND age < 30", by(whole, where(func(p *person) bool { return rich(p) && p.age < 30 }))},
		{"SELECT sex, count(*) FROM people GROUP BY sex", by(sex, count)},
		{"SELECT education, count(*) FROM people GROUP BY education", by(education, count)},
		{"SELECT marital, income, count(*) FROM people GROUP BY marital, income", by(func(p *person) string { return p.marital + "|" + income(p) }, count)},
		{"SELECT race, sex, income, count(*) FROM people GROUP BY race, sex, income", by(func(p *person) string { return p.race + "|" + sex(p) + income(p) }, count)},
		{"SELECT education, marital, count(*) FROM people GROUP BY education, marital", by(func(p *person) string { return education(p) + p.marital + "|" }, count)},
		{"SELECT country, count(*) FROM people GROUP BY country", by(country, count)},
		{"SELECT sum(gain) FROM people", by(whole, sum(gain))},
		{"SELECT income, sum(hours), count(*) FROM people GROUP BY income", by(income, sum(hours), count)},
		{"SELECT avg(age) FROM people", by(whole, mean(age))},
		{"SELECT sex, avg(hours) FROM people GROUP BY sex", by(sex, mean(hours))},
		{"SELECT education, avg(age) FROM people GROUP BY education", by(education, mean(age))},
		{"SELECT income, avg(gain) FROM people GROUP BY income", by(income, mean(gain))},
		{"SELECT sex, 100.0 * count(*) FILTER (WHERE income = '>50K') / count(*) FROM people GROUP BY sex",
			by(sex, func(of []*person) []float64 { return []float64{100 * where(rich)(of)[0] / float64(len(of))} })},
		{"SELECT median(age) FROM people", by(whole, quantile(0.5, age))},
		{"SELECT sex, median(hours) FROM people GROUP BY sex", by(sex, quantile(0.5, hours))},
		{"SELECT income, quantile(age, 0.9) FROM people GROUP BY income", by(income, quantile(0.9, age))},
		{"SELECT stddev(age) FROM people", by(whole, deviation(age))},
		{"SELECT histogram(age, 10) FROM people", by(whole, bars(0, 11, 10, age))},
	}
}
