package audit

// SetFault lets changes of the log's files fail.
func SetFault(o *Options, fault func(op, path string) error) { o.fault = fault }
