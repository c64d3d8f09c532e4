// Package stream anonymises records that come one by one and never end.
//
// Two techniques answer two needs. [Z] answers at once: a combination of quasi-identifiers passes while enough other subjects showed
// the same within a window of time, and is suppressed otherwise (z-anonymity, Jha and others 2020). [Castle] holds a record for a
// bounded while and publishes it generalised, together with others, so that every class of records with one generalisation has at
// least k subjects (CASTLE, Cao and others 2011).
//
// Both fail closed: what cannot be published by the rules in time is suppressed, when memory is full and at shutdown too. Both keep
// subjects only as digests under a key that is drawn when they are made and never leaves them.
//
// Who uses them must know:
//
//   - a subject is what the caller says it is; who can invent subjects can fill a class with them (docs/spec/stream-anonymity.md);
//   - quasi-identifiers are published only as [Output.Cells]. [Record.Carry] passes unchanged: it must hold no identifier, nothing
//     that orders records as they came, and no quasi-identifier that is not declared;
//   - outputs with a reason are for accounts, not for recipients, and neither are [Output.Record] and [Output.Class];
//   - a stream is one recipient's. Two streams over the same records, or one that was restarted, can be set beside each other.
//
// Errors name records by their number and attributes by their name, and hold no value.
package stream

import (
	"errors"
	"fmt"
	"time"
)

// Value is one quasi-identifier of a record.
type Value struct {
	Text string
	Null bool // there is none; Text is not looked at
}

// Record is what comes. Push keeps Carry and nothing else of it but digests and codes.
type Record struct {
	Time      time.Time // when it happened, for [Z]; zero: now. [Castle] goes by its clock alone
	Subject   []byte    // whom it is about; never empty
	Values    []Value   // the quasi-identifiers, one for each attribute
	Sensitive []byte    // what l counts; empty: none, which never counts
	Carry     any       // what goes out with it, unchanged
}

// Reason says why a record, or a cell of it, is not published.
type Reason uint8

// The reasons. Published is the zero value.
const (
	Published Reason = iota
	Few              // too few subjects showed the same
	Full             // memory is full and the combination is not held
	Clock            // the record is older than one before it, newer than the clock, or of no usable time
	Expired          // the delay ran out before there was a class for it
	Outlier          // the delay ran out and most of what is held lies in bigger clusters than it does
	Uncovered        // a value has no place in its range or hierarchy
)

var reasons = [...]string{"published", "few", "full", "clock", "expired", "outlier", "uncovered"}

// String returns the reason in one word.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "unknown"
}

// Output is what became of a record. Every record that Push took comes out once.
type Output struct {
	Record uint64  // its number: 1 for the first that Push took
	Class  uint64  // of [Castle], from 1: the records that share a generalisation; 0 if suppressed
	Cells  []Value // what may be published, one for each attribute; nil if suppressed
	Why    Reason  // why the record is suppressed
	Carry  any     // as it came; also of suppressed records
}

// Stats are numbers of records since the beginning, but Held, which is now.
type Stats struct {
	Pushed     uint64
	Published  uint64
	Suppressed uint64
	Refused    uint64 // ended in an error of Push, and are none of the above
	Classes    uint64 // published by [Castle]
	Held       int    // records in [Castle], combinations in [Z]
}

// Errors that callers act on.
var (
	// ErrOptions is wrapped by errors about options that make no sense.
	ErrOptions = errors.New("options of the stream are not valid")
	// ErrRecord is wrapped by errors about records that do not fit the stream. The record is not taken.
	ErrRecord = errors.New("record does not fit the stream")
	// ErrUncovered is wrapped by errors about values that have no place in their range or hierarchy. The record is not taken.
	ErrUncovered = errors.New("the value has no place in its range or hierarchy")
	// ErrClosed is returned by Push after Flush.
	ErrClosed = errors.New("stream is closed")
)

// fits returns an error if a record cannot be one of a stream with so many attributes.
func (r *Record) fits(attributes int, number uint64) error {
	switch {
	case len(r.Subject) == 0:
		return fmt.Errorf("record %d: %w: it has no subject", number, ErrRecord)
	case len(r.Values) != attributes:
		return fmt.Errorf("record %d: %w: it has %d values for %d attributes", number, ErrRecord, len(r.Values), attributes)
	}
	return nil
}
