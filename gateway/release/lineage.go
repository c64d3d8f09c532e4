package release

import (
	"encoding/json"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
)

// The OpenLineage documents that the lineage is of.
const (
	producer       = "https://scrim.dev/release"
	runEventSchema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	columnSchema   = "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
	fieldsSchema   = "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
	countSchema    = "https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"
)

type object = map[string]any

// lineage is an OpenLineage run event: which dataset the table comes from, and which column from which, changed how.
func (r *run) lineage(m *Manifest) ([]byte, error) {
	namespace := "scrim://" + string(m.From)
	source := m.Dataset
	if source == "" {
		source = "source/" + m.Source[:16]
	}
	fields, names := object{}, []object{}
	for _, c := range m.Columns {
		if c.Level == flow.Dropped {
			continue
		}
		names = append(names, object{"name": c.Name})
		kind := "TRANSFORMATION"
		if c.Level == flow.Raw {
			kind = "IDENTITY"
		}
		fields[c.Name] = object{"inputFields": []object{{
			"namespace": namespace, "name": source, "field": c.Name,
			"transformations": []object{{"type": "DIRECT", "subtype": kind, "description": c.Technique + ": " + c.Level.String(), "masking": c.Level != flow.Raw}},
		}}}
	}
	ev := object{
		"eventType": "COMPLETE", "eventTime": m.Time.Format(time.RFC3339Nano), "producer": producer, "schemaURL": runEventSchema,
		"run":    object{"runId": trace.RunID(m.Flow)},
		"job":    object{"namespace": namespace, "name": "release/" + string(m.To.Agent)},
		"inputs": []object{{"namespace": namespace, "name": source}},
		"outputs": []object{{
			"namespace": "scrim://" + string(m.To.Domain), "name": "release/" + string(m.Flow),
			"facets": object{
				"columnLineage": object{"_producer": producer, "_schemaURL": columnSchema, "fields": fields},
				"schema":        object{"_producer": producer, "_schemaURL": fieldsSchema, "fields": names},
			},
			"outputFacets": object{"outputStatistics": object{"_producer": producer, "_schemaURL": countSchema, "rowCount": m.Rows.Out}},
		}},
	}
	raw, err := json.MarshalIndent(ev, "", "  ")
	return append(raw, '\n'), err
}
