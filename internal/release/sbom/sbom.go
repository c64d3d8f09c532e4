// Package sbom says what a Go program is made of, from what the program says of itself.
//
// A bill is made of the build information in the binary and of nothing else: no clock, no random number, no network. Who has
// the binary makes the same bytes again.
package sbom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// What the build information must have, and a test binary or a build without version control lacks.
var (
	// ErrLocal is returned when a module comes from a directory: nobody else can fetch what was built.
	ErrLocal = errors.New("a module is replaced by a directory")
	// ErrNoTime is returned when neither the build information nor the caller has a time.
	ErrNoTime = errors.New("the build information has no time of a commit")
)

// Options is what the build information does not know.
type Options struct {
	SHA256   string    // of the binary, in hex; left out if empty
	Time     time.Time // of the bill; zero is that of the commit
	Embedded []Package // files of others that are embedded in the program, and are no Go modules
}

// A Package of another registry, as a package URL names it: npm, htmx.org, 4.0.1.
type Package struct{ Type, Name, Version string }

// settings are those that change what is built. Each is told, in the order of the build information.
var settings = []string{"-buildmode", "-compiler", "-tags", "-trimpath", "CGO_ENABLED", "DefaultGODEBUG", "GOARCH", "GOEXPERIMENT", "GOFIPS140", "GOOS", "GOAMD64", "GOARM64", "vcs.revision", "vcs.time", "vcs.modified"}

type document struct {
	Schema     string      `json:"$schema"`
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CycloneDX returns a bill of materials, CycloneDX 1.6 in JSON, of the program that info is of.
//
// It lists the standard library, each module that is linked with its line of go.sum, and what opts says is embedded, in the
// order of their package URLs. It has no serial number, which would have to be random, and no licences, of which the build
// information knows nothing. It returns [ErrLocal] or [ErrNoTime] if info does not say what another could build again.
func CycloneDX(info *debug.BuildInfo, opts Options) ([]byte, error) {
	at, err := when(info, opts.Time)
	if err != nil {
		return nil, err
	}
	b := document{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{Timestamp: at.UTC().Format(time.RFC3339), Component: program(info, opts.SHA256)},
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	std, experiments, _ := strings.Cut(std, " ") // "go1.26.8 X:name" if an experiment is on
	library := linked("golang", "std", std)
	if experiments != "" {
		library.Properties = append(library.Properties, property{"go:version", info.GoVersion})
	}
	b.Components = append(b.Components, library)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version == "" || m.Sum == "" {
			return nil, fmt.Errorf("%w: %s", ErrLocal, m.Path)
		}
		c := linked("golang", m.Path, m.Version)
		c.Properties = []property{{"go:sum", m.Sum}}
		b.Components = append(b.Components, c)
	}
	for _, p := range opts.Embedded {
		b.Components = append(b.Components, linked(p.Type, p.Name, p.Version))
	}
	slices.SortFunc(b.Components, func(x, y component) int { return cmp.Compare(x.Ref, y.Ref) })

	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return nil, fmt.Errorf("writing the bill: %w", err)
	}
	return out.Bytes(), nil
}

func when(info *debug.BuildInfo, given time.Time) (time.Time, error) {
	if !given.IsZero() {
		return given, nil
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, err := time.Parse(time.RFC3339, s.Value)
			if err != nil {
				return time.Time{}, fmt.Errorf("reading the time of the commit: %w", err)
			}
			return at, nil
		}
	}
	return time.Time{}, ErrNoTime
}

func program(info *debug.BuildInfo, sum string) component {
	within := strings.TrimPrefix(strings.TrimPrefix(info.Path, info.Main.Path), "/")
	c := linked("golang", info.Main.Path, info.Main.Version)
	c.Type, c.Name = "application", info.Path
	if within != "" {
		c.PURL += "#" + within
		c.Ref = c.PURL
	}
	if sum != "" {
		c.Hashes = []hash{{"SHA-256", sum}}
	}
	for _, s := range info.Settings {
		if slices.Contains(settings, s.Key) {
			c.Properties = append(c.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	return c
}

// linked is a library by its package URL. That of Go is in lower case by the rules of package URLs; the name keeps its own.
func linked(kind, name, version string) component {
	within := name
	if kind == "golang" {
		within = strings.ToLower(name)
	}
	ref := "pkg:" + kind + "/" + within + "@" + url.QueryEscape(version)
	return component{Type: "library", Ref: ref, Name: name, Version: version, PURL: ref}
}
