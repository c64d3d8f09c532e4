package noise_test

import (
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// A sum of payments, each at most 100.00, with ε = 0.5 for one payment more or less.
func ExampleSum_Release() {
	cents, err := noise.NewFixed(7) // 1/128 is finer than a cent
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := noise.NewSum(0, cents.FromInt(100))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"12.34", "99.99", "1000000", "0.50"} {
		v, err := cents.Parse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		sum.Add(v) // 1000000 counts as 100
	}
	law, err := noise.LaplaceFor(500_000_000, sum.Sensitivity())
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := sum.Release(noise.NewSource(), law)
	fmt.Println("scale", law.Scale(), "costs", law.EpsilonNano(sum.Sensitivity()), "nano-ε")
	fmt.Println("an answer in the format:", answer == noise.Clamp(answer))
	// Output:
	// scale {25600 1} costs 500000000 nano-ε
	// an answer in the format: true
}

// Three counts that one unit moves by one each: L2 sensitivity √3, given as its square.
func ExampleRoundedGaussianFor() {
	law, err := noise.RoundedGaussianFor(30_000_000, 3) // μ² = 0.03
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("σ", law.Sigma(), "costs", law.Mu2Nano(3), "nano-μ² and", law.RhoNano(3), "nano-ρ")
	source := noise.NewSource()
	counts := []int64{1200, 48, 3}
	for i, c := range counts {
		counts[i] = noise.Release(source, c, law)
	}
	// Output: σ {10 1} costs 30000000 nano-μ² and 15000000 nano-ρ
}

func ExampleNoisyMax_Choose() {
	m, err := noise.NoisyMaxFor(1_000_000_000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := m.Choose(noise.NewSource(), []int64{120, 15, 2000, 70})
	fmt.Println(best, err, "for", m.EpsilonNano(1), "nano-ε")
	// Output: 2 <nil> for 1000000000 nano-ε
}

func ExamplePartitions_Keep() {
	p, err := noise.NewPartitions(noise.PartitionOptions{EpsilonNano: 1_000_000_000, DeltaFemto: 1_000_000_000, PerUnit: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := noise.NewSource()
	fmt.Println("certain from", p.Certain(), "units on:", p.Keep(s, p.Certain()), "and nobody shows nothing:", p.Keep(s, 0))
	// Output: certain from 28 units on: true and nobody shows nothing: false
}

func ExampleSparse_Above() {
	o, err := noise.SparseFor(1_000_000_000, noise.SparseOptions{Sensitivity: 1, Positives: 1, Threshold: 5000, Monotone: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	alarm, err := noise.NewSparse(noise.NewSource(), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, reading := range []int64{12, 90, 31, 99_000, 7} {
		above, err := alarm.Above(reading)
		if errors.Is(err, noise.ErrSpent) {
			fmt.Println("spent")
			return
		}
		fmt.Println(above)
	}
	// Output:
	// false
	// false
	// false
	// true
	// spent
}

func ExampleThresholdFor() {
	law, err := noise.LaplaceFor(1_000_000_000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	at, err := noise.ThresholdFor(law, 1, 1, 1_000_000_000)
	fmt.Println("show counts of", at, "and more", err)
	// Output: show counts of 15 and more <nil>
}

// A parameter that is out of range is refused with the rule that it breaks.
func ExampleError() {
	_, err := noise.NewDiscreteGaussian(noise.Ratio{Num: 1, Den: 0})
	if refused, ok := errors.AsType[*noise.Error](err); ok {
		fmt.Println(refused.Member, "|", refused.Rule)
	}
	// Output: sigma | must be a positive ratio of two positive integers
}
