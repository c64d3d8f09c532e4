package patients

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed schema.sql
var schema string

// Create writes the patients into a new SQLite database at path and returns it open. The caller closes it.
// It is made-up data that can be made again, so it is written fast, without waiting for the disk.
func Create(ctx context.Context, path string, all []Patient) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		return nil, fmt.Errorf("opening the patient database: %w", err)
	}
	if err := fill(ctx, db, all); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("filling the patient database: %w", err)
	}
	return db, nil
}

const inserts = 4

var insertSQL = [inserts]string{
	`INSERT INTO patients VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
	`INSERT INTO conditions VALUES (?,?,?,?)`,
	`INSERT INTO medications VALUES (?,?,?,?)`,
	`INSERT INTO encounters VALUES (?,?,?,?,?,?,?)`,
}

var indexSQL = []string{
	`CREATE INDEX patients_by_name ON patients (name COLLATE NOCASE)`,
	`CREATE INDEX conditions_by_code ON conditions (code, mrn)`,
}

func fill(ctx context.Context, db *sql.DB, all []Patient) error {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	var into [inserts]*sql.Stmt
	for i, q := range insertSQL {
		if into[i], err = tx.PrepareContext(ctx, q); err != nil {
			return err
		}
	}
	for i := range all {
		if err := insert(ctx, into, &all[i]); err != nil {
			return err
		}
	}
	for _, q := range indexSQL { // faster than keeping them up on the way
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func insert(ctx context.Context, into [inserts]*sql.Stmt, p *Patient) error {
	if _, err := into[0].ExecContext(ctx, p.MRN, p.Name, p.Sex, p.BirthDate, p.Phone, p.Email, p.Street, p.City, p.State, p.PostalCode, p.Insurer, p.Plan, p.MemberNumber); err != nil {
		return err
	}
	for _, c := range p.Conditions {
		if _, err := into[1].ExecContext(ctx, p.MRN, c.Code, c.Title, c.Since); err != nil {
			return err
		}
	}
	for _, m := range p.Medications {
		if _, err := into[2].ExecContext(ctx, p.MRN, m.Name, m.Dose, m.For); err != nil {
			return err
		}
	}
	for _, e := range p.Encounters {
		if _, err := into[3].ExecContext(ctx, e.ID, p.MRN, e.Date, e.Department, e.Kind, e.Reason, e.Clinician); err != nil {
			return err
		}
	}
	return nil
}
