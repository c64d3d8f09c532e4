package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md")

// TestCommandReference holds docs/reference/cli.md to the commands there are.
func TestCommandReference(t *testing.T) {
	e := &env{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	root := e.root()
	var b strings.Builder
	b.WriteString("# Commands\n\nWritten from the commands themselves: `go test ./internal/cli -run TestCommandReference -update`.\n" +
		"Every command takes `--help` and `--no-color`. Exit status 0: done; 1: it failed, or the answer is no; 2: the command was misused.\n\n")
	for _, c := range root.Commands() {
		if !c.Hidden && c.Name() != "completion" {
			fmt.Fprintf(&b, "- [`scrim %s`](#scrim-%s): %s\n", c.Name(), c.Name(), c.Short)
		}
	}
	n := 0
	describe(&b, root, &n)
	if n < 60 {
		t.Errorf("%d commands, want at least 60", n)
	}
	file := filepath.FromSlash("../../docs/reference/cli.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	said, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(said) != b.String() {
		t.Errorf("%s is not what the commands say; go test ./internal/cli -run TestCommandReference -update writes it", file)
	}
}

func describe(b *strings.Builder, c *cobra.Command, n *int) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "completion" || sub.Name() == "help" {
			continue
		}
		*n++
		depth := "##"
		if strings.Count(sub.CommandPath(), " ") > 1 {
			depth = "###"
		}
		use := strings.TrimSpace(sub.Parent().CommandPath() + " " + sub.Use)
		fmt.Fprintf(b, "\n%s %s\n\n%s.\n\n```\n%s\n```\n", depth, sub.CommandPath(), strings.TrimSuffix(sub.Short, "."), use)
		if sub.Long != "" {
			fmt.Fprintf(b, "\n%s\n", quoted(sub.Long))
		}
		if f := flags(sub.LocalNonPersistentFlags()); f != "" {
			fmt.Fprintf(b, "\n| flag | meaning | default |\n|---|---|---|\n%s", f)
		}
		describe(b, sub, n)
	}
}

// quoted keeps the lines of a help text that are set apart by their indent as they are.
func quoted(long string) string {
	var b strings.Builder
	within := false
	for line := range strings.Lines(strings.TrimRight(long, "\n") + "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != within && strings.TrimSpace(line) != "" {
			b.WriteString("```\n")
			within = indented
		}
		b.WriteString(escaped(line, within))
	}
	if within {
		b.WriteString("```\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func escaped(line string, code bool) string {
	if code {
		return line
	}
	return strings.NewReplacer("<", "&lt;", "*", "\\*", "_", "\\_").Replace(line)
}

func flags(set *pflag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name
		if kind, _ := pflag.UnquoteUsage(f); kind != "" {
			name += " " + strings.ToUpper(kind)
		}
		name += "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		def := f.DefValue
		if def == "[]" || def == "false" || def == "0" || def == "0s" {
			def = ""
		}
		if def != "" {
			def = "`" + def + "`"
		}
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.ReplaceAll(escaped(usage, false), "|", "\\|"), def)
	})
	return b.String()
}
