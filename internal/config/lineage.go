package config

import (
	"fmt"
	"slices"
)

// Lineage is where data came from and where it went (docs/spec/lineage.md).
type Lineage struct {
	Emit     []LineageTarget   `yaml:"emit" doc:"Where the lineage of this gateway's own flows is sent, as OpenLineage events."`
	Accept   []LineageReporter `yaml:"accept" doc:"Who may send OpenLineage events to /lineage, and about which data. Absent: nobody."`
	Datasets []LineageDataset  `yaml:"datasets" doc:"By which names events speak of the datasets and contracts of this file. The columns of these get the labels of what they were made of."`
	Masking  []LineageMasking  `yaml:"masking" doc:"Columns for which it is believed that masking leaves nothing of the value. For all others masking lowers nothing."`
	Body     Size              `yaml:"body" doc:"Bytes of one event that is sent to the gateway." default:"4MiB" min:"1KiB" max:"64MiB"`
	Nodes    int               `yaml:"nodes" doc:"Datasets, columns and jobs that are kept; one reporter takes half of them at most." default:"1000000" min:"1000" max:"100000000"`
	Edges    int               `yaml:"edges" doc:"Links between columns and between datasets that are kept; one reporter takes half of them at most." default:"2000000" min:"1000" max:"100000000"`
}

// LineageTarget is a file, or a tool that collects lineage.
type LineageTarget struct {
	Name       string      `yaml:"name" doc:"Name of the target. What was sent is remembered under it: another name begins anew." required:"true" pattern:"id"`
	To         LineageKind `yaml:"to" doc:"What it is. openlineage: anything that takes events at exactly the url." required:"true" enum:"file marquez datahub openmetadata openlineage"`
	File       string      `yaml:"file" doc:"Of a file: its path. Events are appended, one a line."`
	URL        string      `yaml:"url" doc:"Of a tool: its address, without the path at which it takes lineage." pattern:"url"`
	Credential *Credential `yaml:"credential" secret:"true" doc:"What the gateway shows the tool."`
	CAFile     string      `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the tool, and no others. Absent: those of the system."`
	From       string      `yaml:"from" doc:"Where a target that is new begins: at the start of the journal, or now." default:"start" enum:"start now"`
}

// LineageKind is what lineage is sent to.
type LineageKind string

// LineageFile is a file.
const LineageFile LineageKind = "file"

func (v *validator) lineage() {
	var names []string
	for i := range v.c.Lineage.Emit {
		t, at := &v.c.Lineage.Emit[i], fmt.Sprintf("lineage/emit/%d", i)
		if slices.Contains(names, t.Name) && t.Name != "" {
			v.wrong(at+"/name", "", "the name is given twice")
		}
		names = append(names, t.Name)
		if t.To == LineageFile {
			if t.File == "" || t.URL != "" || t.Credential != nil || t.CAFile != "" {
				v.wrong(at, "", "a file has a file, and no url, credential or ca_file")
			}
			continue
		}
		if t.URL == "" || t.File != "" {
			v.wrong(at, "", "a tool has a url and no file")
		}
		if host, plain := urlHost(t.URL); plain && !isLoopback(host) {
			v.warn(at+"/url", "use https", "names of datasets, columns and agents travel unencrypted")
		}
		if t.Credential != nil {
			v.credential(t.Credential, t.URL, at+"/credential")
		}
		v.authorities(at+"/ca_file", t.CAFile)
	}
}

// Same reports whether both send the same to the same place, wherever they stand in the file.
func (t *LineageTarget) Same(o *LineageTarget) bool {
	a, b := *t, *o
	var x, y Credential
	if a.Credential != nil {
		x = *a.Credential
	}
	if b.Credential != nil {
		y = *b.Credential
	}
	x.place, y.place, a.Credential, b.Credential = place{}, place{}, nil, nil
	return a == b && x == y
}

// WrittenURL is the address under which the file says that agents see the gateway; "" where it says nothing.
func (c *Config) WrittenURL() string {
	if _, ok := c.loaded.places["public_url"]; ok {
		return c.PublicURL
	}
	return ""
}
