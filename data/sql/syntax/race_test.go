//go:build race

package syntax

// raced: the race detector takes memory of its own.
const raced = true
