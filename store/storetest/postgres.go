//go:build unix

package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// Postgres returns the address of a database on the process's own server, and the name of a schema that stands for the directory.
func Postgres(tb testing.TB, dir string) (url flow.Secret, schema string) {
	tb.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256([]byte(abs))
	return flow.NewSecret(pgtest.Common(tb).URL("postgres")), "t" + hex.EncodeToString(sum[:10])
}

func postgres(tb testing.TB, dir string, opt store.Options, schemas []store.Schema) (store.DB, error) {
	tb.Helper()
	var url flow.Secret
	url, opt.Schema = Postgres(tb, dir)
	opt.NoSync = true
	db, err := store.OpenPostgres(tb.Context(), url, schemas, opt)
	if err != nil {
		return nil, err
	}
	return db, nil
}
