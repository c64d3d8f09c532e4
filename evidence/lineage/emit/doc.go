// Package emit sends the lineage of a gateway's own flows elsewhere: to a file, and over HTTP to Marquez, DataHub, OpenMetadata
// and whatever else takes events of OpenLineage.
//
// An [Emitter] has a cursor of its own in the store. It sends in order, tries again for as long as it takes, and holds nothing
// in between: what was not sent yet is made again from the journal. A file holds each event once; a receiver over HTTP can get
// the last few again after a crash, the same to the byte.
package emit
