package run

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/internal/config"
)

// facades are the sources behind facades: each is opened with the first configuration that has it, and stays until one
// is in force that has it otherwise.
type facades struct {
	pool gateway.Pool // of connections to services

	mu  sync.Mutex // guards the field below
	now map[string]facade.Source
}

// facadesOverREST adds the addresses at which facades are found without MCP.
func (r *Gateway) facadesOverREST(mux *http.ServeMux, servers *mcp.Handler) {
	mux.Handle(facade.Path, &facade.REST{Gateway: r.Gateway, MCP: servers})
}

// facadePrint is the same for two configurations of a facade whose data is reached in one way.
func facadePrint(a *config.Agent, hash string) string {
	f := a.Facade
	if f.REST != nil {
		return fmt.Sprintf("%q %s", a.ID, hash)
	}
	if s := f.Postgres; s != nil {
		return fmt.Sprintf("%q %q %q %d", a.ID, s.Env, s.File, f.Timeout)
	}
	return fmt.Sprintf("%q %q %d", a.ID, f.SQLite, f.Timeout)
}

// inner makes the server of an agent that is a facade.
func (s *facades) inner(c *config.Config, a *config.Agent) (gateway.Inner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, print := c.FacadeOptions(a), facadePrint(a, c.Hash())
	if o.Source = s.now[print]; o.Source == nil {
		var err error
		if o.Source, err = s.open(c, a); err != nil {
			return nil, err
		}
		if s.now == nil {
			s.now = map[string]facade.Source{}
		}
		s.now[print] = o.Source
	}
	return facade.New(o)
}

func (s *facades) open(c *config.Config, a *config.Agent) (facade.Source, error) {
	f := a.Facade
	limit := time.Duration(f.Timeout)
	if r := f.REST; r != nil {
		o, err := c.FacadeWeb(a)
		if err == nil {
			o.Upstream, err = upstream(c, r.URL, r.Credential, r.CAFile, false, upstreamOptions(c, &s.pool))
		}
		if err != nil {
			return nil, err
		}
		return facade.Web(o)
	}
	if f.Postgres == nil {
		return facade.SQLite(c.Path(f.SQLite), limit)
	}
	url, err := c.SourceURL(f.Postgres)
	if err != nil {
		return nil, err
	}
	return facade.Postgres(url.Expose(), limit)
}

// retire closes what a configuration does not have any more.
func (s *facades) retire(c *config.Config) error {
	keep := map[string]bool{}
	if c != nil {
		for i := range c.Agents {
			if a := &c.Agents[i]; a.Facade != nil {
				keep[facadePrint(a, c.Hash())] = true
			}
		}
	}
	s.mu.Lock()
	var gone []facade.Source
	for print, source := range s.now {
		if !keep[print] {
			gone = append(gone, source)
			delete(s.now, print)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, source := range gone {
		errs = append(errs, source.Close())
	}
	return errors.Join(errs...)
}
