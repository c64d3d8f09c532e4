package release

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

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
		"run":    object{"runId": runID(m.Flow)},
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

// runID makes a UUID (version 8) of a flow's id, so that the two can be told to belong together.
func runID(id flow.ID) string {
	b := sha256.Sum256([]byte("scrim release run\n" + string(id)))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
