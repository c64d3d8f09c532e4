package exposure_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Two agents of an insurer ask about one patient, weeks apart: one for the sex and the postal code, the other for the date of birth.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{vault.Schema(), exposure.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	keys, err := vault.OpenKeyring(ctx, filepath.Join(dir, "keyring"), nil)
	if err != nil {
		log.Fatal(err)
	}
	v, err := vault.New(db, keys, vault.Options{Domain: "hospital", Erased: exposure.Erase})
	if err != nil {
		log.Fatal(err)
	}
	memory, err := exposure.Open(ctx, db, v, keys, exposure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	settings := &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: flow.DefaultTaxonomy()}

	show := func(agent flow.AgentID, label flow.Label, value string) {
		leaves := []flow.Leaf{{Label: label, Origin: flow.Catalogued, Subject: v.Subject("patient", "4711")}}
		terms := []flow.LeafTerms{{Treatment: flow.Treatment{Level: flow.Raw}}} // policy permits it
		values := []exposure.Value{{Scalar: deidentify.Scalar{Kind: deidentify.String, Text: value}}}
		batch := v.Begin()
		defer batch.Discard()
		look, err := memory.Begin(ctx, settings, exposure.To{Domain: "insurer", Agent: agent}, batch, leaves, terms, values)
		if err != nil {
			log.Fatal(err)
		}
		look.Coarsen()
		err = db.Update(ctx, func(tx store.Tx) error { // with the record of the message
			if err := batch.Flush(tx); err != nil {
				return err
			}
			return look.Commit(tx)
		})
		if err != nil {
			log.Fatal(err)
		}
		batch.Keep()
		look.Keep()
		fmt.Println(agent, label, terms[0].Treatment)
	}
	show("billing", "person/gender", "female")
	show("billing", "location/postal", "97701")
	show("research", "person/birth-date", "1957-03-14")
	// Output:
	// billing person/gender raw
	// billing location/postal raw
	// research person/birth-date generalized(decade)
}
