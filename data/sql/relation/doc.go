// Package relation is what a question asks of a source, as a typed tree of its own: which rows of which tables, what is computed of
// each row, and which bounded sums for each group come back. No text of whoever asked is in it but constants, which travel as
// parameters or quoted literals.
//
// Everything is total. A column is read into its declared [Type]: what is not of the kind is NULL, and numbers are clamped to the
// type's bounds as they are read. Numbers are whole numbers of 64 bits with a fixed count of decimal places; the constructors of
// expressions follow the bounds through every step and refuse what could leave 64 bits, so that nothing overflows at run time.
// Division by zero is NULL. So no row can make a statement fail, and no failure tells of a row.
//
// The invariant that privacy rests on: in a relation below [Bounded], every row belongs to the unit that its unit columns name, and is
// a function of that unit's rows and of public tables alone.
package relation
