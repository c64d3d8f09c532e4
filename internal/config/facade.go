package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/facade"
)

// Facade is a store that the gateway itself puts an MCP server and a REST interface before: exactly one of sqlite,
// postgres and rest says where it lies.
type Facade struct {
	SQLite   string                 `yaml:"sqlite" doc:"An SQLite database. It is opened for reading."`
	Postgres *SecretText            `yaml:"postgres" secret:"true" doc:"The URL (postgres://…) of a PostgreSQL database. Give it a role that may read the tables below and nothing else."`
	REST     *FacadeREST            `yaml:"rest" doc:"A service over HTTP that an OpenAPI file describes."`
	Tables   map[string]FacadeTable `yaml:"tables" keys:"name" doc:"What callers may ask about, by the name that tools and addresses have for it. Columns are those of the data contract." required:"true"`
	Rows     int                    `yaml:"rows" doc:"Rows of one answer, at most." default:"100" min:"1" max:"1000"`
	Cells    int                    `yaml:"cells" doc:"Values of one answer, at most: each is decided and recorded." default:"2000" min:"10" max:"50000"`
	Bytes    Size                   `yaml:"bytes" doc:"Bytes of the values of one answer, about." default:"256KiB" min:"1KiB" max:"1MiB"`
	Timeout  Duration               `yaml:"timeout" doc:"How long one reading may take." default:"5s" min:"10ms" max:"1m"`
}

// FacadeREST is a service over HTTP.
type FacadeREST struct {
	URL        string      `yaml:"url" doc:"Where the service is. The paths of the file are below it, and the servers that the file names are not called." required:"true" pattern:"url"`
	OpenAPI    string      `yaml:"openapi" doc:"File that describes it, OpenAPI 3.0 or 3.1, YAML or JSON." required:"true"`
	Credential *Credential `yaml:"credential" secret:"true" doc:"What the gateway shows the service. A caller's own credential is never passed on."`
	CAFile     string      `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the service, and no others. Absent: those of the system."`
}

// FacadeTable is one table of a facade.
type FacadeTable struct {
	Table   string   `yaml:"table" doc:"Its name in the source, such as clinic.stays. Absent: what the contract calls it there, else the dataset's name."`
	Dataset string   `yaml:"dataset" doc:"The dataset of a data contract that describes it. Absent: that of the same name."`
	Key     []string `yaml:"key" doc:"The columns by which a row is found, and by which pages go on. Absent: the primary key of the contract."`
	List    string   `yaml:"list" doc:"Of a service: the operation (operationId) that gives all rows, or, by parameters that are called like columns, some."`
	Get     string   `yaml:"get" doc:"Of a service: the operation that gives one row by its key. Absent: rows are looked for in what list gives."`
}

// facades checks the stores that the gateway puts an interface before, and returns the schemas of their tools.
func (v *validator) facades(contracts []*catalog.Contract) []catalog.Binding {
	var all []catalog.Binding
	for i := range v.c.Agents {
		a, at := &v.c.Agents[i], fmt.Sprintf("agents/%d/facade", i)
		f := a.Facade
		if f == nil {
			continue
		}
		if a.MCP != nil {
			v.wrong(at, "leave mcp out: the facade is the server", "the agent has mcp, too")
		}
		if a.Domain != v.c.Domain {
			v.wrong(at, "a facade stands before data of this domain", "the agent belongs to another domain")
		}
		given := 0
		for _, has := range []bool{f.SQLite != "", f.Postgres != nil, f.REST != nil} {
			if has {
				given++
			}
		}
		if given != 1 {
			v.wrong(at, "", "either sqlite, postgres or rest is expected")
		}
		if s := f.Postgres; s != nil {
			if (s.Env == "") == (s.File == "") {
				v.wrong(at+"/postgres", "the URL holds a password, so it does not belong in this file", "either env or file is expected")
			}
			v.secret(at+"/postgres", s.Env, s.File)
		}
		if !v.look() {
			continue
		}
		v.service(a, at, contracts)
		for _, name := range slices.Sorted(maps.Keys(f.Tables)) {
			all = append(all, v.facadeTable(a, name, at+"/tables/"+name, contracts)...)
		}
	}
	return all
}

func (v *validator) facadeTable(a *Agent, name, at string, contracts []*catalog.Contract) []catalog.Binding {
	t := a.Facade.Tables[name]
	one, err := facade.New(facade.Options{Server: a.ID, Tables: []facade.Table{t.table(name)}, Contracts: contracts, Taxonomy: v.c.loaded.taxonomy})
	if err != nil {
		v.wrong(at, "a facade shows what a contract describes, and nothing else", "%s", err)
		return nil
	}
	bound, err := one.Bindings()
	if err != nil {
		v.adopt(at, err)
	}
	return bound
}

// service checks that a service's OpenAPI file has what its tables are to be read by.
func (v *validator) service(a *Agent, at string, contracts []*catalog.Contract) {
	r := a.Facade.REST
	for _, name := range slices.Sorted(maps.Keys(a.Facade.Tables)) {
		t := a.Facade.Tables[name]
		if r == nil && (t.List != "" || t.Get != "") {
			v.wrong(at+"/tables/"+name, "", "list and get are for a service")
		}
		if r != nil && t.List == "" {
			v.wrong(at+"/tables/"+name, "name an operationId of the OpenAPI file", "list is missing")
		}
	}
	if r == nil || r.OpenAPI == "" {
		return
	}
	v.loops(r.URL, at+"/rest/url")
	v.authorities(at+"/rest/ca_file", r.CAFile)
	if r.Credential != nil {
		v.credential(r.Credential, r.URL, at+"/rest/credential")
	}
	raw, ok := v.read(at+"/rest/openapi", r.OpenAPI)
	if !ok {
		return
	}
	spec, err := facade.ParseOpenAPI(raw)
	if err != nil {
		v.unreadable(at+"/rest/openapi", r.OpenAPI, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facade.Tables)) {
		t := a.Facade.Tables[name]
		f, err := facade.New(facade.Options{Server: a.ID, Tables: []facade.Table{t.table(name)}, Contracts: contracts, Taxonomy: v.c.loaded.taxonomy})
		if err != nil || t.List == "" {
			continue // a mistake of the table, which is told elsewhere
		}
		if _, err := facade.Web(facade.WebOptions{Spec: spec, Tables: []facade.WebTable{f.Web(name, t.List, t.Get)}}); err != nil {
			v.unreadable(at+"/tables/"+name, r.OpenAPI, err)
		}
	}
	if v.c.loaded.specs == nil {
		v.c.loaded.specs = map[flow.AgentID]*facade.Spec{}
	}
	v.c.loaded.specs[a.ID] = spec
}

// unreadable notes what is wrong with an OpenAPI file, in its own lines.
func (v *validator) unreadable(at, file string, err error) {
	if e, ok := errors.AsType[*facade.SpecError](err); ok {
		v.mistakes = append(v.mistakes, Mistake{File: v.shown(file), Line: e.Line, Column: e.Column, Message: e.Why})
		return
	}
	v.wrong(at, "", "%s", err)
}

// FacadeWeb returns what the facade of an agent before a service is made of, without the way to it.
func (c *Config) FacadeWeb(a *Agent) (facade.WebOptions, error) {
	o := facade.WebOptions{Spec: c.loaded.specs[a.ID], Limit: time.Duration(a.Facade.Timeout)}
	f, err := facade.New(c.FacadeOptions(a))
	if err != nil {
		return o, err
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facade.Tables)) {
		t := a.Facade.Tables[name]
		o.Tables = append(o.Tables, f.Web(name, t.List, t.Get))
	}
	return o, nil
}

func (t *FacadeTable) table(name string) facade.Table {
	return facade.Table{Name: name, Source: t.Table, Dataset: t.Dataset, Key: t.Key}
}

// FacadeOptions returns what the facade of an agent is made of, without its source.
func (c *Config) FacadeOptions(a *Agent) facade.Options {
	o := facade.Options{
		Server: a.ID, Contracts: c.Catalog().Contracts(), Taxonomy: c.Taxonomy(), Rows: a.Facade.Rows, Cells: a.Facade.Cells,
		Bytes: int(a.Facade.Bytes), Limit: time.Duration(a.Facade.Timeout),
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facade.Tables)) {
		t := a.Facade.Tables[name]
		o.Tables = append(o.Tables, t.table(name))
	}
	return o
}

// Serves reports whether the agent answers MCP, as a server of its own or by its facade.
func (a *Agent) Serves() bool { return a.MCP != nil || a.Facade != nil }
