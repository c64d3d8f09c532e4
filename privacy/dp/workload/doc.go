// Package workload answers many marginals of one table together, with the noise placed so that the weighted sum of their variances is
// least.
//
// A marginal is a vector of counts, or of sums, by some attributes whose domains are public. Asking for several separately pays for
// what they have in common again and again. Here what is measured are residuals: for a set A of attributes, the part of the marginal by
// A that no marginal by fewer attributes tells. Residuals of different sets are orthogonal, every marginal is a sum of them, and for units
// of one cell the best Gaussian mechanism of all is one that measures residuals alone (Xiao, He, Zhang and Kifer, "An Optimal and Scalable
// Matrix Mechanism for Noisy Marginals under Convex Loss Functions", NeurIPS 2023, theorem 6), with σ in closed form.
//
// # What is measured
//
// Let x be the table of all cells, n_i the size of attribute i's domain, n_A = Π_{i∈A} n_i, Q_A the sum over all attributes but A, and P_A the
// Kronecker product over A of I − 11ᵀ/n_i: the projection onto the residual. For each A that some marginal needs, the vector
//
//	y_A = n_A·P_A·Q_A·x + z_A
//
// is measured: n_A·P_A is a matrix of integers, x is one, and z_A has independent entries of a rounded Gaussian of deviation σ_A. So every
// number that leaves is a whole number with whole noise.
//
// # Privacy
//
// Adding or taking away a unit changes x by v, which has at most Groups entries that are not 0, each at most Most in magnitude. y = Lx + z is a function
// of Lx + N with N normal (rounding an integer plus a number is the integer plus the number rounded), so that all of y together is
// μ-GDP for the greatest μ² = Σ_A ‖n_A·P_A·Q_A·v‖²/σ_A² = vᵀKv (Dong, Roth and Su 2022, theorem 1 and proposition 1: the entries divided by their
// σ are one Gaussian of deviation 1), K = Σ_A n_A²/σ_A²·Q_Aᵀ·P_A·Q_A. The entry of K for cells c and c' depends only on the set T of attributes in
// which they agree:
//
//	κ_T = Σ_A n_A²/σ_A²·Π_{i∈A∩T}(1 − 1/n_i)·Π_{i∈A∖T}(−1/n_i)
//
// so vᵀKv ≤ Most²·(G·κ_all + G·(G−1)·max_T |κ_T|) for G = Groups, where T runs over the sets that leave out an attribute. This is what is charged,
// computed with outward rounding. For G = 1 it is attained.
//
// # Answers
//
// With u_A = n_A·P_A·y_A, the marginal by S is estimated as Σ_{A⊆S} u_A/(n_A²·Π_{j∈S∖A} n_j), each term repeated over the attributes S∖A.
//
// It is unbiased: without noise u_A = n_A²·P_A·Q_A·x, because P_A is a projection, and Q_S·x = Σ_{A⊆S} lift(P_A·Q_A·x)/Π_{j∈S∖A} n_j is the product over S of
// the identity I = (I − 11ᵀ/n_i) + 11ᵀ/n_i, multiplied out. Noise of whole numbers is symmetric.
//
// It is the weighted least squares estimate of x, asked for the marginal: the normal equations (Σ n_A²/σ_A²·Q_Aᵀ·P_A·Q_A)·x = Σ n_A/σ_A²·Q_Aᵀ·P_A·y_A
// fall apart into one for each A, because Q_Aᵀ·P_A·Q_A and Q_Bᵀ·P_B·Q_B multiply to 0 for A ≠ B, and each is solved by u_A whatever σ_A. So it is also
// the best linear unbiased estimate, and all answers are marginals of one table: a marginal summed over an attribute is the answer for the rest.
//
// The variance of a number of the marginal by S is exactly
//
//	Σ_{A⊆S} Var(z_A)·Π_{i∈A}(1 − 1/n_i)/(n_A²·Π_{j∈S∖A} n_j²)
//
// since P_A·P_Aᵀ = P_A has 1 − 1/n_i, multiplied, on its diagonal. Var of a rounded Gaussian with σ ≥ 1 is σ² + 1/12 up to one part in 10^7.
//
// Answers are fractions in exact arithmetic; whoever prints them rounds them. They may be negative.
package workload
