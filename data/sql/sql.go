// Package sql reads and writes tables of SQL databases: each is one state of the database, read in a stable order, and written under a passing name.
//
// Identifiers are quoted, and cells never become part of a statement. Errors name the table, the row and the column; what a
// database says in its own words is not repeated, since it quotes values.
package sql
