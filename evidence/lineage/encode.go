package lineage

import (
	"encoding/json"
	"time"
)

// The documents of OpenLineage that events follow.
const (
	SpecURL    = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
	facetsURL  = "https://openlineage.io/spec/facets/"
	parentURL  = facetsURL + "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet"
	columnsURL = facetsURL + "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
	schemaURL  = facetsURL + "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
	versionURL = facetsURL + "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
	linksURL   = facetsURL + "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet"
	changeURL  = facetsURL + "1-0-1/LifecycleStateChangeDatasetFacet.json#/$defs/LifecycleStateChangeDatasetFacet"
	lineageURL = facetsURL + "1-0-0/LineageFacet.json#/$defs/LineageDatasetFacet"
	countURL   = facetsURL + "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"
)

type object = map[string]any

// MarshalJSON implements [json.Marshaler] with an event of OpenLineage 2-0-2. Members come in the order of their names.
func (e *Event) MarshalJSON() ([]byte, error) {
	out := object{"eventTime": e.Time.UTC().Format(time.RFC3339Nano), "producer": e.Producer}
	f := facets{producer: e.Producer}
	if e.Dataset != nil {
		out["schemaURL"] = SpecURL + "#/$defs/DatasetEvent"
		out["dataset"] = f.dataset(e.Dataset, "")
		return json.Marshal(out)
	}
	out["schemaURL"] = SpecURL + "#/$defs/JobEvent"
	if e.Run != nil {
		out["schemaURL"] = SpecURL + "#/$defs/RunEvent"
		out["run"] = f.run(e.Run)
		if e.Type != "" {
			out["eventType"] = e.Type
		}
	}
	if e.Job != nil {
		out["job"] = with(object{"namespace": e.Job.Namespace, "name": e.Job.Name.Name}, "facets", f.of(e.Job.Facets))
	}
	for name, all := range map[string][]Dataset{"input": e.Inputs, "output": e.Outputs} {
		list := make([]object, len(all))
		for i := range all {
			list[i] = f.dataset(&all[i], name+"Facets")
		}
		if len(list) > 0 {
			out[name+"s"] = list
		}
	}
	return json.Marshal(out)
}

// facets makes facets that name their producer.
type facets struct{ producer string }

func (f facets) facet(schema string, rest object) object {
	rest["_producer"], rest["_schemaURL"] = f.producer, schema
	return rest
}

func (f facets) of(more Facets) object {
	out := object{}
	for name, raw := range more {
		out[name] = raw
	}
	return out
}

// with adds a member unless it is empty.
func with(o object, name string, member object) object {
	if len(member) > 0 {
		o[name] = member
	}
	return o
}

func (f facets) run(r *Run) object {
	all := f.of(r.Facets)
	if p := r.Parent; p != nil {
		all["parent"] = f.facet(parentURL, object{"run": object{"runId": p.Run}, "job": p.Job})
	}
	return with(object{"runId": r.ID}, "facets", all)
}

func (f facets) dataset(d *Dataset, io string) object {
	all := f.of(d.Facets)
	if d.Version != "" {
		all["version"] = f.facet(versionURL, object{"datasetVersion": d.Version})
	}
	if len(d.Symlinks) > 0 {
		ids := make([]object, len(d.Symlinks))
		for i, n := range d.Symlinks {
			ids[i] = object{"namespace": n.Namespace, "name": n.Name, "type": "TABLE"}
		}
		all["symlinks"] = f.facet(linksURL, object{"identifiers": ids})
	}
	if d.Previous != nil {
		all["lifecycleStateChange"] = f.facet(changeURL, object{"lifecycleStateChange": "RENAME", "previousIdentifier": *d.Previous})
	}
	if len(d.Schema) > 0 {
		fields := make([]object, len(d.Schema))
		for i, c := range d.Schema {
			fields[i] = object{"name": c.Name}
			if c.Type != "" {
				fields[i]["type"] = c.Type
			}
		}
		all["schema"] = f.facet(schemaURL, object{"fields": fields})
	}
	if d.Columns != nil {
		byColumn, whole := d.Columns.split()
		if byColumn != nil {
			all["columnLineage"] = f.columns(byColumn)
		}
		if whole != nil {
			all["lineage"] = f.explicit(whole)
		}
	}
	out := with(object{"namespace": d.Namespace, "name": d.Name.Name}, "facets", all)
	if io == "" {
		return out
	}
	more := f.of(d.IO)
	if d.Rows != nil && io == "outputFacets" {
		more["outputStatistics"] = f.facet(countURL, object{"rowCount": *d.Rows})
	}
	return with(out, io, more)
}

func (f facets) columns(c *ColumnLineage) object {
	fields := object{}
	for _, one := range c.Fields {
		fields[one.Field] = object{"inputFields": inputFields(one.Inputs)}
	}
	out := object{"fields": fields}
	if len(c.Dataset) > 0 {
		out["dataset"] = inputFields(c.Dataset)
	}
	return f.facet(columnsURL, out)
}

// split divides what was made of columns, which the facet columnLineage can say, from what was made of datasets as a whole,
// for which there is the facet lineage. Either is nil where there is none.
func (c *ColumnLineage) split() (byColumn, whole *ColumnLineage) {
	some := func(all []Input, field bool) (out []Input) {
		for _, in := range all {
			if (in.Field != "") == field {
				out = append(out, in)
			}
		}
		return out
	}
	half := func(field bool) *ColumnLineage {
		out := &ColumnLineage{Dataset: some(c.Dataset, field)}
		for _, f := range c.Fields {
			if inputs := some(f.Inputs, field); len(inputs) > 0 || field && len(f.Inputs) == 0 {
				out.Fields = append(out.Fields, FieldLineage{f.Field, inputs})
			}
		}
		if out.Fields == nil && out.Dataset == nil {
			return nil
		}
		return out
	}
	byColumn, whole = half(true), half(false)
	if byColumn == nil && whole == nil {
		byColumn = &ColumnLineage{}
	}
	return byColumn, whole
}

func (f facets) explicit(c *ColumnLineage) object {
	sources := func(all []Input) []object {
		out := inputFields(all)
		for i := range out {
			delete(out[i], "field")
			out[i]["type"] = "DATASET"
		}
		return out
	}
	fields := object{}
	for _, one := range c.Fields {
		fields[one.Field] = object{"inputs": sources(one.Inputs)}
	}
	out := with(object{}, "fields", fields)
	if len(c.Dataset) > 0 {
		out["inputs"] = sources(c.Dataset)
	}
	return f.facet(lineageURL, out)
}

func inputFields(all []Input) []object {
	out := make([]object, len(all))
	for i, in := range all {
		out[i] = object{"namespace": in.Dataset.Namespace, "name": in.Dataset.Name, "field": in.Field}
		var how []object
		for _, t := range in.How {
			one := object{"type": t.Type, "masking": t.Masking}
			if t.Subtype != "" {
				one["subtype"] = t.Subtype
			}
			if t.Description != "" {
				one["description"] = t.Description
			}
			how = append(how, one)
		}
		if how != nil {
			out[i]["transformations"] = how
		}
	}
	return out
}
