//go:build !unix

package storetest

import (
	"testing"

	"github.com/scrimhq/scrim/store"
)

func postgres(tb testing.TB, _ string, _ store.Options, _ []store.Schema) (store.DB, error) {
	tb.Helper()
	tb.Fatal("tests run PostgreSQL on Unix only")
	return nil, nil
}
