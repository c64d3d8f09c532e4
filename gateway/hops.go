package gateway

import (
	"context"
	"net/http"
	"strconv"
)

// HeaderHops counts the gateways that a call has come through, so that one that goes round in circles ends.
const HeaderHops = "Scrim-Hops"

// MaxHops is how many gateways a call may come through.
const MaxHops = 8

type hopsKey struct{}

// WithHops remembers in a context how many gateways a request has come through; [Upstream.SendTo] counts on from there.
// What is not a number counts as the most.
func WithHops(ctx context.Context, h http.Header) context.Context {
	if n := hops(h); n > 0 {
		return context.WithValue(ctx, hopsKey{}, n)
	}
	return ctx
}

func hops(h http.Header) int {
	values := h.Values(HeaderHops)
	if len(values) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(values[0], 10, 8)
	if err != nil || len(values) > 1 || n > MaxHops {
		return MaxHops
	}
	return int(n)
}

// NextHop returns the value of [HeaderHops] for a call that goes on from a request. The error is a [Refusal] by
// [RuleLoop] if it has come through too many gateways: a card or a configuration leads back to where it came from.
func NextHop(ctx context.Context, from http.Header) (string, error) {
	n := hops(from)
	if known, ok := ctx.Value(hopsKey{}).(int); ok {
		n = max(n, known)
	}
	if n >= MaxHops {
		return "", refuse(RuleLoop, "", nil, "The call has come through more than %d gateways; it goes round in a circle.", MaxHops)
	}
	return strconv.Itoa(n + 1), nil
}

// ThroughGateway reports whether the request of a context came through another gateway, or through this one.
func ThroughGateway(ctx context.Context) bool { return ctx.Value(hopsKey{}) != nil }
