// Package duckdb answers the protocol of data/sql/process with DuckDB: one SELECT a request over files or a database that the request
// lists, in a fresh database in memory that can open nothing else. It is a module of its own because DuckDB is C++; the gateway starts
// the program scrim-duckdb and links none of it.
package duckdb
