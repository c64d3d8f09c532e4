package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// program is what is looked for if no name was given.
const program = "scrim-duckdb"

func find(name string) (string, error) {
	if name == "" {
		name = program
		if self, err := os.Executable(); err == nil {
			beside := filepath.Join(filepath.Dir(self), program)
			if runtime.GOOS == "windows" {
				beside += ".exe"
			}
			if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %s is not there", ErrProgram, name)
	}
	return filepath.Abs(path)
}

// worker is one running program. One goroutine asks it at a time.
type worker struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	pipe *os.File // what out reads from
	out  *bufio.Reader
	gone chan struct{} // closed once the process has ended
	once sync.Once

	asked uint64 // requests so far
}

func start(path string, args []string) (*worker, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
	if v, ok := os.LookupEnv("SYSTEMROOT"); ok { // Windows starts nothing without
		cmd.Env = append(cmd.Env, "SYSTEMROOT="+v)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, ErrProgram
	}
	out, w, err := os.Pipe() // not StdoutPipe: Wait would close it under the reader
	if err != nil {
		return nil, ErrProgram
	}
	cmd.Stdout = w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = out.Close()
		return nil, ErrProgram // the error would name a path only, but nothing depends on it
	}
	p := &worker{cmd: cmd, in: in, pipe: out, out: bufio.NewReaderSize(out, 64<<10), gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended tells nothing that its answers do not
		close(p.gone)
	}()
	return p, nil
}

// ask sends a request and hands on the lines that come before the last. Errors other than a failure leave the program in no known state.
func (w *worker) ask(req Request, each func(*Response) error) error {
	w.asked++
	req.ID = w.asked
	if err := WriteLine(w.in, req); err != nil {
		return ErrProgram
	}
	for {
		var r Response
		if err := ReadLine(w.out, &r); err != nil || r.ID != req.ID {
			return ErrProgram
		}
		switch {
		case r.Failed != "":
			return failure(r.Failed)
		case r.Done && r.Version != Version:
			return ErrProgram
		}
		if err := each(&r); err != nil {
			if _, ok := err.(stopped); ok {
				return err
			}
			return ErrProgram
		}
		if r.Done {
			return nil
		}
	}
}

// dead is whether the process has ended, or has said something that it was not asked for.
func (w *worker) dead() bool {
	select {
	case <-w.gone:
		return true
	default:
		return w.out.Buffered() > 0
	}
}

// terminate ends the process at once; whoever reads from it gets an error.
func (w *worker) terminate() { _ = w.cmd.Process.Kill() }

// kill ends the process and waits for it.
func (w *worker) kill() {
	w.once.Do(func() {
		w.terminate()
		_ = w.in.Close()
		<-w.gone
		_ = w.pipe.Close()
	})
}
