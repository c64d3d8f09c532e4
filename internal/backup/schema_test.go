package backup

import (
	"testing/fstest"

	"github.com/scrimhq/scrim/store"
)

// peopleSchema has those of the gateway's tables that this package touches.
func peopleSchema() store.Schema {
	return store.Schema{Name: "people", FS: fstest.MapFS{"001_people.sql": &fstest.MapFile{Data: []byte(`
CREATE TABLE gateway_handle_forms (handle BLOB);
CREATE TABLE gateway_handle_subjects (handle BLOB, subject BLOB);
CREATE TABLE gateway_handles (id BLOB);
CREATE TABLE gateway_notifications (seq BIGINT);
CREATE TABLE gateway_answers (seq BIGINT PRIMARY KEY, sealed BLOB);
`)}}}
}
