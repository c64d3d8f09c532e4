package run

import (
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/store"
)

// exposureSettings are what the configuration says of the exposure memory; nil where it is off.
func exposureSettings(c *config.Config) *exposure.Settings {
	if c.Exposure.Mode == config.ExposureOff || c.ExposureRules() == nil {
		return nil
	}
	s := &exposure.Settings{
		Rules: c.ExposureRules(), Taxonomy: c.Taxonomy(), Keep: time.Duration(c.Retention.Exposure), TaskLife: time.Duration(c.Retention.Tasks),
		Daily: c.Exposure.Daily, Observe: c.Exposure.Mode == config.ExposureObserve,
	}
	for name, domains := range c.Exposure.Audiences {
		for _, d := range domains {
			if s.Audiences == nil {
				s.Audiences = map[flow.DomainID]exposure.Audience{}
			}
			s.Audiences[d] = exposure.Audience(name)
		}
	}
	return s
}

// exposed is of how many subjects each audience holds something.
func (st *State) exposed(ctx context.Context, fault func(error)) map[string]float64 {
	out := map[string]float64{}
	err := st.DB.View(ctx, func(tx store.Tx) error {
		held, _, err := exposure.List(tx, time.Now())
		for _, h := range held {
			out[string(h.Audience)] = float64(h.Subjects)
		}
		return err
	})
	if err != nil {
		fault(err)
	}
	return out
}

// erased is what others forget of a subject that is erased.
func erased(tx store.Tx, s flow.SubjectRef) error {
	return errors.Join(gateway.EraseAbout(tx, s), exposure.Erase(tx, s))
}

// forgot is what others forget of a task that has ended.
func (st *State) forgot(tx store.Tx, t flow.TaskID) error {
	return errors.Join(gateway.ForgetHandles(tx, t), exposure.EraseTask(tx, exposure.TaskRef(st.Vault, t)))
}
