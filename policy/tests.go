package policy

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// TestResult is how one policy test ended.
type TestResult struct {
	Name    string
	File    string
	Line    int // of the test in its file, from 1
	Passed  bool
	Failure string // what was expected and what came, with file and line; empty if passed
}

const testSuffix = ".test.yaml"

// RunTests runs the policy tests in every *.test.yaml file under fsys, in the order of file and line.
//
// The format is described in docs/spec/policy-tests.md. An error of type [Mistakes] says that files could not be read as
// tests, and then no results are returned; a test that fails is a result, not an error.
func RunTests(s *Set, fsys fs.FS) ([]TestResult, error) {
	var (
		results  []TestResult
		mistakes Mistakes
	)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, testSuffix) {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		cases, wrong := s.readTests(name, text)
		mistakes = append(mistakes, wrong...)
		for _, c := range cases {
			results = append(results, s.runTest(name, c))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading policy tests: %w", err)
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return results, nil
}

// RunTestFile runs the policy tests of one file. Errors are those of [RunTests].
func RunTestFile(s *Set, name string, r io.Reader) ([]TestResult, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTestFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading policy tests: %w", err)
	}
	cases, mistakes := s.readTests(name, text)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	results := make([]TestResult, len(cases))
	for i, c := range cases {
		results[i] = s.runTest(name, c)
	}
	return results, nil
}

// testCase is one test as read.
type testCase struct {
	name    string
	line    int
	query   Query
	labels  []flow.Label
	field   string
	need    *flow.Treatment
	score   uint8  // of a finding, in percent; 0: it is catalogued
	expect  string // "level" or "level/param"; empty: not asked
	reason  string
	by      string
	mayOpen *bool
	open    OpenQuery // without its query and label
	table   TableQuery
	extract *bool // whether rows may leave
	covered bool  // the labels are of columns that the table's guarantee covers
}

func (s *Set) runTest(file string, c testCase) TestResult {
	res := TestResult{Name: c.name, File: file, Line: c.line}
	var failures []string
	if c.extract != nil {
		failures = s.checkExtract(c)
	}
	for _, l := range c.labels {
		if c.mayOpen != nil {
			failures = append(failures, s.checkOpen(c, l)...)
		}
		if c.expect != "" || c.by != "" || (c.reason != "" && c.mayOpen == nil && c.extract == nil) {
			failures = append(failures, s.checkLevel(c, l)...)
		}
	}
	if len(failures) == 0 {
		res.Passed = true
		return res
	}
	res.Failure = fmt.Sprintf("%s:%d: %s: %s", file, c.line, c.name, strings.Join(failures, "; "))
	return res
}

func (s *Set) checkLevel(c testCase, l flow.Label) (failures []string) {
	leaf := flow.Leaf{Path: "/test", Label: l, Field: c.field, Origin: flow.Catalogued, Need: c.need}
	if c.score > 0 {
		leaf.Origin, leaf.Score = flow.Detected, c.score
	}
	got, err := s.tested(c, leaf)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", l, err)}
	}
	if c.expect != "" && !matchesTreatment(got.Treatment, c.expect) {
		failures = append(failures, fmt.Sprintf("%s: got %s by %s (%s), want %s", l, slashed(got.Treatment), got.By, got.Reason, c.expect))
	}
	if c.by != "" && got.By.String() != c.by {
		failures = append(failures, fmt.Sprintf("%s: limited by %s, want %s", l, got.By, c.by))
	}
	if c.mayOpen == nil && c.extract == nil && !strings.Contains(got.Reason, c.reason) {
		failures = append(failures, fmt.Sprintf("%s: reason %q, want one that contains %q", l, got.Reason, c.reason))
	}
	return failures
}

// tested decides a leaf as one of a message, or as a column of the test's table.
func (s *Set) tested(c testCase, leaf flow.Leaf) (flow.LeafTerms, error) {
	if !c.asksTable() {
		terms, err := s.Decide(c.query, []flow.Leaf{leaf})
		if err != nil {
			return flow.LeafTerms{}, err
		}
		return terms.Leaves[0], nil
	}
	q := c.table
	q.Query, q.Covered = c.query, []bool{c.covered}
	terms, err := s.DecideTable(q, []flow.Leaf{leaf})
	switch {
	case err != nil:
		return flow.LeafTerms{}, err
	case !terms.Allowed:
		return flow.LeafTerms{Reason: terms.Reason, Policies: terms.Policies}, nil
	}
	return terms.Leaves[0], nil
}

// asksTable reports whether the test is about a table.
func (c testCase) asksTable() bool {
	return c.extract != nil || c.covered || c.table.Dataset != "" || c.table.Model != (Model{})
}

func (s *Set) checkExtract(c testCase) []string {
	q := c.table
	q.Query = c.query
	got, err := s.DecideTable(q, nil)
	switch {
	case err != nil:
		return []string{err.Error()}
	case got.Allowed != *c.extract:
		return []string{fmt.Sprintf("may extract is %t (%s), want %t", got.Allowed, got.Reason, *c.extract)}
	case !strings.Contains(got.Reason, c.reason):
		return []string{fmt.Sprintf("reason %q, want one that contains %q", got.Reason, c.reason)}
	}
	return nil
}

func (s *Set) checkOpen(c testCase, l flow.Label) []string {
	q := c.open
	q.Query, q.Label = c.query, l
	got, _, reason, err := s.MayOpen(q)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("%s: %v", l, err)}
	case got != *c.mayOpen:
		return []string{fmt.Sprintf("%s: may open is %t (%s), want %t", l, got, reason, *c.mayOpen)}
	case !strings.Contains(reason, c.reason):
		return []string{fmt.Sprintf("%s: reason %q, want one that contains %q", l, reason, c.reason)}
	}
	return nil
}

// matchesTreatment reports whether a treatment is the one expected; without a parameter any will do.
func matchesTreatment(t flow.Treatment, expect string) bool {
	return expect == t.Level.String() || expect == slashed(t)
}

func slashed(t flow.Treatment) string {
	if t.Param == "" {
		return t.Level.String()
	}
	return t.Level.String() + "/" + string(t.Param)
}

// parseTreatment reads "level" or "level/param".
func parseTreatment(text string) (flow.Treatment, error) {
	name, param, _ := strings.Cut(text, "/")
	level, err := flow.ParseLevel(name)
	if err != nil {
		return flow.Treatment{}, err
	}
	p, err := flow.ParseParam(level, param)
	return flow.Treatment{Level: level, Param: p}, err
}

// knownNames returns the names of a kind that tests may use, and whether there are any to check against.
func (s *Set) knownNames(t string) ([]string, bool) {
	names := map[string][]string{
		"purpose": s.snap.known[typePurpose], "role": s.snap.known[typeRole], "domain": s.snap.known[typeDomain],
		"label": s.snap.known[typeClass], "field": s.snap.known[typeField], "dataset": s.snap.known[typeDataset], "agent": s.snap.known[typeAgent],
	}[t]
	return names, len(names) > 0
}

func (s *Set) unknown(kind, name string) bool {
	names, any := s.knownNames(kind)
	return any && !slices.Contains(names, name)
}
