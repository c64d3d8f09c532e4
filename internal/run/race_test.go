//go:build race

package run_test

// raced: the race detector takes memory of its own for what lives.
const raced = true
