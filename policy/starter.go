package policy

import (
	"embed"
	"io/fs"
)

//go:embed starter/*.cedar
var starterFiles embed.FS

// Starter returns the policies that a new gateway begins with: commented files that name no role, agent or purpose, so
// that they load with any configuration.
func Starter() fs.FS {
	sub, err := fs.Sub(starterFiles, "starter")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
