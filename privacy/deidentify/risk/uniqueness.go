package risk

import "math"

// Estimator is a model by which the share of persons who are unique in the population is estimated.
type Estimator string

// The estimators, and what stands in their place where there is nothing to estimate.
const (
	Pitman  Estimator = "pitman"
	Zayatz  Estimator = "zayatz"
	SNB     Estimator = "snb"
	Counted Estimator = "counted" // the table is the whole population, or has no unique row: nothing is estimated
	None    Estimator = "none"    // the size of the population is not known
)

// Uniqueness is the estimated share of persons in the population whom nobody else is like in the quasi-identifiers.
type Uniqueness struct {
	Share    float64    `json:"share"` // by the estimator that the rule took; 0 if Taken is none
	Persons  float64    `json:"persons"`
	Taken    Estimator  `json:"taken"`
	Fraction float64    `json:"sampling_fraction"`
	Each     []Estimate `json:"estimates"`      // every model's own, for comparison
	Note     string     `json:"note,omitempty"` // what the rule could not do, in words
}

// Estimate is what one model says.
type Estimate struct {
	By    Estimator `json:"by"`
	Share float64   `json:"share"`
	Valid bool      `json:"valid"`          // false: the model does not fit this table, and the share is 0
	Note  string    `json:"note,omitempty"` // why not, or where the solution stands at the edge
}

// lowFraction is where the decision rule turns from one model to the others.
const lowFraction = 0.1

// EstimateUniqueness estimates which share of a population of so many persons is unique in the quasi-identifiers, from the
// classes of a table that was drawn from it at random; persons ≤ 0 means that the size is not known.
//
// Of the models it takes one by the rule of Dankar, El Emam, Neisa and Roffey 2012 ("Estimating the re-identification risk of clinical
// data sets", BMC Medical Informatics and Decision Making 12:66): up to a sampling fraction of 0.1 Pitman, above it the
// smaller of SNB and Zayatz. Where the model that the rule names does not fit, Zayatz takes its place, and the note says so.
// Zayatz has a closed form, so there is always an estimate. No share is ever NaN or outside of 0 to 1; none is above
// what uniques of the table, each standing for as many persons as rows stand for, would make at most for Zayatz,
// or the whole population for the others.
func EstimateUniqueness(s Sizes, persons float64) Uniqueness {
	n := float64(s.Rows())
	if !(persons > 0) || math.IsInf(persons, 1) || n == 0 {
		return Uniqueness{Taken: None, Each: []Estimate{}}
	}
	u := Uniqueness{Fraction: min(n/persons, 1), Each: []Estimate{}}
	unique := float64(s[1])
	if unique == 0 || n >= persons {
		u.Taken, u.Share = Counted, unique/n
		u.Persons = u.Share * persons
		if unique == 0 && n < persons {
			u.Note = "No row of the table is unique, so the models find nobody unique in the population; persons who are not in the table may still be."
		}
		return u
	}
	pitman, zayatz, snb := estimatePitman(s, persons), estimateZayatz(s, persons), estimateSNB(s, persons)
	u.Each = []Estimate{pitman, zayatz, snb}
	taken := zayatz
	switch {
	case u.Fraction <= lowFraction && pitman.Valid:
		taken = pitman
	case u.Fraction <= lowFraction:
		u.Note = "Pitman's model does not fit this table; Zayatz's estimate stands in its place."
	case !snb.Valid:
		u.Note = "The SNB model does not fit this table; Zayatz's estimate stands in its place."
	case snb.Share < zayatz.Share:
		taken = snb
	}
	u.Taken, u.Share = taken.By, taken.Share
	u.Persons = u.Share * persons
	return u
}

// share turns a number of uniques into an estimate that is a share of the population, or none.
func share(by Estimator, uniques, persons float64, note string) Estimate {
	if math.IsNaN(uniques) || math.IsInf(uniques, 0) || uniques < 0 {
		return Estimate{By: by, Note: "no solution within the range of numbers"}
	}
	// Further digits differ from processor to processor, and mean nothing.
	e := Estimate{By: by, Share: math.Round(uniques/persons*1e9) / 1e9, Valid: true, Note: note}
	if e.Share > 1 {
		e.Share, e.Note = 1, "the model says more than everybody; taken as everybody"
	}
	return e
}

// estimateZayatz is the estimator of Zayatz 1991 ("Estimation of the number of unique population elements using a sample", Bureau
// of the Census): by Bayes' rule, the chance that a class of one row is one of one person, taking the table's histogram for the population's:
//
//	S₁ = s₁ P(F=1 | f=1) N/n,  P(F=1 | f=1) = s₁ P(f=1 | F=1) / Σⱼ sⱼ P(f=1 | F=j),  P(f=1 | F=j) = j n/N ∏ᵢ₌₁ʲ⁻¹ (N-n-i+1)/(N-i)
//
// the last being hypergeometric; its product is a quotient of gamma functions, so that a class of a million rows costs what one of two does.
func estimateZayatz(s Sizes, persons float64) Estimate {
	n := float64(s.Rows())
	var all float64
	for size, count := range s {
		j := float64(size)
		if left := persons - n - j + 2; left > 0 { // otherwise others of the class must have been drawn
			all += float64(count) * j * n / persons * math.Exp(riseLog(left, j-1)-riseLog(persons-j+1, j-1))
		}
	}
	unique := float64(s[1])
	given := unique * (n / persons) / all
	return share(Zayatz, unique*given*persons/n, persons, "")
}
