package gateway

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// BaseURL is the address under which a request reached the gateway: the configured one; else what a trusted proxy says
// it was asked for; else the request's own host if that leads to this machine for certain; else the address that was
// connected to. A host that a caller makes up is not ours to sign or to compare with.
func BaseURL(s *Snapshot, r *http.Request) string {
	if base, ok := r.Context().Value(meetingKey{}).(string); ok {
		return base
	}
	if s.PublicURL != "" {
		return s.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	host := r.Host
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && !Loopback(host) {
		host = at.String()
	}
	if s.trusted(r.RemoteAddr) {
		proto, named := forwarded(r.Header)
		if proto != "" {
			scheme = proto
		}
		if named != "" {
			host = named
		}
	}
	return scheme + "://" + host
}

type meetingKey struct{}

// AtGateways has requests be for one of the URLs at which gateways of peers reach this one: whatever names an address of
// this gateway in an answer names one that the peer can call. Urls returns them, without a slash at the end.
func AtGateways(urls func() []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := ""
		for _, u := range urls() {
			if at, err := url.Parse(u); base == "" || err == nil && strings.EqualFold(at.Host, r.Host) {
				base = u
			}
		}
		if base != "" {
			r = r.WithContext(context.WithValue(r.Context(), meetingKey{}, base))
		}
		next.ServeHTTP(w, r)
	})
}

// trusted reports whether the peer is a proxy whose word on where a request came in is believed.
func (s *Snapshot) trusted(peer string) bool {
	at, err := netip.ParseAddrPort(peer)
	return err == nil && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(at.Addr().Unmap()) })
}

// forwarded reads what the nearest proxy says of a request: the last entry of X-Forwarded-Proto and X-Forwarded-Host, or
// of Forwarded (RFC 7239). A proxy writes one kind and may let a caller's other kind through, so where both are there
// and do not agree, neither is believed.
func forwarded(h http.Header) (proto, host string) {
	proto, host = asProto(lastOf(h.Values("X-Forwarded-Proto"))), asHost(lastOf(h.Values("X-Forwarded-Host")))
	last := lastOf(h.Values("Forwarded"))
	if last == "" {
		return proto, host
	}
	var p, n string
	for pair := range strings.SplitSeq(last, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "proto":
			p = asProto(value)
		case "host":
			n = asHost(value)
		}
	}
	if (len(h.Values("X-Forwarded-Proto")) > 0 || len(h.Values("X-Forwarded-Host")) > 0) && (p != proto || n != host) {
		return "", ""
	}
	return p, n
}

// lastOf is the last element of a header that is a list. A comma within quotes does not occur in what is read here; if
// a stranger puts one there, what is left has not the form.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

func asProto(s string) string {
	if s = strings.ToLower(s); s == "http" || s == "https" {
		return s
	}
	return ""
}

var hostForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// asHost is a host that an address can be made with: what is in brackets must be an IPv6 address, too, since a reader of
// addresses takes no other.
func asHost(s string) string {
	if !hostForm.MatchString(s) {
		return ""
	}
	if literal, _, bracketed := strings.Cut(s, "]"); bracketed {
		if at, err := netip.ParseAddr(literal[1:]); err != nil || !at.Is6() {
			return ""
		}
	}
	return s
}
