// Package bundles publishes what a domain asks others to keep to, and keeps to what it subscribed to of others.
//
// A version that is published is on record with its digest before anybody can read it, and every version stays readable, so that others can follow
// the chain. A version of another domain is taken when a pinned peer serves it, one of its keys signed it, it follows the last one without a gap,
// and its policies hold here and only forbid; then it is kept, on record, and in force. It stays in force until the next one. While none
// counts, because none came or its time is over, something strict holds beside the last one. The road is described in docs/spec/bundles.md.
package bundles
