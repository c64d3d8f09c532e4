package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What a source may answer instead of a file.
var (
	ErrNone    = errors.New("it is not there")
	ErrRefused = errors.New("it is not served to us")
	ErrLong    = errors.New("it is longer than it may be")
)

// Source reads files of a log by the names of c2sp.org/tlog-tiles, such as "tile/0/000". Read returns at most limit bytes, or
// [ErrLong], [ErrNone], [ErrRefused]. It may be called from several goroutines.
type Source interface {
	Read(ctx context.Context, name string, limit int64) ([]byte, error)
	String() string
}

// Dir is a log in a directory. Nothing outside it is read, links or not.
func Dir(path string) (Source, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &dir{path, root}, nil
}

type dir struct {
	path string
	root *os.Root
}

func (d *dir) String() string { return d.path }

func (d *dir) Read(_ context.Context, name string, limit int64) ([]byte, error) {
	name = filepath.FromSlash(name)
	info, err := d.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return nil, errors.New("it is no regular file")
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, ErrLong
	}
	return b, nil
}

// HTTP is a log behind a URL prefix. The token, if any, is sent as a bearer's; it never goes over plain HTTP to another machine,
// and redirects are not followed.
func HTTP(prefix, token string) (Source, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("address is not of the form https://host/path")
	}
	if token != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, errors.New("a token is not sent over plain http")
	}
	return &web{strings.TrimRight(prefix, "/"), token, &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type web struct {
	prefix, token string
	client        *http.Client
}

func (w *web) String() string { return w.prefix }

const tries = 4

func (w *web) Read(ctx context.Context, name string, limit int64) ([]byte, error) {
	wait := 250 * time.Millisecond
	for try := 1; ; try++ {
		b, again, err := w.once(ctx, name, limit)
		if err == nil || !again || try == tries {
			return b, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
			wait *= 2
		}
	}
}

func (w *web) once(ctx context.Context, name string, limit int64) (_ []byte, again bool, _ error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.prefix+"/"+name, nil)
	if err != nil {
		return nil, false, err
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		b, err := readAll(resp.Body, limit)
		return b, err != nil && !errors.Is(err, ErrLong), err
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, false, ErrNone
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, false, ErrRefused
	default:
		return nil, code == http.StatusTooManyRequests || code >= 500, fmt.Errorf("the server answers %d", code)
	}
}
