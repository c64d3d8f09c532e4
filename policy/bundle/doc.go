// Package bundle is what a domain asks others to keep to: a signed, versioned set of forbids, labels, catalog entries and
// defaults.
//
// Whoever subscribes to a bundle is held to it beside its own rules, and nothing in one can open anything: its policies only
// forbid, its labels and limits only make stricter, its columns only get labels beside those that they have. A version names
// the digest of the one before, so that what was published is one chain that nobody can fork, cut or turn back unnoticed.
// The form is described in docs/spec/bundles.md.
package bundle
