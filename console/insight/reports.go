package insight

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/observe/report"
)

const breach = "breach"

// Kind is a report that can be made.
type Kind struct {
	Kind   string `json:"kind"`
	Title  string `json:"title"`
	What   string `json:"what"`
	Law    string `json:"law,omitempty"`
	Person string `json:"person"` // no, may, must: whether it is about one person
}

// kinds are what the page offers, in the order in which people look for them.
var kinds = []Kind{
	{string(report.ROPA), "Records of processing", "For each purpose: legal basis, people, data, recipients, transfers, retention and security measures, as the log shows them and the configuration states them.", "GDPR article 30", "no"},
	{string(report.DPIA), "For an impact assessment", "What is processed, how far it is transformed, and what indicates risk, counted. To judge it is left to people.", "GDPR article 35", "no"},
	{string(report.Transfers), "Transfers", "What was shown to which other domains and countries, and under which safeguard.", "GDPR articles 44 to 49", "no"},
	{string(report.Disclosures), "Accounting of disclosures", "What was shown to other domains, but for purposes that need no accounting; of everybody, or of one person.", "HIPAA, 45 CFR 164.528", "may"},
	{string(report.CCPA), "Personal information disclosed and sold", "Categories of personal information of a year, to whom they were disclosed and for what, and requests that were carried out.", "CCPA, 1798.130", "no"},
	{string(report.Budgets), "Privacy budgets", "What answers about datasets cost, entries of the ledger, and where each budget and quota stands.", "", "no"},
	{string(report.Access), "What was disclosed about one person", "Each message that showed something of the person: to whom, at which level, for which purpose, by which policies. Who was erased is not found.", "GDPR article 15", "must"},
	{breach, "After an incident: who saw what", "Each recipient of a time, with how many values of each label it was shown at which level and about how many people.", "", "may"},
}

// Made is a report in the list.
type Made struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Title   string    `json:"title"`
	Person  bool      `json:"person"`
	State   string    `json:"state"` // running, done, failed
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Link    string    `json:"link"`
}

// Reports is the page.
type Reports struct {
	Kinds []Kind   `json:"kinds"`
	Made  []Made   `json:"made"`
	Admin bool     `json:"admin"` // may ask about one person
	Units []string `json:"units"` // kinds of people that are named in datasets
}

// Ask is what a report is to be about. The value names one person; it is in the body of this request alone.
type Ask struct {
	Kind     string        `json:"kind"`
	From     time.Time     `json:"from,omitzero"`
	To       time.Time     `json:"to,omitzero"`
	Unit     string        `json:"unit,omitempty"`
	Value    flow.Secret   `json:"value,omitzero"`
	Agent    flow.AgentID  `json:"agent,omitempty"`  // of a breach: recipients of this name alone
	Domain   flow.DomainID `json:"domain,omitempty"` // of a breach: recipients of this domain alone
	Subjects bool          `json:"subjects,omitempty"`
}

// About implements [page.Subject] with the kind, if there is one of the name.
func (a Ask) About() string {
	if title(a.Kind) == "" {
		return ""
	}
	return a.Kind
}

func title(kind string) string {
	if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Kind == kind }); i >= 0 {
		return kinds[i].Title
	}
	return ""
}

// Started is where a report can be had.
type Started struct {
	ID   string `json:"id"`
	Link string `json:"link"`
}

// Verified is what counting a report again came to.
type Verified struct {
	OK      bool   `json:"ok"`
	Wrong   string `json:"wrong,omitempty"`
	Entries int64  `json:"entries"` // of the log that were read for it
	Person  bool   `json:"person"`  // it is about one person; the log does not show whether all is told
	Report  string `json:"report"`  // its page
}

// Report is the page of one report.
type Report struct {
	Made
	Wrong    string           `json:"wrong,omitempty"`
	Took     time.Duration    `json:"took_ns,omitempty"`
	Document *report.Document `json:"document,omitempty"`
	Breach   *report.Breach   `json:"breach,omitempty"`
	Files    []string         `json:"files,omitempty"` // to take away: html, csv, json
	Can      bool             `json:"verify"`          // it can be counted again here
}

// Useful is what recipients said.
type Useful struct {
	Days     int64                `json:"days"`
	Verdicts []usefulness.Verdict `json:"verdicts"`
	Said     []report.Usefulness  `json:"said"`
}

func (p *pages) reportPages(g *page.Group) {
	page.Add(g, page.Page[Reports]{
		Path: "/reports", Title: "Reports", Summary: "Which reports there are, and those that were made in the last hour.", Template: "reports.html", Role: page.Viewer, Model: p.reports,
	})
	page.Add(g, page.Page[Report]{
		Path: "/reports/made/{id}", Title: "Report", Summary: "A report that was asked for: how far it is, what it says, and its files.", Template: "report.html", Role: page.Steward, Model: p.report,
	})
	page.Add(g, page.Page[Useful]{
		Path: "/reports/usefulness", Title: "Usefulness", Summary: "What recipients said of what they were shown, by label, level and policies.", Template: "usefulness.html", Role: page.Viewer,
		Query: []page.Param{{Name: "days", What: "how long to look back; absent: 30"}}, Model: p.useful,
	})
	page.AddRaw(g, page.Raw{
		Path: "/reports/made/{id}/files/{form}", Title: "A report's file", Summary: "The HTML, CSV or JSON of a report, under one signature.", Type: "application/octet-stream", Role: page.Steward, Serve: p.file,
	})
	page.Do(g, page.Action[Ask, Started]{
		Path: "/reports", Name: "console/report", Title: "Make a report", Role: page.Steward,
		Summary: "Makes a report of the log. One about a person is for admins, and that it was made is on record, not of whom.",
		Then:    func(_ Ask, out Started) string { return out.Link }, Do: p.make,
	})
	page.Do(g, page.Action[struct{}, Verified]{
		Path: "/reports/made/{id}/verify", Name: "console/report/verify", Title: "Count a report again", Role: page.Steward, ReadOnly: true, Template: "counted.html",
		Summary: "Checks a report's signature and counts every figure again in the log, by code that shares nothing with what made it.",
		Do: func(ctx context.Context, r *page.Request, _ struct{}) (Verified, error) {
			j, err := p.jobs.get(r.PathValue("id"), r.Who)
			if err != nil {
				return Verified{}, err
			}
			if j.files == nil || p.Verify == nil {
				return Verified{}, page.Wrong("there is nothing that could be counted again here; see scrim-verify report")
			}
			v, err := p.Verify(ctx, *j.files)
			v.Report, v.Person = made(&j).Link, j.person
			return v, err
		},
	})
}

func made(j *job) Made {
	m := Made{ID: j.id, Kind: j.kind, Title: title(j.kind), Person: j.person, State: "running", Started: j.started.UTC(), Ended: j.ended, Link: "/reports/made/" + url.PathEscape(j.id)}
	switch {
	case j.err != "":
		m.State = "failed"
	case !j.ended.IsZero():
		m.State = "done"
	}
	return m
}

func (p *pages) reports(_ context.Context, r *page.Request) (Reports, error) {
	out := Reports{Kinds: kinds, Made: []Made{}, Admin: r.Who.May(page.Admin), Units: p.units()}
	for _, j := range p.jobs.list(r.Who) {
		out.Made = append(out.Made, made(&j))
	}
	return out, nil
}

// units are what datasets call the people in them, to be offered in forms.
func (p *pages) units() []string {
	all := []string{}
	if p.Snapshot == nil {
		return all
	}
	for _, d := range p.Snapshot().Datasets {
		if d.Query == nil {
			continue
		}
		if u := d.Query.Unit; u != "" && !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	slices.Sort(all)
	return all
}

func (p *pages) make(_ context.Context, r *page.Request, in Ask) (Started, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Kind == in.Kind })
	if i < 0 {
		return Started{}, page.Wrong("kind: there is no such report")
	}
	if p.Snapshot == nil || p.Ledger.DB == nil {
		return Started{}, page.Wrong("this gateway keeps no log that could be reported on")
	}
	person := !in.Value.IsZero()
	switch {
	case (person || in.Subjects) && !r.Who.May(page.Admin): // keyed references say who is the same person
		return Started{}, page.ErrForbidden
	case person && kinds[i].Person == "no":
		return Started{}, page.Wrong("%v", report.ErrOf)
	case person != (in.Unit != "") && (person || kinds[i].Person == "must"), !person && kinds[i].Person == "must":
		return Started{}, page.Wrong("a person is named by a unit and a value")
	case in.Kind == breach && in.From.IsZero():
		return Started{}, page.Wrong("from: it is missing; say since when")
	}
	if !person {
		in.Unit = ""
	}
	one := &job{kind: in.Kind, owner: owner(r.Who), person: person, from: in.From, to: in.To}
	id, err := p.jobs.start(one, func(ctx context.Context, j *job) error { return p.work(ctx, in, j) })
	if err != nil {
		return Started{}, err
	}
	return Started{id, "/reports/made/" + url.PathEscape(id)}, nil
}

// errMade is told in place of an error whose text is for the operator.
var errMade = errors.New("the report could not be made; the gateway's log says why")

func (p *pages) work(ctx context.Context, in Ask, j *job) (err error) {
	if in.Kind == breach {
		j.breach, err = api.Breach(ctx, p.Ledger, p.Snapshot(), api.BreachRequest{
			Since: in.From, Until: in.To, Agent: in.Agent, Domain: in.Domain, Subjects: in.Subjects, Unit: in.Unit, Value: in.Value.Expose(),
		})
	} else {
		var set report.Settings
		if p.Settings != nil {
			set = p.Settings()
		}
		var files report.Files
		files, err = api.Document(ctx, p.Ledger, p.Snapshot(), set, p.Spending, api.DocumentRequest{Kind: report.Kind(in.Kind), From: in.From, To: in.To, Unit: in.Unit, Value: in.Value.Expose()})
		j.files = &files
	}
	if err == nil {
		return nil
	}
	j.files, j.breach = nil, nil
	for _, told := range []error{report.ErrMuch, report.ErrTimes, report.ErrKind, report.ErrOf} {
		if errors.Is(err, told) {
			return told
		}
	}
	if p.Fault != nil {
		p.Fault(err)
	}
	return errMade
}

func (p *pages) report(_ context.Context, r *page.Request) (Report, error) {
	j, err := p.jobs.get(r.PathValue("id"), r.Who)
	if err != nil {
		return Report{}, err
	}
	out := Report{Made: made(&j), Wrong: j.err, Breach: j.breach, Can: j.files != nil && p.Verify != nil}
	if !j.ended.IsZero() {
		out.Took = j.ended.Sub(j.started)
	}
	if j.files != nil {
		out.Files = []string{"html", "csv", "json"}
		if out.Document, err = report.Decode(j.files.JSON); err != nil {
			return out, err
		}
		out.Document.Counts = nil // they are in the file
	}
	return out, nil
}

func (p *pages) file(w http.ResponseWriter, r *page.Request) {
	j, err := p.jobs.get(r.PathValue("id"), r.Who)
	var body []byte
	media := ""
	if err == nil && j.files != nil {
		switch r.PathValue("form") {
		case "html":
			body, media = j.files.HTML, "text/html; charset=utf-8"
		case "csv":
			body, media = j.files.CSV, "text/csv; charset=utf-8"
		case "json":
			body, media = j.files.JSON, "application/json"
		}
	}
	if body == nil {
		http.Error(w, page.ErrNotFound.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", `attachment; filename="`+j.kind+"-"+j.ended.UTC().Format("20060102T1504Z")+"."+r.PathValue("form")+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever asked has gone
}

func (p *pages) useful(ctx context.Context, r *page.Request) (Useful, error) {
	out := Useful{Days: 30, Verdicts: usefulness.Verdicts, Said: []report.Usefulness{}}
	if d := r.Q("days"); d != "" {
		n, err := strconv.ParseInt(d, 10, 32)
		if err != nil || n < 1 || n > 3660 {
			return out, page.Wrong("days: it is not a number from 1 to 3660")
		}
		out.Days = n
	}
	if p.Ledger.DB == nil {
		return out, nil
	}
	all, err := report.UsefulnessOf(ctx, p.Ledger.DB, p.Clock().AddDate(0, 0, -int(out.Days)))
	if all != nil {
		out.Said = all
	}
	return out, err
}
