// Package durable is what files need beside reading and writing: a lock that ends with the process, names that are durable, and one file in the place of
// another. It hides how systems differ.
package durable

import "errors"

// ErrHeld says that another process, or another opening in this one, has the lock.
var ErrHeld = errors.New("lock is held")
