package wire

import (
	"github.com/scrimhq/scrim/data/json"
)

// Table says what every place of one protocol message is. It implements [json.Matcher], is immutable and safe for
// concurrent use. State 0 is a place that nothing declares. What an object is by the members that it has, only
// [Table.Place] can say.
type Table struct {
	places []place
}

var _ json.Matcher = (*Table)(nil)

// place is one state: a declared place, or the inside of a subtree.
type place struct {
	role    Role
	check   check
	path    string
	root    bool // declared itself, not the inside of a subtree
	members map[string]json.State
	named   json.State // a member of any name; 0: none
	element json.State // an array element; 0: none
	inner   json.State // whatever else lies below

	anyName  bool // a member whose name the sender chose
	variants []variant
}

// variant is another place for an object that has the member.
type variant struct {
	member string
	to     json.State
}

const rootState json.State = 1

// Root implements [json.Matcher].
func (t *Table) Root() json.State { return rootState }

// Member implements [json.Matcher].
func (t *Table) Member(parent json.State, key []byte) json.State {
	p := t.at(parent)
	if s, ok := p.members[string(key)]; ok {
		return s
	}
	if p.named != 0 {
		return p.named
	}
	return p.inner
}

// Element implements [json.Matcher].
func (t *Table) Element(parent json.State, _ int) json.State {
	p := t.at(parent)
	if p.element != 0 {
		return p.element
	}
	return p.inner
}

// Role returns what the place is.
func (t *Table) Role(s json.State) Role { return t.at(s).role }

// Rooted reports whether the table declares the place itself. It is false inside the subtrees of Data, Metadata,
// Signed and the like, and for what nothing declares.
func (t *Table) Rooted(s json.State) bool { return t.at(s).root }

// Path returns the declared place, such as "params/message/parts/*/text", where * is any element and {} any member.
// Inside a subtree it is the place of the subtree's root; it is empty for what nothing declares.
func (t *Table) Path(s json.State) string { return t.at(s).path }

// Declared reports whether the name of member n is one that the table itself has. Other names can be values, and must
// not be printed. It is true for what is not a member of an object. D must carry the table's states.
func (t *Table) Declared(d *json.Doc, n int) bool {
	node := &d.Nodes[n]
	if node.KeyStart < 0 {
		return true
	}
	_, ok := t.at(d.Nodes[node.Parent].State).members[string(keyOf(d, n))]
	return ok
}

// AnyName reports whether the place is a member whose name its sender chose: the protocol has no word for it. Such a name
// is an identifier at best, and must not be printed.
func (t *Table) AnyName(s json.State) bool { return t.at(s).anyName }

// AllowsName reports whether the name of member n, at such a place, has the form of an identifier.
func (t *Table) AllowsName(d *json.Doc, n int) bool {
	return check{name: "id"}.text(keyOf(d, n))
}

// Takes reports whether the table declares a member of the name in the place.
func (t *Table) Takes(s json.State, name string) bool { return t.at(s).members[name] != 0 }

// Holds reports whether the table itself declares members or elements of the place.
func (t *Table) Holds(s json.State) bool {
	p := t.at(s)
	return p.root && (len(p.members) > 0 || p.named != 0 || p.element != 0)
}

// Check names the rule that [Table.Allows] holds a place of fixed vocabulary to, such as "time" or "extension".
// It is empty where there is none, and for lists of words.
func (t *Table) Check(s json.State) string { return t.at(s).check.name }

// States returns how many states the table has; they are 0 to States()-1.
func (t *Table) States() int { return len(t.places) }

func (t *Table) at(s json.State) *place {
	if s < 0 || int(s) >= len(t.places) {
		return &t.places[0]
	}
	return &t.places[s]
}

// Place sets the state of every node of a document that was parsed without a matcher, or with another.
// It is how the method, which chooses the table, can be read first.
func (t *Table) Place(d *json.Doc) {
	for n := range d.Nodes {
		node := &d.Nodes[n]
		switch {
		case node.Parent < 0 || n == 0:
			node.State = t.Root()
		case node.KeyStart >= 0:
			node.State = t.Member(d.Nodes[node.Parent].State, keyOf(d, n))
		default:
			node.State = t.Element(d.Nodes[node.Parent].State, int(node.Index))
		}
		if v := t.at(node.State).variants; v != nil && node.Kind == json.Object {
			for i := range v {
				if _, ok := d.Member(n, v[i].member); ok {
					node.State = v[i].to
					break
				}
			}
		}
	}
}

// keyOf returns a member's name, without a copy where nothing in it is escaped.
func keyOf(d *json.Doc, n int) []byte {
	node := &d.Nodes[n]
	if node.KeyEscaped {
		return d.Key(n)
	}
	return d.Src[node.KeyStart+1 : node.KeyEnd-1]
}
