package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// The test's binary is also a program that answers, by what SCRIM_FAKE says.
func TestMain(m *testing.M) {
	if how := os.Getenv("SCRIM_FAKE"); how != "" {
		fake(how)
	}
	os.Exit(m.Run())
}

const secret = "Marie Curie"

func fake(how string) {
	in := bufio.NewReader(os.Stdin)
	id := 0
	say := func(line string) { fmt.Println(strings.Replace(line, "{", fmt.Sprintf(`{"id":%d,`, id), 1)) }
	const done = `{"version":1,"done":true}`
	for {
		var req process.Request
		if err := process.ReadLine(in, &req); err != nil {
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, secret)
		id++
		switch how {
		case "pid":
			say(fmt.Sprintf(`{"rows":[[%d]]}`, os.Getpid()))
			say(done)
		case "environment":
			say(fmt.Sprintf(`{"rows":[[%q]]}`, strings.Join(os.Environ(), " ")))
			say(done)
		case "crash":
			say(fmt.Sprintf(`{"rows":[[%d]]}`, os.Getpid()))
			panic(secret)
		case "sleep":
			time.Sleep(time.Hour)
		case "slow":
			time.Sleep(300 * time.Millisecond)
			say(`{"rows":[[1]]}`)
			say(done)
		case "much":
			say(`{"rows":[[1]]}`)
			say(done)
			say(`{"rows":[[7]]}`)
		case "endless":
			for {
				if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
					os.Exit(0)
				}
			}
		default:
			for line := range strings.SplitSeq(how, ";") {
				say(line)
			}
		}
	}
}

func engine(t *testing.T, how string, o process.Options) *process.Engine {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the program is started through a shell script")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Program = filepath.Join(t.TempDir(), "program")
	script := "#!/bin/sh\nSCRIM_FAKE='" + how + "' exec '" + self + "'\n"
	if err := os.WriteFile(o.Program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Tables = []process.Table{{Name: "t", Format: process.CSV, Files: []string{"t.csv"}}}
	e, err := process.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func one(e *process.Engine, kind relation.Kind) (v relation.Value, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = e.Ask(ctx, process.Statement{SQL: "SELECT", Columns: []relation.Kind{kind}}, func(row []relation.Value) error {
		v = row[0]
		return nil
	})
	return v, err
}

func alive(pid int64) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestProgramIsKeptUntilItFails(t *testing.T) {
	e := engine(t, "pid", process.Options{})
	first, err := one(e, relation.Number)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := one(e, relation.Number); err != nil || again != first {
		t.Errorf("second question: %v, %v; want the process of the first, %v", again, err, first)
	}
	p, _ := os.FindProcess(int(first.Int))
	_ = p.Kill()
	for alive(first.Int) {
		time.Sleep(time.Millisecond)
	}
	after, err := one(e, relation.Number)
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); { // until its end is known here
		after, err = one(e, relation.Number)
	}
	if err != nil || after == first {
		t.Errorf("after it was killed: %v, %v; want another process", after, err)
	}
	if err := e.Close(); err != nil || alive(after.Int) {
		t.Errorf("Close() = %v, process alive: %v", err, alive(after.Int))
	}
	if _, err := one(e, relation.Number); !errors.Is(err, process.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestCrashIsUniform(t *testing.T) {
	e := engine(t, "crash", process.Options{})
	a, err := one(e, relation.Number)
	if !errors.Is(err, process.ErrProgram) || err.Error() != process.ErrProgram.Error() {
		t.Errorf("error %v, want exactly ErrProgram", err)
	}
	b, err := one(e, relation.Number)
	if !errors.Is(err, process.ErrProgram) || a == b {
		t.Errorf("error %v, processes %v and %v, want two", err, a, b)
	}
}

func TestCancelKillsTheProgram(t *testing.T) {
	e := engine(t, "sleep", process.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := e.Ask(ctx, process.Statement{SQL: "SELECT"}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Minute {
		t.Errorf("error %v after %v, want DeadlineExceeded at once", err, time.Since(start))
	}
	e = engine(t, "sleep", process.Options{Timeout: 100 * time.Millisecond})
	if err := e.Ask(context.Background(), process.Statement{SQL: "SELECT"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the engine's own deadline", err)
	}
	e = engine(t, "sleep", process.Options{})
	failed := make(chan error)
	go func() { failed <- e.Ask(context.Background(), process.Statement{SQL: "SELECT"}, nil) }()
	time.Sleep(100 * time.Millisecond)
	_ = e.Close()
	if err := <-failed; !errors.Is(err, process.ErrClosed) {
		t.Errorf("error %v of a question while the engine is closed, want ErrClosed", err)
	}
}

func TestQuestionsAtOnce(t *testing.T) {
	for parallel, least := range map[int]time.Duration{1: 900 * time.Millisecond, 3: 300 * time.Millisecond} {
		e := engine(t, "slow", process.Options{Parallel: parallel})
		start := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := one(e, relation.Number); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); took < least || parallel == 3 && took > 850*time.Millisecond && testing.Short() {
			t.Errorf("%d at once took %v", parallel, took)
		}
	}
}

func TestProgramGetsNoEnvironment(t *testing.T) {
	t.Setenv("SCRIM_TOKEN", secret)
	v, err := one(engine(t, "environment", process.Options{}), relation.Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range strings.Fields(v.Text) {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "TZ", "LC_ALL", "SCRIM_FAKE", "PWD", "SHLVL", "_", "OLDPWD": // the shell's own among them
		default:
			t.Errorf("the program was given %s", name)
		}
	}
}

// Whatever a program answers, the error is one of ours and says nothing of it.
func TestAnswersThatAreNotOfTheProtocol(t *testing.T) {
	row := func(v string) string { return `{"rows":[[` + v + `]]};{"version":1,"done":true}` }
	for how, kind := range map[string]relation.Kind{
		secret: relation.Number, "much": relation.Number, "endless": relation.Number, `{"version":2,"done":true}`: relation.Number, `{"done":true}`: relation.Number, `{"id":7,"version":1,"done":true}`: relation.Number,
		`{"rows":[["` + secret + `"]]`:        relation.Text,
		row(`"` + secret + `"`):               relation.Number,
		row(`1.5`):                            relation.Number,
		row(`99999999999999999999`):           relation.Number,
		row(`2`):                              relation.Truth,
		row(`1`):                              relation.Text,
		row(`{"a":1}`):                        relation.Text,
		row(`1,2`):                            relation.Number,
		`{"more":1}`:                          relation.Number,
		`{"version":1,"done":true} ` + secret: relation.Number,
		`{"version":1,"failed":"` + secret + `"}`: relation.Number,
	} {
		e := engine(t, how, process.Options{})
		_, err := one(e, kind)
		if how == "much" { // by the next question it is noticed, and never taken for an answer of that one
			again, err2 := one(e, kind)
			if err != nil || err2 == nil && again.Int != 1 || err2 != nil && err2.Error() != process.ErrProgram.Error() {
				t.Errorf("much: %v, then %v, %v", err, again, err2)
			}
			continue
		}
		if err == nil || err.Error() != process.ErrProgram.Error() && err.Error() != process.ErrFailed.Error() {
			t.Errorf("%.60q: error %v", how, err)
		}
	}
	for how, want := range map[string]error{"source": process.ErrSource, "statement": process.ErrStatement, "run": process.ErrFailed, "request": process.ErrProgram} {
		if _, err := one(engine(t, `{"version":1,"failed":"`+how+`"}`, process.Options{}), relation.Number); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", how, err, want)
		}
	}
}

func TestErrorOfTheReaderGoesBack(t *testing.T) {
	own := errors.New("enough")
	err := engine(t, "pid", process.Options{}).Ask(context.Background(), process.Statement{SQL: "SELECT", Columns: []relation.Kind{relation.Number}},
		func([]relation.Value) error { return own })
	if err != own {
		t.Errorf("error %v, want the reader's", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	csv := process.Table{Name: "t", Format: process.CSV, Files: []string{"t.csv"}}
	self, _ := os.Executable()
	for name, o := range map[string]process.Options{
		"nothing":     {},
		"both":        {Database: "x", Tables: []process.Table{csv}},
		"twice":       {Tables: []process.Table{csv, csv}},
		"no name":     {Tables: []process.Table{{Format: process.CSV, Files: []string{"t"}}}},
		"no files":    {Tables: []process.Table{{Name: "t", Format: process.CSV}}},
		"format":      {Tables: []process.Table{{Name: "t", Format: "xml", Files: []string{"t"}}}},
		"json":        {Tables: []process.Table{{Name: "t", Format: process.JSON, Files: []string{"t"}}}},
		"memory":      {Tables: []process.Table{csv}, Memory: -1},
		"no program":  {Tables: []process.Table{csv}, Program: "/nowhere/scrim-duckdb"},
		"no such one": {Tables: []process.Table{csv}, Program: "scrim-no-such-program"},
	} {
		if o.Program == "" {
			o.Program = self
		}
		if _, err := process.Open(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadLine(f *testing.F) {
	for _, s := range []string{`{"version":1,"done":true}`, `{"rows":[[1,null,"x"],[-9223372036854775808]]}`, `{"tables":[{"name":"t","format":"csv","files":null}]}`, `{"failed":"run"}`, "[", `{"rows":[[1e3]]}`} {
		f.Add([]byte(s + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r, again process.Response
		if err := process.ReadLine(bufio.NewReader(bytes.NewReader(line)), &r); err != nil {
			return
		}
		var out bytes.Buffer
		if err := process.WriteLine(&out, r); err != nil {
			t.Fatal(err)
		}
		first := out.String()
		if err := process.ReadLine(bufio.NewReader(&out), &again); err != nil {
			t.Fatalf("%q was read and not read again: %v", line, err)
		}
		if err := process.WriteLine(&out, again); err != nil || out.String() != first {
			t.Errorf("%q became %q", first, out.String())
		}
	})
}
