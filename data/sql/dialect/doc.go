// Package dialect writes a bounded relation as one SQL statement for the engine that holds the data.
//
// What is written is made of the relation alone: identifiers come from configuration and are quoted, constants are numbers or literals that
// the dialect quotes, the seed of the hashes travels as parameters. No row can make a statement fail: columns are read totally, sums are
// taken in as many bits as they need, and nothing is evaluated whose evaluation could raise an error, in whatever order an engine takes it.
//
// A statement answers with one row for each group and one for each cell of each histogram of a group; [Statement.Collect] puts them together.
// How each dialect writes what, and which of them were run, is on the page docs/spec/dp-sql-dialects.md.
package dialect
