// Package relationtest makes random tables and random trees over them, for comparing engines with relation.Evaluate.
//
//	rng := rand.New(rand.NewPCG(1, 2))
//	tables := relationtest.Random(rng, 40)
//	q := relationtest.Question(rng, tables)
//	want, err := relation.Evaluate(ctx, q, seed, tables.Open(), nil)
//
// Trees are such as questions compile to: every row below the bounds belongs to one unit, folds and joins keep to it, public tables
// come in by joins. Cells are beyond declared bounds now and then, and NULL.
package relationtest
