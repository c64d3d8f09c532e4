//go:build unix

package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// Postgres returns the address of a database on the process's own server, and the name of a schema that stands for the directory.
func Postgres(tb testing.TB, dir string) (url flow.Secret, schema string) {
	tb.Helper()
	schema, err := schemaOf(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return flow.NewSecret(pgtest.Common(tb).URL("postgres")), schema
}

func schemaOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(abs))
	return "t" + hex.EncodeToString(sum[:10]), nil
}

func prepare(tb testing.TB) {
	tb.Helper()
	pgtest.Common(tb)
}

func postgres(ctx context.Context, dir string, opt store.Options, schemas []store.Schema) (_ store.DB, err error) {
	if opt.Schema, err = schemaOf(dir); err != nil {
		return nil, err
	}
	url, err := pgtest.CommonURL("postgres")
	if err != nil {
		return nil, err
	}
	opt.NoSync = true // the server does not sync
	for end := time.Now().Add(time.Minute); ; {
		db, err := store.OpenPostgres(ctx, flow.NewSecret(url), schemas, opt)
		switch {
		case err == nil:
			return db, nil
		case !errors.Is(err, store.ErrLocked) || time.Now().After(end): // the backend of an owner that was killed needs a moment to notice
			return nil, err
		}
	}
}
