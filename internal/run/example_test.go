package run_test

import (
	"fmt"

	"github.com/scrimhq/scrim/internal/run"
)

func ExamplePropose() {
	p := run.Propose(run.Seen{Sources: []run.Source{{
		Agent: "tickets", Kind: "tool", Name: "lookup",
		Places: []run.Place{{Path: "/email", Label: "person/contact/email", By: "name", Count: 3}},
	}}})
	fmt.Println(string(p.Schemas[0].JSON))
	fmt.Print(p.Bindings)
	// Output:
	// {
	//   "$schema": "https://json-schema.org/draft/2020-12/schema",
	//   "properties": {
	//     "email": {
	//       "x-scrim-label": "person/contact/email"
	//     }
	//   },
	//   "type": "object"
	// }
	// schemas:
	//   - {file: schemas/tickets.lookup.request.json, agent: tickets, tool: "lookup", direction: request}
}
