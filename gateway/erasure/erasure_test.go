package erasure_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// files returns all bytes below the directory, but for those of the lock. The log puts files in place while it is read, so that one may have another name
// by the time it is opened: then all are read anew.
func files(t *testing.T, dir string) []byte {
	t.Helper()
	for {
		var all []byte
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
				return err
			}
			b, err := os.ReadFile(path)
			all = append(all, b...)
			return err
		})
		switch {
		case err == nil:
			return all
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
}

// forms are the ways in which bytes may be written.
func forms(b []byte) [][]byte {
	h := hex.EncodeToString(b)
	return [][]byte{
		b, []byte(h), []byte(strings.ToUpper(h)), []byte(base64.RawStdEncoding.EncodeToString(b)[:len(b)*8/6]), []byte(base64.RawURLEncoding.EncodeToString(b)[:len(b)*8/6]),
	}
}

// holds reports whether any form of the bytes is there.
func holds(all, b []byte) bool {
	for _, f := range forms(b) {
		if bytes.Contains(all, f) {
			return true
		}
	}
	return false
}

// kept reads everything that the tables hold of a person: what must be in the files before, and in none afterwards.
func (r *rig) kept(n int) (all map[string][]byte) {
	r.t.Helper()
	all = map[string][]byte{}
	ref := r.ref(n)
	all["the reference to the subject"] = ref[:]
	read := func(tx store.Tx, what, query string, args ...any) {
		rows, err := tx.Query(query, args...)
		if err != nil {
			r.t.Fatal(err)
		}
		defer rows.Close()
		for i := 0; rows.Next(); i++ {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				r.t.Fatal(err)
			}
			if len(b) < 8 {
				r.t.Fatalf("%s has %d bytes", what, len(b))
			}
			all[fmt.Sprintf("%s %d", what, i)] = b[:min(len(b), 45)] // a long one goes on in another page
		}
	}
	tasks := map[flow.TaskID]bool{}
	err := r.DB.View(context.Background(), func(tx store.Tx) error {
		read(tx, "the subject's key", "SELECT sealed FROM vault_subjects WHERE subject = ?", ref[:])
		read(tx, "a handle inside tokens", "SELECT handle FROM vault_handles WHERE subject = ?", ref[:])
		read(tx, "a vaulted value", "SELECT sealed FROM vault_values WHERE subject = ?", ref[:])
		read(tx, "a share of salts", "SELECT sealed FROM audit_about WHERE subject = ?", ref[:])
		read(tx, "a part that went by reference", "SELECT content FROM gateway_handles WHERE id IN (SELECT handle FROM gateway_handle_subjects WHERE subject = ?)", ref[:])
		read(tx, "the id of such a part", "SELECT handle FROM gateway_handle_subjects WHERE subject = ?", ref[:])
		_, err := audit.TasksOf(tx, ref, 0, tasks)
		for task := range tasks {
			sum := sha256.Sum256([]byte("scrim handle task 1\x00" + string(task)))
			read(tx, "a stored answer of "+string(task), "SELECT sealed FROM gateway_answers WHERE task = ? AND length(sealed) > 0", sum[:16])
			read(tx, "a notification of "+string(task), "SELECT sealed FROM gateway_notifications WHERE task = ?", sum[:16])
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// notify queues a notification in the task of the last event.
func (r *rig) notify() {
	r.t.Helper()
	events := r.Rig.Events()
	task := events[len(events)-1].Flow.Task.ID
	n := gateway.Notification{Seq: int64(len(events)), Body: []byte(`{"about":"somebody"}`), Due: r.now.now(), Until: r.now.now().Add(time.Hour), Task: task}
	if err := r.DB.Update(r.t.Context(), func(tx store.Tx) error { return r.QueueNotification(tx, &n) }); err != nil {
		r.t.Fatal(err)
	}
}

// Of a person who was erased no file of the data directory holds anything, in whatever form: no value, no reference, no key,
// no token, no handle.
func TestNoFileHoldsAnythingOfAnErasedPerson(t *testing.T) {
	storetest.NeedsDirectory(t)
	r := newRig(t)
	const people, gone = 120, 12
	given := map[int][]string{}
	for n := range people {
		given[n] = tokens.FindAllString(r.ask("insurer", "billing", `{"data":`+person(n)+`}`), -1)
		if n < gone {
			given[n] = append(given[n], gateway.HandleID(r.reference(r.ask("insurer", "care", `{"data":`+person(n)+mark+`}`))))
			r.notify()
		}
	}
	before := files(t, r.Dir)
	traces := map[int]map[string][]byte{}
	for n := range gone {
		traces[n] = r.kept(n)
		if len(traces[n]) < 9 {
			t.Fatalf("only %d things are kept of a person, so this test shows little: %v", len(traces[n]), traces[n])
		}
		for what, b := range traces[n] {
			if !holds(before, b) {
				t.Errorf("before the erasure no file holds %s, so the search is no good", what)
			}
		}
	}
	report, err := r.Log.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range gone {
		if done := r.erase(n); !done.Scrubbed || done.Reference == "" {
			t.Fatalf("Confirm() = %+v, want a scrubbed store", done)
		}
		after := files(t, r.Dir)
		for what, b := range traces[n] {
			if holds(after, b) {
				t.Errorf("person %d: a file still holds %s", n, what)
			}
		}
		for _, s := range append(given[n], strings.Split(person(n), `"`)...) {
			if len(s) > 7 && holds(after, []byte(s)) {
				t.Errorf("person %d: a file holds %q", n, s)
			}
		}
	}
	for n := range gone {
		for _, token := range given[n][:1] {
			if _, err := r.Vault.Resolve(t.Context(), token); !errors.Is(err, vault.ErrNoToken) {
				t.Errorf("Resolve() error = %v, want ErrNoToken", err)
			}
		}
		if k, err := r.Look(t.Context(), named(n)); err != nil || k != (erasure.Kept{}) {
			t.Errorf("Look() = %+v, %v, want nothing", k, err)
		}
	}
	for n := gone; n < people; n++ { // everybody else is as before
		if _, err := r.Vault.Resolve(t.Context(), given[n][0]); err != nil {
			t.Fatalf("Resolve() of somebody else error = %v", err)
		}
	}
	now, err := r.Log.Verify(t.Context())
	if err != nil || now.Entries < report.Entries+2*gone {
		t.Errorf("Verify() = %+v, %v, want all entries, and those of the erasures", now, err)
	}
}

// The entries of the log are byte for byte what they were, so that every promise and receipt is redeemed, and whoever was not erased
// can still be shown to be meant.
func TestErasureChangesNoEntry(t *testing.T) {
	r := newRig(t)
	both := `{"data":` + person(1) + `},{"data":` + person(2) + `}`
	r.ask("insurer", "billing", both)
	r.ask("rival", "billing", `{"data":`+person(1)+`}`)
	entries := func() (all []audit.Entry) {
		for e, err := range r.Log.Entries(t.Context(), audit.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		return all
	}
	before := entries()
	r.erase(1)
	if after := entries(); !reflect.DeepEqual(after[:len(before)], before) {
		t.Error("an entry is not what it was")
	} else if last := after[len(after)-1].Event; last.Outcome != flow.Erased || strings.Contains(fmt.Sprintf("%+v", last), "MRN") {
		t.Errorf("the last event is %+v, want the erasure, and not whose", last)
	}
	var seen []erasure.Event
	tell := func(e erasure.Event) error { seen = append(seen, e); return nil }
	if err := r.Office.Events(t.Context(), named(1), tell); err != nil || len(seen) != 0 {
		t.Errorf("Events() of the erased = %+v, %v, want none", seen, err)
	}
	if err := r.Office.Events(t.Context(), named(2), tell); err != nil || len(seen) != 1 || !seen[0].Proven {
		t.Errorf("Events() of the other = %+v, %v, want one that is proven", seen, err)
	}
	// The payload was about both: without the share of the one nobody opens the commitment to it any more.
	for _, e := range before {
		if e.Payload == nil || e.Event.Subjects == 0 {
			continue
		}
		plain, err := r.Keys.AEAD("journal").Open(e.Sealed, []byte(e.Event.Flow.ID))
		if err != nil {
			t.Fatal(err)
		}
		in, err := gateway.DecodeInputs(plain)
		if err != nil {
			t.Fatal(err)
		}
		ref := r.ref(1)
		if holds(plain, ref[:]) {
			t.Error("sealed inputs name the subject")
		}
		for at := range in.List {
			if audit.OpensSubject(e.Subjects, in.List, at, ref, in.Salt) {
				t.Error("the subject's commitment opens without its share")
			}
		}
	}
}

// Two recipients who compare the whole log find nothing by which they both know that they heard of one person.
func TestTwoRecipientsDoNotRecogniseThePerson(t *testing.T) {
	r := newRig(t)
	r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	r.ask("rival", "billing", `{"data":`+person(1)+`}`)
	r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	seen := map[string]bool{}
	ref := r.ref(1)
	committed := 0
	for e, err := range r.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if holds(e.Raw, ref[:]) || bytes.Contains(e.Raw, []byte("MRN-")) || bytes.Contains(e.Raw, []byte("Zelda")) {
			t.Errorf("the event says whom it is about: %s", e.Raw)
		}
		for _, c := range [][]byte{e.Payload, e.Subjects} {
			if c == nil {
				continue
			}
			committed++
			if seen[string(c)] || len(c) != 32 {
				t.Errorf("a commitment is there twice, or is none: %x", c)
			}
			seen[string(c)] = true
		}
	}
	if committed < 9 {
		t.Errorf("%d commitments, want one to the payload of each of six messages and one to the subject of three", committed)
	}
}

func TestEventsTellAPersonWhoGotWhat(t *testing.T) {
	r := newRig(t)
	r.ask("insurer", "billing", `{"data":`+person(1)+`},{"data":`+person(2)+`}`)
	r.ask("rival", "care", `{"data":`+person(1)+`}`)
	r.ask("rival", "care", `{"data":`+person(3)+`}`)
	var got []erasure.Event
	if err := r.Office.Events(t.Context(), named(1), func(e erasure.Event) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("Events() = %+v, want two", got)
	}
	for i, want := range []struct {
		to    flow.AgentID
		level flow.Level
	}{{"insurer", flow.Tokenized}, {"rival", flow.Raw}} {
		e := got[i]
		names := 0
		for _, l := range e.Levels {
			if l.Label == "person/name" {
				names += l.Count
				if l.Level != want.level {
					t.Errorf("the name went at %s, want %s", l.Level, want.level)
				}
			}
		}
		if e.To.Agent != want.to || !e.Proven || names != 1 { // not the other's in the same message
			t.Errorf("event %d = %+v, want one name to %s, proven", i, e, want.to)
		}
	}
	last := flow.Event{}
	for e, err := range r.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = e.Event
	}
	if !strings.Contains(last.Reason, "events about a subject") {
		t.Errorf("the last event is %+v, want that somebody looked", last)
	}
	// A row that leads to another person's event is found out.
	one, two := r.ref(1), r.ref(3)
	err := r.DB.Update(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM audit_about WHERE subject = ?", two[:]); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE audit_about SET subject = ? WHERE subject = ? AND seq = ?", two[:], one[:], got[0].Seq)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Office.Events(t.Context(), named(3), func(erasure.Event) error { return nil }); err == nil {
		t.Error("Events() with a row of somebody else's error = nil")
	}
}

func TestTwoHaveToSaySo(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	dpo, dpoSum := erasure.NewCredential()
	desk, deskSum := erasure.NewCredential()
	r.rules.Approvers = []erasure.Approver{{Name: "dpo", SHA256: dpoSum}, {Name: "desk", SHA256: deskSum}}
	r.rules.Within = time.Hour
	none := flow.Secret{}
	ask := func(by flow.Secret) erasure.Request {
		t.Helper()
		req, err := r.Ask(ctx, named(1), by)
		if err != nil || !req.Second || req.Kept.Events != 1 || !req.Kept.Key || req.Kept.Tokens == 0 {
			t.Fatalf("Ask() = %+v, %v, want a request that says what is kept", req, err)
		}
		return req
	}
	both := r.rules.Approvers
	r.rules.Approvers = both[:1]
	byOperator := ask(none)
	if done, err := r.Confirm(ctx, byOperator.ID, named(1), none); !errors.Is(err, erasure.ErrSame) || done != (erasure.Done{}) {
		t.Errorf("confirmed by the operator who asked: %+v, %v, want ErrSame", done, err)
	}
	r.rules.Approvers = both
	byDesk, late := ask(desk), ask(desk)
	if _, err := r.Ask(ctx, named(1), none); !errors.Is(err, erasure.ErrCredential) {
		t.Errorf("asked for without a credential where there are two: %v, want ErrCredential", err)
	}
	for name, c := range map[string]struct {
		id   string
		who  erasure.Subject
		by   flow.Secret
		want error
	}{
		"who asked":                      {byDesk.ID, named(1), desk, erasure.ErrSame},
		"who asked, with no credential":  {byDesk.ID, named(1), none, erasure.ErrCredential},
		"one for the operator of before": {byOperator.ID, named(1), dpo, erasure.ErrCredential},
		"a credential that is none":      {byDesk.ID, named(1), flow.NewSecret("scrim-approver-x"), erasure.ErrCredential},
		"a digest for a credential":      {byDesk.ID, named(1), flow.NewSecret(hex.EncodeToString(dpoSum[:])), erasure.ErrCredential},
		"another person's name":          {byDesk.ID, named(2), dpo, erasure.ErrRequest},
		"another unit":                   {byDesk.ID, erasure.Subject{Unit: "doctor", Value: named(1).Value}, dpo, erasure.ErrRequest},
		"a request that was not made":    {"nothing", named(1), dpo, erasure.ErrRequest},
		"no request":                     {"", named(1), dpo, erasure.ErrRequest},
		"a request for nobody":           {byDesk.ID, erasure.Subject{Unit: "patient"}, dpo, erasure.ErrSubject},
	} {
		if done, err := r.Confirm(ctx, c.id, c.who, c.by); !errors.Is(err, c.want) || done != (erasure.Done{}) {
			t.Errorf("confirmed by %s: %+v, %v, want %v", name, done, err, c.want)
		}
	}
	if k, err := r.Look(ctx, named(1)); err != nil || !k.Key {
		t.Fatalf("the person was erased by what was refused: %+v, %v", k, err)
	}
	if all, err := r.Waiting(ctx); err != nil || len(all) != 3 {
		t.Errorf("Waiting() = %+v, %v, want three", all, err)
	}
	if err := r.Withdraw(ctx, byOperator.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Confirm(ctx, byOperator.ID, named(1), dpo); !errors.Is(err, erasure.ErrRequest) {
		t.Errorf("confirming what was withdrawn: %v, want ErrRequest", err)
	}
	r.now.add(61 * time.Minute)
	if _, err := r.Confirm(ctx, late.ID, named(1), dpo); !errors.Is(err, erasure.ErrRequest) {
		t.Errorf("confirming too late: %v, want ErrRequest", err)
	}
	fresh := ask(desk)
	if _, err := r.Confirm(ctx, fresh.ID, named(1), dpo); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Confirm(ctx, fresh.ID, named(1), dpo); !errors.Is(err, erasure.ErrRequest) {
		t.Errorf("confirming twice: %v, want ErrRequest", err)
	}
	var reasons []string
	for e, err := range r.Log.Entries(ctx, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Flow.Method == "erase" {
			reasons = append(reasons, e.Event.Reason)
		}
	}
	if last := reasons[len(reasons)-1]; last != "a subject is erased: asked for by desk, confirmed by dpo" {
		t.Errorf("on record: %q", reasons)
	}
}
