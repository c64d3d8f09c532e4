// Package ask answers questions about the domain's own datasets, in SQL, under differential privacy: the one service behind every door at
// which agents ask.
//
// A question goes one road, whatever the door: policy, capability and contracts say whether its asker may have questions about the dataset
// answered at all; it is understood and priced by what the owner declares, before anything is read; the columns that it really uses are held to
// capability and contracts; the book of answers charges it, or gives the answer that it gave before; question and answer are on record before
// anything leaves. Whoever may ask nothing about a dataset cannot tell whether it is there.
//
// The page for those who ask and those who configure is docs/spec/questions.md.
package ask
