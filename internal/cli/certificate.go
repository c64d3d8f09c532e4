package cli

import (
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"runtime"
	"time"
)

// endsSoon is how long before its end a certificate should have been renewed.
const endsSoon = 14 * 24 * time.Hour

// certificate looks at what callers are shown of the gateway: whether it can be used, for how long, and for which names.
func (d *doctor) certificate() {
	const what = "certificate"
	c := d.c
	if c.TLS.Cert == "" {
		return
	}
	if info, err := os.Stat(c.Path(c.TLS.Key)); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		d.say(wrong, what, "its key %s can be read by others; chmod go= it", c.TLS.Key)
	}
	got, err := tls.LoadX509KeyPair(c.Path(c.TLS.Cert), c.Path(c.TLS.Key))
	if err != nil {
		d.say(wrong, what, "it cannot be used: certificate and key must be PEM files, readable, and go together")
		return
	}
	if u, err := url.Parse(c.PublicURL); err == nil && got.Leaf.VerifyHostname(u.Hostname()) != nil && !wildcardAddress(u.Hostname()) {
		d.say(doubtful, what, "it is not for %s, which is what callers are shown as public_url", u.Hostname())
	}
	end, now := got.Leaf.NotAfter, time.Now()
	switch {
	case now.After(end):
		d.say(wrong, what, "it ended on %s; put a new pair in its place, a running gateway takes it up", end.Format(time.DateOnly))
	case now.Before(got.Leaf.NotBefore):
		d.say(wrong, what, "it begins on %s", got.Leaf.NotBefore.Format(time.DateOnly))
	case now.Add(endsSoon).After(end):
		d.say(doubtful, what, "it ends in %s, on %s", count(int(end.Sub(now).Hours()/24), "day"), end.Format(time.DateOnly))
	default:
		d.say(fine, what, "it ends in %s, on %s", count(int(end.Sub(now).Hours()/24), "day"), end.Format(time.DateOnly))
	}
}

// wildcardAddress reports whether a host is every address of the machine, which no certificate is for.
func wildcardAddress(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}
