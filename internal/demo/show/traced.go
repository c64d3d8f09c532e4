package show

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
)

// traced is what the hospital's gateway knows of where its data went.
type traced struct {
	datasets, links, deliveries int
	went                        map[string]map[flow.AgentID]string // member of the referral → recipient → how
	picture                     string                             // a file
}

// followed are members of the referral whose way is shown.
var followed = []string{"patient.name", "patient.birthDate", "patient.address.postalCode", "request.diagnosis"}

// lineage is what the journal says of where the referral went, and a picture of everything.
func (s *system) lineage(ctx context.Context, f *facts) error {
	g := s.gateways[demo.Hospital]
	raw, err := g.Picture(ctx, "json", api.LineageQuery{}, false)
	if err != nil {
		return fmt.Errorf("following the hospital's data: %w", err)
	}
	var all lineage.Picture
	if err := json.Unmarshal(raw, &all); err != nil {
		return errors.New("lineage is not JSON")
	}
	f.traced = traced{datasets: len(all.Datasets), links: len(all.Links), deliveries: len(all.Deliveries), went: map[string]map[flow.AgentID]string{}}
	for _, l := range all.Links {
		for _, to := range recipients {
			if !strings.HasPrefix(l.From.Dataset.Name, "agents/intake/to/"+string(to)+"/") || l.From.Field != l.To.Field {
				continue
			}
			if f.traced.went[l.From.Field] == nil {
				f.traced.went[l.From.Field] = map[flow.AgentID]string{}
			}
			f.traced.went[l.From.Field][to] = strings.TrimPrefix(strings.ToLower(l.How[strings.LastIndexByte(l.How, '/')+1:]), "transformation:")
		}
	}
	svg, err := g.Picture(ctx, "svg", api.LineageQuery{}, true)
	if err != nil {
		return fmt.Errorf("drawing where the hospital's data went: %w", err)
	}
	f.traced.picture = filepath.Join(s.dir, "lineage.svg")
	return os.WriteFile(f.traced.picture, svg, 0o600)
}

func (p *printer) wentWhere(f *facts) {
	t := f.traced
	p.heading(9, "Where it went")
	p.para(3, "", plain, words(plain, "The hospital's journal is lineage, too, in the form of OpenLineage: what each column was made of, by whom, and by which policies. "+
		"Of the referral, member by member:"))
	p.line("")
	head := []string{"made of"}
	for _, to := range recipients {
		head = append(head, columns[to])
	}
	var rows [][]cell
	for _, name := range followed {
		row := []cell{{name, faint}}
		for _, to := range recipients {
			how := t.went[name][to]
			switch how {
			case "":
				row = append(row, cell{"-", bad})
			case "identity":
				row = append(row, cell{how, good})
			default:
				row = append(row, cell{how, other})
			}
		}
		rows = append(rows, row)
	}
	p.table(3, head, rows)
	p.para(3, "all of it", faint, words(plain, fmt.Sprintf("%d datasets, %d links, %d deliveries", t.datasets, t.links, t.deliveries)))
}
