package emit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

// Kind is what a receiver over HTTP is.
type Kind string

// The kinds. Each but [OpenLineage] has its own path below the address.
const (
	OpenLineage  Kind = "openlineage"  // the address is the whole one
	Marquez      Kind = "marquez"      // and others with the path that OpenLineage's own clients use
	DataHub      Kind = "datahub"      // https://docs.datahub.com/docs/lineage/openlineage
	OpenMetadata Kind = "openmetadata" // takes runs that are complete, and read and write something
)

var paths = map[Kind]string{Marquez: "/api/v1/lineage", DataHub: "/openapi/openlineage/api/v1/lineage", OpenMetadata: "/api/v1/openlineage/lineage"}

// HTTP posts events, one after another. Redirections are not followed, so that a credential goes nowhere else.
type HTTP struct {
	Kind   Kind
	URL    string
	Header string // that carries the credential; "": none
	Secret func() (flow.Secret, error)
	Client *http.Client // its Timeout, if it has none, is half a minute
}

func (*HTTP) begin(int64) error { return nil }

func (h *HTTP) wants(ev *lineage.Event) bool {
	return h.Kind != OpenMetadata || ev.Type == lineage.Complete && len(ev.Inputs) > 0 && len(ev.Outputs) > 0
}

// Answered is the error of a receiver that answered by something else than success.
type Answered struct {
	Status int
	After  time.Duration // when to ask again, if it said so
}

// Error implements error. What the receiver wrote is not repeated.
func (a *Answered) Error() string { return fmt.Sprintf("the receiver answered %d", a.Status) }

// Is makes it an [ErrRefused] where the receiver will never take the event.
func (a *Answered) Is(target error) bool {
	switch a.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return target == ErrRefused
	}
	return false
}

func retryAfter(err error, most time.Duration) time.Duration {
	if a, ok := errors.AsType[*Answered](err); ok {
		return min(a.After, most)
	}
	return 0
}

func (h *HTTP) send(ctx context.Context, events [][]byte) (int, int64, error) {
	for i, ev := range events {
		if err := h.post(ctx, ev); err != nil {
			return i, 0, err
		}
	}
	return len(events), 0, nil
}

// mostAnswer is how much of an answer is read so that the connection can be used again.
const mostAnswer = 64 << 10

func (h *HTTP) post(ctx context.Context, ev []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(h.URL, "/")+paths[h.Kind], bytes.NewReader(ev))
	if err != nil {
		return errors.New("the receiver's address is none")
	}
	req.Header.Set("Content-Type", "application/json")
	if h.Header != "" {
		secret, err := h.Secret()
		if err != nil {
			return err
		}
		req.Header.Set(h.Header, secret.Expose())
	}
	client := http.Client{}
	if h.Client != nil {
		client = *h.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which may hold a credential
		}
		return fmt.Errorf("the receiver cannot be reached: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	_, _ = io.CopyN(io.Discard, res.Body, mostAnswer)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	a := &Answered{Status: res.StatusCode}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 && n < 1<<20 {
		a.After = time.Duration(n) * time.Second
	}
	return a
}
