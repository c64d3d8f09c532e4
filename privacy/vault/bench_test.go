package vault_test

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

func BenchmarkToken(b *testing.B) {
	h := open(b, vault.Options{DailyTokens: 1 << 30})
	for name, s := range map[string]vault.Scope{"derived": h.email(), "vaulted": {Recipient: "insurer", Class: class("government-id/ssn"), Origin: flow.Catalogued, Param: flow.TokenReversible}} {
		b.Run(name, func(b *testing.B) {
			batch := h.Begin()
			defer batch.Discard()
			for b.Loop() {
				if _, err := batch.Token(b.Context(), s, jane); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("resolve", func(b *testing.B) {
		token := h.token(b, h.email(), jane)
		for b.Loop() {
			if _, err := h.Resolve(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
