// Package answers gives the same answer to the same question, once it was paid for.
//
// A [Book] stands before a [budget.Ledger]. A question that is new on the present version of its dataset is reserved,
// computed once, stored, committed and given; whoever asks the same again, on the same version, gets the stored answer and
// pays nothing: it is post-processing. Two who ask at once cause one computation. Randomness is drawn once and stored,
// never derived from what a caller chooses.
//
// What could tell that a question was asked before is taken away as far as a gateway can: versions follow a [Schedule]
// that the owner declares in public, not the data; new and stored answers, refusals and failures leave at the same padded
// times; a failure has one text. What is left: with an empty budget, an answer shows that somebody paid for it earlier.
//
// A hit is decided and recorded anew by the caller's own functions, see [Ask]. The page is docs/spec/budget-ledger.md.
package answers
