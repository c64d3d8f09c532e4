// Package mosaic replays an attack on the demo's patients: three agents of one insurer ask the hospital for a piece each, weeks apart, put the
// pieces together by the stand-in that they have in common, and look the person up in a list that anybody can buy.
package mosaic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Options of an attack.
type Options struct {
	Patients   int                // of the hospital, who are attacked; 0: 200
	Population int                // of the list that they are looked up in, patients included; 0: 100,000
	People     []patients.Patient // the list; nil: it is made up
	Seed       uint64             // of the people and of the order in which pieces come
	AtOnce     bool               // all pieces of a patient are asked for at the same time
	NoSync     bool               // for tests: nothing is durable
}

// Result is what came of an attack.
type Result struct {
	Patients   int
	SingledOut int // of them: one person of the list fits what was shown, and it is the patient
	Alone      int // of these, by one piece alone, which policy shows and no memory keeps back: a day on which nobody else was born
	Coarser    int // values that the memory made coarser

	// Of the patient whom the demo is about: what the insurer's agents hold together.
	Featured map[string]string
	Fits     int // people of the list whom it fits
}

// agents of the insurer, each with the piece that its work is about.
var agents = []struct {
	id    flow.AgentID
	piece string
}{{"enrolment", "sex"}, {"billing", "postal_code"}, {"research", "birth_date"}}

const (
	hospital flow.DomainID = "hospital"
	insurer  flow.DomainID = "insurer"
)

// policyText lets each piece pass as it is: each is harmless.
const policyText = `
permit (principal in Domain::"insurer", action in Action::"upto_raw", resource in DataClass::"person/gender");
permit (principal in Domain::"insurer", action in Action::"upto_raw", resource in DataClass::"person/birth-date");
permit (principal in Domain::"insurer", action in Action::"upto_raw", resource in DataClass::"location/postal");
permit (principal in Domain::"insurer", action in Action::"upto_tokenized", resource in DataClass::"health/record-number");
`

const schemaText = `{"type":"object","properties":{
	"mrn":{"type":"string","x-scrim-label":"health/record-number","x-scrim-subject":"/mrn","x-scrim-unit":"patient"},
	"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/mrn","x-scrim-unit":"patient","x-scrim-droppable":true},
	"postal_code":{"type":"string","x-scrim-label":"location/postal","x-scrim-subject":"/mrn","x-scrim-unit":"patient","x-scrim-droppable":true},
	"birth_date":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/mrn","x-scrim-unit":"patient","x-scrim-droppable":true}}}`

// Run replays the attack in a directory of its own, with or without the exposure memory.
func Run(ctx context.Context, dir string, memory bool, opt Options) (_ Result, err error) {
	if opt.Patients <= 0 {
		opt.Patients = 200
	}
	if opt.Population <= 0 {
		opt.Population = 100_000
	}
	people := opt.People
	if people == nil {
		people = patients.Generate(opt.Seed, max(opt.Population, opt.Patients))
	}
	h, err := open(ctx, dir, memory, opt)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, h.close(ctx)) }()
	targets := sample(people, opt.Patients)
	held, err := h.ask(ctx, targets, opt)
	if err != nil {
		return Result{}, err
	}
	list := newList(people)
	out := Result{Patients: len(targets), Coarser: int(h.coarser.Load())}
	for i, p := range targets {
		fits, it := list.find(held[i])
		if fits == 1 && it.MRN == p.MRN {
			out.SingledOut++
			for _, piece := range []string{"birth_date", "postal_code"} {
				if n, _ := list.find(map[string]string{piece: held[i][piece]}); n == 1 {
					out.Alone++
					break
				}
			}
		}
		if p.MRN == patients.FeaturedMRN {
			out.Featured, out.Fits = held[i], fits
		}
	}
	return out, nil
}

// Show replays the attack without the memory and with it, and tells what came of each.
func Show(ctx context.Context, w io.Writer, dir string, opt Options) error {
	for _, memory := range []bool{false, true} {
		name := map[bool]string{false: "off", true: "on"}[memory]
		r, err := Run(ctx, filepath.Join(dir, "memory-"+name), memory, opt)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "exposure memory %-3s  %d of %d patients are singled out by what three agents of the insurer were shown in three weeks, %d of them by one piece alone\n", name, r.SingledOut, r.Patients, r.Alone)
		fmt.Fprintf(w, "                     of Eleanor Whitfield they hold: sex %s, postal code %s, date of birth %s; it fits %d of the town\n",
			orNone(r.Featured["sex"]), orNone(r.Featured["postal_code"]), orNone(r.Featured["birth_date"]), r.Fits)
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// sample takes the first and then every so manieth.
func sample(people []patients.Patient, n int) []patients.Patient {
	out := make([]patients.Patient, 0, n)
	for i := range n {
		out = append(out, people[i*len(people)/n])
	}
	return out
}

// house is the hospital's gateway.
type house struct {
	*gateway.Gateway
	db      store.DB
	log     *audit.Log
	snap    *gateway.Snapshot
	week    atomic.Int64
	coarser atomic.Int64
}

func open(ctx context.Context, dir string, memory bool, opt Options) (_ *house, err error) {
	h := &house{}
	schemas := []store.Schema{audit.Schema(), vault.Schema(), gateway.Schema(), exposure.Schema()}
	if h.db, err = store.Open(ctx, filepath.Join(dir, "data"), schemas, store.Options{NoSync: opt.NoSync}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.db.Close())
		}
	}()
	keys, err := vault.OpenKeyring(ctx, filepath.Join(dir, "keyset.json"), nil)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	clock := func() time.Time { return began.Add(time.Duration(h.week.Load()) * 7 * 24 * time.Hour) }
	v, err := vault.New(h.db, keys, vault.Options{Domain: hospital, Clock: clock, Erased: exposure.Erase})
	if err != nil {
		return nil, err
	}
	held, err := exposure.Open(ctx, h.db, v, keys, exposure.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	if h.log, err = audit.Open(ctx, h.db, "scrim.dev/demo/mosaic", keys.Signer("log"), audit.Options{Dir: filepath.Join(dir, "log")}); err != nil {
		return nil, err
	}
	if h.snap, err = snapshot(memory); err != nil {
		return nil, err
	}
	h.Gateway, err = gateway.New(gateway.Options{
		Store: h.db, Journal: h.log, Vault: v, Keys: keys, Exposure: held, Clock: clock,
		Hooks: gateway.Hooks{Exposed: func(n int, _ bool) { h.coarser.Add(int64(n)) }},
	}, h.snap)
	return h, err
}

func (h *house) close(ctx context.Context) error { return errors.Join(h.log.Close(ctx), h.db.Close()) }

func snapshot(memory bool) (*gateway.Snapshot, error) {
	tax := flow.DefaultTaxonomy()
	s := &gateway.Snapshot{Domain: hospital, Taxonomy: tax, Agents: map[flow.AgentID]*gateway.Agent{}, ConfigHash: "mosaic"}
	parties := []flow.Party{{Agent: "records", Domain: hospital}}
	for _, a := range agents {
		parties = append(parties, flow.Party{Agent: a.id, Domain: insurer})
	}
	for _, p := range parties {
		s.Agents[p.Agent] = &gateway.Agent{Party: p}
	}
	var err error
	if s.Identity, err = identity.New(identity.Options{}); err != nil {
		return nil, err
	}
	s.Policy, err = policy.Load(fstest.MapFS{"mosaic.cedar": {Data: []byte(policyText)}}, policy.Options{Taxonomy: tax, Entities: policy.Entities{Agents: parties}})
	if err != nil {
		return nil, err
	}
	compiled, err := catalog.ParseSchema("record.json", []byte(schemaText), catalog.SchemaOptions{Taxonomy: tax})
	if err != nil {
		return nil, err
	}
	s.Catalog = catalog.New([]catalog.Binding{{Schema: compiled, Kind: catalog.Data, Direction: flow.Request}}, nil)
	if memory {
		s.Exposure = &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: tax}
	}
	return s, nil
}

// ask has every agent ask for its piece of every patient, each patient's in an order of its own, and returns what the insurer holds of each by
// the stand-in of the record number.
func (h *house) ask(ctx context.Context, targets []patients.Patient, opt Options) ([]map[string]string, error) {
	r := rand.New(rand.NewPCG(opt.Seed, 0x305a))
	order := make([][]int, len(targets))
	for i := range order {
		order[i] = r.Perm(len(agents))
	}
	type got struct {
		token, piece, value string
	}
	all := make([][]got, len(targets))
	rounds := len(agents)
	if opt.AtOnce {
		rounds = 1
	}
	for week := range rounds {
		h.week.Store(int64(week))
		var wg sync.WaitGroup
		var mu sync.Mutex
		var errs []error
		slots := make(chan struct{}, 16)
		for i := range targets {
			from, to := week, week+1
			if opt.AtOnce {
				from, to = 0, len(agents)
			}
			for _, k := range order[i][from:to] {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					token, value, err := h.send(ctx, &targets[i], k)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						errs = append(errs, err)
						return
					}
					all[i] = append(all[i], got{token, agents[k].piece, value})
				})
			}
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	held := make([]map[string]string, len(targets))
	for i := range all {
		held[i] = map[string]string{}
		for _, g := range all[i] {
			if g.token == "" || g.token != all[i][0].token {
				return nil, errors.New("the agents of one domain have no stand-in in common, so that the attack shows nothing")
			}
			held[i][g.piece] = g.value
		}
	}
	return held, nil
}

// send shows one agent its piece of a patient.
func (h *house) send(ctx context.Context, p *patients.Patient, k int) (token, value string, err error) {
	piece := agents[k].piece
	of := map[string]string{"sex": p.Sex, "postal_code": p.PostalCode, "birth_date": string(p.BirthDate)}
	id := gateway.NewFlowID()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": map[string]any{"message": map[string]any{
		"messageId": id, "role": "ROLE_USER", "parts": []any{map[string]any{"data": map[string]string{"mrn": p.MRN, piece: of[piece]}}},
	}}})
	if err != nil {
		return "", "", err
	}
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	passed, err := h.Pass(ctx, &gateway.Message{
		Snapshot: h.snap, Table: table, Body: body, Owner: agents[k].id, Schemas: h.snap.Catalog.Schemas(catalog.Data, agents[k].id, "", flow.Request),
		Query: policy.Query{Flow: flow.Flow{
			ID: id, From: flow.Party{Agent: "records", Domain: hospital}, To: flow.Party{Agent: agents[k].id, Domain: insurer},
			Protocol: "a2a/1.0", Method: "SendMessage", Direction: flow.Request, Task: flow.Task{Criticality: flow.Critical},
		}},
	})
	if err != nil {
		return "", "", err
	}
	var out struct {
		Params struct {
			Message struct {
				Parts []struct{ Data map[string]string }
			}
		}
	}
	if err := json.Unmarshal(passed.Body, &out); err != nil || len(out.Params.Message.Parts) != 1 {
		return "", "", errors.Join(err, errors.New("the message that arrives is not what was sent"))
	}
	data := out.Params.Message.Parts[0].Data
	return data["mrn"], data[piece], nil
}

// list is what anybody can buy: who lives where, with sex and date of birth.
type list struct {
	people []patients.Patient
	by     map[string][]int // date of birth or postal code
}

func newList(people []patients.Patient) *list {
	l := &list{people: people, by: map[string][]int{}}
	for i := range people {
		for _, key := range []string{string(people[i].BirthDate), people[i].PostalCode} {
			l.by[key] = append(l.by[key], i)
		}
	}
	return l
}

// find counts whom the pieces fit, and returns one of them. A piece that is a placeholder, or missing, fits everybody.
func (l *list) find(held map[string]string) (n int, it *patients.Patient) {
	fits := func(p *patients.Patient) {
		if !within(p.Sex, held["sex"]) || !within(p.PostalCode, held["postal_code"]) || !born(string(p.BirthDate), held["birth_date"]) {
			return
		}
		n, it = n+1, p
	}
	for _, piece := range []string{"birth_date", "postal_code"} {
		if all, ok := l.by[held[piece]]; ok {
			for _, i := range all {
				fits(&l.people[i])
			}
			return n, it
		}
	}
	for i := range l.people {
		fits(&l.people[i])
	}
	return n, it
}

func within(value, shown string) bool {
	return shown == "" || strings.HasPrefix(shown, "[") || shown == value || strings.HasPrefix(value, strings.TrimRight(shown, "*"))
}

// born reports whether a date of birth lies in what is shown: a day, a month, a year, or a decade, which is shown as 1950s.
func born(day, shown string) bool {
	if decade, ok := strings.CutSuffix(shown, "s"); ok && len(decade) == 4 {
		return day[:3] == decade[:3]
	}
	return within(day, shown)
}
