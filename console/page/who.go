package page

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Role is what somebody may do. Each may do what those below it may.
type Role int

// The roles.
const (
	None     Role = iota
	Viewer        // looks
	Steward       // proposes and tries out
	Approver      // approves, freezes, revokes
	Admin         // erases, restores, manages budgets and sessions
)

var roleNames = []string{"none", "viewer", "steward", "approver", "admin"}

// String returns the name that configuration uses.
func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return roleNames[0]
	}
	return roleNames[r]
}

// MarshalText implements [encoding.TextMarshaler].
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Role) UnmarshalText(b []byte) error {
	for i, name := range roleNames {
		if name == string(b) && i > 0 {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("role is not one of %s", strings.Join(roleNames[1:], ", "))
}

// Who makes a request. The zero value is nobody.
type Who struct {
	Name     string // as the log tells it: "operator" for the token, the id of a link, or somebody's name
	Role     Role
	Token    bool   // by the bearer token of the data directory
	Session  string // id of the session, not its secret
	Approver string // as which governance.approvers knows them; "": as none

	Form flow.Secret // that forms of this session bring
}

// May reports whether somebody has a role.
func (w Who) May(r Role) bool { return w.Role >= r && r != None }

// formIs compares in constant time. Callers by token need none: no browser holds it.
func (w Who) formIs(given string) bool { return w.Token || !w.Form.IsZero() && w.Form.Equal(given) }

// Act is a change that somebody makes in the console, as it is put on record.
type Act struct {
	Who   Who
	Name  string // of the action
	About string // what is changed: a name that configuration or Scrim gave, or ""
}

// Recorder puts an act on record; it is durable when it returns. If it fails the act does not happen.
type Recorder func(ctx context.Context, act Act) error

// Subject is what an input says that it is about: a name out of configuration or an id of Scrim's, never a value.
type Subject interface{ About() string }

var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$`)

// About is what an action is about: what the input says, or the last parameter of the address. What does not look like a name is left out.
func About(r *Request, in any) string {
	s, ok := in.(Subject)
	if !ok && reflect.ValueOf(in).Kind() == reflect.Struct {
		p := reflect.New(reflect.TypeOf(in))
		p.Elem().Set(reflect.ValueOf(in))
		s, ok = p.Interface().(Subject)
	}
	about := ""
	if ok {
		about = s.About()
	} else if names := params.FindAllStringSubmatch(r.Pattern, -1); len(names) > 0 {
		about = r.PathValue(strings.TrimSuffix(names[len(names)-1][1], "..."))
	}
	if !plain.MatchString(about) {
		return ""
	}
	return about
}

var params = regexp.MustCompile(`\{([^}$]+)\}`)

// fill puts the request's parameters into a pattern.
func fill(pattern string, r *Request) string {
	return params.ReplaceAllStringFunc(pattern, func(p string) string {
		return escape(r.PathValue(strings.TrimSuffix(strings.Trim(p, "{}"), "...")))
	})
}
