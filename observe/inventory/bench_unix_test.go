//go:build unix

package inventory

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
	"github.com/scrimhq/scrim/store/pgtest"
)

// wide writes rows of fifty columns, of which ten hold texts, as CSV.
func wide(b *testing.B, path string, rows int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, strings.Join(wideNames(), ","))
	var line []byte
	for i := range rows {
		line = line[:0]
		for c := range 50 {
			if c > 0 {
				line = append(line, ',')
			}
			switch c % 5 {
			case 0:
				line = strconv.AppendInt(line, int64(i*50+c), 10)
			case 1:
				line = fmt.Appendf(line, "user%d@example.org", i)
			case 2:
				line = fmt.Appendf(line, "%d.%02d", i%1000, c)
			case 3:
				line = fmt.Appendf(line, "20%02d-%02d-%02d", i%30, i%12+1, i%28+1)
			default:
				line = append(line, "AB"[i%2])
			}
		}
		_, _ = w.Write(append(line, '\n'))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

func wideNames() (names []string) {
	for c := range 50 {
		names = append(names, fmt.Sprintf("c%02d", c))
	}
	return names
}

// BenchmarkScan inventories a million rows of fifty columns, SCRIM_LONG=1, else ten thousand, with the real classifier.
func BenchmarkScan(b *testing.B) {
	rows := 10_000
	if os.Getenv("SCRIM_LONG") == "1" {
		rows = 1_000_000
	}
	path := filepath.Join(b.TempDir(), "wide.csv")
	wide(b, path, rows)
	c, err := column.New(column.Options{})
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, src func(b *testing.B) Source) {
		b.Run(name, func(b *testing.B) {
			s := src(b)
			for b.Loop() {
				inv, err := Scan(b.Context(), s, c, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if a := inv.Assets[0]; a.Failed || a.Rows != int64(rows) || len(a.Columns) != 50 {
					b.Fatalf("%d rows, %d columns, %s", a.Rows, len(a.Columns), a.Why)
				}
			}
			b.ReportMetric(float64(rows)*50*float64(b.N)/b.Elapsed().Seconds(), "cells/s")
		})
	}
	run("csv", func(*testing.B) Source { return csvFile(path) })
	run("sqlite", func(b *testing.B) Source { return SQLite(wideLite(b, rows)) })
	run("postgres", func(b *testing.B) Source { return Postgres(flow.NewSecret(widePostgres(b, path))) })
}

func wideLite(b *testing.B, rows int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "wide.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var cols []string
	for c := range 50 {
		cols = append(cols, []string{"i*50", "'user'||i||'@example.org'", "i%1000||'.5'", "'2020-01-'||(i%28+1)", "substr('AB',i%2+1,1)"}[c%5]+fmt.Sprintf(" AS c%02d", c))
	}
	q := fmt.Sprintf("PRAGMA journal_mode=off; PRAGMA synchronous=off; CREATE TABLE wide AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) SELECT %s FROM n", rows, strings.Join(cols, ", "))
	if _, err := db.Exec(q); err != nil {
		b.Fatal(err)
	}
	return path
}

func widePostgres(b *testing.B, csv string) string {
	b.Helper()
	url := pgtest.Common(b).Database(b)
	pgtest.Exec(b, url, "CREATE UNLOGGED TABLE wide ("+strings.Join(wideNames(), " text, ")+" text)")
	ctx, stop := context.WithTimeout(b.Context(), 10*time.Minute)
	defer stop()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	f, err := os.Open(csv)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := conn.PgConn().CopyFrom(ctx, f, "COPY wide FROM STDIN WITH (FORMAT csv, HEADER)"); err != nil {
		b.Fatal(err)
	}
	return url
}
