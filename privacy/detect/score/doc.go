// Package score measures a detector against texts in which people marked what is to be found.
//
// Definitions. A token is a maximal run of letters and digits, or any other single character that is no space. It is
// positive if it lies within a marked span, and taken if it lies within a finding; precision, recall and F are of tokens.
// A marked value counts as found when at least 60 % of its tokens are taken, and a finding that touches no marked span is a
// false alarm. Characters are counted in the same way, for texts in which spans are long. F2 weighs recall four times as
// much as precision, since what is missed leaks.
package score
