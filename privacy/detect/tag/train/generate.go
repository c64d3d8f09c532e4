package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// generator fills templates.
type generator struct {
	names *names
	lists map[string][]list // by slot
	rnd   random
}

type list struct {
	tag     feature.Tag
	lang    string
	entries []string
}

type template struct {
	family, lang, body string
}

var tagNames = map[string]feature.Tag{
	"O": feature.O, "PER": feature.Person, "LOC": feature.Place, "ADDR": feature.Address, "ORG": feature.Organisation,
	"PROF": feature.Profession, "NAT": feature.Nationality, "MISC": feature.Other,
}

var header = regexp.MustCompile(`^# (?:tag: ([A-Z]+))?(?: ?lang: ([a-z]+))?$`)

// readTemplates reads the directories templates and lists below dir.
func readTemplates(dir string) (templates []template, lists map[string][]list, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "templates", "*.txt"))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		first, rest, _ := strings.Cut(string(b), "\n")
		h := header.FindStringSubmatch(strings.TrimSpace(first))
		if h == nil || h[2] == "" {
			return nil, nil, fmt.Errorf("%s does not begin with its language", file)
		}
		for body := range strings.SplitSeq("\n"+rest, "\n%%") {
			if body = strings.Trim(body, "\n"); strings.TrimSpace(body) != "" {
				templates = append(templates, template{strings.TrimSuffix(filepath.Base(file), ".txt"), h[2], body})
			}
		}
	}
	lists = map[string][]list{}
	if files, err = filepath.Glob(filepath.Join(dir, "lists", "*.txt")); err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		lines, err := readLines("", file)
		if err != nil {
			return nil, nil, err
		}
		h := header.FindStringSubmatch(lines[0])
		if h == nil || h[1] == "" {
			return nil, nil, fmt.Errorf("%s does not begin with its tag", file)
		}
		tag, ok := tagNames[h[1]]
		if !ok {
			return nil, nil, fmt.Errorf("%s: tag %q is not known", file, h[1])
		}
		slot, _, _ := strings.Cut(filepath.Base(file), ".")
		lists[slot] = append(lists[slot], list{tag, h[2], lines[1:]})
	}
	return templates, lists, nil
}

// filling is a text in the making.
type filling struct {
	g      *generator
	lang   string
	b      strings.Builder
	spans  []span
	people map[string]person
	said   map[string]string // other numbered slots
	depth  int
}

// fill writes the template with new names.
func (g *generator) fill(t *template) (text, error) {
	f := filling{g: g, lang: t.lang, people: map[string]person{}, said: map[string]string{}}
	if err := f.write(t.body, feature.O); err != nil {
		return text{}, fmt.Errorf("a template of %s: %w", t.family, err)
	}
	return text{from: t.family, s: f.b.String(), spans: f.spans, free: only(feature.O)}, nil
}

func (f *filling) mark(tag feature.Tag, s string) {
	start := f.b.Len()
	f.b.WriteString(s)
	if tag == feature.O || s == "" {
		return
	}
	if n := len(f.spans) - 1; n >= 0 && f.spans[n].end == start && f.spans[n].allowed == only(tag) {
		f.spans[n].end = f.b.Len()
		return
	}
	f.spans = append(f.spans, span{start, f.b.Len(), only(tag)})
}

// write writes what stands outside of slots as of the tag.
func (f *filling) write(s string, tag feature.Tag) error {
	for len(s) > 0 {
		i := strings.IndexAny(s, "{}[")
		if i < 0 {
			f.mark(tag, s)
			return nil
		}
		f.mark(tag, s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			f.mark(tag, s[:1])
			s = s[2:]
		case strings.HasPrefix(s, "[["):
			end := strings.Index(s, "]]")
			if end < 0 {
				return fmt.Errorf("a mark is not closed")
			}
			name, inner, _ := strings.Cut(s[2:end], " ")
			t, ok := tagNames[name]
			if !ok {
				return fmt.Errorf("tag %q is not known", name)
			}
			if tag != feature.O {
				t = tag
			}
			if err := f.write(inner, t); err != nil {
				return err
			}
			s = s[end+2:]
		case s[0] == '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return fmt.Errorf("a slot is not closed")
			}
			if err := f.slot(s[1:end], tag); err != nil {
				return err
			}
			s = s[end+1:]
		default:
			f.mark(tag, s[:1])
			s = s[1:]
		}
	}
	return nil
}

var slotForm = regexp.MustCompile(`^([a-z_]+)([0-9]?)(?:\.([a-z]+))?$`)

// slot writes what a slot stands for; within a mark or a list's entry it is of that tag.
func (f *filling) slot(slot string, within feature.Tag) error {
	m := slotForm.FindStringSubmatch(slot)
	if m == nil {
		return fmt.Errorf("slot %q has not the form of one", slot)
	}
	name, number, form := m[1], m[2], m[3]
	r := &f.g.rnd
	as := func(tag feature.Tag, s string) {
		if within != feature.O {
			tag = within
		}
		f.mark(tag, s)
	}
	switch name {
	case "person", "given", "family":
		p, ok := f.people[number]
		if !ok || number == "" {
			p = f.g.names.person(f.lang, r)
			if number != "" {
				f.people[number] = p
			}
		}
		as(feature.Person, spellPerson(p, name, form, r))
		return nil
	case "initials":
		if _, ok := f.said[slot]; !ok {
			f.said[slot] = initials(r)
		}
		as(feature.Person, f.said[slot])
		if number == "" {
			delete(f.said, slot)
		}
		return nil
	case "address":
		as(feature.Address, f.address(form == "lines"))
		return nil
	case "a_nat":
		at := f.b.Len() + 2
		f.mark(within, "a ")
		if err := f.slot("nat"+number, within); err != nil {
			return err
		}
		if s := f.b.String(); strings.IndexByte("AEIOU", s[at]) >= 0 { // a vowel asks for another article
			f.insert(at-1, "n")
		}
		return nil
	}
	if number != "" {
		if s, ok := f.said[name+number]; ok {
			tag, _ := f.tagOf(name)
			as(tag, s)
			return nil
		}
	}
	start := f.b.Len()
	if tag, s, ok := f.simple(name); ok {
		as(tag, s)
	} else if err := f.fromList(name, within); err != nil {
		return err
	}
	if number != "" {
		f.said[name+number] = f.b.String()[start:]
	}
	return nil
}

func spellPerson(p person, name, form string, r *random) string {
	s := p.full(r)
	switch {
	case form == "given" || name == "given":
		s = p.given
	case form == "family" || name == "family":
		s = p.family
	case form == "short":
		s = initial(p.given) + ". " + p.family
	case form == "rev":
		s = p.family + ", " + p.given
	case form == "upper":
		s = strings.ToUpper(s)
	case form == "lower":
		s = strings.ToLower(s)
	}
	return s
}

// tagOf is the tag of a slot.
func (f *filling) tagOf(name string) (feature.Tag, bool) {
	if tag, _, ok := f.simple(name); ok {
		return tag, true
	}
	if l := f.g.lists[name]; len(l) > 0 {
		return l[0].tag, true
	}
	return feature.O, false
}

// fromList writes an entry of a list, of the text's language if there is one.
func (f *filling) fromList(name string, within feature.Tag) error {
	all := f.g.lists[name]
	if len(all) == 0 {
		return fmt.Errorf("there is no list for the slot %q", name)
	}
	if f.depth++; f.depth > 4 {
		return fmt.Errorf("lists for the slot %q go round in a circle", name)
	}
	defer func() { f.depth-- }()
	fits := slices.DeleteFunc(slices.Clone(all), func(l list) bool { return l.lang != f.lang })
	neutral := slices.DeleteFunc(slices.Clone(all), func(l list) bool { return l.lang != "" && l.lang != "en" })
	if len(neutral) > 0 && (len(fits) == 0 || f.g.rnd.percent(30)) {
		fits = neutral
	}
	if len(fits) == 0 {
		fits = all
	}
	total := 0
	for _, l := range fits {
		total += len(l.entries)
	}
	at := f.g.rnd.below(total)
	for _, l := range fits {
		if at < len(l.entries) {
			tag := l.tag
			if within != feature.O {
				tag = within
			}
			return f.write(l.entries[at], tag)
		}
		at -= len(l.entries)
	}
	return nil
}

// insert puts a text in before what was written last.
func (f *filling) insert(at int, s string) {
	all := f.b.String()
	f.b.Reset()
	f.b.WriteString(all[:at] + s + all[at:])
	for i := range f.spans {
		if f.spans[i].start >= at {
			f.spans[i].start += len(s)
			f.spans[i].end += len(s)
		}
	}
}

// initials are letters that stand for somebody's name.
func initials(r *random) string {
	letter := func() string { return string(rune('A' + r.below(26))) }
	switch r.below(8) {
	case 0:
		return letter() + "."
	case 1:
		return letter() + letter()
	case 2:
		return letter() + ".-" + letter() + "."
	case 3:
		return letter() + "." + letter() + "." + letter() + "."
	case 4:
		return letter() + ". " + letter() + "."
	}
	return letter() + "." + letter() + "."
}
