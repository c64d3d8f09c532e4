// Package querytest audits questions: it makes random databases of a declared dataset and random questions about it, takes one unit out
// of a database, and compares what a compiled question computes of both, without noise, with what the plan declares that a unit can
// change. Nothing of it is statistical: a difference beyond the declaration is a bug in the compiler, in an engine or in the declaration.
//
//	rng := rand.New(rand.NewPCG(1, 2))
//	full := querytest.Random(rng, dataset, querytest.Options{Units: 12})
//	plan, err := query.Compile(dataset, query.Question{SQL: querytest.Question(rng, dataset)})
//	for _, n := range full.Neighbours(rng, dataset, 3) {
//		found := querytest.Audit(ctx, plan, seed, full.Engine(), n.Engine())
//	}
//
// What databases hold is made up from the declaration alone: values on the bounds, beyond them and of another kind, NULLs, units with many
// rows in many groups, rows of nobody, keys that more than one unit has.
//
// Several questions that share measurements are compared as the cells that they are measured in ([AuditBatch]): that no unit moves more than the
// declared number of them, whatever values its rows have that are not declared.
//
// Neighbours differ by the rows that name one unit. Rows that only refer to it ([query.Reference]) go with it, unless the key that they
// name is another unit's too: then they are that one's still.
package querytest
