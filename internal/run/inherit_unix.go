//go:build !windows

package run

// inherited are the variables that a server's program gets from the gateway's own environment.
var inherited = []string{"PATH", "HOME"}
