package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// BackupRequest asks for a backup of a gateway's state. It is written below the data directory, whose owner then takes it away: over the network nobody gets it.
type BackupRequest struct {
	BackupLock
	Subjects *BackupLock `json:"subjects,omitempty"` // for a file of subject keys; nil: none is written
}

// BackupLock is what an archive is encrypted to: a passphrase or recipients of age, or nothing at all if that is asked for.
type BackupLock struct {
	Passphrase string   `json:"passphrase,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Plain      bool     `json:"plain,omitempty"`
}

// Backup is one that was taken.
type Backup struct {
	Directory string    `json:"directory"` // that it lies in, below the data directory, as "archive" and "subjects"; it is removed at the next start
	ID        string    `json:"id"`
	Made      time.Time `json:"made"`
	Key       string    `json:"key"` // that verifies it
	Rows      int64     `json:"rows"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`
	Store     string    `json:"store"`
	Cosigned  int       `json:"cosigned"` // signatures of witnesses on the checkpoint in it
	Skipped   []string  `json:"skipped,omitempty"`
	Reference string    `json:"reference"` // of the row in the journal
}

// Backups takes them; [Options.Backup] is one's method.
type Backups interface {
	Backup(ctx context.Context, q BackupRequest) (Backup, error)
}

// TakeBackup takes one.
func TakeBackup(ctx context.Context, b Backups, q BackupRequest) (Backup, error) {
	if b == nil {
		return Backup{}, errors.New("this gateway takes no backups")
	}
	return b.Backup(ctx, q)
}

func (a *API) backups() {
	a.guarded("POST /api/v1/backup", func(w http.ResponseWriter, r *http.Request) {
		var q BackupRequest
		if !read(w, r, &q) {
			return
		}
		out, err := TakeBackup(r.Context(), a.opt.Backups, q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, out)
	})
}
