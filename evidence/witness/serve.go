package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxProof   = 63 // lines
	maxRequest = maxNote + (maxProof+2)*64
	atOnce     = 32 // requests that are worked on
)

// Handler answers add-checkpoint of https://c2sp.org/tlog-witness. It needs no authentication: what a log signed is its own proof.
func (w *Witness) Handler() http.Handler {
	places := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			rw.Header().Set("Allow", http.MethodPost)
			http.Error(rw, "POST is expected", http.StatusMethodNotAllowed)
			return
		}
		// It is read before it takes a place, so that who sends slowly keeps nobody out.
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxRequest))
		if err != nil {
			answer(rw, fmt.Errorf("%w: it is too long", ErrRequest))
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			rw.Header().Set("Retry-After", "1")
			http.Error(rw, "too many at once", http.StatusServiceUnavailable)
			return
		}
		w.serve(rw, r, body)
	})
}

func (w *Witness) serve(rw http.ResponseWriter, r *http.Request, body []byte) {
	req, err := ParseRequest(body)
	if err != nil {
		answer(rw, err)
		return
	}
	line, err := w.Add(r.Context(), req)
	if err != nil {
		answer(rw, err)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = rw.Write(line)
}

// statuses are those of tlog-witness.
var statuses = []struct {
	err  error
	code int
}{
	{ErrRequest, http.StatusBadRequest}, {ErrSignature, http.StatusForbidden}, {ErrUnknown, http.StatusNotFound},
	{ErrProof, http.StatusUnprocessableEntity}, {ErrBusy, http.StatusTooManyRequests},
}

func answer(rw http.ResponseWriter, err error) {
	if c, ok := errors.AsType[*Conflict](err); ok {
		if c.Fork { // it is not a matter of the size
			http.Error(rw, "another checkpoint of that size was signed by the log", http.StatusConflict)
			return
		}
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(rw, "%d\n", c.Size)
		return
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			if s.code == http.StatusTooManyRequests {
				rw.Header().Set("Retry-After", "1")
			}
			http.Error(rw, s.err.Error(), s.code)
			return
		}
	}
	http.Error(rw, "the witness cannot keep its state", http.StatusInternalServerError)
}

// ParseRequest reads the body of add-checkpoint. The error is an [ErrRequest].
func ParseRequest(b []byte) (Request, error) {
	head, checkpoint, ok := bytes.Cut(b, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	old, isOld := strings.CutPrefix(lines[0], "old ")
	n, err := strconv.ParseInt(old, 10, 64)
	if !ok || !isOld || err != nil || n < 0 || strconv.FormatInt(n, 10) != old {
		return Request{}, fmt.Errorf("%w: it does not begin with the old size", ErrRequest)
	}
	if lines = lines[1:]; len(lines) > maxProof {
		return Request{}, fmt.Errorf("%w: its proof has more than %d lines", ErrRequest, maxProof)
	}
	r := Request{Old: n, Note: checkpoint}
	for _, line := range lines {
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize || base64.StdEncoding.EncodeToString(raw) != line {
			return Request{}, fmt.Errorf("%w: a line of its proof is not 32 bytes of base64", ErrRequest)
		}
		r.Proof = append(r.Proof, tlog.Hash(raw))
	}
	return r, nil
}

// Bytes is the body that asks.
func (r Request) Bytes() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.Old)
	for _, h := range r.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), r.Note...)
}
