package inventory_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/observe/inventory"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

func ExampleScan() {
	dir, err := os.MkdirTemp("", "inventory")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "members.csv")
	if err := os.WriteFile(path, []byte("no,contact\n1,anna@example.org\n2,ben@example.com\n"), 0o600); err != nil {
		panic(err)
	}
	classifier, err := column.New(column.Options{})
	if err != nil {
		panic(err)
	}
	src := inventory.Files("members", []inventory.Opened{{Name: "members.csv", Open: func() (table.Source, error) { return csv.File(path, csv.Options{}) }}})
	found, err := inventory.Scan(context.Background(), src, classifier, inventory.Options{})
	if err != nil {
		panic(err)
	}
	contract, err := found.Contract(inventory.Proposal{ID: "members"})
	if err != nil {
		panic(err)
	}
	field, _ := contract.Field("members/contact")
	fmt.Println(contract.Status, field.Label)
	// Output: draft person/contact/email
}
