package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/store/storetest"
)

// A checkpoint every ten minutes for a hundred days: all of the last day stay, of the last month the last of each hour, before that the last
// of each day, and the newest of every tree however old it is. Thinning again takes nothing more.
func TestArchivedCheckpointsAreThinned(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 22, 20, 30, 0, 0, time.UTC)
	lay := func(tree string, from, to time.Time, step time.Duration) (n int) {
		if err := os.MkdirAll(filepath.Join(dir, tree), 0o700); err != nil {
			t.Fatal(err)
		}
		for at := from; at.Before(to); at = at.Add(step) {
			n++
			name := fmt.Sprintf("%s-%019d.checkpoint", at.Format("20060102T150405Z"), n)
			if err := os.WriteFile(filepath.Join(dir, tree, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	lay("all", now.Add(-100*24*time.Hour), now, 10*time.Minute)
	ended := time.Date(2025, 12, 31, 22, 0, 0, 0, time.UTC)
	last := lay("2025", ended, ended.Add(2*time.Hour), time.Minute)
	stranger := filepath.Join(dir, "all", "20200101T000000Z-note.txt")
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Witnesses signed the last one later: both stay.
	cosigned := fmt.Sprintf("%s-%019d.checkpoint", ended.Add(3*time.Hour).Format("20060102T150405Z"), last)
	if err := os.WriteFile(filepath.Join(dir, "2025", cosigned), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := audit.Thin(t.Context(), dir, now); err != nil {
			t.Fatal(err)
		}
		perDay, perHour, young := map[string]int{}, map[string]int{}, 0
		for _, name := range listNames(t, filepath.Join(dir, "all")) {
			at, err := time.Parse("20060102T150405Z", name[:16])
			if err != nil || filepath.Ext(name) != ".checkpoint" {
				continue
			}
			switch age := now.Sub(at); {
			case age <= 24*time.Hour:
				young++
			case age <= 30*24*time.Hour:
				perHour[name[:11]]++
				if at.Minute() != 50 && !(at.Day() == 21 && at.Hour() == 20) {
					t.Errorf("%s is not the last of its hour", name)
				}
			default:
				perDay[name[:8]]++
			}
		}
		// 20:00 to 20:20 of the day before are an hour of their own; 29 days have 24.
		if young != 144 || len(perHour) != 29*24+1 || len(perDay) != 71 {
			t.Errorf("%d of the last day, %d hours and %d days stay, want 144, %d and 71", young, len(perHour), len(perDay), 29*24+1)
		}
		for k, n := range perHour {
			if n != 1 {
				t.Errorf("%d of the hour %s", n, k)
			}
		}
		for k, n := range perDay {
			if n != 1 {
				t.Errorf("%d of the day %s", n, k)
			}
		}
		old := listNames(t, filepath.Join(dir, "2025"))
		if len(old) != 2 || old[1] != cosigned || old[0] != fmt.Sprintf("20251231T235900Z-%019d.checkpoint", last) {
			t.Errorf("of the period that ended %v stay, want its last with and without witnesses", old)
		}
		if _, err := os.Stat(stranger); err != nil {
			t.Errorf("what is no checkpoint is gone: %v", err)
		}
	}
}

func listNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

// An open log thins by itself, and still verifies against what is left.
func TestOpenLogThinsItsArchive(t *testing.T) {
	db, kept := storetest.Open(t, audit.Schema()), t.TempDir()
	dir := t.TempDir()
	now := clock().UTC()
	at := now.Add(-5 * 24 * time.Hour).Truncate(24 * time.Hour)
	l := openLog(t, db, audit.Options{Dir: dir, Archive: kept, Clock: func() time.Time { return at }, Publish: time.Hour})
	for i := 1; i <= 6; i++ {
		write(t, db, l, i, i)
		checkpoint(t, l)
		at = at.Add(time.Minute)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(listNames(t, filepath.Join(kept, "all"))); n < 6 {
		t.Fatalf("%d checkpoints were archived, want 6 or more", n)
	}
	l = openLog(t, db, audit.Options{Dir: dir, Archive: kept, Clock: func() time.Time { return now }, Publish: time.Millisecond})
	eventually(t, "one stays", func() bool { return len(listNames(t, filepath.Join(kept, "all"))) == 1 })
	if report, err := l.Verify(t.Context()); err != nil || report.Archived < 1 {
		t.Errorf("Verify() = %+v, %v", report, err)
	}
}

// A checkpoint that goes between the listing and the reading, as while an open log thins, is not missed. The name that leads nowhere stands for it.
func TestACheckpointThatIsThinnedOutMeanwhileIsNotMissed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "all"), 0o700); err != nil {
		t.Fatal(err)
	}
	name := func(n int) string {
		return filepath.Join(dir, "all", fmt.Sprintf("20261122T193000Z-%019d.checkpoint", n))
	}
	if err := errors.Join(os.WriteFile(name(2), []byte("note"), 0o600), os.Symlink(filepath.Join(dir, "gone"), name(1))); err != nil {
		t.Fatal(err)
	}
	if notes, err := audit.ReadArchive(dir); err != nil || len(notes) != 1 || string(notes[0]) != "note" {
		t.Errorf("ReadArchive() = %q, %v, want the one that is there", notes, err)
	}
}
