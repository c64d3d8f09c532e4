package cli

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// witnessed says what there is to say of witnesses: caught logs, and whether those who cosign the own log are to be reached.
func (d *doctor) witnessed(ctx context.Context, running bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if n := len(d.c.Witnessed()); n > 0 {
		d.say(fine, "witness", "cosigns %s as %s", count(n, "log"), d.c.WitnessName())
	}
	v, ok := d.witnessView(ctx, running)
	if !ok {
		return
	}
	for _, q := range v.Equivocations {
		d.say(wrong, "witness", "%s signed two checkpoints of size %d, on %s: it shows different people different things; scrim witness show --json has the proof",
			q.Origin, q.Size, moment(q.Time))
	}
}

func (d *doctor) witnessView(ctx context.Context, running bool) (v api.WitnessView, ok bool) {
	if !hasState(d.c) {
		return v, false
	}
	if running {
		token, err := api.ReadToken(d.c.Path(d.c.Data))
		if err != nil {
			return v, false // told with the data directory
		}
		a := &adminClient{base: "http://" + d.c.Admin, token: token}
		return v, a.call(ctx, http.MethodPost, "/-/witness/show", api.ShowRequest{}, &v) == nil
	}
	st, err := run.OpenStore(ctx, d.c, store.Options{}) // which signs nothing and changes nothing
	if err != nil {
		return v, false // told with the data directory
	}
	v.Equivocations, err = witness.Equivocations(ctx, st.DB)
	if err = errors.Join(err, st.Close()); err != nil {
		d.say(wrong, "witness", "%v", err)
		return v, false
	}
	return v, true
}
