package config

import (
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Reports states what reports have to say and no log can tell.
type Reports struct {
	Controller     ReportContact                    `yaml:"controller" doc:"Who answers for the processing (GDPR article 30(1)(a)); the covered entity, the business."`
	Representative ReportContact                    `yaml:"representative" doc:"The controller's representative, if there is one."`
	Officer        ReportContact                    `yaml:"data_protection_officer" doc:"The data protection officer, or the privacy officer."`
	Security       []string                         `yaml:"security" doc:"Technical and organisational measures beside what the gateway does, a sentence each (GDPR article 30(1)(g))."`
	Domains        map[flow.DomainID]ReportDomain   `yaml:"domains" keys:"id" doc:"Who stands behind other domains."`
	Purposes       map[flow.Purpose]ReportedPurpose `yaml:"purposes" keys:"id" doc:"What reports say of purposes. What a purpose leaves out its parents say."`
	Categories     map[flow.Label]string            `yaml:"ccpa_categories" keys:"label" doc:"Categories of personal information, by label, where the built-in ones do not fit (Cal. Civ. Code 1798.140(v)(1))."`
}

// ReportContact is somebody who answers.
type ReportContact struct {
	Name    string `yaml:"name" doc:"Name."`
	Address string `yaml:"address" doc:"Postal address."`
	Contact string `yaml:"contact" doc:"Electronic address or telephone number."`
}

// ReportDomain is who stands behind a domain.
type ReportDomain struct {
	Name      string `yaml:"name" doc:"Its name."`
	Address   string `yaml:"address" doc:"Its postal address, which an accounting of disclosures gives where it is known."`
	Contact   string `yaml:"contact" doc:"Its electronic address or telephone number."`
	Category  string `yaml:"category" doc:"Category of recipients that it belongs to, such as insurers."`
	Country   string `yaml:"country" doc:"Country that data go to, by its code of two letters." pattern:"country"`
	Safeguard string `yaml:"safeguard" doc:"What a transfer there rests on: an adequacy decision, standard clauses, binding rules, a derogation (GDPR articles 45 to 49)."`
	Role      string `yaml:"role" doc:"What it is to this domain." enum:"controller joint-controller processor business-associate service-provider contractor third-party"`
	Sale      bool   `yaml:"sale" doc:"What it is shown is sold to it or shared with it (Cal. Civ. Code 1798.140(ad) and (ah))."`
}

// ReportedPurpose is what reports say of a purpose.
type ReportedPurpose struct {
	Basis  []string `yaml:"legal_basis" doc:"Legal bases, such as dpv:Contract, beside those that policies and contracts give."`
	People string   `yaml:"people" doc:"Categories of people whom it is about."`
	HIPAA  string   `yaml:"hipaa" doc:"Why disclosures for it need no accounting (45 CFR 164.528(a)(1)). Absent: they need one." enum:"treatment payment operations individual authorization limited-data-set"`
}

func (v *validator) reports() {
	r := &v.c.Reports
	for _, p := range slices.Sorted(maps.Keys(r.Purposes)) {
		known(v, "reports/purposes/"+string(p), "purpose", p, v.c.Purposes)
	}
	for _, d := range slices.Sorted(maps.Keys(r.Domains)) {
		if d == v.c.Domain && d != "" {
			v.wrong("reports/domains/"+string(d), "who answers for this domain stands under reports.controller", "it is this domain itself")
		}
	}
}
