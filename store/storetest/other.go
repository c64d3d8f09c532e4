//go:build !unix

package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/scrimhq/scrim/store"
)

func prepare(tb testing.TB) {
	tb.Helper()
	tb.Fatal("tests run PostgreSQL on Unix only")
}

func postgres(context.Context, string, store.Options, []store.Schema) (store.DB, error) {
	return nil, errors.New("tests run PostgreSQL on Unix only")
}
