package console

import "github.com/scrimhq/scrim/console/page"

// Routes lists every address of the console's pages.
func (c *Console) Routes() []page.Route { return c.frame.Routes() }
