// Package continual releases running sums of a stream, step by step, at a cost that is fixed before the first step.
//
// A stream has one or more values a step, whole numbers that its caller has already bounded for each privacy unit ([Contribution]). After every
// step the sums of all steps so far are released with noise that is correlated between the steps, so that the error grows with the
// logarithm of their number and not with its root. [Tree] is the binary tree with Honaker's combination, [SquareRoot] the banded square root.
// Sums over sliding windows are differences of two releases and cost nothing more.
//
// A stream is paid for by [Params.Cost] for a horizon of steps; a stream that goes on is paid for again, with twice the horizon, in the next epoch.
// What the noise does is known before, by [Params.Accuracy].
//
// No floating-point number takes part in a release: noise is drawn exactly by package noise, and everything else is done in whole numbers. The
// scheme, its proof and the layout of what is stored are on the page docs/spec/dp-continual.md.
package continual
