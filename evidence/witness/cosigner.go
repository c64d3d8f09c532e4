package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Errors of having a log cosigned.
var (
	ErrAhead  = errors.New("a witness saw a longer log than this one")         // it was set back, or there is another one under its key
	ErrForked = errors.New("a witness saw another history of this log")        // of the same size
	ErrQuorum = errors.New("too few witnesses cosigned the log")               // for too long
	ErrAnswer = errors.New("witness gave an answer that is not a cosignature") // or none that verifies
)

// CosignerOptions may be left zero.
type CosignerOptions struct {
	Quorum  int                             // cosignatures that a checkpoint should have; 0: all
	Require bool                            // no checkpoint without them, and [Cosigner.Healthy] says so
	Grace   time.Duration                   // how long a quorum may be missing before [Cosigner.Healthy] and [Cosigner.Lacking] say so; 0: one minute
	Timeout time.Duration                   // for one witness; 0: 3 seconds
	Client  *http.Client                    // nil: one that follows no redirects
	Refresh time.Duration                   // how old a cosignature may become while the log stands still; 0: ten minutes
	Clock   func() time.Time                // nil: time.Now
	Fault   func(witness string, err error) // told of each new trouble with a witness, by its name; nil: nobody
}

// Cosigner takes a log's checkpoints to witnesses. It is safe for concurrent use.
type Cosigner struct {
	peers []Peer
	opt   CosignerOptions

	mu   sync.Mutex // guards the fields below
	each []progress // as peers
	due  time.Time  // since when a quorum is missing; zero: it is not
	had  int        // cosignatures of the checkpoint asked for last
}

// progress is how far it is with one witness.
type progress struct {
	origin string
	size   int64 // of the checkpoint of that log that it cosigned last, as far as we know
	at     time.Time
	wait   time.Duration // before it is asked again, after a failure
	next   time.Time
	err    error
	line   []byte // its last signature,
	text   string // and what it signed
}

// NewCosigner returns one. Two witnesses may not have one key or one name.
func NewCosigner(peers []Peer, opt CosignerOptions) (*Cosigner, error) {
	for i, p := range peers {
		for _, q := range peers[:i] {
			if p.Name == q.Name || p.Key.Equal(q.Key) {
				return nil, fmt.Errorf("%w: %s is there twice", ErrKey, p.Name)
			}
		}
	}
	if opt.Quorum < 0 || opt.Quorum > len(peers) {
		return nil, fmt.Errorf("%w: %d of %d", ErrQuorum, opt.Quorum, len(peers))
	}
	if opt.Quorum == 0 {
		opt.Quorum = len(peers)
	}
	if opt.Grace <= 0 {
		opt.Grace = time.Minute
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 3 * time.Second
	}
	if opt.Refresh <= 0 {
		opt.Refresh = 10 * time.Minute
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Client == nil {
		opt.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Cosigner{peers: peers, opt: opt, each: make([]progress, len(peers))}, nil
}

// Cosign asks all witnesses at once and returns the signature lines that they gave; it is a [tile.Cosign]. Without a quorum it
// returns an [ErrQuorum] if the options require one, and otherwise what there is.
func (c *Cosigner) Cosign(ctx context.Context, cp tile.Checkpoint, prove tile.Prove) ([]byte, error) {
	lines := make([][]byte, len(c.peers))
	var proving sync.Mutex // prove reads files one after the other
	one := func(old int64) (r Request, err error) {
		proving.Lock()
		defer proving.Unlock()
		r = Request{Old: old, Note: cp.Note}
		if old > 0 && old < cp.Size {
			r.Proof, err = prove(old)
		}
		return r, err
	}
	var wg sync.WaitGroup
	for i := range c.peers {
		wg.Go(func() { lines[i] = c.ask(ctx, i, cp, one) })
	}
	wg.Wait()
	var all []byte
	have := 0
	for _, l := range lines {
		if l != nil {
			all = append(all, l...)
			have++
		}
	}
	if !c.count(have) && c.opt.Require {
		return nil, fmt.Errorf("%w: %d of %d", ErrQuorum, have, c.opt.Quorum)
	}
	return all, nil
}

func (c *Cosigner) count(have int) (met bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.had = have
	if have >= c.opt.Quorum {
		c.due = time.Time{}
		return true
	}
	if c.due.IsZero() {
		c.due = c.opt.Clock()
	}
	return false
}

// ask gets one witness's line. Trouble is remembered, told once, and waited out.
func (c *Cosigner) ask(ctx context.Context, i int, cp tile.Checkpoint, request func(int64) (Request, error)) []byte {
	text, _, _ := strings.Cut(string(cp.Note), "\n\n")
	now := c.opt.Clock()
	c.mu.Lock()
	p := c.each[i]
	c.mu.Unlock()
	if p.text != text {
		p.line = nil
	}
	if now.Before(p.next) || p.line != nil && now.Sub(p.at) < c.opt.Refresh {
		return p.line // it has signed this one, or is left alone for a while
	}
	if p.origin != cp.Origin {
		p.origin, p.size = cp.Origin, 0
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	line, err := c.converse(ctx, c.peers[i], &p, cp, request)
	if err == nil {
		p.size, p.at, p.wait, p.next, p.line, p.text = cp.Size, now, 0, time.Time{}, line, text
	} else {
		p.wait = min(max(2*p.wait, time.Second), time.Minute)
		p.next = now.Add(p.wait)
		line = p.line
	}
	news := err != nil && (p.err == nil || p.err.Error() != err.Error())
	p.err = err
	c.mu.Lock()
	c.each[i] = p
	c.mu.Unlock()
	if news && c.opt.Fault != nil {
		c.opt.Fault(c.peers[i].Name, err)
	}
	return line
}

// converse sends the checkpoint, and once more if the witness tells from where it should continue.
func (c *Cosigner) converse(ctx context.Context, peer Peer, p *progress, cp tile.Checkpoint, request func(int64) (Request, error)) ([]byte, error) {
	for try := 0; ; try++ {
		req, err := request(p.size)
		if err != nil {
			return nil, fmt.Errorf("proving that the log continues: %w", err)
		}
		code, size, body, err := c.post(ctx, peer, req)
		switch {
		case err != nil:
			return nil, err
		case code == http.StatusOK:
			return peer.pick(cp, body)
		case code == http.StatusConflict && !size:
			return nil, ErrForked
		case code != http.StatusConflict:
			return nil, fmt.Errorf("witness answers %d", code)
		}
		known, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
		if err != nil || known < 0 {
			return nil, ErrAnswer
		}
		if known > cp.Size {
			return nil, fmt.Errorf("%w: %d entries, and there are %d", ErrAhead, known, cp.Size)
		}
		if try > 0 {
			return nil, fmt.Errorf("witness is at %d and does not continue from there", known)
		}
		p.size = known
	}
}

func (c *Cosigner) post(ctx context.Context, peer Peer, r Request) (code int, size bool, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, peer.URL+"/add-checkpoint", bytes.NewReader(r.Bytes()))
	if err != nil {
		return 0, false, nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.opt.Client.Do(req)
	if err != nil {
		return 0, false, nil, fmt.Errorf("witness is not to be reached: %w", err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxNote))
	if err != nil {
		return 0, false, nil, fmt.Errorf("witness broke off: %w", err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type") == "text/x.tlog.size", body, nil
}

// pick takes the peer's own signature out of an answer, which may hold anything else, and verifies it.
func (p Peer) pick(cp tile.Checkpoint, lines []byte) ([]byte, error) {
	text, _, _ := strings.Cut(string(cp.Note), "\n\n")
	v := p.Verifier()
	for line := range strings.Lines(string(lines)) {
		n, err := note.Open([]byte(text+"\n\n"+line), note.VerifierList(v))
		if err == nil && len(n.Sigs) == 1 {
			s := n.Sigs[0]
			return []byte("— " + s.Name + " " + s.Base64 + "\n"), nil
		}
	}
	return nil, ErrAnswer
}

// Healthy says why nothing may be released, if the options require a quorum and it was missing for longer than the grace.
func (c *Cosigner) Healthy() error {
	if c == nil || !c.opt.Require {
		return nil
	}
	if since, lacking := c.lacking(); lacking {
		return fmt.Errorf("%w: for %s, and log.require_quorum is set", ErrQuorum, since.Round(time.Second))
	}
	return nil
}

// Same reports whether another one asks the same witnesses for the same.
func (c *Cosigner) Same(other *Cosigner) bool {
	return other != nil && c.opt.Quorum == other.opt.Quorum && c.opt.Require == other.opt.Require &&
		slices.EqualFunc(c.peers, other.peers, func(a, b Peer) bool { return a.Name == b.Name && a.URL == b.URL && a.Key.Equal(b.Key) })
}

// Missing is since how long there is no quorum; 0: there is one, or nobody was asked yet.
func (c *Cosigner) Missing() time.Duration {
	if c == nil {
		return 0
	}
	since, _ := c.lacking()
	return since
}

// Lacking reports since how long a quorum is missing, if that is longer than the grace.
func (c *Cosigner) Lacking() (time.Duration, bool) {
	if c == nil {
		return 0, false
	}
	return c.lacking()
}

func (c *Cosigner) lacking() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due.IsZero() {
		return 0, false
	}
	since := c.opt.Clock().Sub(c.due)
	return since, since > c.opt.Grace
}

// PeerStatus is how it stands with one witness.
type PeerStatus struct {
	Name  string    `json:"name"`
	URL   string    `json:"url"`
	Size  int64     `json:"size"` // of the checkpoint that it cosigned last
	Time  time.Time `json:"time"` // when; zero: never since the start
	Error string    `json:"error,omitempty"`
}

// Statuses tells how it stands with each witness, and how many cosignatures the latest checkpoint has, of how many it should have.
func (c *Cosigner) Statuses() (all []PeerStatus, have, want int) {
	if c == nil {
		return nil, 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.each {
		s := PeerStatus{Name: c.peers[i].Name, URL: c.peers[i].URL, Size: p.size, Time: p.at}
		if p.err != nil {
			s.Error = p.err.Error()
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b PeerStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, c.had, c.opt.Quorum
}

// Sight is what a witness knows of a log.
type Sight struct {
	Name string
	Size int64 // of the largest checkpoint that it may have seen; at most that of the checkpoint asked about, if Err is nil
	Err  error // [ErrAhead], [ErrForked], or why it is not known
}

// Sights asks each witness whether it saw more of a log than a checkpoint that the log signed, or something else. It may sign the checkpoint; that is thrown away.
func (c *Cosigner) Sights(ctx context.Context, cp tile.Checkpoint) []Sight {
	if c == nil {
		return nil
	}
	all := make([]Sight, len(c.peers))
	var wg sync.WaitGroup
	for i, peer := range c.peers {
		wg.Go(func() {
			asking, cancel := context.WithTimeout(ctx, c.opt.Timeout)
			defer cancel()
			all[i] = c.sight(asking, peer, cp)
		})
	}
	wg.Wait()
	return all
}

// sight says that the witness had this very checkpoint before: it signs that again, or names the size that it knows.
func (c *Cosigner) sight(ctx context.Context, peer Peer, cp tile.Checkpoint) Sight {
	s := Sight{Name: peer.Name}
	code, size, body, err := c.post(ctx, peer, Request{Old: cp.Size, Note: cp.Note})
	switch {
	case err != nil:
		s.Err = err
	case code == http.StatusOK:
		_, s.Err = peer.pick(cp, body)
		s.Size = cp.Size
	case code == http.StatusConflict && !size:
		s.Err = ErrForked
	case code == http.StatusConflict:
		known, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
		switch {
		case err != nil || known < 0:
			s.Err = ErrAnswer
		case known > cp.Size:
			s.Size, s.Err = known, fmt.Errorf("%w: %d entries, and there are %d", ErrAhead, known, cp.Size)
		default:
			s.Size = known
		}
	default:
		s.Err = fmt.Errorf("witness answers %d", code)
	}
	return s
}
