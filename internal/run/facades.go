package run

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/internal/config"
)

// facades are the sources behind facades: each is opened with the first configuration that has it, and stays until one
// is in force that has it otherwise.
type facades struct {
	pool gateway.Pool // of connections to services

	mu  sync.Mutex                // guards the field below
	now map[string][]openedFacade // by print; the one asked for last is last
}

// openedFacade is a source with what it was opened by.
type openedFacade struct {
	source facade.Source
	secret [sha256.Size]byte // digest of the address with its password, or of the credential
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
	secret, err := facadeSecret(c, a)
	if err != nil {
		return nil, err
	}
	digest, all := sha256.Sum256([]byte(secret.Expose())), s.now[print]
	i := slices.IndexFunc(all, func(f openedFacade) bool { return subtle.ConstantTimeCompare(f.secret[:], digest[:]) == 1 })
	one := openedFacade{secret: digest}
	if i >= 0 {
		one = all[i]
		all = slices.Delete(all, i, i+1)
	} else if one.source, err = s.open(c, a, secret); err != nil {
		return nil, err
	}
	if s.now == nil {
		s.now = map[string][]openedFacade{}
	}
	s.now[print] = append(all, one)
	o.Source = one.source
	return facade.New(o)
}

// facadeSecret is the address of a database, or the credential of a service, as its environment variable or file has it now;
// zero for other sources.
func facadeSecret(c *config.Config, a *config.Agent) (flow.Secret, error) {
	switch f := a.Facade; {
	case f.Postgres != nil:
		return c.SourceURL(f.Postgres)
	case f.REST != nil && f.REST.Credential != nil:
		return c.Credential(f.REST.Credential)
	}
	return flow.Secret{}, nil
}

func (s *facades) open(c *config.Config, a *config.Agent, secret flow.Secret) (facade.Source, error) {
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
	return facade.Postgres(secret.Expose(), limit)
}

// retire closes what a configuration does not have any more, and what it had by another address than now.
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
	for print, all := range s.now {
		old := len(all)
		if keep[print] {
			old--
		}
		for _, f := range all[:old] {
			gone = append(gone, f.source)
		}
		if s.now[print] = slices.Clone(all[old:]); !keep[print] {
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
