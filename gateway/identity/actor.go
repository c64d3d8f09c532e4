package identity

import "fmt"

const (
	maxActors = 8   // nested in one token
	maxName   = 255 // bytes of an actor's name
)

// actors reads the act claim of a token (RFC 8693, section 4.1): who acts, then before whom it took over, and so on. What
// else is said of an actor is passed over. A claim that is not of the form is an error: whoever cannot tell who acts lets nobody in.
func actors(claim any, issuer string) ([]Principal, error) {
	bad := func(why string) ([]Principal, error) {
		return nil, fmt.Errorf("%w: its act claim %s", ErrBadCredential, why)
	}
	var all []Principal
	for claim != nil {
		act, ok := claim.(map[string]any)
		if !ok {
			return bad("is not an object")
		}
		if len(all) == maxActors {
			return bad("is nested too deep")
		}
		p := Principal{Issuer: issuer}
		if p.Subject, ok = act["sub"].(string); !ok || p.Subject == "" || len(p.Subject) > maxName {
			return bad("does not name who acts")
		}
		if named, there := act["iss"]; there {
			if p.Issuer, ok = named.(string); !ok || p.Issuer == "" || len(p.Issuer) > maxName {
				return bad("names an issuer that is none")
			}
		}
		all = append(all, p)
		next, there := act["act"]
		if there && next == nil {
			return bad("holds another that is null")
		}
		claim = next
	}
	return all, nil
}

// actSub is the agent claim that takes the agent from who acts.
const actSub = "act.sub"

// agentOf returns the agent that a token names, in the names of its issuer. The token of one who acts for another is never the
// other's: the claim that names the agent must then name who acts, as a subject of the token's own issuer.
func (is *issuer) agentOf(claims map[string]any, acting []Principal) (string, error) {
	var name string
	switch {
	case is.agent != actSub:
		name, _ = claims[is.agent].(string)
	case len(acting) > 0:
		name = acting[0].Subject
	}
	switch {
	case name == "":
		return "", fmt.Errorf("%w: the claim that names the agent is missing", ErrBadCredential)
	case len(acting) > 0 && (acting[0].Subject != name || acting[0].Issuer != is.name):
		return "", fmt.Errorf("%w: somebody else acts by it than the claim that names the agent says", ErrBadCredential)
	}
	return name, nil
}
