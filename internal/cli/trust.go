package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/gateway/identity/svid"
)

// trust looks at whom the gateway believes by their certificates: whether each trust domain's authorities can be had, and
// for how long they last.
func (d *doctor) trust(ctx context.Context) {
	s := d.c.Identity.SPIFFE
	bundles := map[string][]*x509.Certificate{}
	if s.WorkloadAPI != "" {
		for td, certs := range d.workload(ctx, s.WorkloadAPI) {
			bundles[td] = certs
		}
	}
	for td, name := range d.c.SPIFFEBundles() {
		certs, err := svid.ReadBundle(td, name)
		if err != nil {
			d.say(wrong, "trust domain", "%s: %v; nobody of it is believed", td, err)
		}
		bundles[td] = certs
	}
	needed := map[string]bool{}
	for _, td := range s.TrustDomains {
		needed[td.Name] = true
	}
	for _, a := range d.c.Agents {
		if rest, ok := strings.CutPrefix(a.SPIFFE, "spiffe://"); ok {
			td, _, _ := strings.Cut(rest, "/")
			needed[td] = true
		}
	}
	for _, td := range slices.Sorted(maps.Keys(needed)) {
		if certs, ok := bundles[td]; !ok {
			d.say(wrong, "trust domain", "%s: the Workload API gives no bundle of it; nobody of it is believed", td)
		} else if len(certs) > 0 {
			d.authorities(td, certs)
		}
	}
}

// workload asks the Workload API, and returns the bundles that it gives.
func (d *doctor) workload(ctx context.Context, address string) map[string][]*x509.Certificate {
	const what = "Workload API"
	w, err := svid.NewWorkload(address, nil)
	if err != nil {
		d.say(wrong, what, "%v", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	err = w.Wait(ctx)
	state := w.State()
	cancel()
	<-done
	now := time.Now()
	switch {
	case err != nil:
		d.say(wrong, what, "%v", err)
	case state.ID == "":
		d.say(doubtful, what, "it gives this process no certificate")
	case now.After(state.Expires):
		d.say(wrong, what, "the certificate of %s ended at %s; it was not renewed", state.ID, state.Expires.UTC().Format(time.RFC3339))
	default:
		d.say(fine, what, "this process is %s, by a certificate until %s", state.ID, state.Expires.UTC().Format(time.RFC3339))
	}
	return state.Bundles
}

// authorities says when the last authority of a trust domain ends.
func (d *doctor) authorities(td string, certs []*x509.Certificate) {
	const what = "trust domain"
	now := time.Now()
	var last time.Time
	ended := 0
	for _, c := range certs {
		if now.After(c.NotAfter) {
			ended++
		}
		if c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	day := last.UTC().Format(time.DateOnly)
	switch {
	case ended == len(certs):
		d.say(wrong, what, "%s: its last authority ended on %s; nobody of it is believed", td, day)
	case now.Add(endsSoon).After(last):
		d.say(doubtful, what, "%s: its last authority ends on %s", td, day)
	case ended > 0:
		d.say(doubtful, what, "%s: %s ended, which can be taken out of the bundle", td, authorities(ended))
	default:
		d.say(fine, what, "%s: %s, the last until %s", td, authorities(len(certs)), day)
	}
}

func authorities(n int) string {
	if n == 1 {
		return "1 authority"
	}
	return fmt.Sprintf("%d authorities", n)
}
