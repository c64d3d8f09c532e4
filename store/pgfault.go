package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	errLost   = errors.New("the connection to the database was lost")
	errSlow   = fmt.Errorf("the database did not answer in %v: %w", patience, errLost)
	errFailed = errors.New("a statement of the transaction failed, so nothing of it stays")
	errType   = errors.New("values of this type are not portable")
	errRange  = errors.New("a number does not fit in 64 bits, or has a fraction")
)

// refusal is what the server answered. The server's own message and detail quote values, so they are left out.
type refusal struct {
	code       string // SQLSTATE
	constraint string
	table      string
	column     string
	words      string // the server's, if they cannot hold values
}

// Error implements error.
func (r *refusal) Error() string {
	text := "the database refused with SQLSTATE " + r.code
	if words, ok := states[r.code]; ok {
		text = words + " (SQLSTATE " + r.code + ")"
	}
	for _, part := range []struct{ name, value string }{{"constraint", r.constraint}, {"table", r.table}, {"column", r.column}} {
		if part.value != "" {
			text += ", " + part.name + " " + part.value
		}
	}
	if r.words != "" {
		text += ": " + r.words
	}
	return text
}

// Is makes a transaction that lost to another one an [ErrConflict].
func (r *refusal) Is(target error) bool {
	switch r.code {
	case "40001", "40P01", "55P03":
		return target == ErrConflict
	}
	return false
}

var states = map[string]string{
	"08P01": "what the server said was not understood", "22003": "a number is too large", "22021": "a text has a character that the database cannot hold", "22P05": "a text has a character that the database cannot hold",
	"23502": "a value is missing", "23503": "a reference is broken", "23505": "it is there already", "23514": "a check failed",
	"25006": "writes are refused there", "25P02": "an earlier statement failed", "25P03": "the transaction was idle for too long",
	"28000": "the user may not connect", "28P01": "the password is not right",
	"3D000": "there is no such database", "3F000": "there is no such schema", "40001": "another transaction was in the way", "40P01": "two transactions waited for each other",
	"42501": "the user may not do this", "42P01": "there is no such table", "53100": "its disk is full", "53200": "it has no memory left", "53300": "it has too many connections",
	"54000": "a limit of the server was passed", "55P03": "another transaction held what was needed for too long", "57014": "the statement was cancelled", "57P01": "the server is shutting down",
	"57P02": "the server crashed", "57P03": "the server is starting up", "58030": "its disk failed",
}

// pgFault turns an error of the driver into one that repeats neither values nor secrets: the context's error, a refusal, or errLost.
func pgFault(ctx context.Context, err error, lost bool) error {
	var no *pgconn.PgError
	isRefusal := errors.As(err, &no)
	if cause := ctx.Err(); cause != nil && (!isRefusal || no.Code == "57014") {
		return cause
	}
	if isRefusal && !lost && no.Severity != "FATAL" && no.Severity != "PANIC" {
		return refused(no)
	}
	return fmt.Errorf("%w: %w", errLost, connectFault(err))
}

func refused(no *pgconn.PgError) *refusal {
	r := &refusal{code: no.Code, constraint: no.ConstraintName, table: no.TableName, column: no.ColumnName}
	if strings.HasPrefix(no.Code, "42") { // names and syntax of our own statements, which hold no values
		r.words = no.Message
	}
	return r
}

// connectFault says why there is no connection.
func connectFault(err error) error {
	if no, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused(no)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the server's name %q is not known", dns.Name)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("the server cannot be reached: %w", op.Err)
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the server's certificate does not hold: %w", cert.Err)
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return errors.New("the server does not answer")
	}
	if err != nil && strings.Contains(err.Error(), "server refused TLS connection") {
		return errors.New("the server speaks no TLS")
	}
	return errors.New("the server ended it")
}
