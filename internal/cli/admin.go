package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// withState does something with the state of a gateway: through the admin API if one is running, otherwise by opening
// the data directory itself.
func withState(ctx context.Context, c *config.Config, running func(*adminClient) error, stopped func(*run.State) error) error {
	return eitherWay(c, running, func() error {
		st, err := run.OpenState(ctx, c, store.Options{})
		if err != nil {
			return err
		}
		return errors.Join(stopped(st), st.Close())
	})
}

// withGateway does something with a gateway: through the admin API if one is running, otherwise with one that is opened for
// it and listens nowhere.
func withGateway(ctx context.Context, c *config.Config, running func(*adminClient) error, stopped func(*run.Gateway) error) error {
	return eitherWay(c, running, func() error {
		g, err := run.Open(ctx, c, run.Options{})
		if err != nil {
			return err
		}
		return errors.Join(stopped(g), g.Close())
	})
}

// eitherWay tries the data directory and asks the gateway that holds it, if one does.
func eitherWay(c *config.Config, running func(*adminClient) error, stopped func() error) error {
	if !hasState(c) {
		return refuse(`Start one with "scrim run", or name another configuration with -c.`, "no gateway has run on %s yet", c.Data)
	}
	return hereOrThere(c, running, stopped)
}

// hereOrThere is eitherWay for what makes the data directory where there is none.
func hereOrThere(c *config.Config, running func(*adminClient) error, stopped func() error) error {
	err := stopped()
	if !errors.Is(err, store.ErrLocked) {
		return err
	}
	token, err := api.ReadToken(c.Path(c.Data))
	if err != nil {
		return err
	}
	return running(adminAt(c, token))
}

// askPart does something with one part of a gateway's state: through the admin API if a gateway is running, which then asks the
// same of it, otherwise in the data directory. It is for what can be done before any gateway ran.
func askPart[P, Q, A any](ctx context.Context, e *env, file, path string, q Q, part func(*run.State, *config.Config) (P, error), do func(context.Context, P, Q) (A, error)) (A, error) {
	var out A
	c, err := e.load(file)
	if err != nil {
		return out, err
	}
	err = hereOrThere(c,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, path, q, &out) },
		func() error {
			st, err := run.OpenState(ctx, c, store.Options{})
			if err != nil {
				return err
			}
			ruled, err := st.RuledBy(ctx, c) // who may do what is said by the rules in force, not by what lies on disk
			if err != nil {
				return errors.Join(err, st.Close())
			}
			p, err := part(st, ruled)
			if err == nil {
				out, err = do(ctx, p, q)
			}
			return errors.Join(err, st.Close())
		})
	return out, err
}

// snapshotOf builds what the gateway would decide by, for commands on a stopped one.
func (e *env) snapshotOf(c *config.Config) (*gateway.Snapshot, error) {
	s, err := run.Offline(c, e.models)
	if err != nil {
		return nil, e.mistakes(c, err)
	}
	return s, nil
}

// snapshotIn is snapshotOf where the state is open: the gateway decides by the rules in force, held to bundles of peers, and so does the command.
func (e *env) snapshotIn(ctx context.Context, st *run.State, c *config.Config) (*gateway.Snapshot, error) {
	c, err := st.RuledBy(ctx, c)
	if err != nil {
		return nil, err
	}
	held, err := st.HeldTo(c)
	if err != nil {
		return nil, e.mistakes(c, err)
	}
	return e.snapshotOf(held)
}

// queryIn is who a question is for by the rules in force, where the state is open: in whose domain an agent is decides whose tokens it gets.
func (e *env) queryIn(ctx context.Context, st *run.State, c *config.Config, q *question) (policy.Query, error) {
	c, err := st.RuledBy(ctx, c)
	if err != nil {
		return policy.Query{}, err
	}
	return q.query(c)
}

// adminClient talks to a running gateway.
type adminClient struct {
	base   string
	token  flow.Secret
	client *http.Client
}

// adminAt returns a client for the gateway of a configuration.
func adminAt(c *config.Config, token flow.Secret) *adminClient {
	return &adminClient{base: c.AdminURL(c.Admin), token: token, client: adminHTTP(c)}
}

// adminHTTP returns what calls the admin address. Where that speaks TLS, the certificate in the very file that the gateway has it from is believed, and no other: commands
// call it by an address that the certificate need not name.
func adminHTTP(c *config.Config) *http.Client {
	if !c.Console.TLS.On() {
		return http.DefaultClient
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			raw, err := os.ReadFile(c.Path(c.Console.TLS.Cert))
			if err != nil {
				return err
			}
			b, _ := pem.Decode(raw)
			if b == nil || len(s.PeerCertificates) == 0 || !bytes.Equal(b.Bytes, s.PeerCertificates[0].Raw) {
				return errors.New("the admin address shows another certificate than the one in console.tls.cert")
			}
			return nil
		},
	}}}
}

// call sends body as JSON, if there is one, and decodes the answer into out.
func (a *adminClient) call(ctx context.Context, method, path string, body, out any) error {
	res, err := a.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return errors.New("the gateway's answer cannot be read; is it of another version?")
	}
	return nil
}

// copyTo writes the answer as it comes.
func (a *adminClient) copyTo(ctx context.Context, path string, w io.Writer) error {
	res, err := a.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the gateway broke off its answer: %w", err)
	}
	return nil
}

func (a *adminClient) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, r)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+a.token.Expose())
	res, err := a.client.Do(req)
	if err != nil {
		if _, ok := errors.AsType[*net.OpError](err); ok {
			return nil, refuse("Wait until it is ready, or see whether its admin address is the one in the configuration.",
				"a process holds the data directory, yet no gateway answers at %s", strings.TrimPrefix(strings.TrimPrefix(a.base, "http://"), "https://"))
		}
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var p struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil || p.Error == "" {
		return nil, fmt.Errorf("the gateway answered %s", res.Status)
	}
	return nil, errors.New(p.Error)
}
