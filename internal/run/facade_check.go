package run

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/internal/config"
)

// CheckFacade reports whether the source of a facade can be reached and has the tables and columns that its contract says.
func CheckFacade(ctx context.Context, c *config.Config, a *config.Agent) error {
	var s facades
	secret, err := facadeSecret(c, a)
	if err != nil {
		return err
	}
	source, err := s.open(c, a, secret)
	if err != nil {
		return err
	}
	o := c.FacadeOptions(a)
	o.Source = source
	f, err := facade.New(o)
	if err != nil {
		return errors.Join(err, source.Close())
	}
	return errors.Join(f.Check(ctx), f.Close())
}
