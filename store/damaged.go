package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// damaged reports whether SQLite found something in the file that it did not write.
func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// named makes an [ErrDamaged] of an error that says so, with the file and what to do.
func named(err error, file string) error {
	if file == "" || !damaged(err) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %s: stop, keep a copy of its directory, look at the disk, and repair it (sqlite3 .recover) or put back a copy that is as new as the log; an older one is refused: %w", ErrDamaged, file, err)
}
