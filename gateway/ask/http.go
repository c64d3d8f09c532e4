package ask

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Path is where the HTTP API is: datasets, and what is asked about each.
const Path = "/questions"

// Protocol names calls of the HTTP API in the journal.
const Protocol = "questions/1"

// HeaderID is the caller's own name of a question: the same again is a retry.
const HeaderID = gateway.HeaderRedeemID

// maxID bounds it.
const maxID = 512

// API is the HTTP door of a service: the acts of [Service.Acts] at addresses of their own, with the same arguments and answers.
type API struct{ *Service }

// ServeHTTP implements [http.Handler].
func (h *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.EscapedPath() == Path+"/-/openapi.json" && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(OpenAPI())
		return
	}
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	act, dataset, found := h.route(r)
	if !found {
		w.Header().Set("Allow", allowed(r))
		http.Error(w, "there is nothing at this address by this method", http.StatusMethodNotAllowed)
		return
	}
	s := h.Gateway.Snapshot()
	a := Asker{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: act.Name, To: flow.Party{Domain: s.Domain}, Direction: flow.Request}}
	err := h.read(w, r, &a, dataset)
	var body []byte
	if err == nil {
		body, err = act.Do(r.Context(), a)
	}
	if err != nil {
		a.Flow.Subject = act.Name
		h.deny(w, r, s, h.Gateway.Refused(r.Context(), s, a.Flow, err))
		return
	}
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "private, no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
}

// route finds what an address and method stand for.
func (h *API) route(r *http.Request) (act Act, dataset string, found bool) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), Path)
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	name := ""
	switch get, post := r.Method == http.MethodGet, r.Method == http.MethodPost; {
	case len(parts) == 1 && parts[0] == "" && get:
		name = ListTool
	case len(parts) == 1 && parts[0] != "" && get:
		name = DescribeTool
	case len(parts) == 1 && parts[0] != "" && post:
		name = QueryTool
	case len(parts) == 2 && parts[1] == "budget" && get:
		name = BudgetTool
	case len(parts) == 2 && parts[1] == "explain" && post:
		name = ExplainTool
	}
	for _, one := range h.Acts() {
		if one.Name == name {
			return one, parts[0], true
		}
	}
	return Act{}, "", false
}

func allowed(r *http.Request) string {
	switch rest := strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), Path), "/"); {
	case strings.HasSuffix(rest, "/explain"):
		return http.MethodPost
	case rest == "" || strings.Contains(rest, "/"):
		return http.MethodGet
	}
	return http.MethodGet + ", " + http.MethodPost
}

// read authenticates the caller and reads what it asks.
func (h *API) read(w http.ResponseWriter, r *http.Request, a *Asker, dataset string) error {
	ctx, s := r.Context(), a.Snapshot
	var err error
	if a.Caller, a.Authority, err = h.Gateway.Identify(ctx, s, r); err != nil {
		return err
	}
	a.Flow.From = a.Caller.Party
	if err := h.Gateway.Admit(ctx, s, a.Caller.Party); err != nil {
		return err
	}
	var body []byte
	if r.Method == http.MethodPost {
		if body, err = gateway.ReadRequest(w, r, s.Limits.Bytes, "application/json"); err != nil {
			return err
		}
		var doc json.Doc // within the limits, and without a member that is there twice
		if err := doc.Parse(body, nil, s.Limits); err != nil {
			return err
		}
		if doc.Nodes[0].Kind != json.Object {
			return gateway.Refuse(gateway.RulePlace, nil, "The body is not a JSON object.")
		}
	}
	if ids := r.Header.Values(HeaderID); len(ids) > 1 || len(ids) == 1 && len(ids[0]) > maxID {
		return gateway.Refuse(gateway.RuleHeader, nil, "%s is there more than once, or too long.", HeaderID)
	}
	a.ID = r.Header.Get(HeaderID)
	a.Flow.Purpose, a.Flow.Task.Criticality = a.Caller.ChooseFrom(r.Header)
	if err := h.Gateway.Holds(ctx, s, a.Authority, body); err != nil {
		return err
	}
	a.Arguments, err = withDataset(body, dataset)
	return err
}

// withDataset puts the dataset that an address names into the arguments.
func withDataset(body []byte, dataset string) ([]byte, error) {
	if dataset == "" {
		return []byte("{}"), nil
	}
	if len(dataset) > maxName || strings.ContainsAny(dataset, `%"\`) {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The address names no dataset.")
	}
	out := append([]byte(`{"dataset":"`), dataset...)
	out = append(out, '"')
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return append(out, '}'), nil
	}
	var members map[string]stdjson.RawMessage
	if err := stdjson.Unmarshal(body, &members); err != nil {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The body is not a JSON object.")
	}
	if _, twice := members["dataset"]; twice {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The address names the dataset; leave it out of the body.")
	}
	inner := bytes.TrimSpace(body[1 : len(body)-1])
	if len(inner) > 0 {
		out = append(append(out, ','), inner...)
	}
	return append(out, '}'), nil
}

// statuses are how refusals are told over HTTP.
var statuses = map[gateway.Rule]int{
	gateway.RuleIdentity: http.StatusUnauthorized, gateway.RuleScope: http.StatusForbidden, gateway.RuleFace: http.StatusNotFound,
	gateway.RuleMalformed: http.StatusBadRequest, gateway.RulePlace: http.StatusBadRequest, gateway.RuleHeader: http.StatusBadRequest,
	gateway.RuleTooBig: http.StatusRequestEntityTooLarge, gateway.RuleEncoding: http.StatusUnsupportedMediaType, gateway.RulePolicy: http.StatusForbidden,
	gateway.RuleCapability: http.StatusForbidden, gateway.RuleBudget: http.StatusForbidden, gateway.RuleConflict: http.StatusConflict,
	gateway.RuleRate: http.StatusTooManyRequests, gateway.RuleBusy: http.StatusServiceUnavailable, gateway.RuleRecord: http.StatusServiceUnavailable,
	gateway.RuleDrained: http.StatusServiceUnavailable, gateway.RuleHop: http.StatusUnauthorized,
}

// Problem is a refusal over HTTP (RFC 9457).
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Rule      string `json:"rule"`
	Reference string `json:"reference,omitempty"` // resolves to the whole story in the gateway's journal
}

func (h *API) deny(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, refusal error) {
	ref, ok := errors.AsType[*gateway.Refusal](refusal)
	if !ok {
		ref = gateway.Refuse(gateway.RuleInternal, refusal, "The gateway could not answer.")
	}
	status := statuses[ref.Rule]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	challenge := gateway.Denial(ref, wire.NotFound).Challenge
	if challenge != "" {
		status = http.StatusUnauthorized
	}
	if status == http.StatusUnauthorized {
		if challenge == "" {
			challenge = gateway.Challenge(s, r)
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	body, err := stdjson.Marshal(Problem{Title: http.StatusText(status), Status: status, Detail: ref.Text(), Rule: string(ref.Rule), Reference: string(ref.Ref)})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
