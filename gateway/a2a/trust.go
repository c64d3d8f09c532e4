package a2a

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/egress"
)

// signature is what was found of a card's signatures, as callers are told.
type signature struct {
	State string `json:"state"`
	KeyID string `json:"kid,omitempty"`
	Keys  string `json:"keys,omitempty"` // "pinned" or "fetched"
}

// The states of a signature.
const (
	verified  = "verified"
	unsigned  = "unsigned"
	failed    = "failed"    // a key that is believed did not make it
	unknown   = "unknown"   // by no key that is believed
	unchecked = "unchecked" // not looked at
)

// check looks for a good signature of the card: by a pinned key, else by one that is fetched from where the signature
// says, if configuration allows that place.
func check(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot, c *card.Card) signature {
	rules := a.Card
	switch {
	case rules.Signature == gateway.SignatureIgnore:
		return signature{State: unchecked}
	case !c.Signed():
		return signature{State: unsigned}
	}
	state := unknown
	try := func(raw []byte, from string) (signature, bool) {
		keys, err := card.ParseKeys(raw)
		if err != nil {
			return signature{}, false
		}
		kid, err := keys.Only(rules.KeyIDs).VerifiedBy(c.Doc.Src)
		if err != nil {
			if errors.Is(err, card.ErrSignature) {
				state = failed
			}
			return signature{}, false
		}
		if !card.PlainID(kid) {
			kid = ""
		}
		return signature{State: verified, KeyID: kid, Keys: from}, true
	}
	if rules.Keys != nil {
		if got, ok := try(rules.Keys, "pinned"); ok {
			return got
		}
	}
	for _, address := range c.KeyURLs() {
		if !mayFetch(rules, a.A2A.URL, address) {
			continue
		}
		if raw, err := fetchKeys(ctx, s.Egress, address); err == nil {
			if got, ok := try(raw, "fetched"); ok {
				return got
			}
		}
	}
	return signature{State: state}
}

// mayFetch reports whether keys may be had from an address that a signature names: a host that configuration lists, or
// the agent's own.
func mayFetch(rules gateway.CardRules, agent *url.URL, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	own := func(host string) bool { return strings.EqualFold(host, u.Host) }
	return rules.Fetch && own(agent.Host) || slices.ContainsFunc(rules.KeyHosts, own)
}

func fetchKeys(ctx context.Context, opt egress.Options, address string) ([]byte, error) {
	opt.Timeout, opt.Bytes = 5*time.Second, 256<<10
	client := egress.Client(opt)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New("the keys cannot be had")
	}
	return io.ReadAll(res.Body)
}
