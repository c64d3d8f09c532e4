package pushdown

import "database/sql"

// LiteMemory is an empty database in memory with the engine's functions.
func LiteMemory() (*sql.DB, error) {
	d, err := liteDriver()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(liteConnector{d, ":memory:"})
	db.SetMaxOpenConns(1)
	return db, nil
}
