package gateway

import (
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/wire"
)

// reasons maps the gateway's rules to what a protocol can say.
var reasons = map[Rule]wire.Reason{
	RuleIdentity:  wire.Unauthenticated,
	RuleScope:     wire.Unauthorized,
	RuleFace:      wire.NotFound,
	RuleMalformed: wire.InvalidRequest,
	RuleTooBig:    wire.TooLarge,
	RuleVersion:   wire.VersionNotSupported,
	RulePlace:     wire.InvalidParams,
	RulePolicy:    wire.Denied,
	RuleSchema:    wire.Denied,
	RuleConflict:  wire.Conflict,
	RuleUpstream:  wire.InvalidAnswer,
	RuleRecord:    wire.Unavailable,
	RuleEncoding:  wire.UnsupportedMedia,
	RuleDrained:   wire.Busy,
	RuleExhausted: wire.TooLarge,
	RuleHeader:    wire.HeaderMismatch,
	RuleOrigin:    wire.Forbidden,
	RuleRate:      wire.TooMany,
	RuleBusy:      wire.Busy,
	RuleLoop:      wire.InvalidAnswer,
	RuleInternal:  wire.Internal,
	RulePush:      wire.PushNotSupported,
	RuleHandle:    wire.NotFound,
	RuleExtension: wire.ExtensionRequired,
	RuleHop:       wire.Unauthenticated,

	RuleCapability: wire.Denied,
	RuleBudget:     wire.Denied,
}

// howToAsk tells a recipient how more could be shown. It is the same for everybody.
const howToAsk = "Name a purpose that you were granted, or ask the owning domain with the reference."

// Denial returns how a refusal is told, with what the protocol has for a method that is not carried and the versions that are.
func Denial(err error, method wire.Reason, versions ...string) wire.Denial {
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		return wire.Denial{Reason: wire.Internal}
	}
	d := wire.Denial{Reason: reasons[r.Rule], Text: r.Text(), Reference: string(r.Ref)}
	if r.Rule == RuleCapability && r.unproven {
		d.Reason, d.Challenge = wire.Unauthenticated, r.challenge
	}
	switch r.Rule {
	case RuleMethod:
		d.Reason = method
	case RuleVersion:
		d.Supported = versions
	case RulePolicy:
		d.Ask = howToAsk
	}
	return d
}

// ReadRequest reads a JSON request body of at most limit bytes; 0 is the default limit of package json.
func ReadRequest(w http.ResponseWriter, r *http.Request, limit int, types ...string) ([]byte, error) {
	if err := readable(r.Header, types...); err != nil {
		return nil, err
	}
	limit = entryOf(r.Context()).most(orDefault(limit, json.DefaultBytes))
	b, err := readAll(http.MaxBytesReader(w, r.Body, int64(limit)), r.ContentLength)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			if r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close") // the rest is not waited for
			}
			return nil, refuse(RuleTooBig, "", nil, "The message is larger than %d bytes.", limit)
		}
		return nil, refuse(RuleMalformed, "", nil, "The message broke off.")
	}
	return b, nil
}
