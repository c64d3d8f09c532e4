package column

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// about says what the rows of a table are about, from its name and from what is sure of its columns.
type about struct {
	person  bool // people
	health  bool // of whom something medical is said
	goods   bool // its name speaks of things, orders or organizations
	vehicle bool // vehicles, among others
	thing   bool // things, and nothing speaks of people
	named   bool // the table's name says so
	given   int  // columns with given names, as far as names and values tell
	family  int
	columns int
}

// survey learns what a table is about from a first look at its columns.
func survey(table string, first [][]ranked) about {
	r := read(tableName(table))
	a := about{columns: len(first)}
	a.person = r.any("person", "customer", "employee", "patient", "user")
	a.health = r.any("patient", "health", "visit", "diagnosis", "medication", "lab", "vital", "procedure")
	a.named = a.person
	a.goods = r.any("thing", "order", "organization")
	a.vehicle = r.concepts["vehicle"] || r.concepts["registration"]
	people, things := 0, 0
	for _, all := range first {
		if len(all) == 0 || all[0].weight < threshold {
			continue
		}
		switch l := all[0].label; {
		case l == "person/name/given":
			a.given++
			people++
		case l == "person/name/family":
			a.family++
			people++
		case l.Within("person/contact"), l.Within("government-id"), l == "person/birth-date", l == "person/gender", l == "person/name", l == "person/marital-status":
			people++
		case l.Within("health"):
			if l != "health/claim-number" && l != "health/member-number" && l != "health/provider" {
				a.health = true
			}
		case l == "business/quantity", l == "finance/amount", l == "technical/record-id":
			things++
		}
	}
	a.person = a.person || people >= 2
	a.thing = !a.person && !a.health && (a.goods || people == 0 && things > 1)
	return a
}

// shifty are words that mean one thing in a table of people and another in one of things.
var shifty = map[string]bool{"name": true, "title": true, "address": true, "code": true, "state": true, "age": true, "race": true, "family": true, "cell": true,
	"last": true, "first": true, "contact": true, "nom": true, "nombre": true, "nome": true, "naam": true, "ad": true, "nazwa": true, "degree": true, "procedure": true,
	"condition": true, "orientation": true, "region": true, "nat": true, "card": true, "account": true, "member": true, "weight": true, "agent": true, "owner": true, "genre": true, "location": true}

// shift changes weights by what the table is about, and reports whether it changed any that is left.
func (a *about) shift(r reading, w weights) (changed bool) {
	alone := len(r.words) == 1 && shifty[r.words[0]]
	for l := range w {
		personal := l.Within("person") || l.Within("special") || l == "work/title" || l.Within("health") || l.Within("finance") && l != "finance/amount" || l == "location/region"
		switch {
		case alone && personal && a.thing:
			w[l] -= 2.2
			changed = true
		case alone && l.Within("person/name") && a.person:
			w[l] += 1.6
			changed = true
		case alone && personal && a.person:
			w[l] += .6
			changed = true
		}
	}
	if alone && r.concepts["name"] {
		switch {
		case a.family > 0 && a.given == 0: // "nome" beside "cognome"
			w.set("person/name/given", 5)
			changed = true
		case a.given > 0 && a.family == 0: // "nom" beside "prénom"
			w.set("person/name/family", 5)
			changed = true
		}
	}
	if a.vehicle && r.concepts["registration"] && w["vehicle/plate"] > 0 {
		w["vehicle/plate"] += 1.6
		changed = true
	}
	if r.concepts["body"] && (a.health || a.person && !a.goods) {
		w.set("health/vital", 4.6)
		changed = true
	}
	if !a.health {
		return changed
	}
	if r.concepts["note"] || r.concepts["text"] && a.named {
		w.set("health/note", 4.2)
		changed = true
	}
	if r.concepts["date"] && !r.any("birth", "death") && (r.concepts["care"] || !a.named && !r.concepts["when"]) {
		w.set("health/visit-date", 5)
		changed = true
	}
	if r.concepts["id"] && slices.ContainsFunc(r.words, func(w string) bool { return w == "person" || w == "subject" || w == "pat" }) {
		w.set("health/record-number", 5)
		changed = true
	}
	return changed
}

// tableName is a table's own name: "stock" of "clinic.stock", since a schema called clinic holds suppliers, too, and "patients" of
// "export/patients.csv".
func tableName(name string) string {
	name = cut(name, 4*MaxName)
	low := strings.ToLower(name)
	for _, end := range []string{".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt"} {
		if strings.HasSuffix(low, end) && len(name) > len(end) {
			name = name[:len(name)-len(end)]
			break
		}
	}
	name = strings.TrimRight(name, `"]`+"`")
	return name[strings.LastIndexAny(name, `./\\:[`)+1:]
}

// reference says what a foreign key to a table is.
func reference(to string) (flow.Label, bool) {
	if to == "" {
		return "", false
	}
	table, column := to, strings.LastIndexAny(to, ".(")
	if column > 0 {
		table = to[:column]
	}
	switch r := read(tableName(table)); {
	case r.concepts["patient"]:
		return "health/record-number", true
	case r.concepts["employee"]:
		return "organization/employee-id", true
	case r.concepts["customer"]:
		return "organization/customer-id", true
	case r.concepts["order"]:
		return "organization/order-id", true
	case r.any("address", "city", "country", "thing", "kind", "organization"):
		return "technical/record-id", true
	case r.any("person", "user"):
		return "organization/customer-id", true
	}
	return "technical/record-id", true
}

// unit says what the rows with one value of a column are about, if the column names it.
func (a *about) unit(l flow.Label, col *Column, p *profile) string {
	switch {
	case l == "technical/record-id" && a.person && (col.Key || col.Unique) && len(read(col.Name).words) <= 2:
		return "person"
	case l == "health/record-number", l == "health/member-number", l == "organization/customer-id", l == "organization/employee-id", l.Within("government-id"):
		return "person"
	case l == "technical/device-id", l == "technical/mac":
		return "device"
	case l == "vehicle/vin", l == "vehicle/plate":
		return "vehicle"
	case l == "finance/account" && p.n > 0 && p.distinct > 3:
		return "account"
	}
	return ""
}
