// Package trace tells the lineage of a gateway's own flows: messages, questions to datasets, released tables and published
// streams become runs of OpenLineage, with what each column was made of and how.
//
// A [Tracer] reads the journal behind a durable cursor. What it finds goes into the graph of package lineage in the transaction
// that moves the cursor, so that each row counts once whenever the process ends. [Tracer.Rows] makes the same events for others,
// which keep cursors of their own.
//
// Rows tell of labels, places and parties; a value or a subject is in none, and so in no event. Places are those that a schema
// declares; of any other name there is a "*". The mapping is docs/spec/lineage.md.
package trace
