package catalog_test

import (
	"fmt"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
)

func ExampleParseSchema() {
	schema, err := catalog.ParseSchema("patient.json", []byte(`{
		"properties": {
			"mrn":  {"type": "string", "x-scrim-label": "health/record-number", "x-scrim-unit": "patient"},
			"born": {"type": "string", "x-scrim-label": "person/birth-date", "x-scrim-need": "generalized(year)", "x-scrim-subject": "../mrn"}
		}
	}`), catalog.SchemaOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var doc json.Doc
	if err := doc.Parse([]byte(`{"mrn": "8-1234", "born": "1984-02-03", "note": "seen today"}`), schema, json.Limits{}); err != nil {
		fmt.Println(err)
		return
	}
	named := func(n int) bool { return schema.Info(doc.Nodes[n].State).Named }
	for n := range doc.Children(0) {
		info := schema.Info(doc.Nodes[n].State)
		fmt.Printf("%s declared=%v label=%q subject=%q\n", doc.Pointer(n, named), info.Declared, info.Label, info.Subject)
	}
	// Output:
	// /mrn declared=true label="health/record-number" subject=""
	// /born declared=true label="person/birth-date" subject="../mrn"
	// /* declared=false label="" subject=""
}
