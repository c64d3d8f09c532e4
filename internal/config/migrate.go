package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Current is the version of the file's format that this program reads.
const Current = 1

// Errors of a migration that a caller may act on.
var (
	ErrNewerFile = errors.New("the configuration is of a newer version than this program knows; run the newer program, or the file that lies beside it from before")
	ErrNoFile    = errors.New("the configuration is not a YAML mapping with one version")
)

// step takes a file from one version to the next. It edits the text, at places that the parsed file tells, so that comments, order and spelling of all else stay
// as somebody wrote them.
type step func(text []byte, root *yaml.Node) ([]byte, error)

// steps are those from version 0 on: steps[n] leads to version n+1. A file without a version is of version 0.
var steps = []step{versioned}

// Migrate brings the text of a configuration to the version that this program reads, one version after the other. From is the version it had; text that is of
// the current version comes back as it is. It returns [ErrNewerFile] or [ErrNoFile]; neither repeats anything of the file.
func Migrate(text []byte) (out []byte, from int, err error) { return migrate(text, steps) }

func migrate(text []byte, steps []step) (out []byte, from int, err error) {
	root, at, err := versionOf(text)
	if err != nil {
		return nil, 0, err
	}
	from = at
	if at > len(steps) {
		return nil, from, fmt.Errorf("%w: version %d, and %d is known", ErrNewerFile, at, len(steps))
	}
	out = text
	for ; at < len(steps); at++ {
		if out, err = steps[at](slices.Clone(out), root); err != nil {
			return nil, from, fmt.Errorf("from version %d to %d: %w", at, at+1, err)
		}
		next := 0
		if root, next, err = versionOf(out); err != nil || next != at+1 {
			return nil, from, fmt.Errorf("from version %d to %d: %w", at, at+1, errors.Join(errors.New("the result is not of that version"), err))
		}
	}
	return out, from, nil
}

// versionOf parses a file and reads its version.
func versionOf(text []byte) (*yaml.Node, int, error) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode { // its text may quote the file
		return nil, 0, ErrNoFile
	}
	root, version, found := doc.Content[0], 0, false
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "version" {
			continue
		}
		n, err := strconv.Atoi(root.Content[i+1].Value)
		if err != nil || n < 1 || found {
			return nil, 0, ErrNoFile
		}
		version, found = n, true
	}
	return root, version, nil
}

// versioned writes the version before the first key.
func versioned(text []byte, root *yaml.Node) ([]byte, error) {
	if root.Style&yaml.FlowStyle != 0 || len(root.Content) == 0 {
		return nil, ErrNoFile
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	at := root.Content[0].Line - 1
	if at >= len(lines) || bytes.HasPrefix(text, []byte("\ufeff")) { // lines that end otherwise, or a mark that would no longer be the first thing
		return nil, ErrNoFile
	}
	end := []byte("\n")
	if bytes.HasSuffix(lines[at], []byte("\r\n")) {
		end = []byte("\r\n")
	}
	return bytes.Join(slices.Insert(lines, at, append([]byte("version: 1"), end...)), nil), nil
}
