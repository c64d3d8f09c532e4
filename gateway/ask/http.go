package ask

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Path is where the HTTP API is: datasets, and what is asked about each. StreamsPath has what is published of them.
const (
	Path        = "/questions"
	StreamsPath = "/streams"
)

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
	act, at, found := h.route(r.Method, r)
	if !found {
		methods := h.methods(r)
		if len(methods) == 0 {
			http.Error(w, "there is nothing at this address", http.StatusNotFound)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		http.Error(w, "there is nothing at this address by this method", http.StatusMethodNotAllowed)
		return
	}
	s := h.Gateway.Snapshot()
	a := Asker{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: act.Name, To: flow.Party{Domain: s.Domain}, Direction: flow.Request}}
	err := h.read(w, r, &a, at)
	var body []byte
	if err == nil {
		body, err = act.Do(r.Context(), a)
	}
	if err != nil {
		a.Flow.Subject = act.Name
		Deny(w, r, s, h.Gateway.Refused(r.Context(), s, a.Flow, err))
		return
	}
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "private, no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
}

// place is what an address names.
type place struct{ dataset, stream string }

// route finds what an address stands for by a method.
func (h *API) route(method string, r *http.Request) (act Act, at place, found bool) {
	path, get, post := r.URL.EscapedPath(), method == http.MethodGet, method == http.MethodPost
	rest, streams := strings.CutPrefix(path, StreamsPath)
	if !streams {
		rest = strings.TrimPrefix(path, Path)
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	if at.dataset = parts[0]; streams && len(parts) > 1 {
		at.stream = parts[1]
	}
	name := ""
	switch n := len(parts); {
	case streams && n == 1 && parts[0] == "" && get:
		name = StreamsTool
	case streams && n == 2 && parts[0] != "" && parts[1] != "" && get:
		name = ReadTool
	case streams:
	case n == 1 && parts[0] == "" && get:
		name = ListTool
	case n == 1 && parts[0] != "" && get:
		name = DescribeTool
	case n == 1 && parts[0] != "" && post:
		name = QueryTool
	case n == 2 && parts[1] == "budget" && get:
		name = BudgetTool
	case n == 2 && parts[1] == "explain" && post:
		name = ExplainTool
	}
	for _, one := range h.Acts() {
		if one.Name == name {
			return one, at, true
		}
	}
	return Act{}, place{}, false
}

// methods are those by which there is something at an address.
func (h *API) methods(r *http.Request) (all []string) {
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		if _, _, found := h.route(m, r); found {
			all = append(all, m)
		}
	}
	return all
}

// read authenticates the caller and reads what it asks.
func (h *API) read(w http.ResponseWriter, r *http.Request, a *Asker, at place) error {
	ctx, s := r.Context(), a.Snapshot
	if !gateway.Local(r, s) {
		return gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
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
	if at.stream != "" {
		if body, err = parameters(r.URL.RawQuery); err != nil {
			return err
		}
	}
	a.Arguments, err = at.put(body)
	return err
}

// parameters are those of an address that reads a stream, as arguments: window, points and until, each at most once.
func parameters(query string) ([]byte, error) {
	wrong := func() ([]byte, error) {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The parameters of a stream are window and points, which are numbers, and until, which is a time.")
	}
	given, err := url.ParseQuery(query)
	if err != nil {
		return wrong()
	}
	args := map[string]any{}
	for name, all := range given {
		if len(all) != 1 {
			return wrong()
		}
		switch name {
		case "window", "points":
			n, err := strconv.ParseUint(all[0], 10, 31)
			if err != nil || n == 0 {
				return wrong()
			}
			args[name] = n
		case "until":
			at, err := time.Parse(time.RFC3339, all[0])
			if err != nil {
				return wrong()
			}
			args[name] = at
		default:
			return wrong()
		}
	}
	return stdjson.Marshal(args)
}

// put puts what an address names into the arguments.
func (p place) put(body []byte) ([]byte, error) {
	if p.dataset == "" {
		return []byte("{}"), nil
	}
	var out []byte
	for _, m := range []struct{ member, name string }{{"dataset", p.dataset}, {"stream", p.stream}} {
		if len(m.name) > maxName || strings.ContainsAny(m.name, `%"\`) {
			return nil, gateway.Refuse(gateway.RulePlace, nil, "The address names no %s.", m.member)
		}
		if m.name != "" {
			out = fmt.Appendf(out, `,"%s":"%s"`, m.member, m.name)
		}
	}
	out[0] = '{'
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
	gateway.RuleSchema: http.StatusForbidden, gateway.RuleUpstream: http.StatusBadGateway, gateway.RuleDrained: http.StatusServiceUnavailable, gateway.RuleHop: http.StatusUnauthorized, gateway.RuleOrigin: http.StatusForbidden,
}

// Problem is a refusal over HTTP (RFC 9457).
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Rule      string `json:"rule"`
	Reference string `json:"reference,omitempty"` // resolves to the whole story in the gateway's journal
}

// Deny tells a refusal over HTTP.
func Deny(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, refusal error) {
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
