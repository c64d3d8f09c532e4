package proofs

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	archivedName = regexp.MustCompile(`^[0-9A-Za-z-]+\.checkpoint$`)
	periodName   = regexp.MustCompile(`^[0-9a-z-]+$`)
)

// maxArchived bounds a list.
const maxArchived = 10_000

// archived serves an archived checkpoint of a period, or the list of their names, newest last.
func (h *Handler) archived(w http.ResponseWriter, r *http.Request, path string) {
	period, name, _ := strings.Cut(path, "/")
	if h.Archive == "" || !periodName.MatchString(period) || name != "" && !archivedName.MatchString(name) {
		nothing(w)
		return
	}
	if name != "" {
		note, err := os.ReadFile(filepath.Join(h.Archive, period, name))
		h.give(w, r, note, err, "text/plain; charset=utf-8", "public, "+immutable)
		return
	}
	files, err := os.ReadDir(filepath.Join(h.Archive, period))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.give(w, r, nil, err, "", "")
		return
	}
	names := []string{}
	for _, f := range files {
		if archivedName.MatchString(f.Name()) {
			names = append(names, f.Name())
		}
	}
	if len(names) > maxArchived {
		names = names[len(names)-maxArchived:]
	}
	body, err := json.Marshal(names)
	h.give(w, r, append(body, '\n'), err, "application/json", "no-cache")
}
