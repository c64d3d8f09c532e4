package config

import "fmt"

// LogServe is who reads the transparency log.
type LogServe string

// logReaders checks who reads entries of the log.
func (v *validator) logReaders() {
	among := map[string]bool{}
	for i := range v.c.Agents {
		among[string(v.c.Agents[i].ID)] = true
	}
	for i, id := range v.c.Log.Readers {
		known(v, fmt.Sprintf("log/readers/%d", i), "agent", string(id), among)
	}
}
