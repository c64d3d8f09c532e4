package run

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/telemetry"
)

// sendTelemetry sends metrics and traces as the configuration says, from now on. A collector that is away keeps nothing from starting.
func (r *Gateway) sendTelemetry(c *config.Config) error {
	s, err := telemetrySettings(c)
	if err == nil {
		err = r.telemetry.Set(s)
	}
	if err != nil {
		return fmt.Errorf("setting up telemetry: %w", err)
	}
	return nil
}

func telemetrySettings(c *config.Config) (telemetry.Settings, error) {
	t := &c.Telemetry
	if t.Endpoint == "" {
		return telemetry.Settings{}, nil
	}
	s := telemetry.Settings{
		Endpoint: t.Endpoint, Protocol: telemetry.Protocol(t.Protocol), Headers: map[string]flow.Secret{}, Sample: float64(t.Sample), Interval: time.Duration(t.Interval),
	}
	for i := range t.Headers {
		secret, err := c.Credential(&t.Headers[i])
		if err != nil {
			return s, err
		}
		s.Headers[t.Headers[i].Header] = secret
	}
	var err error
	if s.CA, err = c.Authorities(t.CAFile); err != nil {
		return s, err
	}
	for _, a := range []telemetry.Attribute{
		{Key: "service.name", Value: t.Resource.Service}, {Key: "service.namespace", Value: t.Resource.Namespace}, {Key: "service.instance.id", Value: t.Resource.Instance},
		{Key: "deployment.environment.name", Value: t.Resource.Environment}, {Key: "k8s.cluster.name", Value: t.Resource.Cluster}, {Key: "cloud.region", Value: t.Resource.Region},
		{Key: "service.version", Value: built()}, {Key: "scrim.domain", Value: string(c.Domain)},
	} {
		if a.Value != "" {
			s.Resource = append(s.Resource, a)
		}
	}
	return s, nil
}

// built is the version of the program; "" where nobody gave it one.
func built() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return ""
}
