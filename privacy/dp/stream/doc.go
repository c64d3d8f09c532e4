// Package stream publishes running counts and sums of a dataset, step by step: how many were admitted until each hour, by ward.
//
// What is counted is a question in SQL with one count or sum ([Definition]). For each step an engine computes it over the rows whose time
// lies in the step, bounded for each privacy unit as every question is; package continual adds noise that is correlated between the
// steps, and a [Publisher] keeps what was released. A horizon of steps is charged to the dataset's budget before its first step, and
// whatever is read of what was released costs nothing more.
//
// How the privacy unit of the budget relates to steps, and why each charge bounds what is released, is on the page
// docs/spec/dp-streams.md.
package stream
