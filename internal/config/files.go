package config

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// Path returns a path of the file as the system knows it: one that is not absolute starts from the file's directory.
func (c *Config) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.loaded.dir, p)
}

// look reports whether other files are looked at.
func (v *validator) look() bool { return v.c.loaded.dir != "" }

// files checks and reads what the file refers to.
func (v *validator) files(agents map[flow.AgentID]int) {
	if v.look() && v.c.Policies != "" {
		if info, err := fs.Stat(v.c.PolicyFS(), "."); err != nil || !info.IsDir() {
			v.wrong("policies", "scrim run writes starter policies where there is no file at all", "the directory of policies is not there")
		}
	}
	if k := v.c.Keys.PassphraseEnv; k != "" {
		v.secret("keys/passphrase_env", k, "")
	}
	v.trees()
	contracts := v.contracts()
	v.transparent(agents)
	v.c.loaded.catalog = catalog.New(append(v.schemas(agents, contracts), v.facades(contracts)...), contracts)
}

// read returns the content of a file that decides, or notes why not. Its name is not repeated: the place says which.
func (v *validator) read(at, name string) ([]byte, bool) {
	var raw []byte
	var ok bool
	if v.c.loaded.over != nil {
		v.c.loaded.files = append(v.c.loaded.files, v.c.Path(name)) // it is watched, though what it holds is not taken
	}
	if v.c.loaded.over == nil {
		raw, ok = v.live(at, name)
	} else if raw, ok = v.c.over(name); !ok {
		v.wrong(at, "paths start from the directory of this file", "the file is not part of the rule set")
	} else {
		addHash(v.hash, v.shown(name), raw)
	}
	if ok {
		name := ruleName(v.c.loaded.dir, v.c.Path(name))
		v.c.loaded.content[name] = raw
		if !strings.HasPrefix(at, "contracts/") {
			v.c.loaded.compared[name] = true
		}
	}
	return raw, ok
}

// live is read of a file that is no rule, and that is read again while a gateway runs.
func (v *validator) live(at, name string) ([]byte, bool) {
	v.c.loaded.files = append(v.c.loaded.files, v.c.Path(name))
	f, err := os.Open(v.c.Path(name))
	if err != nil {
		v.wrong(at, "paths start from the directory of this file", "%s", reason(err))
		return nil, false
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxReferenced+1))
	switch {
	case err != nil:
		v.wrong(at, "", "%s", reason(err))
	case len(raw) > maxReferenced:
		v.wrong(at, "", "the file is larger than 8 MiB")
	default:
		addHash(v.hash, v.shown(name), raw)
		return raw, true
	}
	return nil, false
}

func (v *validator) readable(at, name string) {
	if v.look() {
		v.live(at, name)
	}
}

// authorities checks a file of certificate authorities.
func (v *validator) authorities(at, name string) {
	if name == "" || !v.look() {
		return
	}
	if b, ok := v.read(at, name); ok && !x509.NewCertPool().AppendCertsFromPEM(b) {
		v.wrong(at, "a PEM file of certificates is expected", "there is no certificate in the file")
	}
}

// Authorities returns the PEM of a file of certificate authorities.
func (c *Config) Authorities(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if b, ok := c.over(name); ok {
		return string(b), nil
	}
	b, err := os.ReadFile(c.Path(name))
	if c.loaded.over != nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", errors.New("the certificate authorities: " + reason(err))
	}
	return string(b), nil
}

func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the file is not there"
	case errors.Is(err, fs.ErrPermission):
		return "the file may not be read"
	}
	return "the file cannot be read"
}

// secret warns of a secret that is not there, which need not be wrong on the machine that checks the file.
func (v *validator) secret(at, env, file string) {
	if !v.look() {
		return
	}
	if env != "" {
		if _, ok := os.LookupEnv(env); !ok {
			v.warn(at, "", "the environment variable is not set here")
		}
	}
	if file == "" {
		return
	}
	info, err := os.Stat(v.c.Path(file))
	switch {
	case err != nil:
		v.warn(at, "", "the file that holds the secret cannot be read here")
	case info.Mode().Perm()&0o077 != 0:
		v.warn(at, "chmod 600", "the file that holds the secret can be read by others")
	}
}

// trees reads the hierarchies.
func (v *validator) trees() {
	seen := map[flow.Label]bool{}
	for i, h := range v.c.Hierarchies {
		at := fmt.Sprintf("hierarchies/%d", i)
		if seen[h.Label] {
			v.wrong(at+"/label", "", "another hierarchy has the same label")
			continue
		}
		seen[h.Label] = true
		if h.Label != "" && !v.c.loaded.taxonomy.Known(h.Label) {
			v.wrong(at+"/label", "classes of your own go under taxonomy", "no such class of data")
			continue
		}
		if !v.look() || h.File == "" {
			continue
		}
		raw, ok := v.read(at+"/file", h.File)
		if !ok {
			continue
		}
		trees, err := v.c.loaded.trees.With(h.Label, bytes.NewReader(raw))
		if err != nil {
			v.wrong(at+"/file", "each row is a value followed by its ancestors, all rows of one length", "%v", err)
			continue
		}
		v.c.loaded.trees = trees
	}
}

func (v *validator) contracts() []*catalog.Contract {
	var all []*catalog.Contract
	if !v.look() {
		return nil
	}
	for i, glob := range v.c.Contracts {
		at := fmt.Sprintf("contracts/%d", i)
		names, err := v.glob(glob)
		if err != nil || len(names) == 0 {
			v.wrong(at, "paths start from the directory of this file", "no file matches")
			continue
		}
		for _, name := range names {
			raw, ok := v.read(at, v.absolute(name))
			if !ok {
				continue
			}
			c, err := catalog.ParseContract(v.shown(name), raw, v.c.loaded.taxonomy)
			if err != nil {
				v.adopt(at, err)
				continue
			}
			all = append(all, v.c.inheriting(c))
		}
	}
	v.agree(all)
	return all
}

// absolute undoes what [Config.Path] would do twice to a globbed name.
func (v *validator) absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// shown returns a file's name as mistakes give it: relative to the configuration's directory.
func (v *validator) shown(name string) string {
	if rel, err := filepath.Rel(v.c.loaded.dir, v.c.Path(name)); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return name
}

// adopt takes over the mistakes of a schema or contract.
func (v *validator) adopt(at string, err error) {
	ms, ok := errors.AsType[catalog.Mistakes](err)
	if !ok {
		v.wrong(at, "", "%s", err)
		return
	}
	for _, m := range ms {
		message := m.Message
		if m.Place != "" {
			message = m.Place + ": " + message
		}
		v.mistakes = append(v.mistakes, Mistake{File: m.File, Line: m.Line, Column: m.Column, Message: message, Hint: m.Hint})
	}
}

func (v *validator) schemas(agents map[flow.AgentID]int, contracts []*catalog.Contract) []catalog.Binding {
	var all []catalog.Binding
	parsed := map[[2]any]*catalog.Schema{}
	for i, b := range v.c.Schemas {
		at := fmt.Sprintf("schemas/%d", i)
		known(v, at+"/agent", "agent", b.Agent, agents)
		kinds := v.kinds(b, at)
		if !v.look() || b.File == "" {
			continue
		}
		s, ok := parsed[[2]any{b.File, b.Foreign}]
		if !ok {
			raw, ok := v.read(at+"/file", b.File)
			if !ok {
				continue
			}
			var err error
			s, err = catalog.ParseSchema(v.shown(b.File), raw, catalog.SchemaOptions{Taxonomy: v.c.loaded.taxonomy, Foreign: b.Foreign, Contracts: contracts})
			if err != nil {
				v.adopt(at+"/file", err)
			}
			parsed[[2]any{b.File, b.Foreign}] = s
		}
		if s == nil {
			continue
		}
		for kind, name := range kinds {
			all = append(all, catalog.Binding{Schema: s, Kind: kind, Owner: b.Agent, Name: name, Direction: b.Direction})
		}
	}
	return all
}

// kinds returns what a schema describes, by kind.
func (v *validator) kinds(b SchemaBinding, at string) map[catalog.Kind]string {
	out := map[catalog.Kind]string{}
	for kind, name := range map[catalog.Kind]string{catalog.Tool: b.Tool, catalog.Skill: b.Skill, catalog.Data: b.Data, catalog.Resource: b.Resource, catalog.Prompt: b.Prompt} {
		if name != "" {
			out[kind] = name
		}
	}
	if len(out) > 1 {
		v.wrong(at, "list the schema once for each", "one of tool, skill, data, resource and prompt is expected")
	}
	if len(out) == 0 {
		for _, kind := range catalog.Kinds() {
			out[kind] = "*"
		}
	}
	return out
}

// transparent checks the entries. They are no schemas: their places are those of whole messages.
func (v *validator) transparent(agents map[flow.AgentID]int) {
	for i, t := range v.c.Transparent {
		at := fmt.Sprintf("transparent/%d", i)
		if t.Agent != "*" {
			known(v, at+"/agent", "agent", t.Agent, agents)
		}
		v.warn(at, "", "this traffic passes unchanged")
		if i := strings.Index(t.Path, "/**"); i >= 0 && i+len("/**") != len(t.Path) {
			v.wrong(at+"/path", "", "** may stand at the end only")
		}
	}
}
