package cli

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
)

// logged are the attributes that a log line may have. Whatever else somebody logs is withheld: a log outlives
// permissions, so what may stand in it is a list and not a matter of care.
var logged = map[string]bool{
	slog.TimeKey: true, slog.LevelKey: true, slog.MessageKey: true,
	"error": true, "rule": true, "place": true, "reference": true, "cause": true, "why": true, "config": true, "policy": true,
	"directory": true, "address": true, "type": true, "agent": true, "domain": true, "mode": true, "version": true, "exit": true, "digest": true, "files": true, "proposal": true, "of": true, "since": true,
	"trust_domain": true, "until": true, "for": true, "unsaid": true, "kind": true, "span": true, "seen": true, "most": true, "target": true,
}

const (
	withheld   = "[withheld]"
	maxLogText = 1000
)

// quiet silences what would write to standard error round the list: gRPC tells there what peers and addresses say. The standard logger is
// silenced where a gateway is opened, OpenTelemetry where it is set up.
var quiet = sync.OnceFunc(func() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) })

// newLog writes to w as the configuration says.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	opt := &slog.HandlerOptions{ReplaceAttr: replaceAttr}
	switch c.Level {
	case "debug":
		opt.Level = slog.LevelDebug
	case "warn":
		opt.Level = slog.LevelWarn
	case "error":
		opt.Level = slog.LevelError
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// replaceAttr lets through the attributes of the list, if they are plain words, numbers or errors.
func replaceAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 || !logged[a.Key] {
		return slog.String(a.Key, withheld)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); len(s) > maxLogText {
			return slog.String(a.Key, s[:maxLogText]+"…")
		}
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindBool, slog.KindDuration, slog.KindTime:
	default:
		switch v := a.Value.Any().(type) {
		case error:
			return replaceAttr(nil, slog.String(a.Key, v.Error()))
		case slog.Level, time.Time, flow.AgentID, flow.DomainID, flow.ID, flow.Path:
		default:
			return slog.String(a.Key, withheld)
		}
	}
	return a
}
