package tile

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// HTTP reads the log at an address, "https://scrim.example/log" say. A nil client waits half a minute for each file and follows no redirect
// to another host. What the server says is not believed: it is bounded here and verified by whoever checks proofs.
func HTTP(url string, c *http.Client) Reader {
	if c == nil {
		c = &http.Client{Timeout: 30 * time.Second, CheckRedirect: sameHost}
	}
	return reader{remote{strings.TrimSuffix(url, "/"), c}}
}

func sameHost(next *http.Request, before []*http.Request) error {
	if len(before) > 3 || next.URL.Host != before[0].URL.Host || next.URL.Scheme != before[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

type remote struct {
	url    string
	client *http.Client
}

func (r remote) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return readAll(resp.Body, limit)
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("reading %s: %w", path, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("reading %s: the server answered %d", path, resp.StatusCode)
}
