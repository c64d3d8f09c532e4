package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store/durable"
)

const (
	defaultSchema  = "scrim"
	defaultWriters = 4
	defaultPgBatch = 64 // a transaction with more savepoints than its backend keeps in shared memory slows every reader

	lockWait   = time.Second     // for the backend of an owner that was just killed to notice
	watchEvery = 5 * time.Second // how soon an idle store learns that it lost its lock
)

// Postgres is a schema of a PostgreSQL database. It implements [DB].
type Postgres struct {
	config  *pgconn.Config // all up to readers are fixed by OpenPostgres
	schema  string
	opt     Options
	plans   []migrations
	failing *sql.DB
	pool    *sql.DB
	dir     *os.File // the lock of Options.Dir; nil: none
	server  string   // which run of which server it was opened on
	writer  *writer  // nil: the store is shared
	shared  *sharing
	readers *views

	closing   chan struct{} // closed when Close begins
	watching  sync.WaitGroup
	closeOnce sync.Once
	closeErr  error // set by closeOnce
}

// OpenPostgres opens a schema of the database that the URL names, as libpq understands it, creating the schema at first use, and migrates it.
//
// The schema has one owner, which writes by one connection that holds a session's advisory lock: the lock cannot be lost without the connection, so no
// write can come beside that of another owner. A store that lost the connection is [ErrBroken] for good. With
// [Options].Shared the schema is open to any number of processes, and each Update is a transaction of its own at READ COMMITTED, which
// gives [ErrConflict] if another one was in the way.
//
// It returns [ErrLocked] if another process owns the schema, or has it open while it must be migrated, or, for an owner, has it open at all;
// [ErrNewer] if any schema there is newer than the program's; [ErrNotDurable] if the server runs with fsync=off or
// the role with synchronous_commit=off, unless Options.NoSync is set; and [ErrSchema] as [Open] does. The connection must lead to the server itself: a pooler would tear lock and
// writes apart, and is refused. No error repeats the URL or its password.
func OpenPostgres(ctx context.Context, url flow.Secret, schemas []Schema, opt Options) (_ *Postgres, err error) {
	if opt.MaxBatch <= 0 {
		opt.MaxBatch = defaultPgBatch
	}
	if opt.Writers <= 0 {
		opt.Writers = defaultWriters
	}
	if opt.Schema == "" {
		opt.Schema = defaultSchema
	}
	opt = opt.withDefaults()
	config, err := parsePostgres(url, opt)
	if err != nil {
		return nil, err
	}
	plans, err := plan(schemas)
	if err != nil {
		return nil, err
	}
	if plans, err = translate(plans); err != nil {
		return nil, err
	}
	p := &Postgres{config: config, schema: opt.Schema, opt: opt, plans: plans, closing: make(chan struct{}), failing: sql.OpenDB(failingConnector{})}
	p.pool = sql.OpenDB(connector{p})
	p.pool.SetMaxIdleConns(-1) // a session that is closed closes its connection, and with it what it locked
	p.readers = newViews(opt.Readers, p.closing, p.reader)
	if err := p.lockDir(); err != nil {
		return nil, errors.Join(err, p.release())
	}
	open := p.openExclusive
	if opt.Shared {
		open = p.openShared
	}
	if err := open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store in schema %s of database %s: %w", p.schema, config.Database, err), p.release())
	}
	return p, nil
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func parsePostgres(url flow.Secret, opt Options) (*pgconn.Config, error) {
	if !schemaName.MatchString(opt.Schema) || strings.HasPrefix(opt.Schema, "pg_") || opt.Schema == "information_schema" {
		return nil, errors.New("the name of the database's schema must be of lower-case letters, digits and _, begin with no digit, and not be one of PostgreSQL's own")
	}
	text := url.Expose()
	if text == "" {
		return nil, errors.New("the address of the database is empty")
	}
	config, err := pgconn.ParseConfig(text)
	if err != nil { // its text repeats the address
		return nil, errors.New("the address of the database cannot be read: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	host, _ := os.Hostname()
	for key, value := range map[string]string{
		"client_encoding": "UTF8", "standard_conforming_strings": "on", "extra_float_digits": "1", "bytea_output": "hex",
		"application_name": fmt.Sprintf("scrim %d@%s", os.Getpid(), host),
	} {
		config.RuntimeParams[key] = value
	}
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 15 * time.Second
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}
	config.DialFunc = dialer.DialContext
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 2 * time.Second}
	}
	return config, nil
}

// translate writes the migrations for PostgreSQL.
func translate(plans []migrations) ([]migrations, error) {
	for _, p := range plans {
		for i, f := range p.files {
			text, err := pgDialect(f.text)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %s: %w", ErrSchema, p.name, f.file, err)
			}
			p.files[i].sql = text
		}
	}
	return plans, nil
}

// lockKey is the number of an advisory lock; the server keeps them apart by database.
func (p *Postgres) lockKey(what string) int64 {
	sum := sha256.Sum256([]byte("scrim store\x00" + what + "\x00" + p.schema))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// connector makes connections for the pool.
type connector struct{ p *Postgres }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := pgconn.ConnectConfig(ctx, c.p.config)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, connectFault(err)
	}
	return &pgLink{c: conn}, nil
}

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return failingDriver{} }

// connect opens a session and checks what it promises. It returns words for the run of the server.
func (p *Postgres) connect(ctx context.Context) (_ *session, server string, err error) {
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("connecting: %w", err)
	}
	s := &session{conn: conn, failing: p.failing, stmts: make(map[string]*prepared)}
	err = conn.Raw(func(c any) error { s.pg = c.(*pgLink); return nil })
	if err == nil {
		server, err = p.settle(ctx, s.pg)
	}
	if err != nil {
		return nil, "", errors.Join(err, s.close())
	}
	return s, server, nil
}

// settings of a session, whatever role and database set. A time limit of the server's would cost the store its lock.
const settings = `SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN
('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout');
SELECT set_config('search_path', '"%s", pg_temp', false), set_config('default_transaction_read_only', 'off', false),
set_config('default_transaction_isolation', 'read committed', false), set_config('default_transaction_deferrable', 'off', false),
set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '4', false)`

// facts are what must hold of the server.
const facts = `SELECT pg_backend_pid(), current_setting('server_version_num')::int >= 130000, current_setting('server_encoding'), current_setting('fsync'),
current_setting('synchronous_commit'), (pg_postmaster_start_time() AT TIME ZONE 'UTC')::text`

func (p *Postgres) settle(ctx context.Context, l *pgLink) (server string, err error) {
	if _, err := l.simple(ctx, fmt.Sprintf(settings, p.schema)); err != nil {
		return "", fmt.Errorf("preparing the connection: %w", err)
	}
	row, err := l.simple(ctx, facts)
	if err != nil {
		return "", fmt.Errorf("asking the server: %w", err)
	}
	if len(row) != 6 {
		return "", errors.New("the server does not answer as PostgreSQL does")
	}
	switch {
	case string(row[0]) != fmt.Sprint(l.c.PID()):
		return "", errors.New("a pooler stands before the server, which would tear locks and writes apart: give the server's own address")
	case string(row[1]) != "t":
		return "", errors.New("the server is older than PostgreSQL 13")
	case string(row[2]) != "UTF8":
		return "", errors.New("the database's encoding is not UTF8")
	}
	if p.opt.NoSync {
		_, err = l.simple(ctx, "SELECT set_config('synchronous_commit', 'off', false)")
		return string(row[5]), err
	}
	if err := waitsForDisk(string(row[3]), string(row[4])); err != nil {
		return "", err
	}
	// Kept as it is, whatever the server is told later.
	_, err = l.simple(ctx, fmt.Sprintf("SELECT set_config('synchronous_commit', '%s', false)", row[4]))
	return string(row[5]), err
}

// waitsForDisk returns [ErrNotDurable] unless a commit waits for the disk.
func waitsForDisk(fsync, commits string) error {
	if fsync != "on" {
		return fmt.Errorf("%w: the server runs with fsync = %s, want on", ErrNotDurable, fsync)
	}
	switch commits {
	case "on", "local", "remote_write", "remote_apply":
		return nil
	}
	return fmt.Errorf("%w: synchronous_commit is off, want on", ErrNotDurable)
}

// openExclusive takes the schema for this process.
func (p *Postgres) openExclusive(ctx context.Context) error {
	w, server, err := p.connect(ctx)
	if err != nil {
		return err
	}
	p.server = server
	err = p.lock(ctx, w.pg)
	if err == nil {
		err = p.migrate(ctx, w.pg)
	}
	if err != nil {
		return errors.Join(err, w.close())
	}
	pid := fmt.Sprint(w.pg.c.PID())
	w.pg.patience = patience
	w.pg.begin = "BEGIN; SELECT pg_backend_pid(), current_setting('fsync')"
	w.pg.began = func(row [][]byte) error {
		switch {
		case len(row) != 2 || string(row[0]) != pid:
			return fmt.Errorf("%w, and with it the lock", errLost)
		case string(row[1]) != "on" && !p.opt.NoSync:
			return waitsForDisk(string(row[1]), "on")
		}
		return nil
	}
	p.writer = startWriter(w, p.opt, "")
	p.watching.Go(p.watch)
	return nil
}

// lock takes the session's lock on the schema, or returns [ErrLocked] with words for its holder.
func (p *Postgres) lock(ctx context.Context, l *pgLink) error {
	key := p.lockKey("owner")
	had, err := try(ctx, l, fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", key))
	if err == nil && !had {
		err = fmt.Errorf("%w: schema %s%s; stop it, or choose another schema", ErrLocked, p.schema, holder(ctx, l, key))
	}
	return err
}

// try asks for a lock until it has it, or it is plain that somebody alive holds it.
func try(ctx context.Context, l *pgLink, query string) (bool, error) {
	for end := time.Now().Add(lockWait); ; {
		row, err := l.simple(ctx, query)
		if err != nil {
			return false, fmt.Errorf("locking: %w", err)
		}
		had := len(row) == 1 && string(row[0]) == "t"
		if had || time.Now().After(end) {
			return had, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// holder returns words for who holds the lock.
func holder(ctx context.Context, l *pgLink, key int64) string {
	row, err := l.simple(ctx, fmt.Sprintf(`SELECT a.application_name FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = %d AND l.objid::bigint = %d
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) LIMIT 1`, uint64(key)>>32, uint64(key)&0xffffffff))
	if err != nil || len(row) != 1 || len(row[0]) == 0 {
		return ""
	}
	return fmt.Sprintf(" is held by %q", row[0])
}

// watch stops the store soon after its connection, and so its lock, is lost, also while nobody writes.
func (p *Postgres) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.closing:
			return
		case <-tick.C:
		}
		w := p.writer
		if !w.lead.TryLock() {
			continue // somebody writes, and will know
		}
		if w.broken.get() == nil {
			if err := w.session.control(beginWrite); err != nil {
				w.check(err)
			} else if err := w.session.control(rollback); err != nil {
				w.check(err)
			}
		}
		w.lead.Unlock()
	}
}

// reader opens a session for views.
func (p *Postgres) reader(ctx context.Context) (*session, error) {
	r, server, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	if p.writer == nil {
		if err := p.unmoved(ctx, r.pg); err != nil {
			return nil, errors.Join(err, r.close())
		}
		return r, nil
	}
	if server != p.server {
		stop := fmt.Errorf("%w: the server was started anew since the store was opened", ErrBroken)
		p.writer.broken.set(stop)
		return nil, errors.Join(stop, r.close())
	}
	return r, nil
}

// Update implements [DB].
func (p *Postgres) Update(ctx context.Context, fn func(Tx) error) error {
	if p.writer == nil {
		return p.shared.update(ctx, fn)
	}
	return p.writer.submit(ctx, fn)
}

// View implements [DB]. A store that is [ErrBroken] gives no views either: another owner may be at work.
func (p *Postgres) View(ctx context.Context, fn func(Tx) error) error {
	if err := p.stopped(); err != nil {
		return err
	}
	return p.readers.view(ctx, fn)
}

// stopped returns why the store stopped, or nil.
func (p *Postgres) stopped() error {
	return p.broken().get()
}

func (p *Postgres) broken() failure {
	if p.writer != nil {
		return p.writer.broken
	}
	return p.shared.broken
}

// Stopped implements [Stopper].
func (p *Postgres) Stopped() <-chan struct{} { return p.broken().gone }

// Close implements [DB]. It may be called again, and gives the same answer.
func (p *Postgres) Close() error {
	p.closeOnce.Do(func() {
		close(p.closing)
		p.watching.Wait()
		var errs []error
		if p.writer != nil {
			errs = append(errs, p.writer.drain())
		} else {
			errs = append(errs, p.shared.drain())
		}
		errs = append(errs, p.readers.drain())
		if p.writer != nil {
			errs = append(errs, p.writer.session.close())
		}
		p.closeErr = errors.Join(append(errs, p.release())...)
	})
	return p.closeErr
}

// release closes what OpenPostgres opened.
func (p *Postgres) release() error {
	err := errors.Join(p.pool.Close(), p.failing.Close())
	if p.dir != nil {
		err = errors.Join(err, durable.Release(p.dir))
	}
	return err
}

// lockDir locks Options.Dir, which must not be one that keeps a database of its own: whoever changes where state is kept has to move it, since what was
// spent and recorded there would be forgotten.
func (p *Postgres) lockDir() (err error) {
	if p.opt.Dir == "" {
		return nil
	}
	dir, err := filepath.Abs(p.opt.Dir)
	if err != nil {
		return fmt.Errorf("finding the data directory: %w", err)
	}
	if err := prepareDir(dir); err != nil {
		return err
	}
	if p.dir, err = lockDir(dir); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, databaseFile)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s has a %s", ErrElsewhere, p.opt.Dir, databaseFile)
	}
	return nil
}

var (
	_ DB      = (*Postgres)(nil)
	_ Stopper = (*Postgres)(nil)
)
