package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/store/durable"
)

func (e *env) configMigrate() *cobra.Command {
	var file string
	var write bool
	c := fileFlag(e.command("migrate [--write] [-c FILE]", "Bring the configuration to the version that this program reads",
		"Prints what would change, line by line. With --write the file is replaced, and the one before is kept beside it as FILE.vN, N being its\n"+
			"version. Comments, order and spelling stay. A newer version than this program knows is refused.", nil,
		func(context.Context, []string) error { return e.migrateConfig(file, write) }), &file)
	c.Flags().BoolVar(&write, "write", false, "replace the file")
	return c
}

func (e *env) migrateConfig(file string, write bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	next, from, err := config.Migrate(text)
	if err != nil {
		return err
	}
	if bytes.Equal(next, text) {
		fmt.Fprintf(e.out, "%s is of version %d, which is what this program reads\n", file, from)
		return nil
	}
	if !write {
		fmt.Fprintf(e.out, "%s is of version %d; --write makes of it version %d:\n", file, from, config.Current)
		e.lineDiff(text, next)
		return nil
	}
	kept := fmt.Sprintf("%s.v%d", file, from)
	if _, err := os.Lstat(kept); !errors.Is(err, fs.ErrNotExist) {
		return refuse("Put it elsewhere: it is what an earlier migration kept.", "%s is there already", kept)
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{kept, text}, {file + ".new", next}} {
		if err := os.WriteFile(f.name, f.text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := durable.Rename(file+".new", file); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s is of version %d now; the one before is %s\n", file, config.Current, kept)
	return nil
}

// lineDiff prints the lines that two texts do not have in common at their beginnings and ends.
func (e *env) lineDiff(old, next []byte) {
	a, b := bytes.Split(old, []byte("\n")), bytes.Split(next, []byte("\n"))
	from := 0
	for from < len(a) && from < len(b) && bytes.Equal(a[from], b[from]) {
		from++
	}
	end := 0
	for end < len(a)-from && end < len(b)-from && bytes.Equal(a[len(a)-1-end], b[len(b)-1-end]) {
		end++
	}
	for _, l := range a[from : len(a)-end] {
		fmt.Fprintf(e.out, "- %s\n", l)
	}
	for _, l := range b[from : len(b)-end] {
		fmt.Fprintf(e.out, "+ %s\n", l)
	}
}
