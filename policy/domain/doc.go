// Package domain is the identity of a data domain to others: the document that it publishes, what that document must
// be to be believed, and the names of gateways and agents in certificates.
//
// A domain has one long-lived identity key, and it signs the document. The fingerprint is taken over the domain's name
// and that key, so it stays the same while the keys that sign capabilities and hop statements, the certificate
// authority and the addresses change. Whoever pinned the fingerprint believes any document that the identity key
// signed, with a version that is not lower than the last one's. The form is described in docs/spec/domains.md.
package domain
