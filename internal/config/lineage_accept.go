package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

// LineageReporter is an agent that tells of data.
type LineageReporter struct {
	Agent      flow.AgentID `yaml:"agent" doc:"The agent, as it proves itself to the gateway." required:"true" pattern:"id"`
	Namespaces []string     `yaml:"namespaces" doc:"Namespaces of the datasets that it may tell how they were made. One that ends in * stands for all that begin so." required:"true"`
}

// LineageDataset says that a dataset of OpenLineage is one of this file.
type LineageDataset struct {
	Namespace string `yaml:"namespace" doc:"Its namespace, such as postgres://db:5432." required:"true"`
	Name      string `yaml:"name" doc:"Its name there, such as clinic.public.stays. One that ends in * stands for all that begin so." required:"true"`
	Dataset   string `yaml:"dataset" doc:"One of datasets, or of those that contracts describe." required:"true"`
	Table     string `yaml:"table" doc:"Of one of datasets: its table. Absent: the only one."`
}

// LineageMasking is the owner's word that masking is done well.
type LineageMasking struct {
	Namespace string       `yaml:"namespace" doc:"Namespace of the dataset that holds what was masked." required:"true"`
	Name      string       `yaml:"name" doc:"The dataset. One that ends in * stands for all that begin so." required:"true"`
	Field     string       `yaml:"field" doc:"The column." required:"true"`
	Agent     flow.AgentID `yaml:"agent" doc:"Whose word on masking is taken. It must be under accept." required:"true" pattern:"id"`
	Label     flow.Label   `yaml:"label" doc:"What the column is then, in place of what was masked, such as technical/record-id." required:"true" pattern:"label"`
}

// reported checks what is said of lineage that others report.
func (v *validator) reported(agents map[flow.AgentID]int) {
	l := &v.c.Lineage
	told := map[flow.AgentID]bool{}
	for i, r := range l.Accept {
		at := fmt.Sprintf("lineage/accept/%d", i)
		known(v, at+"/agent", "agent", r.Agent, agents)
		if told[r.Agent] {
			v.wrong(at+"/agent", "list all of its namespaces in one place", "the agent is listed twice")
		}
		told[r.Agent] = true
		if len(r.Namespaces) == 0 {
			v.wrong(at+"/namespaces", "such as postgres://db:5432", "without namespaces the agent may tell of nothing")
		}
		for j, n := range r.Namespaces {
			v.namespace(fmt.Sprintf("%s/namespaces/%d", at, j), n)
		}
	}
	for i := range l.Datasets {
		d := &l.Datasets[i]
		at := fmt.Sprintf("lineage/datasets/%d", i)
		v.openName(at, d.Namespace, d.Name)
		if v.look() && len(v.c.declared(d)) == 0 {
			v.wrong(at, "name one of datasets with one of its tables, or a dataset of a contract", "there is no such dataset or table")
		}
	}
	for i, m := range l.Masking {
		at := fmt.Sprintf("lineage/masking/%d", i)
		v.openName(at, m.Namespace, m.Name)
		if !told[m.Agent] {
			v.wrong(at+"/agent", "", "the agent is not under accept")
		}
		if !v.c.loaded.taxonomy.Known(m.Label) {
			v.wrong(at+"/label", "list it under taxonomy", "there is no such label")
		}
	}
	if len(l.Datasets) > 0 && len(l.Accept) == 0 {
		v.warn("lineage/datasets", "say under accept who may tell of their data", "nobody but this gateway tells where data comes from")
	}
}

func (v *validator) namespace(at, n string) {
	if strings.Contains(strings.TrimSuffix(n, "*"), "*") {
		v.wrong(at, "", "* may stand at the end only")
	}
	if n == "" || len(n) > 512 || strings.ContainsFunc(n, func(r rune) bool { return r < ' ' }) {
		v.wrong(at, "such as postgres://db:5432", "not a namespace")
	}
}

func (v *validator) openName(at, namespace, name string) {
	if strings.Contains(namespace, "*") {
		v.wrong(at+"/namespace", "", "a namespace is given whole here")
	}
	if strings.Contains(strings.TrimSuffix(name, "*"), "*") {
		v.wrong(at+"/name", "", "* may stand at the end only")
	}
}

// LineageOf names the columns of a table of a dataset, or of a dataset of a contract, in [lineage.Labels].
func LineageOf(dataset, table string) string {
	if table == "" {
		return "contract " + dataset
	}
	return dataset + "/" + table
}

// declared are the datasets that a dataset of OpenLineage is, with the labels of their columns by the names that they have there.
func (c *Config) declared(d *LineageDataset) (all []lineage.Declared) {
	name := lineage.Name{Namespace: d.Namespace, Name: d.Name}
	described := map[string]bool{}
	if own, here := c.Datasets[d.Dataset]; here {
		table := d.Table
		if table == "" && len(own.Tables) == 1 {
			table = slices.Collect(maps.Keys(own.Tables))[0]
		}
		q := c.Queried(d.Dataset)
		for i := range own.Tables {
			if i != table || q == nil {
				continue
			}
			one := lineage.Declared{Name: name, Of: LineageOf(d.Dataset, table), Columns: map[string]flow.Label{}}
			for _, t := range q.Tables {
				for _, col := range t.Columns {
					if t.Name == table { // two columns of one of the source: the stricter counts for both
						one.Columns[col.Source] = c.loaded.taxonomy.Stricter(one.Columns[col.Source], col.Label)
					}
				}
			}
			all = append(all, one)
			described[cmp.Or(own.Tables[table].Contract, table)] = true
		}
		if len(own.Tables) == 1 {
			described[d.Dataset] = true
		}
	}
	if c.loaded.catalog == nil {
		return all
	}
	for _, contract := range c.loaded.catalog.Contracts() {
		for _, of := range contract.Datasets {
			if !described[of.Name] && (of.Name != d.Dataset || d.Table != "") {
				continue
			}
			one := lineage.Declared{Name: name, Of: LineageOf(of.Name, ""), Columns: map[string]flow.Label{}}
			for _, f := range of.Fields {
				one.Columns[f.Column] = f.Label
			}
			all = append(all, one)
		}
	}
	return all
}

// LineageRules are what labels are carried by.
func (c *Config) LineageRules() lineage.Rules {
	r := lineage.Rules{Taxonomy: c.Taxonomy()}
	for i := range c.Lineage.Datasets {
		r.Declared = append(r.Declared, c.declared(&c.Lineage.Datasets[i])...)
	}
	domain := map[flow.AgentID]flow.DomainID{}
	for _, p := range c.Parties() {
		domain[p.Agent] = p.Domain
	}
	for _, m := range c.Lineage.Masking {
		r.Masked = append(r.Masked, lineage.Masked{
			Column: lineage.Column{Dataset: lineage.Name{Namespace: m.Namespace, Name: m.Name}, Field: m.Field},
			Teller: lineage.Told{Agent: m.Agent, Domain: domain[m.Agent]}.Teller(), Label: m.Label,
		})
	}
	return r
}

// LineageReporters are the namespaces that agents may tell of, by who they are.
func (c *Config) LineageReporters() map[flow.AgentID][]string {
	all := map[flow.AgentID][]string{}
	for _, r := range c.Lineage.Accept {
		all[r.Agent] = slices.Clone(r.Namespaces)
	}
	return all
}
