package audit

import (
	"context"
	"time"
)

// SetFault lets changes of the log's files fail.
func SetFault(o *Options, fault func(op, path string) error) { o.fault = fault }

// Thin thins the archived checkpoints of a directory.
func Thin(ctx context.Context, dir string, now time.Time) error { return archive(dir).thin(ctx, now) }
