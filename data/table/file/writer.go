package file

import "context"

// Writer is what writers of all forms of file do alike once rows are encoded: they embed it and have [table.Writer] but for Encode
// and Write.
type Writer struct {
	Out   *Partial
	Begin func() error // writes what stands before the first row, if nothing is written yet
}

// Checkpoint implements [table.Writer].
func (w *Writer) Checkpoint(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.Out.Checkpoint()
}

// Rows implements [table.Writer].
func (w *Writer) Rows() int64 { return w.Out.Rows() }

// Finish implements [table.Writer].
func (w *Writer) Finish(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := w.Begin(); err != nil {
		return "", err
	}
	return w.Out.Finish()
}

// Commit implements [table.Writer].
func (w *Writer) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.Out.Commit()
}

// Close implements [table.Writer].
func (w *Writer) Close() error { return w.Out.Close() }
