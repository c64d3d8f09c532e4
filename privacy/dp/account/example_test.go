package account_test

import (
	"fmt"
	"log"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// A count with Gaussian noise, asked ten times: what it costs in every measure, and what it is worth at δ = 10⁻⁶.
func Example() {
	count := account.Mechanism{Kind: account.Gaussian, Sigma: 10, Count: 10}
	cost, err := account.VectorOf(count)
	if err != nil {
		log.Fatal(err)
	}
	epsilon, by, err := account.Epsilon([]account.Mechanism{count}, 1e-6)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.Rho, "nano-ρ,", cost.Mu2, "nano-μ²")
	fmt.Printf("ε = %.4f, %s\n", epsilon, by)
	// Output:
	// 50000000 nano-ρ, 100000000 nano-μ²
	// ε = 1.3676, exact: balle-wang
}

// The way back: how much noise makes a hundred counts together (1, 10⁻⁶)-differentially private.
func ExampleCalibrate() {
	counts := account.Mechanism{Kind: account.Gaussian, Count: 100}
	sigma, by, err := account.Calibrate([]account.Mechanism{counts}, "sigma", 1, 1e-6)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("σ = %.3f, %s\n", sigma, by)
	// Output:
	// σ = 42.247, exact: balle-wang
}

// A guarantee has room for so many nano-ρ, and a charge fits while the sum stays within it.
func ExampleRhoCap() {
	room, err := account.RhoCap(3_000_000_000, 1_000_000_000) // ε = 3, δ = 10⁻⁶
	if err != nil {
		log.Fatal(err)
	}
	cost, err := account.VectorOf(account.Mechanism{Kind: account.Laplace, Scale: 100})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(room/cost.Rho, "questions")
	// Output:
	// 3701 questions
}
