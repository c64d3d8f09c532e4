package syntax

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// deep are texts of nearly n bytes that nest, repeat or never end, each in a way of its own.
func deep(n int) map[string]string {
	fill := func(pre, rep, post string) string {
		return pre + strings.Repeat(rep, (n-len(pre)-len(post))/len(rep)) + post
	}
	both := func(left, mid, right string) string {
		k := (n - 20) / (len(left) + len(right))
		return "SELECT " + strings.Repeat(left, k) + mid + strings.Repeat(right, k)
	}
	return map[string]string{
		"not":           fill("SELECT ", "NOT ", "a"),
		"minus":         fill("SELECT ", "- ", "a"),
		"minus number":  fill("SELECT ", "- ", "1"),
		"brackets":      both("(", "1", ")"),
		"open brackets": fill("SELECT ", "(", ""),
		"case":          both("CASE a WHEN 1 THEN ", "1", " END"),
		"case openings": fill("SELECT ", "CASE WHEN ", "a"),
		"plus":          fill("SELECT 1", "+1", ""),
		"power":         fill("SELECT a", "^a", ""),
		"and":           fill("SELECT a", " AND a", ""),
		"union":         fill("SELECT 1", " UNION ALL SELECT 1", ""),
		"subqueries":    both("* FROM (SELECT ", "1", ")"),
		"joins":         fill("SELECT 1 FROM a", " JOIN a USING(a)", ""),
		"casts":         fill("SELECT a", "::a", ""),
		"elements":      fill("SELECT a", "[a]", ""),
		"isnull":        fill("SELECT a", " ISNULL", ""),
		"statements":    fill("SELECT 1", ";SELECT 1", ""),
		"comments":      fill("SELECT 1 ", "/*", ""),
		"list":          fill("SELECT 1", ",1", ""),
		"arrays":        fill("SELECT ", "ARRAY[", ""),
		"functions":     both("abs(", "1", ")"),
		"within":        both("sum(1) FILTER (WHERE ", "a", ")"),
		"number":        fill("SELECT ", "9", ""),
		"name":          fill("SELECT ", "n", ""),
		"with":          "WITH " + strings.Repeat("a AS (SELECT 1),", (n-40)/16) + "b AS (SELECT 1) SELECT 1",
	}
}

func TestDeepTextsAreRefusedSoon(t *testing.T) {
	for name, text := range deep(MaxBytes) {
		if name == "minus number" { // folds into one constant
			continue
		}
		begin := time.Now()
		_, err := Parse(text)
		took := time.Since(begin)
		if e, ok := errors.AsType[*Error](err); !ok || e.Rule == "" {
			t.Errorf("%s: Parse() error = %v, want *Error", name, err)
		}
		if took > 5*time.Second {
			t.Errorf("%s: Parse() took %v", name, took)
		}
	}
	if _, err := Parse(strings.Repeat(" ", MaxBytes) + "SELECT 1"); err == nil {
		t.Error("a text of more than 16 KiB was read")
	}
}

// TestTrapsCostTheirOwnAnswerAlone feeds the module what the measures before it keep away.
func TestTrapsCostTheirOwnAnswerAlone(t *testing.T) {
	m := newModule(time.Minute)
	shared.once.Do(shared.load)
	m.once.Do(func() { m.rt, m.code, m.err = shared.rt, shared.code, shared.err })
	want, _, _, err := m.parse("SELECT count(*) FROM t WHERE a = 1")
	if err != nil {
		t.Fatal(err)
	}
	failed := map[error]int{}
	texts := deep(MaxBytes)
	for _, name := range []string{"minus", "comments", "plus", "power", "not"} {
		if m.time = 300 * time.Millisecond; name == "comments" {
			m.time = 20 * time.Millisecond // the slowest, which a fast machine may read in the time of the others
		}
		_, _, _, err := m.parse(texts[name])
		failed[err]++
		m.time = time.Minute
		got, _, _, err := m.parse("SELECT count(*) FROM t WHERE a = 1")
		if err != nil || got != want {
			t.Errorf("after %s the next question is read as %s, %v", name, got, err)
		}
	}
	if failed[ErrSlow] == 0 {
		t.Errorf("no text ran out of time, so that this test shows nothing: %v", failed)
	}
}

// TestMemoryIsBounded: a module that may have less memory than a text needs fails that text alone.
func TestMemoryIsBounded(t *testing.T) {
	if _, message, _, err := shared.parse("SELECT 1" + strings.Repeat(",1", 2_000_000)); err == nil && message != "out of memory" {
		t.Errorf("a text of 4 MB: %q, %v, want that memory is out", message, err)
	}
	if _, err := Parse("SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestParseMayBeCalledAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 8 {
				n := strconv.Itoa(i*100 + j)
				q, err := Parse("SELECT " + n + " FROM t" + n)
				if err != nil || q.String() != "SELECT "+n+` FROM "t`+n+`"` {
					t.Errorf("%v, %v", q, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTooManyAtOnceAreSentAway(t *testing.T) {
	m := newModule(parseTime)
	m.turn <- struct{}{} // somebody is in
	m.waiting.Store(mostWaiting)
	if _, _, _, err := m.parse("SELECT 1"); err != ErrBusy {
		t.Errorf("error = %v, want ErrBusy", err)
	}
	if got := m.waiting.Load(); got != mostWaiting {
		t.Errorf("%d wait, want %d", got, mostWaiting)
	}
}

// TestModuleIsLoadedAtTheFirstQuestion runs a process of its own, which asks nothing, then a question.
func TestModuleIsLoadedAtTheFirstQuestion(t *testing.T) {
	if os.Getenv("SCRIM_SYNTAX_CHILD") != "" {
		if shared.code != nil {
			t.Fatal("the module is loaded before any question")
		}
		before := resident(t, "VmRSS")
		begin := time.Now()
		if _, err := Parse("SELECT 1"); err != nil {
			t.Fatal(err)
		}
		first := time.Since(begin)
		begin = time.Now()
		for range 100 {
			if _, err := Parse("SELECT count(*) FROM t GROUP BY a"); err != nil {
				t.Fatal(err)
			}
		}
		each := time.Since(begin) / 100
		after, peak := resident(t, "VmRSS"), resident(t, "VmHWM")
		t.Logf("before %d MiB, peak %d MiB, after %d MiB; first question %v, others %v each", before>>10, peak>>10, after>>10, first, each)
		if !raced && after-before > 120<<10 {
			t.Errorf("%d MiB stay after questions", (after-before)>>10)
		}
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestModuleIsLoadedAtTheFirstQuestion$", "-test.v")
	cmd.Env = append(os.Environ(), "SCRIM_SYNTAX_CHILD=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// resident reads a line of /proc/self/status, in KiB.
func resident(t *testing.T, line string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", line)
	return 0
}
