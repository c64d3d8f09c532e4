// Package pld computes what a batch of mechanisms, all declared beforehand, costs together, by privacy loss distributions.
//
// A mechanism's privacy loss distribution (Sommer, Meiser, Mohammadi 2019, "Privacy Loss Classes") is that of ln P(x)/Q(x) for x
// drawn from P, where (P, Q) is a pair that dominates every pair of neighbours; losses of a composition add. Each direction
// of neighbours, one unit removed and one added, has a pair of its own and is composed apart (Zhu, Dong, Wang 2022, "Optimal
// Accounting of Differential Privacy via Characteristic Function"); answers are the larger of both.
//
// Everything errs upwards: discretisation, truncation, rounding and the Fourier transform. docs/spec/dp-pld.md lists each error with its bound.
//
// Composition here is for mechanisms whose parameters do not depend on answers. It is no stopping rule: a filter over privacy
// loss distributions with parameters chosen on the way is not sound in general (Regehr and others 2026, arXiv 2602.15815).
package pld
