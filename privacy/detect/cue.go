package detect

import "github.com/scrimhq/scrim/privacy/detect/idnumber"

// cueKind says what the words before a number announce.
type cueKind uint8

const (
	cueNone  cueKind = iota
	cueOther         // an identifier that is none of ours: orders, versions, tickets
	cueBirth
	cueDevice
	cueCrypto
	cueSort // of a bank's branch
	cueSSN  // from here on a cue can excuse a mark that ties the number to the word before it
	cuePhone
	cueCard
	cueRecord
	cuePatient
	cueMember
	cueClaim
	cueAccount
	cuePassport
	cueLicence
	cueOfficial // an official number, whichever
	cueSpecial  // a word that announces one kind of official number
	cuePostal
	cuePlace
	cueCase
	cuePlate
	cueKinds
	cueFiller // says nothing, look further back
	cueNumber // the same, and names a number: "id", "no."
)

type cue struct {
	kind  cueKind
	named bool // a word for number, or a mark such as # or :, stands between
	word  string
}

// lower returns the cue's word in lower case; buf is memory for it.
func (c cue) lower(buf *[16]byte) string {
	for i := range len(c.word) {
		buf[i] = c.word[i] | 0x20
	}
	return string(buf[:len(c.word)])
}

var cueWords = func() map[string]cueKind {
	m := map[string]cueKind{}
	add := func(k cueKind, words ...string) {
		for _, w := range words {
			m[w] = k
		}
	}
	add(cueOther, "order", "invoice", "ticket", "ref", "reference", "tracking", "sku", "isbn", "issn", "ean", "upc", "serial", "build", "version",
		"ver", "v", "release", "part", "item", "product", "model", "issue", "pr", "commit", "rev", "revision", "uuid", "guid", "hash", "job", "run",
		"po", "transaction", "txn", "session", "request", "shipment", "section", "chapter", "figure", "page", "line", "port", "error", "batch",
		"lot", "article", "doi", "bug", "firmware", "parcel", "timestamp", "epoch", "quantity", "rule", "step")
	add(cueBirth, "birth", "born", "dob", "birthday", "birthdate", "birthdays", "bday")
	add(cueSSN, "ssn", "ssns", "social")
	add(cuePhone, "phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "call", "called", "dial", "sms", "text", "whatsapp", "contact",
		"ph", "landline", "hotline", "ring", "reach", "phones", "desk", "office", "answering", "messages", "telefon", "telefono", "telephone", "telefax",
		"handy", "movil", "mobil", "celular", "tlf", "portable", "msisdn", "voicemail", "pager", "texted", "texting", "calling", "dialing", "dialling")
	add(cueCard, "card", "cards", "visa", "mastercard", "amex", "maestro", "credit", "debit", "pan", "cc", "discover", "diners", "jcb", "unionpay", "rupay", "verve", "elo", "mir", "creditcard", "cardnumber")
	add(cueRecord, "mrn", "medical", "chart", "hospital", "nhs")
	add(cuePatient, "patient", "patients")
	add(cueMember, "member", "membership", "subscriber", "beneficiary", "policy", "insurance", "policyholder", "enrollee")
	add(cueClaim, "claim", "claims")
	add(cueAccount, "account", "acct", "acc", "accounts")
	add(cuePassport, "passport", "passports", "reisepass", "passeport", "pasaporte", "passaporto", "passaporte", "paspoort", "paszport", "passnummer")
	add(cueLicence, "driver", "drivers", "driving", "dl", "hrerschein", "rijbewijs", "patente", "conduire", "conducir") // "Führerschein", cut at its ü
	add(cueDevice, "device", "android", "advertising", "imsi", "iccid", "idfa", "idfv", "gaid", "aaid", "udid", "meid", "deviceid", "androidid")
	add(cueCrypto, "solana", "sol", "wallet", "phantom", "spl", "crypto")
	add(cueSort, "sort", "sortcode")
	add(cuePostal, "zip", "zipcode", "postcode", "postal", "postalcode", "plz", "postleitzahl", "eircode", "postnummer", "postcodes")
	add(cuePlace, "lat", "latitude", "lon", "lng", "long", "longitude", "coordinates", "coordinate", "coords", "gps", "geo", "geolocation", "position",
		"koordinaten", "latlng")
	add(cueCase, "application", "applications", "case", "cases", "docket", "appeal", "appeals", "petition", "complaint", "az", "aktenzeichen", "file",
		"rg", "asunto", "dossier", "matter", "gz", "rekurs", "roj", "sygn", "akt")
	add(cuePlate, "plate", "plates", "registration", "kennzeichen", "immatriculation", "targa", "matricula", "kenteken", "numberplate")
	add(cueBirth, "dateofbirth")
	add(cuePhone, "phonenumber", "telephonenumber", "mobilenumber")
	add(cueFiller, "is", "was", "are", "be", "the", "of", "my", "your", "his", "her", "our", "their", "a", "an", "at", "on", "to", "for",
		"as", "date", "me", "us", "him", "them", "security", "record", "records", "new", "following", "s", "authorization", "under", "with", "registered")
	add(cueNumber, "number", "numbers", "no", "nos", "nr", "num", "id", "ids", "identifier", "license", "licence", "code")
	add(cueOfficial, "national", "identity", "identification", "citizen", "tax", "taxpayer", "fiscal", "resident", "civil")
	for _, k := range idnumber.Kinds() {
		for _, word := range k.Cues {
			if m[word] == cueNone {
				m[word] = cueSpecial
			}
		}
	}
	return m
}()

// cue reads the words before q, nearest first, until one of them says something. It looks no further back than the sentence.
func (c *scanner) cue(q int) cue {
	if c.cueAt != q+1 {
		c.cueAt, c.lastCue = q+1, readCue(c.left(q), q >= behind)
	}
	return c.lastCue
}

func readCue(left string, more bool) cue {
	i := len(left)
	var found cue
	for range 7 {
		end := i
		for i > 0 && !isAlnum(left[i-1]) {
			switch b := left[i-1]; b {
			case '#', ':', '=':
				found.named = true
			case ' ', '\t', '.', '-', '_', '/', '\'', '"', '(', '+':
			case '\n', '\r':
				if end-i > 3 {
					return cue{}
				}
			default:
				return cue{}
			}
			i--
		}
		stop := i < end && left[i] == '.' && end-i > 1
		end = i
		for i > 0 && isAlnum(left[i-1]) && end-i < 16 {
			i--
		}
		if i == end || i == 0 && more || i > 0 && isAlnum(left[i-1]) {
			return cue{}
		}
		kind := cueOf(left[i:end])
		switch {
		case stop && kind != cueNumber && !(kind == cuePhone && end-i <= 3): // a sentence ended after it; "Tel." ends none
			return cue{}
		case kind == cueNumber:
			found.named = true
		case kind != cueFiller:
			found.kind, found.word = kind, left[i:end]
			return found
		}
	}
	return cue{}
}

func cueOf(word string) cueKind {
	var buf [16]byte
	for i := range len(word) {
		if isDigit(word[i]) {
			return cueNone
		}
		buf[i] = word[i] | 0x20
	}
	return cueWords[string(buf[:len(word)])]
}
