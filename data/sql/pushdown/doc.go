// Package pushdown computes bounded relations in the databases that hold the data: one statement, written by package dialect, in one
// transaction that reads one state and writes nothing.
//
// Only the bounded sums come back. Constants of a question are in the statement as quoted literals, the seed is a parameter. What a database says
// when it fails is not repeated, since it quotes values: errors are of a fixed few.
package pushdown
