package column

import "github.com/scrimhq/scrim/flow"

// weights are labels with what speaks for them, in units of which about three make a guess as likely as not.
type weights map[flow.Label]float64

func (w weights) set(l flow.Label, x float64) {
	if x > w[l] {
		w[l] = x
	}
}

// suggestion is a label that a name suggests if it means all of some things and none of others.
type suggestion struct {
	label  flow.Label
	weight float64
	all    []string
	none   []string
}

func means(label flow.Label, weight float64, all ...string) suggestion {
	return suggestion{label: label, weight: weight, all: all}
}

func (s suggestion) but(none ...string) suggestion {
	s.none = none
	return s
}

// measures are meanings with which a name is of a number or time, and of no identifier.
var measures = []string{"quantity", "amount", "date", "when"}

// suggestions are in no order: the heaviest of each label counts.
var suggestions = []suggestion{
	means("government-id/ssn", 6, "ssn"),
	means("government-id/national", 5.5, "national"),
	means("government-id/national", 5, "nationality_word", "id"),
	means("government-id/national", 5, "nationality_word", "number"),
	means("vehicle/plate", 3.3, "registration", "number"),
	means("vehicle/plate", 3.2, "registration").but("date", "when", "kind", "text", "id", "amount"),
	means("government-id/tax", 5, "tax").but("amount", "quantity", "national"),
	means("government-id/tax", 5.5, "tax", "number").but("amount", "quantity"),
	means("government-id/passport", 5.5, "passport").but("date", "when", "country", "aspect"),
	means("government-id/driver-licence", 5, "driver").but("date", "when", "aspect"),
	means("vehicle/plate", 5.5, "plate"),
	means("vehicle/vin", 5.5, "vin"),

	means("health/record-number", 5, "mrn").but(measures...),
	means("health/record-number", 4.5, "patient", "id").but(measures...),
	means("health/record-number", 4.5, "patient", "number").but("phone", "national", "ssn"),
	means("health/record-number", 3, "visit", "id").but(measures...),
	means("health/claim-number", 5, "claim", "number").but(measures...),
	means("health/claim-number", 4.5, "claim", "id").but(measures...),
	means("health/claim-number", 4, "claim").but("amount", "quantity", "date", "when", "kind", "text", "note"),
	means("health/member-number", 4.5, "policy").but("amount", "quantity", "date", "when", "kind", "text", "note", "name"),
	means("health/member-number", 5, "policy", "number"),
	means("health/member-number", 5, "insurance", "number").but("phone"),
	means("health/member-number", 4.5, "insurance", "id").but("phone"),
	means("health/member-number", 4.5, "insurance", "card").but("phone"),
	means("health/member-number", 4.5, "member", "number").but("quantity"),
	means("health/member-number", 4.5, "member", "id"),
	means("health/provider", 5, "provider", "id").but("thing", "date"),
	means("health/provider", 4.5, "provider").but("phone", "email", "address", "thing", "date"),
	means("health/diagnosis", 5, "diagnosis").but("date", "when", "amount", "key"),
	means("health/procedure", 4.5, "procedure").but("date", "when", "amount", "key"),
	means("health/medication", 5, "medication").but("date", "when", "amount", "key"),
	means("health/lab-result", 4.5, "lab").but("date", "id", "key"),
	means("health/vital", 5, "vital").but("date", "key"),
	means("health", 4.5, "health").but("date", "amount", "id", "number", "name"),
	means("health/mental", 5, "mental"),
	means("health/disability", 5, "disability"),
	means("health/genetic", 5, "genetic"),
	means("health/visit-date", 5.5, "visit", "date"),
	means("health/visit-date", 5, "visit", "when"),
	means("health/note", 5.5, "progress"),
	means("health/note", 5.5, "health", "note"),
	means("health/note", 5, "patient", "note"),
	means("health/note", 4.5, "text", "health"),

	means("organization/employee-id", 5, "employee", "id").but("amount", "quantity", "date", "address"),
	means("organization/employee-id", 5, "employee", "number").but("phone", "amount", "national", "ssn", "tax"),
	means("organization/employee-id", 4, "employee").but("name", "given", "family", "email", "phone", "address", "amount", "quantity", "date", "when", "kind", "text", "note", "salary", "title", "age"),
	means("organization/customer-id", 5, "customer", "id").but("amount", "quantity", "date", "address", "employee"),
	means("organization/customer-id", 5, "customer", "number").but("phone", "card", "tax", "national", "ssn"),
	means("organization/customer-id", 3.5, "customer").but("name", "given", "family", "email", "phone", "address", "amount", "quantity", "date", "when", "kind", "text", "note"),
	means("organization/customer-id", 4, "person", "id").but("thing", "amount", "date", "national", "phone"),
	means("organization/customer-id", 4, "account", "id").but("thing", "amount", "date"),
	means("organization/order-id", 5, "order", "id").but("amount", "quantity", "date", "when", "kind"),
	means("organization/order-id", 5, "order", "number").but("amount", "quantity", "phone"),

	means("finance/card", 5, "card").but("aspect", "insurance", "national", "date", "when", "kind", "thing", "id"),
	means("finance/card", 5.5, "card", "number").but("insurance", "aspect"),
	means("finance/card", 6.5, "card", "last4"),
	means("secret/api-key", 5, "cvv"),
	means("finance/iban", 6, "iban"),
	means("finance/account", 5, "account", "number"),
	means("finance/account", 4.5, "account", "id").but("thing"),
	means("finance/account", 3.5, "account").but("name", "amount", "kind", "date", "when", "email", "aspect", "user", "text", "quantity", "person"),
	means("finance/swift", 5, "swift").but("name"),
	means("finance/crypto", 4.5, "crypto", "address"),
	means("finance/crypto", 4, "crypto").but("amount", "quantity"),
	means("finance/income", 5, "salary").but("date", "when", "kind", "number", "id"),
	means("finance/debt", 5, "debt").but("date", "when", "kind", "number", "id"),
	means("finance/credit-score", 5, "score"),
	means("finance/amount", 4.2, "amount").but("date", "id", "number", "debt", "text", "note"),
	means("finance/amount", 3.6, "amount", "date"),
	means("finance/amount", 3.6, "tax").but("id", "number"),
	means("government-id", 4.4, "document", "number"),

	means("technical/ip", 5.5, "ip").but("country", "city", "quantity"),
	means("technical/mac", 5.5, "mac"),
	means("technical/device-id", 4.5, "device", "id"),
	means("technical/device-id", 4.5, "device").but("kind", "aspect", "name", "text"),
	means("technical/device-id", 3.8, "serialno", "number"),
	means("technical/session", 4.5, "session").but(measures...),
	means("technical/url", 4.5, "url"),
	means("technical/user-agent", 5.5, "agent"),
	means("secret/password", 5.5, "password").but("date", "when", "quantity"),
	means("secret/api-key", 5, "secret").but("date", "when", "quantity", "kind", "device"),
	means("technical/device-id", 4.5, "secret", "device"),
	means("secret/private-key", 6, "privatekey"),
	means("file/name", 4, "filename").but("photo"),

	means("person/contact/email", 6, "email").but("aspect", "quantity", "date", "when"),
	means("person/contact/phone", 5.2, "phone").but("kind", "aspect", "quantity", "date", "device"),
	means("person/contact/phone", 4.6, "phone", "number"),
	means("person/contact/address", 4.5, "address").but("ip", "mac", "email", "id", "city", "postal", "country", "region", "date", "kind", "crypto", "quantity"),
	means("person/contact/address", 3.5, "address", "house"),
	means("person/contact/address", 4.5, "street").but("id"),
	means("person/contact/address", 4.2, "house"),
	means("person/contact/phone", 3.3, "contact").but("id", "email", "name", "date", "when", "kind", "address", "given", "family", "title", "url", "text", "note"),
	means("person/contact/email", 3, "contact").but("id", "phone", "name", "date", "when", "kind", "address", "given", "family", "title", "url", "text", "note"),
	means("person/contact/handle", 4.8, "handle").but("quantity", "date"),
	means("person/username", 4.8, "user").but("date", "quantity", "aspect", "email"),
	means("person/username", 2.6, "person").but("relation", "contact", "id", "number", "email", "phone", "address", "kind", "date", "amount", "quantity", "title", "text", "note", "given", "family", "url", "thing", "name"),
	means("person/birth-date", 6, "birth", "date"),
	means("person/birth-date", 5, "birth").but("city", "place", "country", "region", "name", "family", "vital", "quantity"),
	means("person/birth-place", 6, "birth", "place"),
	means("person/birth-place", 5.5, "birth", "city"),
	means("person/birth-place", 5.2, "birth", "country"),
	means("person/death-date", 5.8, "death").but("place", "aspect", "text", "city"),
	means("person/age", 4, "age"),
	means("person/gender", 5.5, "gender"),
	means("person/gender", 3.2, "honorific"),
	means("person/marital-status", 5.8, "marital"),
	means("person/family", 4.2, "relation").but("phone", "email", "name", "address", "given", "family", "id"),
	means("person/language", 4.8, "language").but("quantity"),
	means("person/nationality", 5, "nationality"),
	means("person/photo", 5, "photo").but("quantity", "date"),
	means("person/photo", 4.6, "image", "person"),
	means("person/photo", 4.6, "image", "customer"),
	means("person/photo", 4.6, "image", "employee"),
	means("person/photo", 4.6, "image", "patient"),
	means("vehicle", 3.6, "vehicle").but("id", "kind", "amount", "quantity", "date", "when", "text", "note", "name", "number", "url"),
	means("special/ethnicity", 5, "ethnicity").but("date"),
	means("special/religion", 5, "religion").but("date", "amount"),
	means("special/politics", 5, "politics"),
	means("special/union", 4.8, "union"),
	means("special/sexuality", 4.8, "sexuality"),
	means("special/biometric", 5, "biometric"),
	means("special/criminal", 4.6, "criminal").but("date", "amount", "kind"),

	means("person/name/given", 5.5, "given", "name").but("family"),
	means("person/name/family", 5.5, "family", "name").but("given"),
	means("person/name/given", 4.6, "given").but("date", "when", "time", "family", "thing"),
	means("person/name/family", 4.6, "family").but("date", "when", "time", "given", "thing", "quantity", "kind", "url"),
	means("person/name/given", 4.5, "middle"),
	means("person/name", 5.5, "given", "family"),
	means("person/name", 5.5, "full", "name").but("thing", "organization"),
	means("person/name", 5.5, "person", "name").but("organization", "given", "family", "user", "city", "country", "region"),
	means("person/name", 5.2, "customer", "name").but("organization", "given", "family"),
	means("person/name", 5.2, "employee", "name").but("organization", "given", "family"),
	means("person/name", 5.2, "patient", "name").but("organization", "given", "family"),
	means("person/name", 5, "relation", "name").but("given", "family"),
	means("person/name", 4.5, "card", "name"),
	means("person/name", 4.2, "account", "name"),
	means("person/name", 2.8, "name").but("thing", "organization", "city", "country", "region", "kind", "user", "filename", "given", "family", "street", "procedure", "medication", "diagnosis", "employer", "lab", "swift", "url"),
	means("person/name", 3, "person").but("id", "number", "email", "phone", "address", "kind", "date", "when", "amount", "quantity", "title", "text", "note", "given", "family", "url", "user", "thing", "city", "country", "region", "postal", "ip", "agent"),

	means("organization", 4.6, "organization").but("id", "number", "kind", "date", "amount", "quantity", "phone", "email", "address", "city", "country", "url", "text", "tax", "person", "salary"),
	means("organization", 5, "organization", "name"),
	means("organization", 5.2, "insurer", "name"),
	means("organization", 4.4, "insurer").but("id", "number", "kind", "date", "amount", "quantity", "phone", "email", "address", "text"),
	means("work/title", 4.6, "title").but("thing", "honorific"),
	means("work/employer", 5, "employer").but("id", "phone", "address", "email"),
	means("work/education", 4.5, "education").but("date", "id"),
	means("work/performance", 4.8, "performance").but("date", "id", "amount"),

	means("location/city", 4.8, "city").but("id", "birth", "kind", "quantity"),
	means("location/region", 4.2, "region").but("id", "birth", "kind"),
	means("location/region", 3.2, "region", "kind").but("id"),
	means("location/country", 4.8, "country").but("birth", "phone", "quantity"),
	means("location/postal", 5, "postal").but("thing"),
	means("location/coordinates", 5, "lat"),
	means("location/coordinates", 5, "lon"),
	means("location/coordinates", 5, "coordinates"),
	means("location", 3.4, "place").but("birth"),

	means("time/event", 4.8, "date").but("birth", "death", "visit"),
	means("time/event", 4.6, "time").but("birth", "death", "visit"),
	means("business/quantity", 3, "time"),
	means("time/event", 4.4, "when").but("birth", "death", "visit"),
	means(flow.FreeText, 3.6, "note").but("health", "progress"),
	means(flow.FreeText, 3.2, "text").but("amount"),
	means("business/category", 3.8, "kind"),
	means("business/category", 4, "aspect"),
	means("business/decision", 4.2, "decision"),
	means("business/quantity", 4.2, "quantity").but("relation"),
	means("technical/record-id", 3.6, "id"),
	means("technical/record-id", 4.6, "id", "thing"),
	means("technical/record-id", 4.6, "id", "address"),
	means("technical/record-id", 4.6, "id", "city"),
	means("technical/record-id", 4.6, "id", "country"),
	means("technical/record-id", 4.6, "id", "kind"),
	means("technical/record-id", 4.6, "id", "organization"),
	means("technical/record-id", 5, "id", "insurer"),
	means("technical/record-id", 4.6, "key", "diagnosis"),
	means("technical/record-id", 4.6, "key", "medication"),
	means("technical/record-id", 4.6, "key", "procedure"),
	means("technical/record-id", 4.6, "key", "lab"),
	means("technical/record-id", 4.6, "key", "vital"),
}

// fromName returns what a column's name suggests.
func fromName(r reading) weights {
	w := weights{}
	if r.count {
		w.set("business/quantity", 5)
		if r.concepts["relation"] {
			w.set("person/family", 5.4)
		}
		return w
	}
	for i := range suggestions {
		if s := &suggestions[i]; r.all(s.all...) && !r.any(s.none...) {
			w.set(s.label, s.weight)
		}
	}
	return w
}
