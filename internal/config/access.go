package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// File returns the name that Load was given.
func (c *Config) File() string { return c.loaded.file }

// Hash returns the digest, in hexadecimal, of the file and of the schemas, contracts and public keys it refers to.
// Policies and secrets are not part of it.
func (c *Config) Hash() string { return c.loaded.hash }

// Files returns what the configuration was made of, to be watched for changes: the file itself, the directory of
// policies, and the schemas, contracts and public keys. Secrets are not among them: they are read anew each time.
func (c *Config) Files() []string {
	all := append([]string{c.loaded.file, c.Path(c.Policies)}, c.loaded.files...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Warnings returns what should be looked at, though the file can be used.
func (c *Config) Warnings() Mistakes { return slices.Clone(c.loaded.warnings) }

// Agent returns the agent of the id.
func (c *Config) Agent(id flow.AgentID) (Agent, bool) {
	i := slices.IndexFunc(c.Agents, func(a Agent) bool { return a.ID == id })
	if i < 0 {
		return Agent{}, false
	}
	return c.Agents[i], true
}

// Own reports whether the agent is of this gateway's domain.
func (c *Config) Own(a Agent) bool { return a.Domain == c.Domain }

// Party returns the agent as a party of flows. It is not attested: no file can claim that.
func (a Agent) Party() flow.Party {
	return flow.Party{Agent: a.ID, Domain: a.Domain, Roles: slices.Clone(a.Roles)}
}

// Parties returns every agent as a party of flows, in the order of the file.
func (c *Config) Parties() []flow.Party {
	all := make([]flow.Party, len(c.Agents))
	for i, a := range c.Agents {
		all[i] = a.Party()
	}
	return all
}

// PurposeParents returns the parents of each purpose; those without have an entry too.
func (c *Config) PurposeParents() map[flow.Purpose][]flow.Purpose {
	out := make(map[flow.Purpose][]flow.Purpose, len(c.Purposes))
	for name, p := range c.Purposes {
		out[name] = slices.Clone(p.Parents)
	}
	return out
}

// RoleParents returns the parents of each role; those without have an entry too.
func (c *Config) RoleParents() map[flow.Role][]flow.Role {
	out := make(map[flow.Role][]flow.Role, len(c.Roles))
	for name, r := range c.Roles {
		out[name] = slices.Clone(r.Parents)
	}
	return out
}

// PurposeGroup returns the group that shares tokens with the purpose: its own name where no group is configured.
func (c *Config) PurposeGroup(p flow.Purpose) string {
	for name, group := range c.PurposeGroups {
		if slices.Contains(group, p) {
			return name
		}
	}
	return string(p)
}

// Taxonomy returns the built-in classes with those of the file.
func (c *Config) Taxonomy() *flow.Taxonomy { return c.loaded.taxonomy }

// Trees returns the hierarchies that values climb.
func (c *Config) Trees() deidentify.Hierarchies { return c.loaded.trees }

// Catalog returns the schemas and contracts that the file names, read and bound.
func (c *Config) Catalog() *catalog.Catalog { return c.loaded.catalog }

// Credential returns the secret as its header carries it, the scheme before it. It is read anew each time, so that it
// can be changed without a restart. The error wraps [ErrSecret] and gives the place in the file, and neither the name nor the content of the secret.
func (c *Config) Credential(cred *Credential) (flow.Secret, error) {
	s, err := c.secret(cred.place, cred.Env, cred.File)
	if err != nil || cred.Scheme == "" {
		return s, err
	}
	return flow.NewSecret(cred.Scheme + " " + s.Expose()), nil
}

// Environ returns the environment that the server's program gets besides PATH and HOME, by name. The error wraps
// [ErrSecret] and gives the place in the file.
func (c *Config) Environ(m *MCP) (map[string]flow.Secret, error) {
	out := make(map[string]flow.Secret, len(m.Env))
	for name, e := range m.Env {
		if e.Env == "" && e.File == "" {
			out[name] = flow.NewSecret(e.Value)
			continue
		}
		s, err := c.secret(e.place, e.Env, e.File)
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

// ErrSecret is wrapped by errors about secrets that cannot be had.
var ErrSecret = errors.New("a secret is not there")

func (c *Config) secret(at place, env, file string) (flow.Secret, error) {
	fail := func(why string) (flow.Secret, error) {
		return flow.Secret{}, fmt.Errorf("%s:%d:%d: %w: %s", c.loaded.file, at.line, at.column, ErrSecret, why)
	}
	text := os.Getenv(env)
	if file != "" {
		const most = 64 << 10
		f, err := os.Open(c.Path(file))
		if err != nil {
			return fail(reason(err))
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, most))
		if err != nil {
			return fail(reason(err))
		}
		text = strings.TrimRight(string(raw), "\r\n")
	}
	switch {
	case text == "" && env != "":
		return fail("the environment variable is not set, or empty")
	case text == "":
		return fail("the file is empty")
	case strings.ContainsAny(text, "\r\n\x00"):
		return fail("it has more than one line")
	}
	return flow.NewSecret(text), nil
}
