package draw

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
)

type object = map[string]any

// PROV writes PROV-JSON (W3C Member Submission, 24 April 2013): datasets and columns are entities, jobs are activities, who received
// something is an agent, and each kind of delivery an activity of its own.
func PROV(p *lineage.Picture) ([]byte, error) {
	v := &prov{entity: object{}, activity: object{}, agent: object{}, ids: map[any]string{}}
	member, derived, used, made, with := object{}, object{}, object{}, object{}, object{}
	for _, d := range p.Datasets {
		set := v.column(lineage.Column{Dataset: d.Name})
		for _, c := range d.Columns {
			member[fmt.Sprintf("_:m%d", len(member))] = object{"prov:collection": set, "prov:entity": v.column(lineage.Column{Dataset: d.Name, Field: c})}
		}
	}
	for i := range p.Links {
		l := &p.Links[i]
		from, to := v.column(l.From), v.column(l.To)
		one := object{"prov:generatedEntity": to, "prov:usedEntity": from, "scrim:how": plain(l.How), "scrim:masking": l.Masking}
		if l.Job.Name != "" {
			job := v.job(l)
			one["prov:activity"] = job
			used[fmt.Sprintf("_:u%d", len(used))] = object{"prov:activity": job, "prov:entity": from}
			made[fmt.Sprintf("_:g%d", len(made))] = object{"prov:entity": to, "prov:activity": job}
		}
		derived[fmt.Sprintf("_:d%d", len(derived))] = one
	}
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		id := fmt.Sprintf("scrim:delivery%d", i)
		v.activity[id] = object{
			"prov:label": "delivery", "prov:startTime": stamp(d.First), "prov:endTime": stamp(d.Last), "scrim:purpose": plain(string(d.Purpose)),
			"scrim:policy": plain(d.Policy), "scrim:level": plain(d.Level), "scrim:count": object{"$": fmt.Sprint(d.Count), "type": "xsd:long"},
		}
		used[fmt.Sprintf("_:u%d", len(used))] = object{"prov:activity": id, "prov:entity": v.column(lineage.Column{Dataset: d.Dataset})}
		with[fmt.Sprintf("_:w%d", len(with))] = object{"prov:activity": id, "prov:agent": v.who(string(d.Agent), string(d.Domain))}
	}
	out := object{"prefix": object{"scrim": "https://scrim.dev/prov#", "xsd": "http://www.w3.org/2001/XMLSchema#"}}
	for name, m := range map[string]object{
		"entity": v.entity, "activity": v.activity, "agent": v.agent, "hadMember": member, "wasDerivedFrom": derived, "used": used, "wasGeneratedBy": made, "wasAssociatedWith": with,
	} {
		if len(m) > 0 {
			out[name] = m
		}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}

// prov gives everything an id: names as they are may hold what no qualified name takes.
type prov struct {
	entity, activity, agent object
	ids                     map[any]string
}

func (v *prov) id(of any, kind string, in object, say object) string {
	if id := v.ids[of]; id != "" {
		return id
	}
	id := fmt.Sprintf("scrim:%s%d", kind, len(in))
	v.ids[of] = id
	in[id] = say
	return id
}

func (v *prov) column(c lineage.Column) string {
	say := object{"prov:label": plain(c.Dataset.Name), "scrim:namespace": plain(c.Dataset.Namespace), "scrim:dataset": plain(c.Dataset.Name)}
	if c.Field == "" {
		say["prov:type"] = object{"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"}
	} else {
		say["prov:label"], say["scrim:column"] = plain(c.Field), plain(c.Field)
	}
	return v.id(c, "entity", v.entity, say)
}

type jobOf struct {
	lineage.Name
	teller string
}

func (v *prov) job(l *lineage.Link) string {
	say := object{"prov:label": plain(l.Job.Name), "scrim:namespace": plain(l.Job.Namespace), "scrim:job": plain(l.Job.Name)}
	if l.Teller != "" {
		say["scrim:reportedBy"] = plain(l.Teller)
	}
	if l.Run != "" {
		say["scrim:run"] = plain(l.Run)
	}
	return v.id(jobOf{l.Job, l.Teller}, "job", v.activity, say)
}

type agentOf struct{ agent, domain string }

func (v *prov) who(agent, domain string) string {
	return v.id(agentOf{agent, domain}, "agent", v.agent, object{
		"prov:label": plain(agent + "@" + domain), "prov:type": object{"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
	})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
