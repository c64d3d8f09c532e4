package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Errors of logins at a provider, as people are told them.
var (
	errLogin    = errors.New("the login could not be finished; begin it again here")
	errBack     = errors.New("this login was not begun by this browser, or it was begun too long ago; begin it again here")
	errProvider = errors.New("the provider cannot be reached now")
	errNoRole   = errors.New("you are known to the provider, but have no role here; ask whoever keeps this gateway's configuration")
)

// Provider is at whom people log in; [identity.Provider] is one.
type Provider interface {
	Begin(ctx context.Context, redirect, state, nonce, challenge string) (string, error)
	Finish(ctx context.Context, redirect, code, verifier, nonce, iss string) (identity.Person, error)
	End(ctx context.Context, redirect string) string
}

// Login is how people log in at a provider, and what they may do.
type Login struct {
	Provider Provider
	Issuer   string
	Shown    string // name of the provider, for people
	Groups   string // claim that names groups: its name, or names with dots between them
	Roles    []Grant
	People   []Known
	Salt     []byte // of the ids of people whom configuration does not name
}

// Grant gives a role to groups.
type Grant struct {
	Role   page.Role
	Groups []string
}

// Known is somebody whom configuration names.
type Known struct {
	Subject  string
	Name     string    // as the log has them
	Role     page.Role // beside what groups give; None: nothing
	Approver string    // as governance.approvers names them; "": no approver
}

// Name is the name of the provider, for people.
func (l *Login) Name() string { return l.Shown }

// person is what is kept of somebody who logged in at a provider.
type person struct {
	issuer, subject string
	groups          []string
}

// grant says who a person is and what they may do, by the configuration of now: nothing if it gives them nothing, or believes another provider.
func (l *Login) grant(p *person) (who string, role page.Role, approver string) {
	if l == nil || p.issuer != l.Issuer {
		return "", page.None, ""
	}
	mac := hmac.New(sha256.New, l.Salt)
	mac.Write([]byte("scrim console person\x00" + p.issuer + "\x00" + p.subject))
	who = "person-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:16])
	for _, g := range l.Roles {
		if g.Role > role && slices.ContainsFunc(g.Groups, func(name string) bool { return slices.Contains(p.groups, name) }) {
			role = g.Role
		}
	}
	for _, k := range l.People {
		if k.Subject != p.subject {
			continue
		}
		who, role = k.Name, max(role, k.Role)
		// Whoever has lost the role to approve approves nothing, whoever they are.
		if role >= page.Approver {
			approver = k.Approver
		}
	}
	return who, role, approver
}

// groupsOf reads the claim that names groups: a text or texts. Whatever else it is names none.
func groupsOf(claims map[string]any, name string) []string {
	at, ok := claims[name]
	if !ok {
		var here any = claims
		for part := range strings.SplitSeq(name, ".") {
			m, _ := here.(map[string]any)
			if here, ok = m[part]; !ok {
				return nil
			}
		}
		at = here
	}
	switch v := at.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil
			}
			all = append(all, s)
		}
		return all
	}
	return nil
}

// loginTime is how long somebody may take at the provider.
const loginTime = 10 * time.Minute

// under is a login that is under way. Its browser keeps it, sealed: strangers who begin logins take up no room here.
type under struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	To       string    `json:"t"`
	Redirect string    `json:"r"`
	Issuer   string    `json:"i"`
	Ends     time.Time `json:"e"`
}

type sealer struct{ aead cipher.AEAD }

// newSealer has a key of its own, which dies with the process.
func newSealer() sealer {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has its size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func (s sealer) seal(u under) string {
	b, _ := json.Marshal(u) // texts and a time
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, b, nil))
}

func (s sealer) open(text string) (u under, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return u, false
	}
	if b, err = s.aead.Open(nil, nil, b, nil); err != nil {
		return u, false
	}
	return u, json.Unmarshal(b, &u) == nil
}

// toProvider sends a browser to log in. What binds the login to the browser is its cookie.
func (d *Door) toProvider(w http.ResponseWriter, r *http.Request) {
	l := d.opt.Login()
	if l == nil {
		http.NotFound(w, r)
		return
	}
	u := under{
		State: secret(), Nonce: secret(), Verifier: secret(), To: local(r.URL.Query().Get("to")), Redirect: d.base(r) + pathBack,
		Issuer: l.Issuer, Ends: d.opt.Clock().Add(loginTime),
	}
	challenge := sha256.Sum256([]byte(u.Verifier))
	to, err := l.Provider.Begin(r.Context(), u.Redirect, u.State, u.Nonce, base64.RawURLEncoding.EncodeToString(challenge[:]))
	if err != nil {
		d.opt.Refused("the provider is away")
		d.form(w, r, http.StatusBadGateway, errProvider.Error())
		return
	}
	http.SetCookie(w, d.underWay(d.seal.seal(u)))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// underWay is the cookie of a login that is under way. It is Lax: the provider's answer is a page of another site leading here.
func (d *Door) underWay(value string) *http.Cookie {
	c := &http.Cookie{Name: d.back, Value: value, Path: "/", HttpOnly: true, Secure: d.secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(loginTime / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// fromProvider takes the provider's answer.
func (d *Door) fromProvider(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, d.underWay("")) // a login comes back once
	s, to, err := d.returned(r)
	if err == nil {
		err = d.begin(w, r, s)
	}
	if err != nil {
		d.opt.Refused(told(err))
		status := http.StatusForbidden
		if errors.Is(err, errProvider) || errors.Is(err, ErrRecord) || errors.Is(err, ErrMany) {
			status = http.StatusServiceUnavailable
		}
		d.form(w, r, status, told(err))
		return
	}
	// Not a redirect: that would count as begun by the provider's page, and the new cookie would stay behind.
	d.show(w, r, http.StatusOK, "onward.html", "The console", onward{To: to})
}

// returned checks that an answer is to a login that this browser began, and asks the provider who logged in.
func (d *Door) returned(r *http.Request) (*session, string, error) {
	l := d.opt.Login()
	q := r.URL.Query()
	cookies := r.CookiesNamed(d.back)
	if l == nil || len(cookies) != 1 || len(q["state"]) != 1 || len(q["iss"]) > 1 {
		return nil, "", errBack
	}
	u, ok := d.seal.open(cookies[0].Value)
	if !ok || !d.opt.Clock().Before(u.Ends) || u.Issuer != l.Issuer || !flow.NewSecret(u.State).Equal(q.Get("state")) {
		return nil, "", errBack
	}
	if len(q["code"]) != 1 || q.Has("error") {
		return nil, "", errLogin
	}
	if !d.first(u) {
		return nil, "", errBack
	}
	p, err := l.Provider.Finish(r.Context(), u.Redirect, q.Get("code"), u.Verifier, u.Nonce, q.Get("iss"))
	switch {
	case errors.Is(err, identity.ErrUnavailable):
		return nil, "", errProvider
	case err != nil:
		return nil, "", errLogin
	}
	who := &person{issuer: p.Issuer, subject: p.Subject, groups: groupsOf(p.Claims, l.Groups)}
	if _, role, _ := l.grant(who); role == page.None {
		return nil, "", errNoRole
	}
	return &session{person: who}, local(u.To), nil
}

// mostUsed bounds the logins that are remembered because they came back. Each needs a browser that began it, so that it takes work to fill; when it is full logins wait.
const mostUsed = 100_000

// first reports whether a login comes back for the first time.
func (d *Door) first(u under) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep(d.opt.Clock())
	k := sum(u.State)
	if _, again := d.used[k]; again || len(d.used) >= mostUsed {
		return false
	}
	d.used[k] = u.Ends
	return true
}

func (l *Login) endURL(ctx context.Context, redirect string) string {
	return l.Provider.End(ctx, redirect)
}
