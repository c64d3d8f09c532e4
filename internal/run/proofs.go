package run

import (
	"github.com/scrimhq/scrim/gateway/proofs"
)

// proofs serves the log and what proves entries of it.
func (r *Gateway) proofs() *proofs.Handler {
	return &proofs.Handler{
		Gateway: r.Gateway, Journal: r.Log, Signer: r.Keys.Signer("log"), MergeDelay: r.Log.MergeDelay(), Archive: Archive(r.Config()),
		Settings: func() proofs.Settings {
			l := r.Config().Log
			serve := map[string]proofs.Serving{"public": proofs.Public, "readers": proofs.Readers}[string(l.Serve)]
			return proofs.Settings{Serve: serve, Readers: l.Readers}
		},
	}
}
