package release

import (
	"context"
	"errors"
	"strconv"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/vault"
)

// Keys makes the keys of a plan's techniques, all of one recipient domain and purpose group: what two recipients hold cannot be
// joined. It is used while a plan is compiled, by one goroutine.
type Keys struct {
	ctx       context.Context
	vault     *vault.Vault
	ring      *vault.Keyring
	recipient flow.DomainID
	group     string
	tax       *flow.Taxonomy
	bulks     []*vault.Bulk
}

// NewKeys returns keys for a recipient. The context holds for all that is minted by them.
func NewKeys(ctx context.Context, v *vault.Vault, ring *vault.Keyring, tax *flow.Taxonomy, recipient flow.DomainID, group string) *Keys {
	return &Keys{ctx: ctx, vault: v, ring: ring, tax: tax, recipient: recipient, group: group}
}

// Epoch implements [plan.Keys]: other keys have another name.
func (k *Keys) Epoch() string {
	return k.ring.ID() + "/" + k.ring.Epoch() + "/" + strconv.Quote(string(k.recipient)) + "/" + strconv.Quote(k.group)
}

// Tokens implements [plan.Keys]. Tokens die with their epoch.
func (k *Keys) Tokens(l flow.Label) (deidentify.Tokens, error) {
	class, ok := k.tax.Class(l)
	if !ok {
		return nil, errors.New("tokens need a label that the taxonomy knows")
	}
	b, err := k.vault.Bulk(k.ctx, vault.BulkScope{Recipient: k.recipient, Group: k.group, Class: class})
	if err != nil {
		return nil, err
	}
	k.bulks = append(k.bulks, b)
	return b, nil
}

// MAC implements [plan.Keys].
func (k *Keys) MAC(l flow.Label) (deidentify.MAC, error) {
	return k.ring.MAC("release one-way", k.scope(l)...)
}

// Cipher implements [plan.Keys].
func (k *Keys) Cipher(l flow.Label, radix int) (deidentify.Cipher, error) {
	return k.ring.FF1(radix, "release", k.scope(l)...)
}

// PRF implements [plan.Keys].
func (k *Keys) PRF(l flow.Label) (deidentify.PRF, error) {
	return k.ring.PRF("release", k.scope(l)...)
}

func (k *Keys) scope(l flow.Label) []string { return []string{string(k.recipient), k.group, string(l)} }

// Flush returns when everything that the tokens minted so far need to be opened is durable.
func (k *Keys) Flush() error {
	for _, b := range k.bulks {
		if err := b.Flush(); err != nil {
			return err
		}
	}
	return nil
}
