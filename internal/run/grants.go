package run

import (
	"crypto"
	"encoding/base64"

	"github.com/scrimhq/scrim/gateway/grants"
	"github.com/scrimhq/scrim/gateway/identity"
)

// grants is the endpoint where agents get the roots of their capabilities.
func (r *Gateway) grants() *grants.Endpoint {
	return &grants.Endpoint{
		Gateway: r.Gateway,
		Signer:  func() (crypto.Signer, string) { return r.Gateway.Snapshot().Peers.Own() },
		Blind: func(p identity.Principal) string {
			mac, err := r.Keys.MAC("principal")
			if err != nil {
				return "" // nothing is told, rather than a name
			}
			sum := mac.MAC(nil, []byte(p.Issuer+"\x00"+p.Subject))
			return base64.RawURLEncoding.EncodeToString(sum[:16])
		},
	}
}
