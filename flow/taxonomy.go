package flow

import "sync"

// DefaultTaxonomy returns the classes that Scrim ships, with the W3C Data Privacy Vocabulary term of each where it has one.
var DefaultTaxonomy = sync.OnceValue(func() *Taxonomy {
	t, err := NewTaxonomy(defaultClasses())
	if err != nil {
		panic(err) // the table below is at fault
	}
	return t
})

// id and attr keep the table below to one line a class.
func id(l Label, tier Tier, kind Kind, bits int, word, title, dpv string) Class {
	return Class{Label: l, Tier: tier, Family: Identifier, Kind: kind, Bits: bits, Word: word, Title: title, DPV: dpv}
}

func attr(l Label, tier Tier, kind Kind, def Param, word, title, dpv string) Class {
	return Class{Label: l, Tier: tier, Family: Attribute, Kind: kind, Default: def, Word: word, Title: title, DPV: dpv}
}

func special(c Class) Class { c.Special = true; return c }

func first(c Class) Class { c.KeepFirst = true; return c }

// Bits are lower estimates of what an attacker must try: 29 for a US SSN (fewer than 10⁹ are issued), 18 for names.
func defaultClasses() []Class {
	var all []Class
	for _, group := range [][]Class{machineryClasses(), personClasses(), numberClasses(), healthClasses(), financeClasses(), technicalClasses(), specialClasses(), businessClasses()} {
		all = append(all, group...)
	}
	return all
}

func machineryClasses() []Class {
	return []Class{
		id(Unlabelled, Restricted, Text, 0, "value", "Nothing labels it", ""),
		attr("text", Internal, Text, "", "text", "Text", ""),
		attr(FreeText, Internal, Text, "", "text", "Prose outside found spans", ""),
		attr("text/instruction", Internal, Text, "", "text", "What an agent is asked to do", ""),
		attr(PublicData, Public, Text, "", "value", "Declared public", ""),
		id("file", Confidential, Text, 0, "file", "A file", ""),
		id(OpaqueFile, Restricted, Text, 0, "file", "A file that was not looked into", ""),
		id("file/name", Confidential, Text, 20, "file", "Name of a file", ""),
	}
}

func personClasses() []Class {
	return []Class{
		id("person", Confidential, Text, 0, "person", "About a person", "dpv:PersonalData"),
		first(id("person/name", Confidential, Text, 18, "person", "Name", "pd:Name")),
		first(id("person/name/given", Confidential, Text, 10, "person", "Given name", "pd:GivenName")),
		first(id("person/name/family", Confidential, Text, 14, "person", "Family name", "pd:FamilyName")),
		first(id("person/username", Confidential, Text, 20, "user", "User name", "pd:Username")),
		first(id("person/contact", Confidential, Text, 20, "contact", "Contact", "pd:Contact")),
		first(id("person/contact/email", Confidential, Text, 34, "email", "E-mail address", "pd:EmailAddress")),
		id("person/contact/phone", Confidential, Text, 30, "phone", "Telephone number", "pd:TelephoneNumber"),
		id("person/contact/address", Confidential, Text, 24, "address", "Street address", "pd:PhysicalAddress"),
		first(id("person/contact/handle", Confidential, Text, 20, "handle", "Social media handle", "pd:SocialMedia")),
		attr("person/birth-date", Confidential, Date, "year", "birth date", "Date of birth", "pd:BirthDate"),
		attr("person/birth-place", Confidential, Text, "", "place", "Place of birth", "pd:BirthPlace"),
		attr("person/death-date", Confidential, Date, "year", "date", "Date of death", ""),
		attr("person/age", Internal, Number, "bucket:10", "age", "Age", "pd:Age"),
		attr("person/gender", Internal, Text, "", "gender", "Gender", "pd:Gender"),
		attr("person/marital-status", Confidential, Text, "", "status", "Marital status", "pd:MaritalStatus"),
		attr("person/family", Confidential, Text, "", "relation", "Family and relations", "pd:Family"),
		attr("person/language", Internal, Text, "", "language", "Language", "pd:Language"),
		attr("person/nationality", Confidential, Text, "", "nationality", "Nationality", "pd:Nationality"),
		attr("person/photo", Restricted, Text, "", "image", "Picture of a person", "pd:Picture"),
		attr("location", Internal, Text, "", "place", "Location", "pd:Location"),
		attr("location/city", Internal, Text, "", "city", "City", "pd:City"),
		attr("location/region", Internal, Text, "", "region", "State or region", ""),
		attr("location/country", Internal, Text, "", "country", "Country", "pd:Country"),
		attr("location/postal", Confidential, Postal, "prefix:3", "postal code", "Postal code", "pd:PostalCode"),
		attr("location/coordinates", Restricted, Text, "", "coordinates", "Coordinates", "pd:GPSCoordinate"),
	}
}

func numberClasses() []Class {
	return []Class{
		id("government-id", Restricted, Digits, 26, "id number", "Number issued by a state", "pd:OfficialID"),
		id("government-id/national", Restricted, Digits, 26, "national id", "National identity number", "pd:NationalIdentificationNumber"),
		id("government-id/ssn", Restricted, Digits, 29, "ssn", "US social security number", "pd:SocialSecurityNumber"),
		id("government-id/tax", Restricted, Digits, 29, "tax id", "Tax number", "pd:TaxIdentifier"),
		id("government-id/passport", Restricted, Text, 26, "passport", "Passport number", "pd:Passport"),
		id("government-id/driver-licence", Restricted, Text, 24, "licence", "Driver licence number", "pd:DrivingLicense"),
		id("vehicle", Confidential, Text, 24, "vehicle", "Vehicle", "pd:Vehicle"),
		id("vehicle/plate", Confidential, Text, 24, "plate", "Licence plate", "pd:VehicleLicense"),
		id("vehicle/vin", Confidential, Text, 40, "vin", "Vehicle identification number", ""),
	}
}

func healthClasses() []Class {
	return []Class{
		special(attr("health", Restricted, Text, "", "health", "Health", "pd:Health")),
		id("health/record-number", Restricted, Text, 20, "record", "Medical record number", "pd:HealthRecord"),
		id("health/claim-number", Restricted, Text, 20, "claim", "Claim number", "pd:Insurance"),
		id("health/member-number", Restricted, Text, 30, "member", "Insurance member number", "pd:Insurance"),
		special(attr("health/diagnosis", Restricted, Code, "prefix:3", "diagnosis", "Diagnosis", "pd:MedicalHealth")),
		special(attr("health/procedure", Restricted, Code, "prefix:3", "procedure", "Procedure", "pd:MedicalHealth")),
		special(attr("health/medication", Restricted, Text, "", "medication", "Medication", "pd:Prescription")),
		special(attr("health/lab-result", Restricted, Number, "bucket:10", "result", "Laboratory result", "pd:MedicalHealth")),
		special(attr("health/vital", Restricted, Number, "bucket:10", "measure", "Vital sign", "pd:PhysicalHealth")),
		special(attr("health/mental", Restricted, Text, "", "health", "Mental health", "pd:MentalHealth")),
		special(attr("health/disability", Restricted, Text, "", "health", "Disability", "pd:Disability")),
		special(attr("health/genetic", Restricted, Text, "", "health", "Genetic data", "pd:Genetic")),
		special(attr("health/visit-date", Confidential, Date, "month", "date", "Date of a visit", "pd:MedicalHealth")),
		special(attr("health/note", Restricted, Text, "", "note", "Clinical note", "pd:HealthRecord")),
		id("health/provider", Confidential, Text, 24, "provider", "Who gave care", ""),
	}
}

func financeClasses() []Class {
	return []Class{
		attr("finance", Confidential, Text, "", "finance", "Finance", "pd:Financial"),
		id("finance/card", Restricted, Digits, 33, "card", "Payment card number", "pd:PaymentCardNumber"),
		id("finance/iban", Restricted, Text, 40, "iban", "IBAN", "pd:BankAccount"),
		id("finance/account", Restricted, Digits, 26, "account", "Account number", "pd:FinancialAccountNumber"),
		id("finance/swift", Internal, Text, 14, "bank", "Bank code", ""),
		id("finance/crypto", Confidential, Text, 128, "wallet", "Crypto-asset address", ""),
		attr("finance/income", Confidential, Number, "bucket:10000", "amount", "Income", "pd:Income"),
		attr("finance/amount", Internal, Number, "bucket:100", "amount", "Amount of money", "pd:Transactional"),
		attr("finance/credit-score", Restricted, Number, "bucket:50", "score", "Credit score", "pd:CreditScore"),
		attr("finance/debt", Confidential, Number, "bucket:1000", "amount", "Debt", "pd:Loan"),
	}
}

func technicalClasses() []Class {
	return []Class{
		id("technical", Internal, Text, 0, "device", "Technical", "pd:Device"),
		attr("technical/ip", Confidential, Network, "net:24", "ip", "IP address", "pd:IPAddress"),
		id("technical/mac", Confidential, Text, 40, "mac", "Hardware address", "pd:MACAddress"),
		id("technical/device-id", Confidential, Text, 64, "device", "Device identifier", "pd:DeviceBased"),
		id("technical/session", Restricted, Text, 96, "session", "Session identifier", ""),
		id("technical/record-id", Internal, Text, 40, "record", "Identifier of a record that says nothing by itself", ""),
		id("technical/url", Internal, Text, 20, "link", "Address on the web", "pd:URL"),
		attr("technical/user-agent", Internal, Text, "", "browser", "Browser", "pd:BrowserFingerprint"),
		id("secret", Restricted, Text, 64, "secret", "A secret", ""),
		id("secret/password", Restricted, Text, 24, "password", "Password", "pd:Password"),
		id("secret/api-key", Restricted, Text, 96, "key", "API key or token", "pd:SecretText"),
		id("secret/private-key", Restricted, Text, 128, "key", "Private key", ""),
		attr("time", Internal, Date, "month", "date", "A date or time", ""),
		attr("time/event", Internal, Date, "month", "date", "When something happened", ""),
	}
}

func specialClasses() []Class {
	return []Class{
		special(attr("special/ethnicity", Restricted, Text, "", "origin", "Ethnic origin", "pd:EthnicOrigin")),
		special(attr("special/religion", Restricted, Text, "", "belief", "Religion or belief", "pd:Religion")),
		special(attr("special/politics", Restricted, Text, "", "opinion", "Political opinion", "pd:PoliticalAffiliation")),
		special(attr("special/union", Restricted, Text, "", "membership", "Trade union membership", "pd:TradeUnionMembership")),
		special(attr("special/sexuality", Restricted, Text, "", "orientation", "Sexual orientation", "pd:SexualOrientation")),
		special(id("special/biometric", Restricted, Text, 64, "biometric", "Biometric template", "pd:Biometric")),
		special(attr("special/criminal", Restricted, Text, "", "record", "Criminal record", "pd:Criminal")),
	}
}

func businessClasses() []Class {
	return []Class{
		first(id("organization", Internal, Text, 16, "organization", "Organization", "dpv:Organisation")),
		id("organization/employee-id", Confidential, Digits, 20, "employee", "Employee number", "pd:ProfessionalIdentifier"),
		id("organization/customer-id", Confidential, Text, 24, "customer", "Customer number", ""),
		id("organization/order-id", Internal, Text, 24, "order", "Order number", ""),
		attr("work/title", Internal, Text, "", "job", "Job title", "pd:JobTitle"),
		attr("work/employer", Confidential, Text, "", "employer", "Employer", "pd:CurrentEmployment"),
		attr("work/education", Internal, Text, "", "education", "Education", "pd:Education"),
		attr("work/performance", Restricted, Text, "", "review", "Performance review", "pd:PerformanceAtWork"),
		attr("business/decision", Internal, Text, "", "decision", "Outcome of a business process", ""),
		attr("business/category", Internal, Text, "", "category", "A category out of a short list", ""),
		attr("business/quantity", Internal, Number, "bucket:10", "number", "A count or measure of things", ""),
		id("business/confidential", Confidential, Text, 20, "term", "Trade secret or contract term", ""),
	}
}
