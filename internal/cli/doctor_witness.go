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
	d.cosigned(ctx, v, ok && running)
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
		a := adminAt(d.c, token)
		return v, a.call(ctx, http.MethodPost, "/api/v1/witness/show", api.ShowRequest{}, &v) == nil
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

// cosigned looks at those who cosign the own log: as the running gateway sees them, or else whether anybody answers.
func (d *doctor) cosigned(ctx context.Context, v api.WitnessView, known bool) {
	if known {
		for _, w := range v.Witnesses {
			grade := fine
			if w.Error != "" {
				grade = doubtful
			}
			d.say(grade, "cosigned by "+w.Name, "%s", witnessState(w.Size, w.Time, w.Error))
		}
		if v.Lacking != "" {
			d.say(wrong, "quorum", "%d of %s for %s: whoever is shown another history does not notice", v.Have, count(v.Want, "cosignature"), v.Lacking)
		}
		return
	}
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, p := range d.c.Cosigners() {
		what := "cosigned by " + p.Name
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/add-checkpoint", http.NoBody)
		if err != nil {
			d.say(wrong, what, "%v", err)
			continue
		}
		res, err := client.Do(req)
		if err != nil {
			d.say(doubtful, what, "nobody answers at %s", p.URL)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest { // what a witness says to an empty request
			d.say(doubtful, what, "what answers at %s is no witness, or not where it was said", p.URL)
			continue
		}
		d.say(fine, what, "answers at %s", p.URL)
	}
}
