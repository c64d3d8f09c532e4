// Package oracle compares what [detect] finds with what other implementations know. It is a module of its own, of tests only, so
// that nobody who uses the detector carries them.
//
// [detect]: https://pkg.go.dev/github.com/scrimhq/scrim/privacy/detect
package oracle
