package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// Serve is a child process: a gateway or a plain proxy on loopback, which says on out where it listens, answers what it is
// asked on in, a line of JSON each, and ends with in.
func Serve(ctx context.Context, arg string, in io.Reader, out io.Writer) error {
	var opt childOptions
	if err := json.Unmarshal([]byte(arg), &opt); err != nil {
		return fmt.Errorf("reading what to serve: %w", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening on loopback: %w", err)
	}
	if opt.Proxy != "" {
		to, err := url.Parse(opt.Proxy)
		if err != nil {
			return err
		}
		s := &http.Server{Handler: plainProxy(to)}
		go func() { _ = s.Serve(ln) }() // ends with Close
		return errors.Join(answerAsks(ln, in, out), s.Close())
	}
	c, err := config.Load(filepath.Join(opt.Dir, "scrim.yaml"))
	if err != nil {
		return err
	}
	gw, err := run.Open(ctx, c, run.Options{Store: store.Options{NoSync: opt.NoSync}, Unrecorded: opt.NoRecord, Listen: ln})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- gw.Serve(ctx, nil, nil) }()
	err = answerAsks(ln, in, out)
	stop()
	return errors.Join(err, <-ended)
}

// plainProxy is what the standard library offers, with connections enough.
func plainProxy(to *url.URL) http.Handler {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost, tr.DisableCompression = 256, true
	return &httputil.ReverseProxy{Transport: tr, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
}

// answerAsks talks with the process that measures until it has no more to say.
func answerAsks(ln net.Listener, in io.Reader, out io.Writer) error {
	enc := json.NewEncoder(out)
	if err := enc.Encode(reply{URL: "http://" + ln.Addr().String()}); err != nil {
		return err
	}
	var profile *os.File
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var a ask
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return err
		}
		var r reply
		var err error
		switch a.What {
		case "usage":
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			r.Usage = usage{CPU: cpuTime(), Resident: resident(), Heap: int64(m.HeapAlloc), Routines: runtime.NumGoroutine()}
		case "profile":
			profile, err = profileTo(profile, a.File)
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// heapTo writes what is alive.
func heapTo(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

// profileTo ends a profile that runs, and begins one if a file is named.
func profileTo(running *os.File, file string) (*os.File, error) {
	if running != nil {
		pprof.StopCPUProfile()
		if err := heapTo(running.Name() + ".heap"); err != nil {
			return nil, err
		}
		if err := running.Close(); err != nil {
			return nil, err
		}
	}
	if file == "" {
		return nil, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return f, pprof.StartCPUProfile(f)
}
