package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
)

const defaultConfig = "scrim.yaml"

// fileFlag adds the flag for the configuration.
func fileFlag(c *cobra.Command, file *string) *cobra.Command {
	c.Flags().StringVarP(file, "config", "c", defaultConfig, "configuration file")
	return c
}

// load reads the configuration. Its mistakes are printed, one a line, and the error then says only what to do.
func (e *env) load(file string) (*config.Config, error) {
	c, err := config.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(`Name another with -c, or start "scrim run" where there is none: it writes a first one.`, "there is no %s here", file)
	}
	if err != nil {
		return nil, e.mistakes(nil, err)
	}
	return c, nil
}

// mistakes prints every mistake in configuration or policies.
func (e *env) mistakes(c *config.Config, err error) error {
	st := e.style(e.err)
	n := 0
	if ms, ok := errors.AsType[config.Mistakes](err); ok {
		for _, m := range ms {
			e.mistake(st, m.File, m.Line, m.Column, m.Message, m.Hint, m.Warning)
		}
		n = len(ms)
	} else if ms, ok := errors.AsType[policy.Mistakes](err); ok {
		for _, m := range ms {
			if m.File != "" && c != nil {
				m.File = filepath.Join(c.Policies, filepath.FromSlash(m.File))
			}
			e.mistake(st, m.File, m.Line, m.Column, m.Message, m.Hint, false)
		}
		n = len(ms)
	} else {
		return err
	}
	e.complain(count(n, "mistake") + " to mend")
	return errSaid
}

func (e *env) mistake(st style, file string, line, column int, message, hint string, warning bool) {
	place := file
	if place == "" {
		place = "scrim.yaml"
	}
	if line > 0 {
		place = fmt.Sprintf("%s:%d:%d", file, line, column)
	}
	kind := st.bad("error:")
	if warning {
		kind = st.warn("warning:")
	}
	fmt.Fprintf(e.err, "%s: %s %s\n", st.bold(place), kind, message)
	if hint != "" {
		fmt.Fprintf(e.err, "    %s\n", hint)
	}
}

// warnings prints what should be looked at.
func (e *env) warnings(c *config.Config) {
	st := e.style(e.err)
	for _, m := range c.Warnings() {
		e.mistake(st, m.File, m.Line, m.Column, m.Message, m.Hint, true)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// party returns a configured agent as a party of a flow.
func party(c *config.Config, id string) (flow.Party, error) {
	a, ok := c.Agent(flow.AgentID(id))
	if !ok {
		return flow.Party{}, misuse("there is no agent %q in %s; it has: %s", id, c.File(), agentNames(c))
	}
	return a.Party(), nil
}

func agentNames(c *config.Config) string {
	var names []string
	for _, a := range c.Agents {
		names = append(names, string(a.ID))
	}
	return orNone(names)
}

func purposeNames(c *config.Config) string {
	var names []string
	for p := range c.Purposes {
		names = append(names, string(p))
	}
	slices.Sort(names)
	return orNone(names)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// hasState reports whether a gateway ever ran on the data directory.
func hasState(c *config.Config) bool {
	_, err := os.Stat(c.Path(c.Data))
	return err == nil
}
