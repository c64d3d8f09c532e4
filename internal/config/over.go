package config

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/policy/change"
)

// LoadOver reads a configuration from a rule set in memory: the file itself, under the name scrim.yaml, and what it refers to, by paths from its
// directory. Path says where it would lie on disk; relative paths of what is no rule start from there: the data directory, secrets, sources, and the
// files by which others are believed and that change by themselves (JWKS, trust bundles). The error is [Mistakes].
func LoadOver(path string, files map[string][]byte) (*Config, error) {
	raw, ok := files[change.Main]
	if !ok {
		return nil, Mistakes{{File: path, Message: "the rule set has no " + change.Main}}
	}
	return parse(path, raw, filepath.Dir(path), maps.Clone(files))
}

// RuleFiles reads from disk the files that decide, as [LoadOver] takes them: the configuration at path, its policies with their tests, and what else it
// refers to. Errors are those of [Load].
func RuleFiles(path string) (map[string][]byte, error) {
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	return c.RuleFiles()
}

// RuleFiles returns the files that decide, by path from the configuration's directory. What the configuration refers to is as it was when it was
// loaded; policies that are on disk are read now.
func (c *Config) RuleFiles() (map[string][]byte, error) {
	files := maps.Clone(c.loaded.content)
	if c.loaded.over != nil {
		for name, content := range c.loaded.over {
			if c.isPolicy(name) {
				files[name] = content
			}
		}
		return files, nil
	}
	err := fs.WalkDir(os.DirFS(c.Path(c.Policies)), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !policyFile(name) {
			return err
		}
		content, err := readBounded(filepath.Join(c.Path(c.Policies), filepath.FromSlash(name)))
		if err == nil {
			files[path.Join(c.PolicyDir(), name)] = content
		}
		return err
	})
	if err == nil {
		err = change.RuleSet{Files: files}.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policies: %w", err)
	}
	return files, nil
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, change.MaxBytes+1))
	if err == nil && len(b) > change.MaxBytes {
		err = change.ErrRuleSet
	}
	return b, err
}

// PolicyFS is the directory of policies, on disk or in memory.
func (c *Config) PolicyFS() fs.FS {
	if c.loaded.policies != nil {
		return c.loaded.policies
	}
	if c.loaded.over == nil {
		return os.DirFS(c.Path(c.Policies))
	}
	return change.RuleSet{Files: c.loaded.over}.FS(c.PolicyDir())
}

// PolicyDir is the directory of policies as a rule set names it.
func (c *Config) PolicyDir() string { return ruleName(c.loaded.dir, c.Path(c.Policies)) }

func (c *Config) isPolicy(name string) bool {
	dir := c.PolicyDir()
	return policyFile(name) && (dir == "." || strings.HasPrefix(name, dir+"/"))
}

func policyFile(name string) bool {
	return strings.HasSuffix(name, ".cedar") || strings.HasSuffix(name, ".test.yaml")
}

// ruleName is how a rule set names a file: by its path from the configuration's directory; one outside of it by its whole path.
func ruleName(dir, name string) string {
	from, err := filepath.Abs(dir)
	to, err2 := filepath.Abs(name)
	if err != nil || err2 != nil {
		return path.Clean(filepath.ToSlash(name))
	}
	if rel, err := filepath.Rel(from, to); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(to)
}

// over returns a file of the rule set in memory.
func (c *Config) over(name string) ([]byte, bool) {
	content, ok := c.loaded.over[ruleName(c.loaded.dir, c.Path(name))]
	return content, ok
}

// glob returns the names that match, as [filepath.Glob] does.
func (v *validator) glob(pattern string) ([]string, error) {
	c := v.c
	if c.loaded.over == nil {
		return filepath.Glob(c.Path(pattern))
	}
	pattern = ruleName(c.loaded.dir, c.Path(pattern))
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.loaded.over)) {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, c.Path(filepath.FromSlash(name)))
		}
	}
	return all, nil
}
