package store

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"
)

// Look is what [Postgres.Look] saw.
type Look struct {
	Version string          // of the server
	TLS     bool            // the connection is encrypted
	Local   bool            // the server is on this machine
	Writes  []time.Duration // what durable writes took, sorted
}

// Look measures n durable writes that change nothing, and says what the connection is like. Only an owner looks.
func (p *Postgres) Look(ctx context.Context, n int) (Look, error) {
	var l Look
	if p.writer == nil {
		return l, ErrStatement
	}
	conn := p.writer.session.pg.c.Conn()
	_, l.TLS = conn.(*tls.Conn)
	switch at := conn.RemoteAddr().(type) {
	case *net.UnixAddr:
		l.Local = true
	case *net.TCPAddr:
		l.Local = at.IP.IsLoopback()
	}
	err := p.View(ctx, func(tx Tx) error { return tx.QueryRow("SELECT current_setting('server_version')").Scan(&l.Version) })
	for i := 0; i < n && err == nil; i++ {
		began := time.Now()
		err = p.Update(ctx, func(tx Tx) error { _, err := tx.Exec("UPDATE store_schemas SET version = version"); return err })
		l.Writes = append(l.Writes, time.Since(began))
	}
	slices.Sort(l.Writes)
	return l, err
}
