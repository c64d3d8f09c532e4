// Package config is the file scrim.yaml: what a gateway is told about its domain, its agents and everybody they talk to.
//
// [Load] reads it strictly. Its error is [Mistakes], which lists everything wrong with file, line and column, and a
// hint where there is one. A [Config] that Load returned is complete: defaults are filled in, references resolve,
// files exist. [Schema] describes the file for editors.
//
// No secret is ever part of the file: credentials are named by environment variable or file, API keys by their
// SHA-256. Mistakes hold no value from the file, only keys and ids.
package config
