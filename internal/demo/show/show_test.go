package show

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

var update = flag.Bool("update", false, "write testdata/plain.golden")

// few patients start faster, and the featured one is always among them.
const few = 200

// volatile is what differs from run to run, with what stands in for it. Those of one length keep the columns.
var volatile = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\d+\.\d seconds`), "N.N seconds"},
	{regexp.MustCompile(`\[person \d+│?\d*\]`), "[person N]"},
	{regexp.MustCompile(`stk1_[\w-]{9}…[\w-]{5}`), "stk1_AAAAAAAAA…AAAAA"},
	{regexp.MustCompile(`(?m)^      none$`), "      N (N to N)"}, // an average of what noise left nobody of
	{regexp.MustCompile(`-?\d+(\.\d+)? \(-?\d+(\.\d+)? to -?\d+(\.\d+)?\)`), "N (N to N)"},
	{regexp.MustCompile(`PA-[A-Z2-7]{8}`), "PA-AAAAAAAA"},
	{regexp.MustCompile(`[a-z0-9]{26},`), "reference,"},
	{regexp.MustCompile(`[0-9a-f]{32}…`), "digest…"},
	{regexp.MustCompile(`[0-9a-f]{16}…`), "digest…"},
	{regexp.MustCompile(`\d+ bytes`), "N bytes"},
	{regexp.MustCompile(`\d+ pieces`), "N pieces"},
	{regexp.MustCompile(`\d+ entries, \d+ of`), "N entries, N of"},
	{regexp.MustCompile(`entry \d+`), "entry N"},
	{regexp.MustCompile(`\d+ datasets, \d+ links, \d+ deliveries`), "N datasets, N links, N deliveries"},
	{regexp.MustCompile(`\d+ tokens, \d+ rows`), "N tokens, N rows"},
	{regexp.MustCompile(`all \d+ rows`), "all N rows"},
	{regexp.MustCompile(`its\s+\d+\s+figures`), "its N figures"},
	{regexp.MustCompile(`again in \d+ entries`), "again in N entries"},
	{regexp.MustCompile(`(?m)^(   \S+/\S+ +\S+ +)\d+ +\d+$`), "${1}N  N"}, // events of a stream, and what was sent again
	{regexp.MustCompile(`\d+ entries, root [A-Za-z0-9+/]{43}= every entry was read and \d+ hash tiles were compared, in \d+ ms`), "N entries, root R, every entry was read and N hash tiles were compared, in N ms"},
	{regexp.MustCompile(`insurer \S+ after the hospital`), "insurer less than a second after the hospital"}, // of a busy machine
	{regexp.MustCompile(`000\.p/\d+`), "000.p/N"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`), "time"},
}

// normal is the output without what differs from run to run. Texts that fold elsewhere when a number grows lose their folds.
func normal(out string) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(out) {
		switch {
		case strings.HasSuffix(line, " pieces:\n"):
			skip = true // the pieces fold anywhere
		case skip && !strings.HasPrefix(line, "      "):
			skip = false
		case skip:
			continue
		}
		if strings.HasPrefix(line, strings.Repeat(" ", 21)) && b.Len() > 0 && !strings.Contains(line, "care coordinator") {
			s := strings.TrimSuffix(b.String(), "\n")
			b.Reset()
			b.WriteString(s + " ")
			line = strings.TrimLeft(line, " ")
		}
		b.WriteString(line)
	}
	s := b.String()
	for _, v := range volatile {
		s = v.re.ReplaceAllString(s, v.by)
	}
	return regexp.MustCompile(` {2,}`).ReplaceAllString(s, "  ")
}

func TestStoryReadsWell(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Out: &out, Patients: few}); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/plain.golden"
	got := normal(out.String())
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the story changed; look at it, and run the test with -update if it is right:\n%s", out.String())
	}
	for n, line := range strings.Split(out.String(), "\n") {
		if width(line) > 100 || strings.HasSuffix(line, " ") || strings.ContainsRune(line, '\x1b') {
			t.Errorf("line %d is too wide, ends in spaces, or is coloured: %q", n+1, line)
		}
	}
}

func TestColourIsForTerminals(t *testing.T) {
	var coloured bytes.Buffer
	p := newPrinter(&coloured, true, 80)
	p.table(0, []string{"a", "b"}, [][]cell{{{"日本", other}, {"x", good}}, {{"plain", plain}, {"y", bad}}})
	_ = p.w.Flush()
	got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured.String(), "")
	if want := "a      b\n日本   x\nplain  y\n"; got != want || !strings.Contains(coloured.String(), "\x1b[33m日本\x1b[0m") {
		t.Errorf("table:\n%q, without colours\n%q, want\n%q", coloured.String(), got, want)
	}
}

func TestFoldKeepsEverything(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"eleanor.whitfield@example.com", 20, "eleanor.whitfield|@example.com"},
		{"abcdefghij", 4, "abcd|efgh|ij"},
		{"one two three", 8, "one two|three"},
		{"日本語", 4, "日本|語"},
		{"", 4, ""},
	} {
		if got := strings.Join(fold(c.text, c.n), "|"); got != c.want {
			t.Errorf("fold(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TEMP", temp)
	var before int
	for i := range 2 { // the first run starts what a process keeps, such as the pools of database/sql
		if err := Run(t.Context(), Options{Out: &bytes.Buffer{}, Patients: few}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			before = resting()
		}
	}
	if after := settled(before); after > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines after another run, %d before:\n%s", after, before, buf[:runtime.Stack(buf, true)])
	}
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files left: %q, %v", left, err)
	}
}

// resting is the number of goroutines once it did not change for a second, or after ten.
func resting() int {
	n, since := runtime.NumGoroutine(), 0
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, since = now, 0
		} else if since++; since == 20 {
			break
		}
	}
	return n
}

// settled waits up to a minute until there are no more goroutines than want.
func settled(want int) int {
	n := runtime.NumGoroutine()
	for range 1200 {
		if n = runtime.NumGoroutine(); n <= want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return n
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Options{Out: &bytes.Buffer{}, Patients: few}); err == nil {
		t.Error("Run() in an ended context gave no error")
	}
}

// started runs the story over a system that stays up until the test ends.
func started(t *testing.T, logger *slog.Logger) (*system, *facts) {
	t.Helper()
	s, err := start(t.Context(), t.TempDir(), few, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	f, err := s.tell(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

// theStory is one for all tests that only look at what became of it: most of its time it waits, as answers that are padded do.
func theStory(t *testing.T) (*system, *facts) {
	t.Helper()
	story.once.Do(func() {
		dir, err := os.MkdirTemp("", "scrim-story-")
		if err != nil {
			t.Fatal(err)
		}
		story.dir = dir
		if story.s, err = start(context.Background(), dir, few, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if story.f, err = story.s.tell(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
	if story.f == nil {
		t.Fatal("the story did not get to its end")
	}
	return story.s, story.f
}

// story is what theStory told.
var story struct {
	once sync.Once
	dir  string
	s    *system
	f    *facts
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if story.s != nil {
		if err := errors.Join(story.s.close(), os.RemoveAll(story.dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// drawn are tokens, ids and references, of which one in some thousand holds a short value, such as a town or an amount, by chance.
var drawn = regexp.MustCompile(`(stk1|sid1)_[\w-]{64,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}-[0-9a-f]{16}|\b[0-9a-v]{26}\b`)

// What reached the insurer and the lab, in any request of the whole story, holds no value that they must not see.
func TestRecipientsSeeNoMoreThanTheyShould(t *testing.T) {
	s, f := theStory(t)
	who := patients.Generate(1, 1)[0]
	hidden := map[flow.AgentID][]string{
		demo.PriorAuth: {who.Name, "Whitfield", string(who.BirthDate), who.MRN, who.MemberNumber, who.Phone, who.Email, who.Street, who.City, who.PostalCode},
	}
	hidden[demo.Coverage] = hidden[demo.PriorAuth]
	hidden[demo.Cohort] = append(hidden[demo.PriorAuth], "M05.79", "J1745", "4800", "Adeyemi", "St. Brigid")
	hidden[demo.Trials] = hidden[demo.Cohort]
	for id, values := range hidden {
		got := s.world.Received(id)
		if len(got) == 0 {
			t.Errorf("nothing reached %s", id)
		}
		for _, r := range got {
			body, header := drawn.ReplaceAllString(string(r.Body), "*"), drawn.ReplaceAllString(fmt.Sprint(r.Header), "*")
			for _, v := range values {
				if strings.Contains(strings.ToLower(body), strings.ToLower(v)) || strings.Contains(header, v) {
					t.Errorf("%s received %q in %s", id, v, r.Body)
				}
			}
		}
	}
	if !strings.Contains(f.received[demo.Coordinator].prose, who.Name) || f.received[demo.Coordinator].field("mrn") != who.MRN {
		t.Error("the care coordinator does not see the patient")
	}
	for _, id := range []flow.AgentID{demo.Cohort, demo.Records} {
		for _, r := range s.world.Received(id) {
			if bytes.Contains(r.Body, []byte("Is this member in one of your trials")) || bytes.Contains(r.Body, []byte("find_patient")) {
				t.Errorf("%s received what was refused", id)
			}
		}
	}
	read := strings.Join(f.streamed[1], "")
	if wrote := strings.Join(f.streamed[0], ""); strings.Contains(wrote, who.Name) || !strings.Contains(read, "for "+who.Name+" until") || strings.Contains(read, "Osei") {
		t.Errorf("the insurer wrote %q, the hospital read %q", wrote, read)
	}
	if _, file, _ := strings.Cut(f.broken.file, "/"); f.retry.calls != 1 || !strings.Contains(f.broken.says, file) {
		t.Errorf("the order sent again called the agent %d times; %s was changed, and what was found is %q", f.retry.calls, f.broken.file, f.broken.says)
	}
}

// kept is the output of a run that stays up until the test ends.
func kept(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := &awaited{until: []byte("Any A2A or MCP client"), there: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Options{Out: out, Keep: true, Patients: few}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-out.there:
	case err := <-ended:
		ended <- err
		t.Fatal("the demo did not stay up")
	case <-time.After(5 * time.Minute):
		t.Fatal("the demo did not get to its end")
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.all.String()
}

// awaited is a buffer that tells when a text has been written to it.
type awaited struct {
	until []byte
	there chan struct{}

	mu   sync.Mutex
	all  bytes.Buffer
	told bool
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, err := a.all.Write(p)
	if !a.told && bytes.Contains(a.all.Bytes(), a.until) {
		a.told = true
		close(a.there)
	}
	return n, err
}

// curls finds the curl commands in what was printed.
func curls(printed string) []string {
	var all []string
	open := false
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case open:
			all[len(all)-1] += "\n" + line
		case strings.HasPrefix(line, "curl "):
			all = append(all, line)
		default:
			continue
		}
		open = strings.HasSuffix(line, "\\")
	}
	return all
}

func TestPrintedCommandsWork(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is needed")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is needed")
	}
	commands := curls(kept(t))
	want := []struct{ with, without []string }{
		{[]string{`"patient":"Eleanor Whitfield"`, `"verdict":"approved"`, "TASK_STATE_COMPLETED"}, []string{"Danie", "Osei", "[person ", `"error"`}},
		{[]string{`Eleanor Whitfield until "`, "TASK_STATE_COMPLETED"}, []string{"Osei", `"error"`}},
		{[]string{`"error"`, "POLICY_DENIED", `"reference"`}, []string{"Whitfield", "HM7Q4KX2M9TB"}},
		{[]string{`/out/a2a/prior-auth"`, `"signatures"`, "https://scrim.dev/ext/privacy/v1"}, nil},
		{[]string{`"name":"Eleanor Whitfield"`, `"street":"218 Juniper Street"`}, []string{`"isError":true`}},
		{[]string{"low criticality"}, []string{"Juniper", "Whitfield", "541-555-0142"}},
		{[]string{`"isError":true`, "invited through the care team"}, nil},
	}
	if len(commands) != len(want) {
		t.Fatalf("%d curl commands were printed, want %d", len(commands), len(want))
	}
	for i, c := range commands {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", c).CombinedOutput()
		if err != nil {
			t.Errorf("%s\n%v: %s", c, err, out)
		}
		for _, w := range want[i].with {
			if !bytes.Contains(out, []byte(w)) {
				t.Errorf("%s\nanswered without %q: %s", c, w, out)
			}
		}
		for _, w := range want[i].without {
			if bytes.Contains(drawn.ReplaceAll(out, []byte("*")), []byte(w)) {
				t.Errorf("%s\nanswered with %q: %s", c, w, out)
			}
		}
	}
	first, err := exec.CommandContext(t.Context(), "sh", "-c", commands[0]).Output()
	second, err2 := exec.CommandContext(t.Context(), "sh", "-c", commands[0]).Output()
	if err != nil || err2 != nil || !bytes.Equal(first, second) {
		t.Errorf("the same command twice: %v, %v; %q and %q", err, err2, first, second)
	}
}
