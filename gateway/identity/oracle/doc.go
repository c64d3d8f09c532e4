// Package oracle tests identity against other implementations: a whole OpenID provider run in the test's process, and the
// client library that most Go programs verify its tokens with. It is a module of its own, of tests only, so that nobody who uses the
// gateway carries them.
package oracle
