package column_test

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/privacy/detect/column"
)

func ExampleClassifier_Classify() {
	c, err := column.New(column.Options{})
	if err != nil {
		panic(err)
	}
	best := c.Classify(context.Background(), column.Column{
		Table: "customers", Name: "mail", Type: "text", Values: []string{"anna@example.org", "ben@example.com", "n/a", "cem@example.net"},
	})[0]
	fmt.Println(best.Label, best.Confidence > 80)
	// Output: person/contact/email true
}
