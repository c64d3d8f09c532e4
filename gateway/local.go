package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Local keeps web pages of other sites out: a browser could be made to call a gateway on loopback, under that name or under one of the
// site's own that leads there.
func Local(r *http.Request, s *Snapshot) bool {
	base, err := url.Parse(BaseURL(s, r))
	if err != nil {
		return false
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && s.PublicURL == "" {
		if ap, ok := addr.(*net.TCPAddr); ok && ap.IP.IsLoopback() && !Loopback(r.Host) {
			return false
		}
	}
	switch origins := r.Header.Values("Origin"); len(origins) {
	case 0:
		return true
	case 1:
		u, err := url.Parse(origins[0])
		return err == nil && u.Scheme == base.Scheme && strings.EqualFold(u.Host, base.Host)
	}
	return false
}
