// Package peers is a domain among domains: its own document, keys and certificates, and the domains that it pinned.
//
// A peer is pinned by the fingerprint of its identity. What its document says counts after that: its signing keys for
// what its own agents bring, its certificate authority for connections between gateways, its addresses. A document is
// fetched again at intervals and believed only where it follows the last one; where it does not, that is put on record
// and the last one stays in force until its own end. Everything fails closed: without a document that counts at this
// time a peer has no keys, no addresses and no connection.
package peers
