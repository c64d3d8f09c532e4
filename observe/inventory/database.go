package inventory

import (
	"cmp"
	"context"
	"errors"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/sql"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
)

// Postgres is the source whose assets are the tables of a PostgreSQL database. The URL is what libpq takes, with the password in it.
// Rows are read in transactions that only read, and by nothing that users of the database wrote: no view, unless the options say so,
// no policy for rows and no cast.
func Postgres(url flow.Secret) Source {
	return &database{name: "PostgreSQL database", at: catalog.Server{Type: "postgres"}, open: func(ctx context.Context) (sql.Database, error) { return sql.OpenPostgres(ctx, url.Expose()) }}
}

// SQLite is the source whose assets are the tables of a SQLite file, which is opened for reading alone.
func SQLite(path string) Source {
	return &database{name: "SQLite database " + path, at: catalog.Server{Type: "local", Path: path, Format: "sqlite"}, open: func(ctx context.Context) (sql.Database, error) { return sql.OpenSQLite(ctx, path) }}
}

type database struct {
	name string
	at   catalog.Server
	open func(context.Context) (sql.Database, error)
}

func (s *database) Name() string { return s.name }

func (s *database) server() catalog.Server { return s.at }

func (s *database) survey(ctx context.Context, o Options, give func(*draft) error) error {
	var db sql.Database
	var tables []sql.Listed
	err := within(ctx, s.name, o.Each, func(ctx context.Context) (err error) {
		if db, err = s.open(ctx); err != nil {
			return err
		}
		s.name = db.Name()
		if host, port, name := db.Where(); s.at.Type == "postgres" {
			s.at.Host, s.at.Port, s.at.Database = host, port, name
		}
		tables, err = db.Tables(ctx, maxAssets)
		return err
	})
	defer func() {
		if db != nil {
			_ = db.Close(context.WithoutCancel(ctx)) // what was only read has nothing to lose
		}
	}()
	for i := 0; i < len(tables) && err == nil; i++ {
		d := listed(&tables[i])
		if sampling := d.sampleTable(ctx, db, &tables[i], o); sampling != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.failed(sampling)
			if db, err = s.again(ctx, db, o); err != nil {
				return err
			}
		}
		err = give(d)
	}
	return err
}

// again connects anew where a table took the connection with it, as one does that was given up for its time.
func (s *database) again(ctx context.Context, db sql.Database, o Options) (sql.Database, error) {
	err := within(ctx, s.name, o.Each, db.Ping)
	if err == nil {
		return db, nil
	}
	_ = db.Close(context.WithoutCancel(ctx)) // it broke
	var fresh sql.Database
	err = within(ctx, s.name, o.Each, func(ctx context.Context) (err error) {
		fresh, err = s.open(ctx)
		return err
	})
	return fresh, err
}

// listed is the draft of a table as the catalog describes it.
func listed(l *sql.Listed) *draft {
	d := &draft{Asset: Asset{Name: l.Title(), Kind: Table, Rows: max(l.Rows, 0), Columns: []Column{}}, name: l.Name}
	if l.View {
		d.Kind = View
	}
	for _, c := range l.Columns {
		col := Column{Name: c.Name, Type: c.Declared, Logical: logical(c.Type), Required: c.Required, Key: c.Key, Unique: c.Unique}
		if to := c.References; to.Table != "" {
			col.refer(sql.Title(cmp.Or(to.Schema, l.Schema), to.Table), to.Column)
		}
		if c.Unreadable {
			col.Why = "the user may not read it"
		}
		d.Columns = append(d.Columns, col)
		d.distinct = append(d.distinct, c.Distinct)
	}
	return d
}

var errView = errors.New("a view is listed by its columns alone: to read it would run what its owner wrote (--views does)")

func (d *draft) sampleTable(ctx context.Context, db sql.Database, l *sql.Listed, o Options) error {
	if l.View && !o.Views && l.Why == "" {
		d.Why = errView.Error()
		return nil
	}
	s := newSampler(o)
	err := within(ctx, d.Asset.Name, o.Each, func(ctx context.Context) error {
		rows, exact, err := db.Sample(ctx, l, sql.Sampling{Rows: o.Sample, Views: o.Views, Seed: o.Seed}, func(number int64, cells []table.Cell) error {
			s.row(number, cells)
			return nil
		})
		if err == nil {
			d.Rows, d.Exact = max(rows, 0), exact
		}
		return err
	})
	if err != nil {
		return err
	}
	d.judge = o.names()
	d.fill(s.sorted())
	return nil
}
