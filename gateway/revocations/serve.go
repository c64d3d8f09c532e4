package revocations

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// ServeHTTP serves the own list at [ListPath], to everybody, and takes those of peers at [PushPath].
func (x *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	case ListPath:
		x.serveList(w, r)
	case PushPath:
		x.servePush(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (x *Exchange) serveList(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	list, err := x.opt.Ledger.List()
	switch {
	case errors.Is(err, ledger.ErrNoKey):
		http.NotFound(w, r)
		return
	case err != nil:
		x.fault(err)
		http.Error(w, "the list cannot be signed", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", ledger.MediaType)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(list)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(list) // whoever asked has gone
	}
}

// pushTime is how long a peer has for sending its list.
const pushTime = 10 * time.Second

// servePush takes a list. It looks at whose it says it is before it reads more than a kilobyte. Whoever comes too often, or
// when too much is read at once, is sent away, and the peer's list is asked for instead: so nobody who only claims to be the peer
// keeps the peer's word from coming.
func (x *Exchange) servePush(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if r.ContentLength > ledger.MaxList {
		x.answer(w, r, "", ledger.ErrTooBig)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(pushTime)) // where that is possible
	body := bufio.NewReaderSize(http.MaxBytesReader(w, r.Body, ledger.MaxList), 1<<10)
	begin, _ := body.Peek(1 << 10) // a shorter one, or an error, is found below
	from, err := ledger.IssuerOf(begin)
	if err != nil {
		x.answer(w, r, "", err)
		return
	}
	if !x.known(from) {
		x.answer(w, r, "", errStranger)
		return
	}
	if !x.mayPush(from) {
		x.later(w, from)
		return
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	default:
		x.later(w, from)
		return
	}
	signed, err := io.ReadAll(body)
	if err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			x.answer(w, r, from, ledger.ErrTooBig)
			return
		}
		http.Error(w, "the list did not come whole", http.StatusBadRequest)
		return
	}
	if err := x.take(r.Context(), from, signed); err != nil {
		say(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (x *Exchange) later(w http.ResponseWriter, from flow.DomainID) {
	x.askSoon(from)
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many lists come at once; this one will be asked for", http.StatusTooManyRequests)
}

// answer refuses a list that was not read.
func (x *Exchange) answer(w http.ResponseWriter, r *http.Request, from flow.DomainID, err error) {
	x.refuse(r.Context(), from, err)
	say(w, err)
}

// say tells the reason, which repeats nothing that came.
func say(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ledger.ErrTooBig):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, ledger.ErrForm):
		status = http.StatusBadRequest
	case errors.Is(err, errStranger), errors.Is(err, ledger.ErrKey), errors.Is(err, ledger.ErrSignature), errors.Is(err, ledger.ErrOwn):
		status = http.StatusForbidden
	case errors.Is(err, ledger.ErrFuture), errors.Is(err, ledger.ErrStale):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, ledger.ErrRolledBack), errors.Is(err, ledger.ErrForked), errors.Is(err, ledger.ErrDropped):
		status = http.StatusConflict
	}
	text := "the list cannot be kept"
	if status != http.StatusServiceUnavailable {
		text = err.Error()
	}
	http.Error(w, text, status)
}

func (x *Exchange) known(d flow.DomainID) bool { return isPeer(x.opt.Peers.All(), d) }
