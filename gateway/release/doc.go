// Package release lets tables leave a domain: decided by policy, on record before they have their name, with the evidence
// beside them.
//
// A release is a flow like any other. Its leaves are the columns of the table. Policy says whether rows of the dataset may
// leave at all, given what the table guarantees (action extract), and how much may show of each column; the plan must not
// reveal more. Then
//
//  1. an opened row is written to the journal, with the decision's inputs sealed;
//  2. the table is written under its passing name;
//  3. the closed row is written to the journal, in one transaction with all that the table's stand-ins need to be opened, and
//     then manifest and lineage beside the table;
//  4. the table gets its final name.
//
// So a table with its final name is on record, whatever fails and whenever. A process that dies between 3 and 4 leaves a
// record of a table that nobody has yet: evidence overstates, never understates.
package release
