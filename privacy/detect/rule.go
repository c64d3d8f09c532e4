package detect

import "github.com/scrimhq/scrim/flow"

// rule is what decides that a text is something, and what it then is.
type rule struct {
	kind  string
	label flow.Label
	score float64
	by    string
}

// The rules. Scores say how often the form is what it seems to be: a checksum counts for more than a shape.
var (
	byCard        = rule{Card, "finance/card", .95, "card/luhn"}
	bySSN         = rule{SSN, "government-id/ssn", .9, "ssn/rules"}
	byIBAN        = rule{IBAN, "finance/iban", .99, "iban/mod97"}
	byEmail       = rule{Email, "person/contact/email", .98, "email/form"}
	byURL         = rule{URL, "technical/url", .95, "url/form"}
	byIPv4        = rule{IP, "technical/ip", .9, "ip/v4"}
	byIPv6        = rule{IP, "technical/ip", .9, "ip/v6"}
	byMAC         = rule{MAC, "technical/mac", .9, "mac/form"}
	byPrefix      = rule{Secret, "secret/api-key", .95, "secret/prefix"}
	byJWT         = rule{JWT, "secret/api-key", .98, "jwt/form"}
	byPasswordCue = rule{Secret, "secret/password", .85, "secret/password-cue"}
	byTokenCue    = rule{Secret, "secret/api-key", .85, "secret/token-cue"}
	byWallet      = rule{Crypto, "finance/crypto", .98, "crypto/check"}
	byWalletForm  = rule{Crypto, "finance/crypto", .8, "crypto/form"}
	byWalletKey   = rule{Secret, "secret/private-key", .98, "crypto/key"}
	byArmour      = rule{PrivateKey, "secret/private-key", 1, "private-key/armour"}
	byPlus        = rule{Phone, "person/contact/phone", .9, "phone/e164"}
	byNANP        = rule{Phone, "person/contact/phone", .85, "phone/nanp"}
	byTrunk       = rule{Phone, "person/contact/phone", .6, "phone/trunk"}
	byPhoneCue    = rule{Phone, "person/contact/phone", .8, "phone/cue"}
	byISO         = rule{Date, "time", .9, "date/iso"}
	byNumbers     = rule{Date, "time", .7, "date/numeric"}
	byMonth       = rule{Date, "time", .8, "date/name"}
	byBirth       = rule{Date, "person/birth-date", .9, "date/birth"}
	byRecord      = rule{Record, "health/record-number", .8, "record/cue"}
	byMember      = rule{Member, "health/member-number", .8, "member/cue"}
	byClaim       = rule{Claim, "health/claim-number", .8, "claim/cue"}
	byAccount     = rule{Account, "finance/account", .8, "account/cue"}
	byPassport    = rule{Passport, "government-id/passport", .8, "passport/cue"}
	byLicence     = rule{Licence, "government-id/driver-licence", .8, "licence/cue"}
	byKnown       = rule{KnownValue, "", 1, "known/value"}
	byFamilyName  = rule{KnownValue, "", 1, "known/family-name"}
	byMonthAlone  = rule{Date, "time", .6, "date/month"}
	byYear        = rule{Date, "time", .65, "date/year"}
	byWeekday     = rule{Date, "time", .4, "date/weekday"}
	byClock       = rule{Clock, "time", .5, "time-of-day/form"}
	byDuration    = rule{Duration, "time", .3, "duration/form"}
	byAge         = rule{Age, "person/age", .85, "age/form"}
	byAgeVerb     = rule{Age, "person/age", .6, "age/context"}
	byAmount      = rule{Amount, "finance/amount", .5, "amount/form"}
	byAddress     = rule{Address, "person/contact/address", .8, "address/form"}
	byPostal      = rule{Postal, "location/postal", .7, "postal-code/form"}
	byPlace       = rule{Position, "location/coordinates", .85, "coordinates/form"}
	byCase        = rule{Case, "government-id", .7, "case-number/cue"}
	byPlate       = rule{Plate, "vehicle/plate", .75, "plate/cue"}
	byDevice      = rule{Device, "technical/device-id", .8, "device/cue"}
	bySort        = rule{Account, "finance/account", .8, "account/sort-code"}
	byLength      = rule{Long, flow.Unlabelled, 1, "long"}
)

// hit is a candidate that a rule accepts: where it ends. The zero hit is none.
type hit struct {
	end  int
	rule *rule
}

func (r *rule) finding(start, end int) Finding {
	return Finding{Start: start, End: end, Type: r.kind, Label: r.label, Score: r.score, By: r.by}
}
