// Package lineage keeps where data came from and where it went: datasets with their columns, the jobs and runs that made one
// of another, and who received what came of it.
//
// What happened is told by an [Event], in the form of OpenLineage 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json)
// with the facets that matter here. [Decode] reads what strangers send, strictly and within bounds; Event itself encodes.
// [Graph.Add] puts an event into the graph in the store, [Graph.Upstream] and [Graph.Downstream] ask it.
//
// [Graph.Labels] carries the labels of declared columns along the graph to the columns that were made of them. They only ever
// get stricter: a join, a function nobody can look into, or no word at all about columns gives a column the labels of all that
// its job read. See docs/spec/lineage-receiving.md.
//
// The graph holds names of datasets, columns, jobs and agents, and never a value or a reference to a subject: erasing somebody
// leaves nothing to be done here.
package lineage
