package detect

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/idnumber"
)

// TypeInfo describes a built-in type of finding.
type TypeInfo struct {
	Name    string
	Title   string
	Labels  []flow.Label // that findings of it have, the most usual first
	Example string       // a text in which it is found; of an official number its form: 9 a digit, A a letter, X either
	Gate    string       // what must come together
	Score   float64      // the lowest that findings of it have
}

// Types returns all built-in types: those with a name of their own, then the official numbers by name.
func Types() []TypeInfo {
	all := slices.Clone(formTypes)
	var official []TypeInfo
	seen := map[string]int{}
	for _, k := range idnumber.Kinds() {
		if i, ok := seen[k.Name]; ok {
			if !strings.Contains(official[i].Example, k.Form()) {
				official[i].Example += ", " + k.Form()
			}
			continue
		}
		seen[k.Name] = len(official)
		official = append(official, TypeInfo{k.Name, k.Title, []flow.Label{k.Label}, k.Form(), gateWords[k.Gate], officialRules[k].score})
	}
	slices.SortFunc(official, func(a, b TypeInfo) int { return strings.Compare(a.Name, b.Name) })
	return append(all, official...)
}

var gateWords = map[idnumber.Gate]string{
	idnumber.Always:  "form and check",
	idnumber.Written: "form and check, in its usual groups or after a cue",
	idnumber.Cued:    "form and check, after a cue",
}

var formTypes = []TypeInfo{
	{Email, "e-mail address", []flow.Label{"person/contact/email"}, "jane.doe@example.org", "form", .98},
	{Phone, "telephone number", []flow.Label{"person/contact/phone"}, "+44 20 7946 0958", "country code, national groups, or a cue", .6},
	{Card, "payment card", []flow.Label{"finance/card"}, "4111 1111 1111 1111", "issuer's prefix and Luhn check", .95},
	{IBAN, "bank account", []flow.Label{"finance/iban"}, "GB82 WEST 1234 5698 7654 32", "country's length and mod 97", .99},
	{SSN, "US social security number", []flow.Label{"government-id/ssn"}, "219-09-9998", "groups of 3, 2 and 4 digits, or a cue", .9},
	{IP, "network address, version 4 or 6", []flow.Label{"technical/ip"}, "192.0.2.17", "form", .9},
	{MAC, "hardware address", []flow.Label{"technical/mac"}, "00:1B:44:11:3A:B7", "form", .9},
	{Date, "date", []flow.Label{"time", "person/birth-date"}, "2024-03-17", "form", .7},
	{URL, "web address", []flow.Label{"technical/url"}, "https://example.org/x", "form", .95},
	{Secret, "access key or token", []flow.Label{"secret/api-key", "secret/password", "secret/private-key"}, "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", "issuer's prefix, or a name such as password with a value after it", .85},
	{JWT, "JSON Web Token", []flow.Label{"secret/api-key"}, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "form", .98},
	{PrivateKey, "private key", []flow.Label{"secret/private-key"}, "-----BEGIN PRIVATE KEY-----", "its first line", 1},
	{Crypto, "address of a crypto-asset", []flow.Label{"finance/crypto"}, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "check of its kind; Monero's and, after a cue, Solana's form", .8},
	{Device, "identifier of a device", []flow.Label{"technical/device-id"}, "Android ID: 9774d56d682e549c", "after a cue", .8},
	{Record, "medical record number", []flow.Label{"health/record-number"}, "MRN 8841234", "after a cue", .8},
	{Member, "member number of an insurance", []flow.Label{"health/member-number"}, "member id 8841234", "after a cue", .8},
	{Claim, "number of a claim", []flow.Label{"health/claim-number"}, "claim number 8841234", "after a cue", .8},
	{Account, "number of an account", []flow.Label{"finance/account"}, "account number 88412345", "after a cue", .8},
	{Passport, "number of a passport", []flow.Label{"government-id/passport"}, "passport number X1234567", "after a cue", .8},
	{Licence, "driver's licence", []flow.Label{"government-id/driver-licence"}, "driver license D1234567", "after a cue", .8},
	{Person, "name of a person", []flow.Label{"person/name"}, "Anna Kowalska, who is on leave.", "the words and those around them", .2},
	{Place, "name of a place", []flow.Label{"location/city", "location/country", "location/region"}, "She lives in Ankara.", "the words and those around them", .2},
	{Organization, "name of an organisation", []flow.Label{"organization"}, "She works for Siemens AG.", "the words and those around them", .2},
	{Profession, "what somebody does", []flow.Label{"work/title"}, "known that she works as a bus driver.", "the words and those around them", .2},
	{Nationality, "nationality, people, language or religion", []flow.Label{"person/nationality"}, "He is a Turkish national.", "the words and those around them", .2},
	{Named, "value under a header or a member's name that says what it is", []flow.Label{"person/name", "person/birth-date", "government-id/ssn"}, "", "the name, and that the value can be it", namedScore},
	{Honorific, "what stands before a person's name", []flow.Label{"person/gender", "work/title"}, "", "a person's name after it", .2},
	{KnownValue, "value known from elsewhere in the task", []flow.Label{"person"}, "", "the value", 1},
	{Long, "text without a cut, of 256 bytes or more", []flow.Label{flow.Unlabelled}, "", "its length", 1},
}
