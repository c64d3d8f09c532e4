package detect

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// HintLabel returns the label that a member's name suggests ("email", "ssn", "phoneNumber", "patient_dob"), whatever its case
// and separators. It is a prior for members that no schema declares; a value may still be something else, and stricter.
//
// The whole name counts, less words in front that say whose it is ("patient", "billing"): "emailVerified" suggests nothing.
func HintLabel(member string) (flow.Label, bool) {
	if len(member) > 64 {
		return "", false
	}
	words := memberWords(member)
	for {
		if l, ok := hints[strings.Join(words, "")]; ok {
			return l, true
		}
		if len(words) < 2 || !hintOwners[words[0]] {
			return "", false
		}
		words = words[1:]
	}
}

// memberWords splits "patientHomePhone", "patient_home-phone" and "PATIENT HOME PHONE" into the same lower-case words.
func memberWords(member string) []string {
	var words []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			words = append(words, strings.ToLower(member[start:end]))
		}
		start = -1
	}
	for i := range len(member) {
		b := member[i]
		if !isAlnum(b) {
			flush(i)
			continue
		}
		if start >= 0 && isUpper(b) {
			next := i+1 < len(member) && isLetter(member[i+1]) && !isUpper(member[i+1])
			if !isUpper(member[i-1]) || next {
				flush(i)
			}
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(member))
	return words
}

// hintOwners say whose a thing is, or which of several, and change nothing about what it is.
var hintOwners = wordSet(`patient customer client user member person employee applicant subscriber beneficiary guardian parent spouse child
	emergency contact billing shipping mailing home work business personal private primary secondary main alternate other current previous
	my your his her their owner holder sender recipient buyer seller payer payee insured claimant doctor physician provider author admin
	caller debtor creditor student tenant passenger guest driver legal official the x`)

var hints = func() map[string]flow.Label {
	m := map[string]flow.Label{}
	for l, names := range map[flow.Label]string{
		"person/name":          "fullname name displayname contactname personname realname legalname patientname customername",
		"person/name/given":    "firstname givenname forename fname middlename given",
		"person/name/family":   "lastname surname familyname lname maidenname family",
		"person/username":      "username login loginname screenname nickname handle userhandle",
		"person/contact/email": "email emailaddress mail mailaddress emails emailaddresses emailid",
		"person/contact/phone": "phone phonenumber phoneno telephone telephonenumber tel mobile mobilenumber mobilephone cell cellphone cellnumber fax faxnumber phones phonenumbers msisdn whatsapp landline workphone homephone",
		"person/contact/address": "address streetaddress street addressline addressline1 addressline2 address1 address2 postaladdress homeaddress " +
			"mailingaddress shippingaddress billingaddress",
		"person/contact/handle":        "twitter instagram linkedin facebook telegram skype twitterhandle githubusername",
		"person/birth-date":            "dob birthdate dateofbirth birthday birth born bday birthdt",
		"person/birth-place":           "birthplace placeofbirth",
		"person/death-date":            "deathdate dateofdeath dod",
		"person/age":                   "age ageyears ageinyears",
		"person/gender":                "gender sex",
		"person/marital-status":        "maritalstatus",
		"person/nationality":           "nationality citizenship",
		"person/language":              "language preferredlanguage spokenlanguage",
		"person/photo":                 "photo avatar picture portrait",
		"location/city":                "city town",
		"location/country":             "country countrycode",
		"location/region":              "state province region county",
		"location/postal":              "zip zipcode postcode postalcode plz",
		"location/coordinates":         "lat latitude lon lng long longitude geo coordinates latlng latlon gps geolocation",
		"government-id/ssn":            "ssn socialsecuritynumber socialsecurity socialsecurityno ssnumber ssnlast4",
		"government-id/national":       "nationalid nationalidnumber nationalinsurancenumber nino nhsnumber idnumber identitynumber personnummer aadhaar cpf dni",
		"government-id/tax":            "taxid tin taxnumber vatid vatnumber taxpayerid taxidnumber ein itin",
		"government-id/passport":       "passport passportnumber passportno passportid",
		"government-id/driver-licence": "driverlicense driverslicense driverlicence driverslicence drivinglicence licensenumber licencenumber dlnumber driverslicensenumber driverlicensenumber",
		"vehicle/plate":                "licenseplate licenceplate numberplate plate platenumber",
		"vehicle/vin":                  "vin vinnumber vehicleidentificationnumber",
		"health/record-number":         "mrn medicalrecordnumber recordnumber patientid patientnumber medicalrecordno medicalrecord",
		"health/claim-number":          "claimnumber claimid claimno",
		"health/member-number":         "memberid membernumber memberno policynumber policyno policyid subscriberid insuranceid insurancenumber beneficiaryid",
		"health/diagnosis":             "diagnosis diagnoses icd10 icd icdcode diagnosiscode condition conditions icd10code",
		"health/procedure":             "procedure procedurecode cpt cptcode procedures",
		"health/medication":            "medication medications drug prescription prescriptions",
		"health/lab-result":            "labresult labresults labvalue",
		"health/note":                  "clinicalnote clinicalnotes progressnote",
		"health/visit-date":            "admissiondate dischargedate visitdate appointmentdate",
		"finance/card":                 "cardnumber creditcard creditcardnumber ccnumber cardno pan debitcard debitcardnumber creditcardno",
		"finance/iban":                 "iban ibannumber",
		"finance/account":              "accountnumber accountno bankaccount bankaccountnumber acctnumber routingnumber sortcode acctno",
		"finance/swift":                "bic swift swiftcode biccode",
		"finance/income":               "salary income wage annualincome compensation",
		"finance/credit-score":         "creditscore ficoscore",
		"technical/ip":                 "ip ipaddress ipaddr ipv4 ipv6 remoteaddr remoteip clientip",
		"technical/mac":                "mac macaddress macaddr",
		"technical/device-id":          "deviceid imei udid androidid idfa serialnumber",
		"technical/session":            "sessionid session sid cookie sessiontoken",
		"technical/user-agent":         "useragent",
		"secret/password":              "password passwd pwd passphrase pin pincode passcode",
		"secret/api-key":               "apikey accesstoken authtoken token secret secretkey clientsecret accesskey bearertoken refreshtoken idtoken authorization secretaccesskey cvv cvc cvv2",
		"secret/private-key":           "privatekey",
		"special/ethnicity":            "ethnicity race ethnicgroup",
		"special/religion":             "religion",
		"special/politics":             "politicalparty politicalaffiliation",
		"special/sexuality":            "sexualorientation",
		"special/criminal":             "criminalrecord convictions",
		"organization/employee-id":     "employeeid employeenumber staffid badgenumber employeeno",
		"organization/customer-id":     "customerid customernumber customerno",
		"organization/order-id":        "orderid ordernumber orderno",
		"organization":                 "company companyname organization organisation organizationname",
		"work/title":                   "jobtitle occupation profession",
		"work/employer":                "employer employername",
		"file/name":                    "filename",
		"technical/url":                "website homepage",
	} {
		for n := range strings.FieldsSeq(names) {
			m[n] = l
		}
	}
	return m
}()
