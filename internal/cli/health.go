package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthTime is how long a gateway has to answer. A readiness check writes to the store.
const healthTime = 5 * time.Second

func (e *env) healthCommand() *cobra.Command {
	var file, admin string
	var alive bool
	c := e.command("health [-c FILE]", "Say whether the gateway takes calls",
		"Asks a gateway on this machine at its admin address whether calls should be sent to it, as container engines want to be\n"+
			"told: exit status 0 is yes. With --alive it asks only whether the process answers.", nil,
		func(ctx context.Context, _ []string) error {
			base, client := "http://"+admin, http.DefaultClient
			if admin == "" {
				c, err := e.load(file)
				if err != nil {
					return err
				}
				admin, base, client = c.Admin, c.AdminURL(c.Admin), adminHTTP(c)
			}
			path := "/-/readyz"
			if alive {
				path = "/-/healthz"
			}
			return e.health(ctx, client, admin, base+path)
		})
	c.Flags().StringVar(&admin, "admin", "", "admin address (host:port), in place of that in the configuration, which then is not read")
	c.Flags().BoolVar(&alive, "alive", false, "ask only whether it runs")
	return fileFlag(c, &file)
}

func (e *env) health(ctx context.Context, client *http.Client, admin, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return misuse("the admin address is not host:port")
	}
	res, err := client.Do(req)
	if err != nil {
		return refuse(`Start one with "scrim run", or name its address with --admin.`, "no gateway answers at %s", admin)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refuse("Its own log says why.", "the gateway at %s runs, and takes no calls", admin)
	}
	fmt.Fprintln(e.out, "ok")
	return nil
}
