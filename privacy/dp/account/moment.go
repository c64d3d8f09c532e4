package account

// subsampledMoment is ln(E − 1) for orders that are no integer.
func subsampledMoment(alpha, q, sigma float64) float64 {
	return subsampledBinomial(int(alpha)+1, q, sigma)
}
