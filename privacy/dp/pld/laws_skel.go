package pld

type law any

type gaussian struct{ mu float64 }
type laplace struct{ eps float64 }
type discreteLaplace struct {
	a     float64
	steps int64
}
type subsampled struct {
	mu, q float64
	add   bool
}
type atoms struct{ loss, mass []float64 }

func newDiscreteGaussian(sigma float64, sensitivity int64) law {
	return gaussian{float64(sensitivity) / sigma}
}
func newRandomizedResponse(noise, buckets float64) law { return nil }
func newBox(eps, delta float64) law                    { return nil }
func newAtoms(p, q []float64) law                      { return nil }
