package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (e *env) versionCommand() *cobra.Command {
	return e.command("version", "Print version, commit and platform", "", nil, func(context.Context, []string) error {
		v, commit := version()
		fmt.Fprintf(e.out, "scrim %s (%s) %s %s/%s\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	})
}

// version is what the build says of itself.
func version() (version, commit string) {
	version, commit = "devel", "unknown commit"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed {
		commit += ", changed"
	}
	return version, commit
}

// programVersion is version alone.
func programVersion() string {
	v, _ := version()
	return v
}
