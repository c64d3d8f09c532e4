package run

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/scrimhq/scrim/console/insight"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/observe/report"
)

// later runs what goes on after an answer, until the gateway closes. The zero value is ready.
type later struct {
	mu   sync.Mutex // guards the fields below
	ctx  context.Context
	end  context.CancelFunc
	over bool
	wg   sync.WaitGroup
}

// begin runs f beside whoever asks; after the end, with a context that is over.
func (l *later) begin(f func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.end = context.WithCancel(context.Background())
	}
	ctx := l.ctx
	if l.over {
		l.end()
		f(ctx)
		return
	}
	l.wg.Go(func() { f(ctx) })
}

// close ends all of it and waits.
func (l *later) close() {
	l.mu.Lock()
	l.over = true
	if l.end != nil {
		l.end()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// verifyReport counts a report again in the log's files, by the code of scrim-verify.
func (r *Gateway) verifyReport(ctx context.Context, files report.Files) (v insight.Verified, err error) {
	c := r.Config()
	public, ok := r.Keys.Signer("log").Public().(ed25519.PublicKey)
	if !ok {
		return v, tile.ErrSigner
	}
	key, err := tile.VerifierKey(Origin(c.Domain), public)
	if err != nil {
		return v, err
	}
	if _, err := r.Log.Checkpoint(ctx); err != nil { // what was counted is in the files
		return v, err
	}
	dir, err := os.MkdirTemp("", "scrim-report-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it holds no secret, and the system clears it
	for name, body := range map[string][]byte{"report.json": files.JSON, "report.html": files.HTML, "report.csv": files.CSV} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			return v, err
		}
	}
	var out, said bytes.Buffer
	program.Main([]string{
		"report", "--json", "--key", key, "--form", filepath.Join(dir, "report.html"), "--form", filepath.Join(dir, "report.csv"), filepath.Join(dir, "report.json"), LogDir(c),
	}, bytes.NewReader(nil), &out, &said)
	var found struct {
		OK     bool `json:"ok"`
		Report struct {
			Entries int64 `json:"entries"`
		} `json:"report"`
		Failure struct {
			Kind string `json:"kind"`
			What string `json:"what"`
		} `json:"failure"`
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return v, fmt.Errorf("reading what scrim-verify found: %w", err)
	}
	v.OK, v.Entries = found.OK, found.Report.Entries
	if !v.OK {
		v.Wrong = cmp.Or(found.Failure.Kind, "unreadable") + ": " + found.Failure.What
	}
	return v, nil
}
