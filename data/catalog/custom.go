package catalog

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// placed is the value of a customProperty, and where it is.
type placed struct {
	node  *yaml.Node
	place string
}

// others returns the customProperties that are not ours, and scrim.found, in the order of the file.
func (p *contractParser) others(n *yaml.Node) (out []Property) {
	entries := member(n, "customProperties")
	if entries == nil || entries.Kind != yaml.SequenceNode {
		return nil
	}
	for _, entry := range entries.Content {
		name, value := member(entry, "property"), member(entry, "value")
		if name == nil || value == nil || strings.HasPrefix(name.Value, "scrim.") && name.Value != foundProperty {
			continue
		}
		var v any
		if err := value.Decode(&v); err != nil {
			p.wrong(value, "", "", "the value of a customProperty cannot be read")
			continue
		}
		out = append(out, Property{Name: name.Value, Value: v})
	}
	return out
}

// custom returns the customProperties of ours, by name. Others are passed over; unknown ones of ours are mistakes.
func (p *contractParser) custom(n *yaml.Node, place string, known ...string) map[string]placed {
	out := map[string]placed{}
	for i, entry := range p.list(n, place, "customProperties") {
		at := fmt.Sprintf("%s/customProperties/%d", place, i)
		name, value := member(entry, "property"), member(entry, "value")
		if name == nil || value == nil {
			p.wrong(entry, at, "", "property and value are expected")
			continue
		}
		if !strings.HasPrefix(name.Value, "scrim.") {
			if meant := strings.ToLower(strings.TrimSpace(name.Value)); len(meant) > 5 && strings.HasPrefix(meant, "scrim") && strings.ContainsRune(".-_: ", rune(meant[5])) {
				p.wrong(name, at, p.near(meant, known), "%q is not spelled as a customProperty of Scrim", shortened(name.Value))
			}
			continue
		}
		if !slices.Contains(known, name.Value) {
			p.wrong(name, at, p.near(name.Value, known), "unknown customProperty %q", shortened(name.Value))
			continue
		}
		if _, twice := out[name.Value]; twice {
			p.wrong(name, at, "", "customProperty %q is given twice", name.Value)
		}
		out[name.Value] = placed{value, at + "/value"}
	}
	return out
}

// fieldLabel joins what customProperties, tags and classification say.
func (p *contractParser) fieldLabel(n *yaml.Node, place string, custom placed) (flow.Label, flow.Tier) {
	var label flow.Label
	at := n
	add := func(v *yaml.Node, place, text string) {
		if !p.tax.Known(flow.Label(text)) {
			p.wrong(v, place, p.nearLabel(text), "%q is not a label of the taxonomy", shortened(text))
			return
		}
		label, at = p.tax.Stricter(label, flow.Label(text)), v
	}
	if custom.node != nil {
		if custom.node.Kind == yaml.ScalarNode {
			add(custom.node, custom.place, custom.node.Value)
		} else {
			p.wrong(custom.node, custom.place, "", "a label is expected")
		}
	}
	for i, tag := range p.list(n, place, "tags") {
		if text, ok := strings.CutPrefix(tag.Value, "label:"); ok {
			add(tag, fmt.Sprintf("%s/tags/%d", place, i), text)
		}
	}
	for items, at := member(n, "items"), place+"/items"; items != nil; items, at = member(items, "items"), at+"/items" {
		for i, entry := range p.list(items, at, "customProperties") { // what a list holds is as strict as the strictest
			if name, v := member(entry, "property"), member(entry, "value"); name != nil && v != nil && name.Value == "scrim.label" {
				add(v, fmt.Sprintf("%s/customProperties/%d/value", at, i), v.Value)
			}
		}
	}
	tier, err := flow.ParseTier(strings.ToLower(p.text(n, place, "classification", false)))
	classified := err == nil
	if label == "" {
		if classified && tier == flow.Public {
			return flow.PublicData, flow.Public
		}
		return flow.Unlabelled, flow.Restricted
	}
	class, _ := p.tax.Class(label)
	if classified && tier < class.Tier {
		p.wrong(at, place, "choose a stricter label, or make the class stricter under taxonomy in scrim.yaml", "it is classified %s, but %s is %s", tier, label, class.Tier)
	}
	return label, class.Tier
}

func (p *contractParser) bounds(n *yaml.Node, place string, custom placed) Bounds {
	if v := custom.node; v != nil {
		if v.Kind != yaml.SequenceNode || len(v.Content) != 2 {
			p.wrong(v, custom.place, "", "[min, max] is expected")
			return Bounds{}
		}
		return p.minMax(v.Content[0], v.Content[1], custom.place)
	}
	options := member(n, "logicalTypeOptions")
	lo, hi := member(options, "minimum"), member(options, "maximum")
	kind := logicalTypes[p.text(n, place, "logicalType", false)]
	if lo == nil || hi == nil || kind&(NumberType|IntegerType) == 0 {
		return Bounds{}
	}
	return p.minMax(lo, hi, place+"/logicalTypeOptions")
}

func (p *contractParser) minMax(lo, hi *yaml.Node, place string) Bounds {
	b := Bounds{Known: true}
	for _, v := range []struct {
		node *yaml.Node
		to   *float64
	}{{lo, &b.Min}, {hi, &b.Max}} {
		f, err := strconv.ParseFloat(v.node.Value, 64)
		if v.node.Kind != yaml.ScalarNode || err != nil || f-f != 0 {
			p.wrong(v.node, place, "", "a finite number is expected")
			return Bounds{}
		}
		*v.to = f
	}
	if b.Min > b.Max {
		p.wrong(lo, place, "", "the least value is above the greatest")
		return Bounds{}
	}
	return b
}

func (p *contractParser) budget(v *yaml.Node, place string) Budget {
	if v.Kind != yaml.MappingNode {
		p.wrong(v, place, `such as {epsilon: 3.0, delta: 1e-6, per: 30d}`, "an object is expected")
		return Budget{}
	}
	var b Budget
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, val := v.Content[i], v.Content[i+1]
		at := place + "/" + escapePointer(key.Value)
		var ok bool // what is no scalar has no value, which none of these reads
		switch key.Value {
		case "epsilon":
			b.Total.EpsilonNano, ok = decimal(val.Value, 9)
		case "delta":
			b.Total.DeltaPico, ok = decimal(val.Value, 12)
			ok = ok && b.Total.DeltaPico < 1_000_000_000_000
		case "per":
			b.Per, ok = period(val.Value)
		default:
			p.wrong(key, at, p.near(key.Value, []string{"epsilon", "delta", "per"}), "unknown member of scrim.budget")
			continue
		}
		if !ok {
			p.wrong(val, at, "epsilon 0 or more with at most 9 decimals, delta below 1 with at most 12, per such as 30d or 24h", "%s is not valid", key.Value)
		}
	}
	if member(v, "epsilon") == nil {
		p.wrong(v, place, "", "epsilon is missing")
	}
	return b
}

var decimalFormat = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?$`)

// decimal reads a number as a multiple of 10^-places, exactly.
func decimal(s string, places int64) (int64, bool) {
	if !decimalFormat.MatchString(s) {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, false
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil)
	r.Mul(r, new(big.Rat).SetInt(scale))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}

// period reads "30d" or what [time.ParseDuration] reads, above 0.
func period(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
