// Command facade makes the database of this example: facade FILE fills it with clinic.sql.
package main

import (
	"database/sql"
	_ "embed"
	"log"
	"os"

	_ "modernc.org/sqlite"
)

//go:embed clinic.sql
var clinic string

func main() {
	if len(os.Args) != 2 {
		log.Fatal("facade FILE makes the database of this example")
	}
	if err := fill(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func fill(file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	if _, err := db.Exec(clinic); err != nil {
		return err
	}
	return db.Close()
}
