package gateway

import (
	"crypto/tls"
	"net/http"
	"net/url"
)

// viaPeer is a client for gateways of the upstream's domain, with the options that it was made by.
type viaPeer struct {
	conf   *tls.Config
	client *http.Client
}

// clientTo returns the client for one address: where it is that of a gateway of a peer, one that shows this gateway's
// certificate and believes the peer's authority alone. What a peer's document does not let be called is not called.
func (u *Upstream) clientTo(address *url.URL, streams bool) (*http.Client, error) {
	conf, err := u.Peers.Via(u.Domain, address)
	if err != nil {
		return nil, err
	}
	if conf != nil {
		return u.peerClient(conf, streams)
	}
	if streams {
		return u.streams(), nil
	}
	return u.client, nil
}

// peerClient is the client by these options; the one by earlier options makes no more calls.
func (u *Upstream) peerClient(conf *tls.Config, streams bool) (*http.Client, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := &u.via[0]
	if streams {
		v = &u.via[1]
	}
	if v.conf == conf {
		return v.client, nil
	}
	opt := u.opt
	opt.TLS, opt.CA, opt.PlainHTTP2 = conf, "", streams
	tr, err := opt.Pool.transport(opt)
	if err != nil {
		return nil, err
	}
	if v.client != nil {
		v.client.CloseIdleConnections()
	}
	*v = viaPeer{conf, client(tr)}
	return v.client, nil
}
