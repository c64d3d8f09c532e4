package lineage_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// A job tells what it made of what; a label goes with the data, and one can ask where a column came from.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lineage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{lineage.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	graph := lineage.New(db, lineage.Options{})

	patients, mart := lineage.Name{Namespace: "clinic", Name: "patients"}, lineage.Name{Namespace: "lake", Name: "mart"}
	_, err = graph.Tell(ctx, &lineage.Event{
		Type: lineage.Complete, Time: time.Now(), Producer: "https://example.com/etl",
		Run: &lineage.Run{ID: "01890a5d-ac96-774b-bcce-b302099a8057"}, Job: &lineage.Job{Name: lineage.Name{Namespace: "etl", Name: "nightly"}},
		Inputs: []lineage.Dataset{{Name: patients}},
		Outputs: []lineage.Dataset{{Name: mart, Columns: &lineage.ColumnLineage{Fields: []lineage.FieldLineage{
			{Field: "contact", Inputs: []lineage.Input{{Column: lineage.Column{Dataset: patients, Field: "mail"}}}},
		}}}},
	}, lineage.Told{Agent: "etl", Domain: "hospital"})
	if err != nil {
		log.Fatal(err)
	}

	up, err := graph.Upstream(ctx, lineage.Column{Dataset: mart, Field: "contact"}, lineage.Reach{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("made of", up.Links[0].From.Dataset.Name, up.Links[0].From.Field, "by", up.Links[0].Job.Name)

	labels, err := graph.Labels(ctx, lineage.Rules{Taxonomy: flow.DefaultTaxonomy(), Declared: []lineage.Declared{
		{Name: patients, Of: "patients", Columns: map[string]flow.Label{"mail": "person/contact/email"}},
		{Name: mart, Of: "mart", Columns: map[string]flow.Label{"contact": flow.PublicData}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels.Columns[0].Of, labels.Columns[0].Column.Field, "is", labels.Columns[0].Label)
	// Output:
	// made of patients mail by nightly
	// mart contact is person/contact/email
}
