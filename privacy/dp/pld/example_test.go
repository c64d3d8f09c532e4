package pld_test

import (
	"fmt"
	"log"

	"github.com/scrimhq/scrim/privacy/dp/pld"
)

// A batch of ten counts with Laplace noise and one training run, declared together.
func Example() {
	counts, err := pld.Laplace(20, 1)
	if err != nil {
		log.Fatal(err)
	}
	steps, err := pld.SubsampledGaussian(1, 0.01, 1)
	if err != nil {
		log.Fatal(err)
	}
	batch, err := pld.Compose([]pld.Term{{PLD: counts, Count: 10}, {PLD: steps, Count: 500}}, pld.Options{})
	if err != nil {
		log.Fatal(err)
	}
	epsilon, err := batch.Epsilon(1e-5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ε ≤ %.4f\n", epsilon.Value)
	// Output: ε ≤ 1.4443
}
