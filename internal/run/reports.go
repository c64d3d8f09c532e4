package run

import (
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/report"
)

// ReportSettings are what a configuration states for reports.
func ReportSettings(c *config.Config) report.Settings {
	r := &c.Reports
	contact := func(k config.ReportContact) report.Contact {
		return report.Contact{Name: k.Name, Address: k.Address, Contact: k.Contact}
	}
	s := report.Settings{
		Controller: contact(r.Controller), Representative: contact(r.Representative), Officer: contact(r.Officer), Security: r.Security, Categories: r.Categories,
		Domains: map[flow.DomainID]report.Domain{}, Purposes: map[flow.Purpose]report.Purpose{},
	}
	for name, d := range r.Domains {
		s.Domains[name] = report.Domain{
			Contact: report.Contact{Name: d.Name, Address: d.Address, Contact: d.Contact}, Category: d.Category, Country: d.Country, Safeguard: d.Safeguard, Role: d.Role, Sale: d.Sale,
		}
	}
	for name, p := range c.Purposes {
		said := r.Purposes[name]
		s.Purposes[name] = report.Purpose{Title: p.Title, Parents: p.Parents, Basis: said.Basis, People: said.People, HIPAA: said.HIPAA}
	}
	return s
}
