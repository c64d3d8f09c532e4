package run

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/internal/config"
)

// openContracts opens what this domain agreed on with its peers. What it says of configuration is that of the file it was opened by,
// until [State.Terms] of a running gateway is used.
func (st *State) openContracts(ctx context.Context, c *config.Config, fault func(error)) (err error) {
	st.bounds.Store(&c.Terms)
	st.Contracts, err = offer.OpenBook(ctx, offer.BookOptions{
		Domain: c.Domain, DB: st.DB, Journal: st.Log, Domains: st.Peers, Fault: fault,
		Send: func(ctx context.Context, peer flow.DomainID, body []byte) (int, []byte, error) {
			return post(ctx, st.Peers, peer, body)
		},
		Bounds: func() []offer.Bound { return bounds(st.bounds.Load()) },
	})
	return err
}

// contracts are those of the book, nil where there is none.
func (st *State) contracts() gateway.Contracts {
	if st.Contracts == nil {
		return nil
	}
	return st.Contracts
}

// bounds is what may be agreed on without a person.
func bounds(t *config.Terms) (all []offer.Bound) {
	for _, a := range t.Accept {
		b := offer.Bound{Peer: a.Peer, Names: a.Names, Purposes: a.Purposes, Life: time.Duration(a.Life), Duties: a.Duties, Gives: map[flow.Label]flow.Level{}}
		for l, name := range a.Gives {
			if level, err := flow.ParseLevel(name); err == nil { // checked with the file
				b.Gives[l] = level
			}
		}
		all = append(all, b)
	}
	return all
}

var errNoGateway = errors.New("no gateway of the peer answered")

// post sends something about contracts to the first of a peer's gateways that answers, over connections on which both show
// certificates.
func post(ctx context.Context, p *peers.Peers, to flow.DomainID, body []byte) (int, []byte, error) {
	peer, ok := p.Peer(to)
	client := p.Client(to)
	if !ok || client == nil {
		return 0, nil, fmt.Errorf("sending to %s: %w", to, peers.ErrNotInForce)
	}
	for _, base := range peer.Document.Gateways {
		status, answer, err := postTo(ctx, client, base+offer.ContractsPath, body)
		if err == nil {
			return status, answer, nil
		}
	}
	return 0, nil, fmt.Errorf("sending to %s: %w", to, errNoGateway)
}

func postTo(ctx context.Context, client *http.Client, address string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/jose+json")
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, answer, err
}

var errNoCertificate = errors.New("the connection shows no certificate of a peer's gateway")

// contracts serves what peers post. The connection must show the certificate of a gateway, and counts for its domain alone.
func (r *Gateway) contractDoor() http.Handler {
	return r.Contracts.Handler(func(req *http.Request) (flow.DomainID, error) {
		if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
			return "", errNoCertificate
		}
		name, err := r.Peers.Verify(req.TLS.PeerCertificates, x509.ExtKeyUsageClientAuth)
		return name.Domain, err
	})
}

// Terms tells on which terms data would pass, by a snapshot, for commands on a stopped gateway.
func (st *State) Terms(snap *gateway.Snapshot) (*offer.Terms, error) {
	g, err := gateway.New(gateway.Options{Store: st.DB, Journal: st.Log, Vault: st.Vault, Keys: st.Keys, Contracts: st.Contracts}, snap)
	if err != nil {
		return nil, err
	}
	return &offer.Terms{Gateway: g}, nil
}
