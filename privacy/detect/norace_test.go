//go:build !race

package detect

// raced says that the race detector is on, which allocates on its own account.
const raced = false
