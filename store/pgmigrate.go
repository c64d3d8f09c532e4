package store

import (
	"context"
	"fmt"
	"strconv"
)

// migrate brings every schema to the program's version, in one transaction, while no other process does. The caller holds the lock on the schema if the
// store is exclusive; a shared one takes its own here, because only now it knows whether others may have the schema open.
func (p *Postgres) migrate(ctx context.Context, l *pgLink) (err error) {
	begin := fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", p.lockKey("migration"))
	if _, err := l.simple(ctx, begin); err != nil {
		return fmt.Errorf("beginning the migration: %w", err)
	}
	end := rollback
	defer func() {
		if l.gone() {
			return
		}
		ctx := context.WithoutCancel(ctx)
		var e error
		if end == commit {
			e = l.commit(ctx)
		} else {
			_, e = l.simple(ctx, end)
		}
		if err == nil && e != nil {
			err = fmt.Errorf("ending the migration: %w", e)
		}
	}()
	behind, err := p.versions(ctx, l)
	if err != nil {
		return err
	}
	if p.opt.Shared {
		if err := p.share(ctx, l, behind); err != nil {
			return err
		}
	}
	for _, b := range behind {
		if err := b.run(ctx, l); err != nil {
			return err
		}
	}
	end = commit
	return nil
}

// lag is a schema that has not the program's version.
type lag struct {
	migrations
	have int
}

// versions makes sure that there is a table of versions, and returns what is behind.
func (p *Postgres) versions(ctx context.Context, l *pgLink) ([]lag, error) {
	// Who may not create a schema may still use one that was made for him.
	there, err := l.simple(ctx, fmt.Sprintf("SELECT to_regnamespace('\"%s\"') IS NOT NULL, to_regclass('\"%s\".store_schemas') IS NOT NULL, to_regclass('\"%s\".store_marks') IS NOT NULL", p.schema, p.schema, p.schema))
	if err != nil || len(there) != 3 {
		return nil, fmt.Errorf("looking for the schema: %w", err)
	}
	if string(there[0]) != "t" {
		if _, err := l.simple(ctx, fmt.Sprintf(`CREATE SCHEMA "%s"`, p.schema)); err != nil {
			return nil, fmt.Errorf("creating the schema: %w", err)
		}
	}
	if string(there[1]) != "t" {
		text, err := pgDialect(versionsTable)
		if err != nil {
			return nil, err
		}
		if _, err := l.simple(ctx, text); err != nil {
			return nil, fmt.Errorf("preparing the migration: %w", err)
		}
	}
	if string(there[2]) != "t" {
		if _, err := l.simple(ctx, marksTable); err != nil {
			return nil, fmt.Errorf("preparing the migration: %w", err)
		}
	}
	var behind []lag
	for _, m := range p.plans {
		have, err := version(ctx, l, m.name)
		if err != nil {
			return nil, err
		}
		if have > len(m.files) {
			return nil, newer(m.name, have, len(m.files))
		}
		if have < len(m.files) {
			behind = append(behind, lag{m, have})
		}
	}
	return behind, nil
}

// version returns the version that a schema has, 0 if none.
func version(ctx context.Context, l *pgLink, name string) (int, error) {
	r := l.c.ExecParams(ctx, "SELECT version FROM store_schemas WHERE name = $1", [][]byte{[]byte(name)}, nil, nil, nil).Read()
	if r.Err != nil {
		return 0, fmt.Errorf("reading the version of %s: %w", name, l.fault(ctx, r.Err))
	}
	if len(r.Rows) == 0 {
		return 0, nil
	}
	return strconv.Atoi(string(r.Rows[0][0]))
}

func (b lag) run(ctx context.Context, l *pgLink) error {
	for _, m := range b.files[b.have:] {
		if _, err := l.simple(ctx, m.sql); err != nil {
			return fmt.Errorf("migrating %s by %s: %w", b.name, m.file, err)
		}
	}
	const set = "INSERT INTO store_schemas (name, version) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET version = excluded.version"
	r := l.c.ExecParams(ctx, set, [][]byte{[]byte(b.name), []byte(strconv.Itoa(len(b.files)))}, nil, nil, nil).Read()
	if r.Err != nil {
		return fmt.Errorf("writing the version of %s: %w", b.name, l.fault(ctx, r.Err))
	}
	return nil
}

// share takes the session's shared lock on the schema, which keeps owners away. Tables that others use are changed while
// nobody has them open; tables that nobody has yet are in nobody's way.
func (p *Postgres) share(ctx context.Context, l *pgLink, behind []lag) error {
	key, changes := p.lockKey("owner"), ""
	for _, b := range behind {
		if b.have > 0 {
			changes = b.name
		}
	}
	take := "pg_try_advisory_lock_shared"
	if changes != "" {
		take = "pg_try_advisory_xact_lock"
	}
	had, err := try(ctx, l, fmt.Sprintf("SELECT %s(%d)", take, key))
	if err != nil {
		return err
	}
	if !had {
		if changes != "" {
			return fmt.Errorf("%w: tables of %s must be migrated, and schema %s%s; stop all that have it open", ErrLocked, changes, p.schema, holder(ctx, l, key))
		}
		return fmt.Errorf("%w: schema %s%s; stop it, or choose another schema", ErrLocked, p.schema, holder(ctx, l, key))
	}
	if changes == "" {
		return nil
	}
	if _, err := l.simple(ctx, fmt.Sprintf("SELECT pg_advisory_lock_shared(%d)", key)); err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	return nil
}
