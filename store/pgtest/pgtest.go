//go:build unix

// Package pgtest runs a PostgreSQL server of its own for tests, from the programs that the system has.
//
// Servers listen on a socket in their own directory, so no two tests ever want the same address.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// password is what the superuser has; tests look for it where it must not be.
const password = "canary-pg-7f3a"

// Server is a server that runs, or was stopped.
type Server struct {
	bin, dir string
	as       *syscall.SysProcAttr
	settings []string
	made     atomic.Int64

	server *exec.Cmd // nil: it is stopped
	hold   io.Closer // the server ends when it is closed, also by the end of this process
}

// Start starts a server that ends with the test. It takes about two seconds. Settings are as in "fsync=on", which is off
// unless it is given. Without PostgreSQL the test is skipped, and fails where SCRIM_REQUIRE is 1.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := require(t, settings)
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	t.Cleanup(s.Crash)
	if err := s.init(); err != nil {
		t.Fatal(err)
	}
	return s
}

var common struct {
	sync.Mutex
	server *Server
}

// commonDir tells child processes of a test where the server is that they share.
const commonDir = "SCRIM_TEST_POSTGRES_DIR"

// Common returns a server that all tests of the process share, and the processes that they start from then on. It ends with the process,
// however that ends.
func Common(t testing.TB) *Server {
	t.Helper()
	common.Lock()
	defer common.Unlock()
	if dir := os.Getenv(commonDir); dir != "" && common.server == nil {
		common.server = &Server{dir: dir}
	}
	if common.server == nil {
		s := require(t, []string{"max_connections=500"}) // tests leave stores open until they end
		if err := s.init(); err != nil {
			t.Fatal(err)
		}
		common.server = s
		if err := os.Setenv(commonDir, s.dir); err != nil {
			t.Fatal(err)
		}
	}
	return common.server
}

// CommonURL is the address of a database on the server that [Common] started in this process or in the one that started it.
func CommonURL(database string) (string, error) {
	dir := os.Getenv(commonDir)
	if dir == "" {
		return "", errors.New("no server was started for this process")
	}
	return (&Server{dir: dir}).URL(database), nil
}

func require(t testing.TB, settings []string) *Server {
	t.Helper()
	s := &Server{bin: programs(), settings: []string{"fsync=off"}}
	if slices.Contains(settings, "fsync=on") { // the server's own default, which a test may then change
		s.settings, settings = nil, slices.DeleteFunc(slices.Clone(settings), func(v string) bool { return v == "fsync=on" })
	}
	s.settings = append(s.settings, settings...)
	if s.bin == "" {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("PostgreSQL's server programs (initdb, postgres) are not installed")
		}
		t.Skip("PostgreSQL's server programs (initdb, postgres) are not installed")
	}
	return s
}

func (s *Server) init() (err error) {
	if s.dir, err = os.MkdirTemp("", "scrim-pg"); err != nil {
		return err
	}
	if s.as, err = unprivileged(s.dir); err != nil {
		return err
	}
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "owner", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.as, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// guard starts the server and ends it when its own input ends: a process that is killed leaves no server behind. After its end the directory goes too,
// unless the server is to be started again.
const guard = `trap '' INT HUP TERM
"$@" & server=$!
while read -r line; do
	case $line in
	keep) kept=1 ;;
	esac
done
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ -n "$kept" ] || rm -rf "$SCRIM_PG_DIR"`

// Restart starts a server that was stopped.
func (s *Server) Restart() error {
	args := []string{"-c", guard, "sh", filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", "5432", "-c", "listen_addresses=", "-k", s.dir,
		"-c", "logging_collector=off", "-c", "shared_buffers=32MB"}
	for _, set := range s.settings {
		args = append(args, "-c", set)
	}
	server := exec.Command("/bin/sh", args...)
	server.SysProcAttr, server.Dir, server.Env = s.as, s.dir, append(os.Environ(), "SCRIM_PG_DIR="+s.dir)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	hold, err := server.StdinPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	s.server, s.hold = server, hold
	return s.wait(log.Name())
}

// Crash stops the server at once, as a loss of power to it would: it recovers when it is started again.
func (s *Server) Crash() {
	if s.server == nil {
		return
	}
	_, _ = io.WriteString(s.hold.(io.Writer), "keep\n")
	_ = s.hold.Close()
	_ = s.server.Wait()
	s.server = nil
}

func (s *Server) wait(log string) error {
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), s.URL("postgres"))
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the server does not answer: %w\n%s", err, text)
		}
	}
}

// Database makes an empty database and returns the URL of its owner, with the password in it.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.made.Add(1))
	Exec(t, s.URL("postgres"), "CREATE DATABASE "+name)
	return s.URL(name)
}

// URL is that of a database's owner, with the password in it. The database postgres is always there.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://owner:%s@/%s?host=%s&port=5432&sslmode=disable", password, database, url.QueryEscape(s.dir))
}

// Socket is where the server listens.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Password is that of the URLs, for looking where it must not be.
func (s *Server) Password() string { return password }

// Exec runs statements in a database.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, q := range statements {
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// programs returns the directory of the newest server, or "".
func programs() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// unprivileged returns who the server runs as: it refuses to be root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("there is no user postgres or nobody to run the server as")
}
