// Package query answers questions about a dataset in SQL under differential privacy.
//
// A question is parsed by package syntax, bound to what the dataset's owner declares ([Dataset]) and compiled to a [Plan]: a bounded
// relation that an engine computes where the data lies, the numbers that get noise, and what is made of the noisy numbers afterwards.
// What a plan costs and how exact its answer will be is known before anything is read.
//
// Neighbouring datasets differ in one privacy unit, with all its rows, being there or not. The threat model and the proof are on the page
// docs/spec/dp-sql.md.
package query
