package gateway

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// However much was announced, what is read is what is there.
func TestReadAllWhateverIsAnnounced(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, mostAnnounced, mostAnnounced + 1, 300_000} {
		want := bytes.Repeat([]byte("x"), size)
		for _, announced := range []int64{-1, 0, int64(size) / 2, int64(size), 1 << 40} {
			for name, r := range map[string]io.Reader{"whole": bytes.NewReader(want), "halves": iotest.HalfReader(bytes.NewReader(want)), "with its end": iotest.DataErrReader(bytes.NewReader(want))} {
				if got, err := readAll(r, announced); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes in %s, %d announced: %d bytes, %v", size, name, announced, len(got), err)
				}
			}
			if got, err := readAll(io.MultiReader(bytes.NewReader(want), iotest.ErrReader(io.ErrUnexpectedEOF)), announced); !errors.Is(err, io.ErrUnexpectedEOF) || got != nil {
				t.Errorf("%d bytes that break off: %d bytes, %v", size, len(got), err)
			}
		}
	}
}
