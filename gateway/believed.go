package gateway

import (
	"errors"

	"github.com/scrimhq/scrim/gateway/identity"
)

// notBelieved is the refusal of a request whose caller is not believed.
func notBelieved(err error) error {
	switch {
	case errors.Is(err, identity.ErrScope):
		return refuse(RuleScope, "", err, "The token lacks a scope that is needed here; the challenge names those that are.")
	case errors.Is(err, identity.ErrNoCredential):
		return refuse(RuleIdentity, "", err, "Send a credential that this domain knows: a certificate, or Authorization: Bearer with a key or token.")
	case errors.Is(err, identity.ErrUnavailable):
		return refuse(RuleIdentity, "", err, "The credential cannot be checked at the moment; try again later.")
	case errors.Is(err, identity.ErrProof):
		return refuse(RuleIdentity, "", err, "The credential is bound to a key; present it by the holder of the key, by the scheme DPoP with a fresh proof or over a connection that shows the certificate.")
	case errors.Is(err, identity.ErrAttestation):
		return refuse(RuleIdentity, "", err, "The evidence about the caller's runtime does not hold; leave it out, or make it anew for a fresh nonce.")
	case errors.Is(err, identity.ErrGateway):
		return refuse(RuleIdentity, "", err, "A gateway speaks for an agent; say for which.")
	}
	return refuse(RuleIdentity, "", err, "The credential is not accepted.")
}
