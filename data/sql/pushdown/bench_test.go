package pushdown_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/store/pgtest"
)

const benchRows, benchUnits, benchGroups = 2_000_000, 200_000, 100

// benchQuestion is a grouped count and sum, of which a unit counts in three groups.
func benchQuestion(b *testing.B) *relation.Bounded {
	s, err := relation.NewScan("visits",
		relation.Field{Source: "uid", As: "uid", Type: relation.NumberType(0, 0, 1<<40), Exact: true},
		relation.Field{Source: "grp", As: "grp", Type: relation.NumberType(0, 0, benchGroups-1)},
		relation.Field{Source: "v", As: "v", Type: relation.NumberType(0, 0, 1000)})
	if err != nil {
		b.Fatal(err)
	}
	return &relation.Bounded{In: s, Unit: []string{"uid"}, Keys: []string{"grp"}, Rows: 5, Groups: 3, Sums: []relation.Sum{
		{Op: relation.Units, High: 1}, {Op: relation.Count, High: 5}, {Op: relation.Total, Col: "v", High: 5000}}}
}

// The plain statements bound contributions as one would write it by hand for data that is known to be in order.
const (
	plainPostgres = `SELECT grp, count(*), sum(n)::int8, sum(s)::int8 FROM (SELECT grp, n, s, row_number() OVER (PARTITION BY uid ORDER BY hashint8extended(grp, hashint8extended(uid, 42))) AS r
		FROM (SELECT uid, grp, least(count(*), 5) AS n, least(greatest(sum(v), 0), 5000) AS s FROM visits GROUP BY uid, grp) p) q WHERE r <= 3 GROUP BY grp`
	plainSQLite = `SELECT grp, count(*), sum(n), sum(s) FROM (SELECT grp, n, s, row_number() OVER (PARTITION BY uid ORDER BY ((uid * 2654435761 + grp) * 40503) % 1000003) AS r
		FROM (SELECT uid, grp, min(count(*), 5) AS n, min(max(sum(v), 0), 5000) AS s FROM visits GROUP BY uid, grp) p) q WHERE r <= 3 GROUP BY grp`
)

func benchRun(b *testing.B, e relation.Engine, plain func() error, used func(*testing.B) time.Duration) {
	if os.Getenv("SCRIM_LONG") != "1" {
		b.Skip("2 M rows: set SCRIM_LONG=1")
	}
	q := benchQuestion(b)
	b.Run("bounded", func(b *testing.B) {
		defer processor(b, used)()
		for b.Loop() {
			groups := 0
			if err := e.Run(b.Context(), q, seed, func(relation.Group) error { groups++; return nil }); err != nil || groups != benchGroups {
				b.Fatal(groups, err)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		defer processor(b, used)()
		for b.Loop() {
			if err := plain(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// processor reports how much processor time was used, since the machine may be busy with something else.
func processor(b *testing.B, used func(*testing.B) time.Duration) func() {
	before := used(b)
	return func() { b.ReportMetric((used(b)-before).Seconds()/float64(b.N), "cpu-s/op") }
}

// ours is the processor time of this process, which is what SQLite takes.
func ours(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// servers is the processor time of a server's processes, and of its workers that have ended, as Linux counts it.
func servers(s *pgtest.Server) func(b *testing.B) time.Duration {
	return func(b *testing.B) time.Duration {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(s.Socket()), "data", "postmaster.pid"))
		if err != nil {
			return 0
		}
		server, _, _ := strings.Cut(string(text), "\n")
		ticks := int64(0)
		all, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, path := range all {
			stat, err := os.ReadFile(path)
			if err != nil {
				continue // it ended meanwhile
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			f := strings.Fields(rest) // from the third field on: state, ppid, …
			if len(f) < 15 || f[1] != server && filepath.Base(filepath.Dir(path)) != server {
				continue
			}
			for i := 11; i < 15; i++ { // utime, stime, cutime, cstime
				n, _ := strconv.ParseInt(f[i], 10, 64)
				ticks += n
			}
		}
		return time.Duration(ticks) * 10 * time.Millisecond
	}
}

func BenchmarkPostgres(b *testing.B) {
	server := pgtest.Start(b, "shared_buffers=512MB")
	url := server.Database(b)
	pgtest.Exec(b, url, fmt.Sprintf(`CREATE TABLE visits AS SELECT (i * 7919) %% %d AS uid, (i * 2654435761 / 65536) %% %d AS grp, i %% 1001 AS v FROM generate_series(1, %d::int8) i`, benchUnits, benchGroups, benchRows),
		"VACUUM ANALYZE visits")
	p, err := pushdown.Postgres(url, pushdown.Options{Timeout: 10 * time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(b.Context(), "SET jit = off"); err != nil {
		b.Fatal(err)
	}
	benchRun(b, p, func() error {
		_, err := conn.Exec(b.Context(), plainPostgres)
		return err
	}, servers(server))
}

func BenchmarkSQLite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "data.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{"CREATE TABLE visits (uid INTEGER, grp INTEGER, v INTEGER)",
		fmt.Sprintf(`INSERT INTO visits WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT (i * 7919) %% %d, (i * 2654435761 / 65536) %% %d, i %% 1001 FROM n`, benchRows, benchUnits, benchGroups)} {
		if _, err := db.Exec(s); err != nil {
			b.Fatal(err)
		}
	}
	l, err := pushdown.SQLite(path, pushdown.Options{Timeout: 10 * time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	benchRun(b, l, func() error {
		rows, err := db.QueryContext(b.Context(), plainSQLite)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Close()
	}, ours)
}
