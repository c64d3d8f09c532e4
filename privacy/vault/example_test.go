package vault_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// A message goes to an insurer: a member number out of the hospital's own table becomes a token, a name found in text a surrogate.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{vault.Schema()}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	keys, err := vault.OpenKeyring(ctx, filepath.Join(dir, "keyring"), nil)
	if err != nil {
		log.Fatal(err)
	}
	v, err := vault.New(db, keys, vault.Options{Domain: "hospital"})
	if err != nil {
		log.Fatal(err)
	}

	b := v.Begin()
	defer b.Discard()
	email, _ := flow.DefaultTaxonomy().Class("person/contact/email")
	token, err := b.Token(ctx, vault.Scope{
		Recipient: "insurer", Group: "billing", Class: email, Origin: flow.Catalogued,
		Subject: v.Subject("patients/id", "4711"), Param: flow.TokenReversible,
	}, "jane.doe@example.org")
	if err != nil {
		log.Fatal(err)
	}
	task, err := b.Task(ctx, vault.TaskKey{Task: "prior-auth-1"})
	if err != nil {
		log.Fatal(err)
	}
	name, _ := flow.DefaultTaxonomy().Class("person/name")
	surrogate, err := task.Surrogate("insurer", name, "Jane Doe", "clinic")
	if err != nil {
		log.Fatal(err)
	}
	// The journal row of the message belongs into this transaction, too.
	if err := db.Update(ctx, b.Flush); err != nil {
		log.Fatal(err)
	}
	b.Keep()

	answer := "Tell " + surrogate + " at " + token + " that it is approved."
	for _, span := range vault.FindTokens(answer) {
		if span.Token {
			opened, err := v.Resolve(ctx, span.Text)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(opened.Label, "for", opened.Recipient, opened.Value.Expose())
		} else if original, ok := task.Original("insurer", span.Text); ok {
			fmt.Println(original.Label, "from", original.Supplier, original.Value.Expose())
		}
	}
	// Output:
	// person/name from clinic Jane Doe
	// person/contact/email for insurer jane.doe@example.org
}
