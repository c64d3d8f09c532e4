package store_test

import (
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestBytesGrowWithWhatIsKept(t *testing.T) {
	db := storetest.Open(t, store.Schema{Name: "sized", FS: fstest.MapFS{"001_sized.sql": {Data: []byte("CREATE TABLE sized (id BIGINT PRIMARY KEY, b BLOB NOT NULL);")}}})
	bytes := func() int64 {
		n, here, err := db.(store.Sizer).Bytes(t.Context())
		if err != nil || here == storetest.OnPostgres() {
			t.Fatalf("Bytes() = %d, %v, %v", n, here, err)
		}
		return n
	}
	before := bytes()
	err := db.Update(t.Context(), func(tx store.Tx) error {
		for i := range 64 {
			if _, err := tx.Exec("INSERT INTO sized (id, b) VALUES (?, ?)", i, make([]byte, 16<<10)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := bytes(); !storetest.OnPostgres() && after < before+1<<20 {
		t.Errorf("a mebibyte more, and Bytes() went from %d to %d", before, after)
	}
}

func TestFreeSpaceOfADirectory(t *testing.T) {
	if n, ok := store.Free(t.TempDir()); ok && n <= 0 {
		t.Errorf("Free() = %d, want more: tests write there", n)
	}
	if _, ok := store.Free(t.TempDir() + "/nowhere"); ok {
		t.Error("a directory that is not there has free space")
	}
}
