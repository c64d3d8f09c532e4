package hospital

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/internal/demo/node"
)

// Row is one patient as find_patient lists them.
type Row struct {
	MRN        string `json:"mrn" jsonschema:"medical record number"`
	Name       string `json:"name"`
	BirthDate  string `json:"birthDate,omitempty"`
	Sex        string `json:"sex,omitempty"`
	City       string `json:"city,omitempty"`
	PostalCode string `json:"postalCode,omitempty"`
	Diagnosis  string `json:"diagnosis,omitempty" jsonschema:"ICD-10-CM, the first by code"`
}

// Record is everything the hospital keeps of a patient but the visits.
type Record struct {
	MRN          string       `json:"mrn"`
	Name         string       `json:"name"`
	BirthDate    string       `json:"birthDate,omitempty"`
	Sex          string       `json:"sex,omitempty"`
	Phone        string       `json:"phone,omitempty"`
	Email        string       `json:"email,omitempty"`
	Street       string       `json:"street,omitempty"`
	City         string       `json:"city,omitempty"`
	State        string       `json:"state,omitempty"`
	PostalCode   string       `json:"postalCode,omitempty"`
	Insurer      string       `json:"insurer,omitempty"`
	Plan         string       `json:"plan,omitempty"`
	MemberNumber string       `json:"memberNumber,omitempty"`
	Conditions   []Condition  `json:"conditions"`
	Medications  []Medication `json:"medications"`
}

// Condition is a diagnosis.
type Condition struct {
	Code  string `json:"code,omitempty" jsonschema:"ICD-10-CM"`
	Title string `json:"title,omitempty"`
	Since string `json:"since,omitempty"`
}

// Medication is something prescribed.
type Medication struct {
	Name string `json:"name,omitempty"`
	Dose string `json:"dose,omitempty"`
	For  string `json:"for,omitempty" jsonschema:"ICD-10-CM"`
}

// Encounter is one visit.
type Encounter struct {
	ID         string `json:"id"`
	Date       string `json:"date,omitempty"`
	Department string `json:"department,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Reason     string `json:"reason,omitempty" jsonschema:"ICD-10-CM"`
	Clinician  string `json:"clinician,omitempty"`
}

// FindQuery is the input of find_patient. What is given must all hold.
type FindQuery struct {
	Name       string `json:"name,omitempty" jsonschema:"a part of the name"`
	BirthDate  string `json:"birthDate,omitempty" jsonschema:"a date, or its beginning"`
	Diagnosis  string `json:"diagnosis,omitempty" jsonschema:"ICD-10-CM code, or its beginning"`
	PostalCode string `json:"postalCode,omitempty" jsonschema:"postal code, or its beginning"`
	Limit      int    `json:"limit,omitempty" jsonschema:"most rows to return, at most 50; absent: 10"`
}

// Found is the output of find_patient.
type Found struct {
	Patients []Row `json:"patients"`
	Total    int   `json:"total" jsonschema:"how many there are, returned or not"`
}

// RecordQuery is the input of get_record and list_encounters.
type RecordQuery struct {
	MRN string `json:"mrn" jsonschema:"medical record number"`
}

// Encounters is the output of list_encounters.
type Encounters struct {
	MRN        string      `json:"mrn"`
	Encounters []Encounter `json:"encounters"`
}

// StartRecords starts the MCP server records over a patient database (see [patients.Create]), which it does not close.
func StartRecords(ctx context.Context, opt node.Options, db *sql.DB) (*node.Running, error) {
	r := records{db}
	s := mcp.NewServer(&mcp.Implementation{Name: "records", Title: "St. Brigid patient records", Version: node.Version}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "find_patient", Description: "Finds patients by name, date of birth, diagnosis or postal code."}, r.find)
	mcp.AddTool(s, &mcp.Tool{Name: "get_record", Description: "Returns a patient's record with conditions and medications."}, r.get)
	mcp.AddTool(s, &mcp.Tool{Name: "list_encounters", Description: "Lists a patient's visits, latest first."}, r.encounters)
	s.AddResource(&mcp.Resource{
		URI: "records://departments", Name: "departments", Title: "Visits by department", MIMEType: "application/json",
		Description: "How many visits each department had: counts alone.",
	}, r.departments)
	s.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: "records://patients/{mrn}", Name: "patient", Title: "A patient's record", MIMEType: "application/json",
	}, r.read)
	return node.StartServer(ctx, opt, s)
}

type records struct{ db *sql.DB }

// ErrNoPatient is what tools and resources answer for a number that nobody has.
var ErrNoPatient = errors.New("no patient has that record number")

func (r records) find(ctx context.Context, _ *mcp.CallToolRequest, q FindQuery) (*mcp.CallToolResult, Found, error) {
	where, args := q.where()
	if len(args) == 0 {
		return nil, Found{}, errors.New("at least one of name, birthDate, diagnosis and postalCode is needed")
	}
	out := Found{Patients: []Row{}}
	if err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM patients p WHERE `+where, args...).Scan(&out.Total); err != nil {
		return nil, Found{}, fmt.Errorf("counting patients: %w", err)
	}
	limit := min(cmp.Or(max(q.Limit, 0), 10), 50)
	rows, err := r.db.QueryContext(ctx, `SELECT mrn, name, birth_date, sex, city, postal_code,
		(SELECT min(code) FROM conditions c WHERE c.mrn = p.mrn) FROM patients p WHERE `+where+` ORDER BY name, mrn LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, Found{}, fmt.Errorf("finding patients: %w", err)
	}
	out.Patients, err = collect(rows, func(p *Row) []any {
		return []any{&p.MRN, &p.Name, &p.BirthDate, &p.Sex, &p.City, &p.PostalCode, &p.Diagnosis}
	})
	return nil, out, err
}

// where turns the query into a condition with its arguments; none of what the caller wrote becomes SQL.
func (q FindQuery) where() (string, []any) {
	var all []string
	var args []any
	for _, c := range []struct{ sql, before, value, after string }{
		{`p.name LIKE ? ESCAPE '\'`, "%", q.Name, "%"},
		{`p.birth_date LIKE ? ESCAPE '\'`, "", q.BirthDate, "%"},
		{`p.postal_code LIKE ? ESCAPE '\'`, "", q.PostalCode, "%"},
		{`EXISTS (SELECT 1 FROM conditions c WHERE c.mrn = p.mrn AND c.code LIKE ? ESCAPE '\')`, "", q.Diagnosis, "%"},
	} {
		if c.value != "" {
			all, args = append(all, c.sql), append(args, c.before+likeEscape.Replace(c.value)+c.after)
		}
	}
	return strings.Join(all, " AND "), args
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (r records) get(ctx context.Context, _ *mcp.CallToolRequest, q RecordQuery) (*mcp.CallToolResult, Record, error) {
	out, err := r.record(ctx, q.MRN)
	return nil, out, err
}

func (r records) record(ctx context.Context, mrn string) (Record, error) {
	p := Record{}
	err := r.db.QueryRowContext(ctx, `SELECT mrn, name, birth_date, sex, phone, email, street, city, state, postal_code, insurer, plan, member_number
		FROM patients WHERE mrn = ?`, mrn).Scan(&p.MRN, &p.Name, &p.BirthDate, &p.Sex, &p.Phone, &p.Email, &p.Street, &p.City, &p.State, &p.PostalCode, &p.Insurer, &p.Plan, &p.MemberNumber)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNoPatient
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading a record: %w", err)
	}
	rows, err := r.db.QueryContext(ctx, `SELECT code, title, since FROM conditions WHERE mrn = ? ORDER BY since DESC`, mrn)
	if err == nil {
		p.Conditions, err = collect(rows, func(c *Condition) []any { return []any{&c.Code, &c.Title, &c.Since} })
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading conditions: %w", err)
	}
	rows, err = r.db.QueryContext(ctx, `SELECT name, dose, condition FROM medications WHERE mrn = ? ORDER BY name`, mrn)
	if err == nil {
		p.Medications, err = collect(rows, func(m *Medication) []any { return []any{&m.Name, &m.Dose, &m.For} })
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading medications: %w", err)
	}
	return p, nil
}

func (r records) encounters(ctx context.Context, _ *mcp.CallToolRequest, q RecordQuery) (*mcp.CallToolResult, Encounters, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id, date, department, kind, reason, clinician FROM encounters WHERE mrn = ? ORDER BY date DESC`, q.MRN)
	if err != nil {
		return nil, Encounters{}, fmt.Errorf("reading visits: %w", err)
	}
	out := Encounters{MRN: q.MRN}
	out.Encounters, err = collect(rows, func(e *Encounter) []any {
		return []any{&e.ID, &e.Date, &e.Department, &e.Kind, &e.Reason, &e.Clinician}
	})
	if err == nil && len(out.Encounters) == 0 {
		err = ErrNoPatient
	}
	return nil, out, err
}

// Departments is the content of records://departments.
type Departments struct {
	Departments []Department `json:"departments"`
}

// Department is how busy one department was.
type Department struct {
	Name   string `json:"name"`
	Visits int    `json:"visits"`
}

func (r records) departments(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT department, count(*) FROM encounters GROUP BY department ORDER BY department`)
	if err != nil {
		return nil, fmt.Errorf("counting visits: %w", err)
	}
	all, err := collect(rows, func(d *Department) []any { return []any{&d.Name, &d.Visits} })
	if err != nil {
		return nil, err
	}
	return jsonResource(req.Params.URI, Departments{all})
}

func (r records) read(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	p, err := r.record(ctx, strings.TrimPrefix(req.Params.URI, "records://patients/"))
	if errors.Is(err, ErrNoPatient) {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	if err != nil {
		return nil, err
	}
	return jsonResource(req.Params.URI, p)
}

func jsonResource(uri string, v any) (*mcp.ReadResourceResult, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(text)}}}, nil
}

// collect reads every row into a T and closes rows. It returns an empty list rather than none, as JSON likes it.
func collect[T any](rows *sql.Rows, columns func(*T) []any) ([]T, error) {
	defer func() { _ = rows.Close() }()
	all := []T{}
	for rows.Next() {
		var v T
		if err := rows.Scan(columns(&v)...); err != nil {
			return nil, fmt.Errorf("reading a row: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
