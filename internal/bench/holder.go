package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// holder is the last of those that a capability was handed on to.
type holder struct {
	chain string
	leaf  capability.Token
	key   ed25519.PrivateKey
}

// handedOn is how many times the capability was handed on.
const handedOn = 3

// newHolder has the domain of a gateway that does not run yet issue a capability for the caller.
func newHolder(ctx context.Context, dir string) (*holder, error) {
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		return nil, err
	}
	st, err := run.OpenState(ctx, c, store.Options{})
	if err != nil {
		return nil, err
	}
	signer, kid := st.Peers.Own()
	root, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	now := time.Now()
	levels := map[flow.Label]flow.Level{"*": flow.Raw}
	token, err := capability.Mint(signer, kid, c.Domain, root, capability.Grant{
		Agent: "caller", Purposes: []flow.Purpose{"work"}, Recipients: []string{"here/stub"}, Levels: levels,
		Expires: now.Add(12 * time.Hour).Truncate(time.Second), MaxDepth: handedOn,
	}, now)
	if err = errors.Join(err, st.Close()); err != nil {
		return nil, err
	}
	chain := capability.Chain{token}
	for range handedOn {
		public, next, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if chain, err = capability.Derive(chain, key, public, capability.Grant{}, now); err != nil {
			return nil, err
		}
		key = next
	}
	return &holder{chain: chain.String(), leaf: chain[len(chain)-1], key: key}, nil
}

// prove signs one call.
func (h *holder) prove(path string, body []byte) (string, error) {
	return capability.Prove(h.leaf, h.key, capability.Bound{
		Audience: "here", Method: http.MethodPost, Target: path, Body: capability.BodyHash(body),
	}, time.Now())
}
