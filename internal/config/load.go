package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// loaded is what Parse learned beside the fields.
type loaded struct {
	file      string // as given to Load
	dir       string // that relative paths start from; "": no files are looked at
	hash      string
	places    map[string]place
	taxonomy  *flow.Taxonomy
	catalog   *catalog.Catalog
	published map[string]*bundle.Content // by bundle
	origins   map[string]Origin          // by place: what was taken over from defaults or bundles
	outside   []policy.Outside           // see [Config.HeldTo]
	free      *Config                    // that this one is held to bundles from; nil: it is not
	policies  fs.FS                      // in place of those on disk; nil: those on disk
	queried   map[string]*query.Dataset
	trees     deidentify.Hierarchies
	rules     *detect.Rules
	exposure  *exposure.Rules
	warnings  Mistakes
	cardKeys  map[flow.AgentID][]byte
	specs     map[flow.AgentID]*facade.Spec // OpenAPI files of services behind facades
	files     []string                      // that were read, as the system knows them

	compared map[string]bool   // of these files, those that are read as more than a contract
	content  map[string][]byte // of the files that decide and were read, as a rule set names them
	over     map[string][]byte // files in memory that stand for those on disk; nil: those on disk are read
}

const (
	maxFile       = 1 << 20 // bytes of scrim.yaml
	maxReferenced = 8 << 20 // bytes of a schema or contract
)

// Load reads the file and what it refers to. Relative paths in it start from its directory. The error is [Mistakes],
// or what the system said when the file could not be read.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, raw, filepath.Dir(path))
}

// Parse reads the content of a file. Name appears in mistakes; relative paths start from dir, and with dir "" no other
// file is looked at. The error is [Mistakes].
func Parse(name string, raw []byte, dir string) (*Config, error) { return parse(name, raw, dir, nil) }

func parse(name string, raw []byte, dir string, over map[string][]byte) (*Config, error) {
	if len(raw) > maxFile {
		return nil, Mistakes{{File: name, Message: "the file is larger than 1 MiB"}}
	}
	root, err := document(name, raw)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: name, places: map[string]place{}}
	c := &Config{}
	d.structure(root, reflect.ValueOf(c).Elem(), "")
	c.loaded = loaded{file: name, dir: dir, places: d.places, cardKeys: map[flow.AgentID][]byte{}, over: over, compared: map[string]bool{}, content: map[string][]byte{change.Main: bytes.Clone(raw)}}
	v := &validator{c: c, mistakes: d.mistakes, hash: sha256.New()}
	addHash(v.hash, "scrim.yaml", raw)
	c.complete()
	v.validate()
	v.mistakes.sort()
	v.warnings.sort()
	if len(v.mistakes) > 0 {
		return nil, v.mistakes
	}
	c.loaded.warnings = v.warnings
	c.loaded.hash = hex.EncodeToString(v.hash.Sum(nil))
	return c, nil
}

func addHash(h hash.Hash, name string, content []byte) {
	var size [16]byte
	binary.BigEndian.PutUint64(size[:8], uint64(len(name)))
	binary.BigEndian.PutUint64(size[8:], uint64(len(content)))
	h.Write(size[:])
	h.Write([]byte(name))
	h.Write(content)
}

// document parses YAML to its one mapping.
func document(name string, raw []byte) (*yaml.Node, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	err := dec.Decode(&doc)
	if err != nil && err != io.EOF {
		return nil, Mistakes{syntaxMistake(name, err)}
	}
	if err == io.EOF || len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil, Mistakes{{File: name, Line: 1, Column: 1, Message: "the file is empty", Hint: "scrim run writes a first one where there is none"}}
	}
	var second yaml.Node
	if err := dec.Decode(&second); err != io.EOF {
		return nil, Mistakes{{File: name, Line: max(second.Line, 1), Column: 1, Message: "there is more than one document in the file"}}
	}
	return doc.Content[0], nil
}

// syntaxMistake keeps the place and the reason of the parser's message, unless it quotes the file.
func syntaxMistake(name string, err error) Mistake {
	m := Mistake{File: name, Line: 1, Column: 1, Message: "not valid YAML"}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if after, ok := strings.CutPrefix(text, "line "); ok {
		digits, reason, _ := strings.Cut(after, ":")
		if n, err := strconv.Atoi(digits); err == nil {
			m.Line, text = n, strings.TrimSpace(reason)
		}
		if strings.HasPrefix(text, "did not find expected") {
			m.Line++ // the parser, unlike the scanner, counts from 0
		}
	}
	if !strings.ContainsAny(oneQuoted.ReplaceAllString(text, ""), "'\"`") {
		m.Message += ": " + text
	}
	if strings.Contains(text, "cannot start any token") {
		m.Hint = "indent with spaces, not with tabs"
	}
	return m
}

// oneQuoted is a single character in quotes, which is what was expected and nothing of the file.
var oneQuoted = regexp.MustCompile(`'[^']'`)

// complete fills in the defaults that depend on other fields.
func (c *Config) complete() {
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
		if c.TLS.On() {
			c.PublicURL = "https://" + c.Listen
		}
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.Console.PublicURL = strings.TrimRight(c.Console.PublicURL, "/")
	c.Push.URL = strings.TrimRight(c.Push.URL, "/")
	if c.Keys.File == "" {
		c.Keys.File = filepath.Join(c.Data, "keyset.json")
	}
	for i := range c.Lineage.Emit {
		if cred := c.Lineage.Emit[i].Credential; cred != nil {
			cred.complete()
		}
	}
	if r := c.Detection.Remote; r != nil && r.Credential != nil {
		r.Credential.complete()
	}
	for i := range c.Agents {
		a := &c.Agents[i]
		if a.Domain == "" {
			a.Domain = c.Domain
		}
		c.inherit(a, fmt.Sprintf("agents/%d", i))
		if a.DefaultPurpose == "" && len(a.Purposes) == 1 {
			a.DefaultPurpose = a.Purposes[0]
		}
		if len(a.Purposes) == 0 && a.DefaultPurpose != "" {
			a.Purposes = []flow.Purpose{a.DefaultPurpose}
		}
		if a.JWT != nil && a.JWT.Subject == "" {
			a.JWT.Subject = string(a.ID)
		}
		for _, cred := range a.credentials() {
			cred.complete()
		}
	}
	c.inheritDatasets()
	for i := range c.Classes {
		if c.Classes[i].Word == "" {
			c.Classes[i].Word = "value"
		}
	}
}

func (c *Credential) complete() {
	if c.Scheme == "" && strings.EqualFold(c.Header, "Authorization") {
		c.Scheme = "Bearer"
	}
}

func (a *Agent) credentials() []*Credential {
	var all []*Credential
	if a.A2A != nil && a.A2A.Credential != nil {
		all = append(all, a.A2A.Credential)
	}
	if a.MCP != nil && a.MCP.Credential != nil {
		all = append(all, a.MCP.Credential)
	}
	if a.Facade != nil && a.Facade.REST != nil && a.Facade.REST.Credential != nil {
		all = append(all, a.Facade.REST.Credential)
	}
	return all
}
