// Package process is an engine in a program of its own: it starts the program, sends it one statement a question over a pair of
// pipes, and reads bounded sums back. The program that there is, scrim-duckdb, is a module of its own (data/sql/duckdb), so that the
// gateway links no C. The protocol is docs/spec/dp-sql-duckdb.md.
//
// The program is started by the first question and kept for the next. One that fails otherwise than by saying so, or whose question is
// cancelled, is killed, and the next question starts another. It ends by itself as soon as its input ends, which is when the gateway is
// gone. It opens what its [Source] lists and nothing else, and nothing of what it writes to its standard error is read.
package process
