package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) configCommand() *cobra.Command {
	var file string
	check := fileFlag(e.command("check [-c FILE]", "List every mistake in the configuration, with its place",
		"Reads the configuration, the schemas, contracts and policies that it names, and lists every mistake with file, line\n"+
			"and column. Nothing is opened and nothing is changed.", nil,
		func(context.Context, []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			e.warnings(c)
			if _, err := run.Offline(c, e.models); err != nil {
				return e.mistakes(c, err)
			}
			fmt.Fprintf(e.out, "%s is good: domain %s, %s, %s, %s\n", c.File(), c.Domain, count(len(c.Agents), "agent"),
				count(len(c.Schemas), "schema"), count(len(c.Contracts), "contract"))
			return nil
		}), &file)
	schema := e.command("schema", "Print the JSON Schema of scrim.yaml", "", nil, func(context.Context, []string) error {
		_, err := e.out.Write(config.Schema())
		return err
	})
	return e.group("config", "Look at the configuration", check, e.configExplain(), e.configMigrate(), schema)
}
