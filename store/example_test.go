package store_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing/fstest"

	"github.com/scrimhq/scrim/store"
)

// A package brings its tables as a Schema, usually with go:embed, and keeps a DB.
func Example() {
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	visits := store.Schema{Name: "example/visits", FS: fstest.MapFS{
		"001_visits.sql": {Data: []byte("CREATE TABLE visits (agent TEXT PRIMARY KEY NOT NULL, times BIGINT NOT NULL);")},
	}}
	ctx := context.Background()
	db, err := store.Open(ctx, dir, []store.Schema{visits}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	for range 3 {
		err = db.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Exec("INSERT INTO visits (agent, times) VALUES (?, 1) ON CONFLICT (agent) DO UPDATE SET times = visits.times + 1", "clinic")
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	err = db.View(ctx, func(tx store.Tx) error {
		var times int
		if err := tx.QueryRow("SELECT times FROM visits WHERE agent = ?", "clinic").Scan(&times); err != nil {
			return err
		}
		fmt.Println("clinic came", times, "times")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: clinic came 3 times
}
