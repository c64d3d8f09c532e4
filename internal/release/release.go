package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/internal/release/sbom"
)

// targets are the systems that are released for.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"}

// programs are what is released, each with what is embedded in it and is no Go module. Its test holds the versions to the files.
var programs = map[string][]sbom.Package{
	"scrim":        {{Type: "npm", Name: "htmx.org", Version: "4.0.1"}, {Type: "npm", Name: "uplot", Version: "1.6.32"}},
	"scrim-verify": nil,
}

// flags make a build forget where it happened, and remember from which commit.
var flags = []string{"-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-mod=readonly"}

// fixed are the settings of Go that change what is built. They come from here and not from who builds.
var fixed = []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off", "GOAMD64=v1", "GOARM64=v8.0"}

// kept are the settings of Go that say where things are fetched and kept. They stay whose they are.
var kept = []string{"GOAUTH", "GOCACHE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"}

// errChanged is returned when what was built is not what a commit holds.
var errChanged = errors.New("the working tree is not as committed: commit, or build from a fresh clone")

// release builds every program for every target, or for one, from the module in the current directory, and writes out.
// It leaves nothing behind if one of them fails.
func release(ctx context.Context, out, only string) error {
	if only != "" && !slices.Contains(targets, only) {
		return fmt.Errorf("%s is no system that is released for: %s", only, strings.Join(targets, ", "))
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already; name a directory that is not", out)
	}
	at, err := epoch(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	// Not within out: a file more in the working tree, and Go would say of the next program that its commit was changed.
	work, err := os.MkdirTemp("", "scrim-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, target := range targets {
		if only != "" && target != only {
			continue
		}
		for name, embedded := range programs {
			file := filepath.Join(work, fileName(name, target))
			if err := build(ctx, ".", file, target, "./cmd/"+name, flags); err != nil {
				return err
			}
			if err := writeBill(file, sbom.Options{Time: at, Embedded: embedded}); err != nil {
				return err
			}
		}
	}
	if err := writeSums(work); err != nil {
		return err
	}
	if err := os.CopyFS(out, os.DirFS(work)); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	return nil
}

// epoch is what SOURCE_DATE_EPOCH says, or zero if it says nothing.
func epoch(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is no number of seconds")
	}
	return time.Unix(n, 0), nil
}

func fileName(program, target string) string {
	name := program + "-" + strings.ReplaceAll(target, "/", "-")
	if strings.HasPrefix(target, "windows/") {
		name += ".exe"
	}
	return name
}

// build builds one package of the module in dir for target into file.
func build(ctx context.Context, dir, file, target, pkg string, flags []string) error {
	env, err := environment(ctx, dir, target)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build"}, flags, []string{"-o", file, pkg})...)
	cmd.Dir, cmd.Env = dir, env
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s for %s: %w\n%s", pkg, target, err, text)
	}
	return nil
}

// environment is this process's, with what changes a build set anew. The user's file of settings (go env -w) is not read
// by the build: an empty variable would fall back to it.
func environment(ctx context.Context, dir, target string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, kept...)...)
	cmd.Dir = dir
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for its settings: %w", err)
	}
	var has map[string]string
	if err := json.Unmarshal(text, &has); err != nil {
		return nil, fmt.Errorf("reading the settings of go: %w", err)
	}
	env := os.Environ()
	for _, name := range kept {
		env = append(env, name+"="+has[name])
	}
	system, arch, _ := strings.Cut(target, "/")
	return append(append(env, fixed...), "GOENV=off", "GOOS="+system, "GOARCH="+arch), nil
}

// writeBill writes the bill of materials of file beside it. It returns errChanged unless file says that it was built from a
// commit and nothing else.
func writeBill(file string, opts sbom.Options) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	if setting(info, "vcs.modified") != "false" || setting(info, "vcs.revision") == "" {
		return errChanged
	}
	if opts.SHA256, err = digest(file); err != nil {
		return err
	}
	bill, err := sbom.CycloneDX(info, opts)
	if err != nil {
		return fmt.Errorf("the bill of %s: %w", filepath.Base(file), err)
	}
	return os.WriteFile(file+".cdx.json", bill, 0o644)
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// writeSums writes SHA256SUMS, as sha256sum -c reads it, over what is in dir.
func writeSums(dir string) error {
	files, err := os.ReadDir(dir) // in the order of names
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, f := range files {
		sum, err := digest(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, f.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), sums.Bytes(), 0o644)
}

func digest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
