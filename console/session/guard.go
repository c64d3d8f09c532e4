package session

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/console/page"
)

// names makes the names of the cookies. Browsers keep cookies by host and not by port, so that two gateways on one machine need different ones.
func (d *Door) names() {
	s := sha256.Sum256([]byte(string(d.opt.Domain) + "\x00" + d.opt.Listen))
	d.cookie, d.back = "scrim-"+hex.EncodeToString(s[:4]), "scrim-login-"+hex.EncodeToString(s[:4])
	if d.secure() {
		d.cookie, d.back = "__Host-"+d.cookie, "__Host-"+d.back
	}
}

// secure reports whether browsers come by https.
func (d *Door) secure() bool { return d.opt.TLS || strings.HasPrefix(d.opt.Public(), "https://") }

func (d *Door) cookieFor(token string) *http.Cookie {
	c := &http.Cookie{Name: d.cookie, Value: token, Path: "/", HttpOnly: true, Secure: d.secure(), SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// Hosted reports whether a request names this machine: by an address, as localhost, by the name that it listens on, or by that of the public URL. Other names could be
// pointed here by somebody else's DNS, whose pages would then be of one origin with the console.
func (d *Door) Hosted(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	if host == "" {
		return false
	}
	listen, _, _ := net.SplitHostPort(d.opt.Listen)
	public := ""
	if u, err := url.Parse(d.opt.Public()); err == nil {
		public = u.Hostname()
	}
	return strings.EqualFold(host, listen) || strings.EqualFold(host, public)
}

// FromHere reports whether a browser sent a request for one of the console's own pages: by its origin, or by what it says of the site. Whoever says neither
// is no browser of today; a form of such a one is not taken.
func (d *Door) FromHere(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) && (u.Scheme == "https" || u.Scheme == "http" && !d.secure())
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// elsewhere reports whether a request was begun by a page of another origin. A browser sends no cookie of ours along then.
func elsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}

// navigates reports whether a browser would show the answer as a page.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// safe reports whether a method changes nothing.
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// local returns a path of this console to go to, or that of its first page.
func local(path string) string {
	u, err := url.Parse(page.Local(path))
	if err != nil || strings.HasPrefix(u.Path, Path) || len(path) > 2000 {
		return "/"
	}
	return u.RequestURI()
}
