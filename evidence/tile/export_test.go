package tile

// ErrSkip, returned by Options.Fault, makes a sync succeed without being done.
var ErrSkip = errSkip
