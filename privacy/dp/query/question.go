package query

import "time"

// Question is what somebody asks.
type Question struct {
	Dataset string
	SQL     string
	// Queries are several questions about the same rows in place of SQL, which are answered together: see [CompileBatch].
	Queries []Query
	// Epsilon is what all of it may cost, in 10^−9; 0: what the owner sets as default, or what Accuracy needs.
	Epsilon int64
	// Accuracy is asked for instead of ε.
	Accuracy *Accuracy
	// Noise is "laplace", "gaussian", or "": whichever is more exact.
	Noise string
	// Rows and Groups bound what one unit contributes; 0: the owner's defaults.
	Rows, Groups int64
	// From and Until limit the question to blocks of time, where the dataset has them; zero: all that have begun.
	From, Until time.Time
}

// Accuracy is how exact an answer has to be, at 95 % confidence.
type Accuracy struct {
	HalfWidth string // absolute, decimal, for every number of the answer; "": none
	Relative  string // of the number itself, such as "0.05"; a pilot is paid for first
}

// Query is one of several questions that are answered together.
type Query struct {
	SQL    string
	Weight int64 // how much the variance of one of its numbers counts; 0: 1
}
