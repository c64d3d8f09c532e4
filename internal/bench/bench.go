// Package bench measures what a gateway costs: the same calls straight to a stub agent and through a gateway before
// it, in turn, so that the machine's drift falls on both.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// Options of a run. Zero fields have the defaults named.
type Options struct {
	Calls       int  // counted calls of each kind; 2,000
	Concurrency int  // clients at once; 1
	Size        int  // bytes of a request, about; 1,024
	Findings    bool // the request holds a name, an e-mail address and a telephone number
	NoSync      bool // the record is not made durable: shows what durability costs, and is of no other use
	NoRecord    bool // nothing is recorded at all: shows what the record costs, and is of no other use
	Dir         string
}

// Percentiles of a kind of call.
type Percentiles struct{ P50, P90, P99, Max time.Duration }

// Result is what one run measured.
type Result struct {
	Options
	Direct, Through Percentiles
	Fsync           Percentiles // of a 4 KiB append in the same directory, the machine's own
	CallsPerSecond  float64     // through the gateway
	CPUPerCall      time.Duration
	Resident        int64 // bytes, of the whole process with client and stub, after the run
}

// Added is what the gateway adds at a percentile.
func (r Result) Added() Percentiles {
	return Percentiles{P50: r.Through.P50 - r.Direct.P50, P90: r.Through.P90 - r.Direct.P90, P99: r.Through.P99 - r.Direct.P99, Max: r.Through.Max - r.Direct.Max}
}

// Run measures.
func Run(ctx context.Context, opt Options) (Result, error) {
	opt.Calls, opt.Concurrency, opt.Size = orDefault(opt.Calls, 2000), orDefault(opt.Concurrency, 1), orDefault(opt.Size, 1024)
	res := Result{Options: opt}
	dir, err := os.MkdirTemp(opt.Dir, "scrim-bench-")
	if err != nil {
		return res, fmt.Errorf("making a directory to measure in: %w", err)
	}
	defer os.RemoveAll(dir)
	stub, err := serve(http.HandlerFunc(answer))
	if err != nil {
		return res, err
	}
	defer stub.Close()
	gw, key, err := open(ctx, dir, stub.url, opt)
	if err != nil {
		return res, err
	}
	defer gw.Close()
	front, err := serve(gw.Handler())
	if err != nil {
		return res, err
	}
	defer front.Close()
	if res.Fsync, err = fsync(dir); err != nil {
		return res, err
	}
	direct, through := &client{url: stub.url, opt: opt}, &client{url: front.url + "/out/a2a/stub", key: key, opt: opt}
	for _, c := range []*client{direct, through} { // warm: connections, statements, decisions
		if _, err := c.round(ctx, min(200, opt.Calls)); err != nil {
			return res, err
		}
	}
	var d, t []time.Duration
	began, cpu := time.Duration(0), time.Duration(0)
	const rounds = 4
	for range rounds {
		got, err := direct.round(ctx, opt.Calls/rounds)
		if err != nil {
			return res, err
		}
		d = append(d, got...)
		cpuBefore, at := cpuTime(), time.Now()
		if got, err = through.round(ctx, opt.Calls/rounds); err != nil {
			return res, err
		}
		began, cpu = began+time.Since(at), cpu+cpuTime()-cpuBefore
		t = append(t, got...)
	}
	res.Direct, res.Through = percentiles(d), percentiles(t)
	res.CallsPerSecond, res.CPUPerCall = float64(len(t))/began.Seconds(), cpu/time.Duration(max(len(t), 1))
	res.Resident = resident()
	return res, nil
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

type server struct {
	*http.Server
	url string
}

func serve(h http.Handler) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	s := &server{&http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}, "http://" + ln.Addr().String()}
	go func() { _ = s.Serve(ln) }() // ends with Close
	return s, nil
}

// answer is the stub agent: it reads the call and gives a short message back under its id.
func answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	id := "1"
	if i := bytes.Index(body, []byte(`"id":`)); i >= 0 {
		rest := body[i+5:]
		id = string(rest[:bytes.IndexAny(rest, ",}")])
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Noted."}]}}}`, id)
}

const policies = `
@id("text") @exception("measured") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("abroad") permit (principal in Domain::"elsewhere", action in [Action::"upto_tokenized", Action::"upto_generalized"], resource) when { resource.tier == "confidential" || resource.tier == "internal" };
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
@id("order") @exception("measured") permit (principal, action in Action::"upto_raw", resource in DataClass::"business/category");
@id("home") permit (principal in Domain::"here", action in Action::"upto_raw", resource);
`

const schema = `{"type":"object","properties":{
 "name":{"type":"string","x-scrim-label":"person/name"},"email":{"type":"string","x-scrim-label":"person/contact/email"},
 "note":{"type":"string","x-scrim-label":"business/category","x-scrim-need":"raw"},
 "items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string","x-scrim-label":"public"},"count":{"type":"number","x-scrim-label":"public"}}}}}}`

func open(ctx context.Context, dir, stub string, opt Options) (*run.Gateway, string, error) {
	key, digest := identity.NewKey()
	file := fmt.Sprintf(`version: 1
domain: here
data: ./data
agents:
  - id: caller
    purposes: [work]
    default_purpose: work
    keys: [{sha256: "%s"}]
  - id: stub
    domain: elsewhere
    a2a: {url: "%s"}
purposes:
  work: {}
schemas:
  - {file: order.json, agent: stub, data: "*", direction: request}
`, digest, stub)
	for name, content := range map[string]string{"scrim.yaml": file, "order.json": schema, "policies/bench.cedar": policies} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			return nil, "", err
		}
	}
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		return nil, "", err
	}
	gw, err := run.Open(ctx, c, run.Options{Store: store.Options{NoSync: opt.NoSync}, Unrecorded: opt.NoRecord})
	return gw, key.Expose(), err
}

// client sends calls of one kind.
type client struct {
	url, key string
	opt      Options
	n        int
	mu       sync.Mutex
	http     http.Client
}

func (c *client) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

// body is one call; every call has a message id of its own, so that none is a retry.
func (c *client) body(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":%d,"method":"SendMessage","params":{"message":{"messageId":"m-%d-%d","role":"ROLE_USER","parts":[{"text":"`, n, os.Getpid(), n)
	if c.opt.Findings {
		b.WriteString("Please call Jane Doe on +1 415 555 0132 or write to jane.doe@example.org. ")
	}
	b.WriteString(`We would like to order what is listed below, for delivery to the usual place. `)
	for b.Len() < c.opt.Size-380 {
		b.WriteString(`Please see to it that all of it is there by the end of the month, and say so if it cannot be. `)
	}
	b.WriteString(`"},{"data":{`)
	if c.opt.Findings {
		b.WriteString(`"name":"Jane Doe","email":"jane.doe@example.org",`)
	}
	b.WriteString(`"note":"standing order","items":[`)
	for i := range 6 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"AB-%04d","count":%d}`, i, i%7)
	}
	b.WriteString(`]}}]}}}`)
	return []byte(b.String())
}

func (c *client) round(ctx context.Context, calls int) ([]time.Duration, error) {
	took := make([][]time.Duration, c.opt.Concurrency)
	errs := make([]error, c.opt.Concurrency)
	c.http.Transport = &http.Transport{MaxIdleConnsPerHost: c.opt.Concurrency}
	defer c.http.CloseIdleConnections()
	var wg sync.WaitGroup
	for w := range c.opt.Concurrency {
		wg.Go(func() {
			for range calls / c.opt.Concurrency {
				body := c.body(c.next())
				at := time.Now()
				if errs[w] = c.call(ctx, body); errs[w] != nil {
					return
				}
				took[w] = append(took[w], time.Since(at))
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...), errors.Join(errs...)
}

func (c *client) call(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("Noted.")) {
		return fmt.Errorf("a call was not answered: status %d, body %.600s", res.StatusCode, b)
	}
	return nil
}

func percentiles(d []time.Duration) Percentiles {
	if len(d) == 0 {
		return Percentiles{}
	}
	slices.Sort(d)
	at := func(p float64) time.Duration { return d[min(int(p*float64(len(d))), len(d)-1)] }
	return Percentiles{P50: at(.5), P90: at(.9), P99: at(.99), Max: d[len(d)-1]}
}

// fsync measures what the machine needs to make 4 KiB durable.
func fsync(dir string) (Percentiles, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return Percentiles{}, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for range 300 {
		if _, err := f.Write(block); err != nil {
			return Percentiles{}, err
		}
		at := time.Now()
		if err := f.Sync(); err != nil {
			return Percentiles{}, err
		}
		took = append(took, time.Since(at))
	}
	return percentiles(took), nil
}

// Print writes the result for people, with its conditions.
func (r Result) Print(w io.Writer) {
	durable := "durable record"
	if r.NoSync {
		durable = "record not durable"
	}
	if r.NoRecord {
		durable = "no record"
	}
	findings := "no findings"
	if r.Findings {
		findings = "3 findings in text, 2 labelled members"
	}
	fmt.Fprintf(w, "%d calls, %d at once, about %d bytes, %s, %s, %d cores, %s\n\n", r.Calls, r.Concurrency, r.Size, findings, durable, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(w, "%-22s %10s %10s %10s %10s\n", "", "p50", "p90", "p99", "max")
	for _, row := range []struct {
		name string
		p    Percentiles
	}{{"straight to the agent", r.Direct}, {"through the gateway", r.Through}, {"added", r.Added()}, {"fsync of 4 KiB", r.Fsync}} {
		fmt.Fprintf(w, "%-22s %10s %10s %10s %10s\n", row.name, ms(row.p.P50), ms(row.p.P90), ms(row.p.P99), ms(row.p.Max))
	}
	fmt.Fprintf(w, "\n%.0f calls a second; %s of CPU a call, client and stub included", r.CallsPerSecond, ms(r.CPUPerCall))
	if r.Resident > 0 {
		fmt.Fprintf(w, "; %d MB resident, client and stub included", r.Resident>>20)
	}
	fmt.Fprintln(w)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }
