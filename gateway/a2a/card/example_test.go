package card_test

import (
	"crypto/ed25519"
	"fmt"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

func ExampleCard_Rewrite() {
	src := []byte(`{"name":"Claims","capabilities":{"pushNotifications":true},"supportedInterfaces":[
		{"url":"http://10.0.0.7:9000","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`)
	c, err := card.Parse(src, json.Limits{})
	if err != nil {
		panic(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // an example's; a gateway's comes from its keyring
	shown, err := c.Rewrite(card.Options{Interfaces: []card.Interface{{URL: "https://gw.example/a2a/claims", Binding: card.JSONRPC, Version: "1.0"}}, Signer: key, KeyID: "2026-11"})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Interfaces()[0].URL)
	fmt.Println(card.Verify(shown, "2026-11", key.Public()))
	// Output:
	// http://10.0.0.7:9000
	// <nil>
}
