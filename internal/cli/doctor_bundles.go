package cli

import (
	"context"
	"net/http"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// bundles says whether what runs is what was published and is subscribed to.
func (d *doctor) bundles(ctx context.Context, running bool) {
	if len(d.c.Publish)+len(d.c.Subscribe) == 0 || !hasState(d.c) {
		return
	}
	if d.waits {
		d.say(doubtful, "bundles", "not looked at before the first start after the restore")
		return
	}
	drift, err := d.drift(ctx, running)
	if err != nil {
		d.say(wrong, "bundles", "%v", err)
		return
	}
	for _, line := range drift {
		d.say(doubtful, "bundles", "%s", printable(line))
	}
	if len(drift) == 0 {
		d.say(fine, "bundles", "%d published, %d kept to, no drift", len(d.c.Publish), len(d.c.Subscribe))
	}
}

func (d *doctor) drift(ctx context.Context, running bool) (drift []string, err error) {
	if running {
		token, err := api.ReadToken(d.c.Path(d.c.Data))
		if err != nil {
			return nil, err
		}
		a := adminAt(d.c, token)
		return drift, a.call(ctx, http.MethodPost, "/api/v1/bundles/drift", api.BundleRequest{}, &drift)
	}
	st, err := run.OpenState(ctx, d.c, store.Options{})
	if err != nil {
		return nil, err
	}
	c, err := st.RuledBy(ctx, d.c)
	if err == nil {
		var x *bundles.Exchange
		if x, err = st.BundlesOf(ctx, c); err == nil {
			drift = x.Drift()
		}
	}
	if closed := st.Close(); err == nil {
		err = closed
	}
	return drift, err
}
