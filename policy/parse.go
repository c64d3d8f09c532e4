package policy

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	cedar "github.com/cedar-policy/cedar-go"
)

const (
	policySuffix = ".cedar"
	shadowSuffix = ".shadow.cedar"
	maxFile      = 16 << 20
	maxSyntax    = 100 // mistakes of syntax told of one file
)

// source is one policy file.
type source struct {
	name string // slash-separated, relative to the folder
	text string
}

// statement is one parsed policy with its own text, from which places within it are found.
type statement struct {
	file   source
	policy *cedar.Policy
	start  int // byte offset in the file
	end    int
}

// readSources returns every *.cedar file under fsys, ordered by name.
func readSources(fsys fs.FS) (files []source, mistakes Mistakes, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, policySuffix) {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		switch {
		case len(text) > maxFile:
			mistakes = append(mistakes, Mistake{File: name, Message: fmt.Sprintf("the file is larger than %d MiB", maxFile>>20)})
		case !utf8.Valid(text):
			mistakes = append(mistakes, Mistake{File: name, Message: "the file is not valid UTF-8"})
		default:
			files = append(files, source{name, string(text)})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading policies: %w", err)
	}
	slices.SortFunc(files, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return files, mistakes, nil
}

// parse returns the file's policies. Cedar's parser stops at its first mistake; the file is then parsed statement by
// statement, so that every mistake is found.
func (f source) parse() (sts []statement, mistakes Mistakes) {
	list, err := cedar.NewPolicyListFromBytes(f.name, []byte(f.text))
	if err == nil {
		for _, p := range list {
			sts = append(sts, statement{file: f, policy: p, start: p.Position().Offset, end: len(f.text)})
			if n := len(sts); n > 1 {
				sts[n-2].end = sts[n-1].start
			}
		}
		return sts, nil
	}
	line, column, at := 1, 1, 0
	for _, c := range splitStatements(f.text) {
		line, column = advance(line, column, f.text[at:c.start])
		at = c.start
		list, err := cedar.NewPolicyListFromBytes(f.name, []byte(f.text[c.start:c.end]))
		if err != nil {
			mistakes = append(mistakes, f.syntax(err, f.text[c.start:c.end], line, column))
			if len(mistakes) == maxSyntax {
				break
			}
			continue
		}
		for _, p := range list {
			pos := &p.AST().Position
			pos.Line, pos.Column = shift(pos.Line, pos.Column, line, column)
			pos.Offset += c.start
			sts = append(sts, statement{file: f, policy: p, start: c.start, end: c.end})
		}
	}
	if len(mistakes) == 0 { // the whole did not parse, so its parts must not count as if it had
		mistakes = append(mistakes, f.syntax(err, f.text, 1, 1))
	}
	return sts, mistakes
}

var (
	parsePlace = regexp.MustCompile(`<input>:(\d+):(\d+)`)
	parseNoise = regexp.MustCompile(`^(parser error: )?(parse error at )?<input>:\d+:\d+:? ?`)
	parseWant  = regexp.MustCompile(`^".*": exact got (.*) want (.*)$`)
)

// syntax makes a mistake of the parser's error about a part of the file that begins at line and column.
func (f source) syntax(err error, part string, line, column int) Mistake {
	text := strings.TrimPrefix(err.Error(), "parser error: ")
	l, c := 1, 1
	if m := parsePlace.FindStringSubmatch(text); m != nil {
		l, _ = strconv.Atoi(m[1])
		c, _ = strconv.Atoi(m[2])
	}
	text = parseNoise.ReplaceAllString(text, "")
	if m := parseWant.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("found %q where %q must stand", m[1], m[2])
		if m[1] == "" {
			text = fmt.Sprintf("the policy ends where %q must stand", m[2])
		}
		// The parser has read the token that it did not expect, and tells the place of the next one.
		if at := strings.LastIndex(part[:offsetOf(part, l, c)], m[1]); at >= 0 && m[1] != "" {
			l, c = advance(1, 1, part[:at])
		}
	}
	line, column = shift(l, c, line, column)
	return Mistake{File: f.name, Line: line, Column: column, Message: text}
}

// offsetOf returns the byte offset of a place in the text, or its length if there is no such place.
func offsetOf(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		at = skipTo(text, at, "\n") + 1
	}
	if at > len(text) {
		return len(text)
	}
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

type chunk struct{ start, end int }

// splitStatements cuts text after each semicolon that stands outside strings and comments.
func splitStatements(text string) (chunks []chunk) {
	start := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case strings.HasPrefix(text[i:], "//"):
			i = skipTo(text, i+2, "\n")
		case strings.HasPrefix(text[i:], "/*"):
			i = skipTo(text, i+2, "*/") + 1
		case text[i] == ';':
			chunks = append(chunks, chunk{start, i + 1})
			start = i + 1
		}
	}
	if strings.TrimSpace(text[start:]) != "" {
		chunks = append(chunks, chunk{start, len(text)})
	}
	return chunks
}

// skipTo returns the offset of the next occurrence of mark at or after i, or the end of the text.
func skipTo(text string, i int, mark string) int {
	if n := strings.Index(text[i:], mark); n >= 0 {
		return i + n
	}
	return len(text)
}

// advance returns the place behind the text, which begins at line and column. Columns count characters, from 1.
func advance(line, column int, text string) (int, int) {
	nl := strings.LastIndexByte(text, '\n')
	if nl < 0 {
		return line, column + utf8.RuneCountInString(text)
	}
	return line + strings.Count(text, "\n"), utf8.RuneCountInString(text[nl+1:]) + 1
}

// shift turns a place within a part into one within the whole, where the part begins at the second place.
func shift(line, column, partLine, partColumn int) (int, int) {
	if line == 1 {
		column += partColumn - 1
	}
	return line + partLine - 1, column
}
