// Package browsertest looks at pages as people do: in a headless Chromium, by the names that things are called on the page. It is for tests alone.
//
// A [Tab] collects what a person at the keyboard would not see: messages of the console, violations of the page's policy, and every byte that came over the
// network. [Tab.Look] checks what each page owes everybody: names for what can be filled in, contrast, room on a small screen, a focus that goes in the
// order of the page and is seen, and that no planted value shows.
package browsertest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long anything is waited for.
const patience = 2 * time.Minute

// Tab is a tab of a browser. Its methods fail the test; they are not safe for concurrent use.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	base   string
	shots  string // directory of screenshots; "": none are written
	secret []string
	wait   time.Duration

	mu       sync.Mutex // guards the fields below
	said     []string
	arrived  []network.RequestID
	expected []string // parts of messages that the test provokes
}

// Options of a tab.
type Options struct {
	Base    string   // URL of the console
	Planted []string // values that no page may show
	Shots   string   // directory that screenshots are written to; "": none are

	Patience time.Duration // how long a page has to lay itself out; 0: 30 s
}

// Open starts a browser with one tab. Where there is no Chromium the test is skipped with a word, and fails if SCRIM_REQUIRE is set.
func Open(t testing.TB, opt Options) *Tab {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if at, err := exec.LookPath(name); err == nil {
			program = at
			break
		}
	}
	if program == "" {
		if os.Getenv("SCRIM_REQUIRE") != "" {
			t.Fatal("there is no Chromium here, and SCRIM_REQUIRE is set")
		}
		t.Skip("there is no Chromium here: nobody looked at the pages")
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(patience), chromedp.Flag("hide-scrollbars", true))
	alloc, end := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	tab := &Tab{t: t, ctx: ctx, base: strings.TrimRight(opt.Base, "/"), shots: opt.Shots, secret: opt.Planted, wait: cmp.Or(opt.Patience, 30*time.Second)}
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		if _, err := cdp.Call(ctx, s, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, s, log.Enable, cdp.Empty{})
		return err
	}))
	if err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		t.Fatal(err)
	}
	return tab
}

// hear takes down what the browser says.
func (b *Tab) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		var all []string
		for _, a := range e.Args {
			all = append(all, string(a.Value)+a.Description)
		}
		b.said = append(b.said, "console."+string(e.Type)+": "+strings.Join(all, " "))
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.said = append(b.said, string(e.Entry.Source)+" "+string(e.Entry.Level)+": "+e.Entry.Text+" "+e.Entry.URL)
	case *network.EventLoadingFinished:
		b.arrived = append(b.arrived, e.RequestID)
	}
}

func (b *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\nthe page is %s and says:\n%.2000s", what, err, b.At(), b.Text())
	}
}

// run evaluates a script of the test in the page.
func run[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%.200s: %v", script, err)
	}
	return v
}

// Go goes to an address of the console.
func (b *Tab) Go(path string) {
	b.t.Helper()
	b.collect()
	if !strings.HasPrefix(path, "http") {
		path = b.base + path
	}
	b.do("going to "+path, chromedp.Navigate(path))
}

// Login uses a one-time link, as a person does: it opens it and presses the button.
func (b *Tab) Login(link string) {
	b.t.Helper()
	b.Go(link)
	b.Wait(`document.querySelector('#code') && document.querySelector('#code').value.length > 20`)
	if at := b.At(); strings.Contains(at, "#") {
		b.t.Errorf("the code stays in the address")
	}
	b.Press("Log in")
	b.Wait(`!location.pathname.startsWith('/login')`)
}

// At is the address of the page.
func (b *Tab) At() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`))
	return at
}

// Text is what the page says.
func (b *Tab) Text() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	return text
}

// Value is what an expression is in the page, as text.
func (b *Tab) Value(expression string) string {
	b.t.Helper()
	return run[string](b, `String(`+expression+`)`)
}

// Wait waits until an expression holds in the page.
func (b *Tab) Wait(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come to hold (%v)\nthe page is %s and says:\n%.3000s", expression, err, b.At(), b.Text())
		}
	}
}

// See waits until the page says something.
func (b *Tab) See(text string) {
	b.t.Helper()
	b.Wait(fmt.Sprintf(`document.body && document.body.innerText.includes(%q)`, text))
}

// named finds what is called so: by its label, its text, or what it says to those who do not see it.
const named = `((name, what) => {
  const clean = s => (s || "").replace(/\s+/g, " ").trim();
  const called = e => {
    const by = (e.getAttribute("aria-labelledby") || "").split(" ").map(id => document.getElementById(id)).filter(Boolean).map(x => x.textContent).join(" ");
    if (by) return clean(by);
    if (e.getAttribute("aria-label")) return clean(e.getAttribute("aria-label"));
    if (e.labels && e.labels.length) return clean([...e.labels].map(l => [...l.childNodes].filter(n => n !== e && !(n.contains && n.contains(e))).map(n => n.textContent).join(" ")).join(" "));
    return clean(e.textContent) || clean(e.value) || clean(e.title) || clean(e.placeholder);
  };
  const all = [...document.querySelectorAll(what)].filter(e => e.checkVisibility());
  return all.find(e => called(e) === name) || all.find(e => called(e).startsWith(name));
})`

// Press presses what is called so: a button or a link.
func (b *Tab) Press(name string) {
	b.t.Helper()
	find := fmt.Sprintf(`%s(%q, "main button, main a, main summary, button, a, summary, [role=button]")`, named, name)
	b.Wait(find)
	b.collect()
	run[bool](b, find+`.focus() || true`)
	b.do("pressing "+name, chromedp.Evaluate[chromedp.Void](`(() => { setTimeout(() => { const e = `+find+`; if (e) e.click() }, 0) })()`))
}

// Type puts a text into the field that is called so.
func (b *Tab) Type(name, text string) {
	b.t.Helper()
	find := fmt.Sprintf(`%s(%q, "input, textarea, select")`, named, name)
	b.Wait(find)
	run[bool](b, fmt.Sprintf(`(() => { const e = %s; e.focus(); e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return true })()`, find, text))
}

// collect reads what came over the network since it was last done, and looks for planted values in it.
func (b *Tab) collect() {
	b.t.Helper()
	b.mu.Lock()
	arrived := b.arrived
	b.arrived = nil
	b.mu.Unlock()
	if len(b.secret) == 0 {
		return
	}
	for _, id := range arrived {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		body, err := chromedp.Run(ctx, func(ctx context.Context, s *chromedp.Target) ([]byte, error) {
			r, err := cdp.Call(ctx, s, network.GetResponseBody, network.GetResponseBodyParams{RequestID: id})
			return r.Body, err
		})
		cancel()
		if err == nil { // of a page that was left the browser has none any more
			b.planted("what came over the network", body)
		}
	}
}

func (b *Tab) planted(where string, text []byte) {
	b.t.Helper()
	for i, s := range b.secret {
		if bytes.Contains(text, []byte(s)) {
			b.t.Errorf("planted value %d shows in %s at %s", i, where, b.At())
		}
	}
}

// Look checks the page that is shown: see package comment. Name is that of its screenshot.
func (b *Tab) Look(name string) {
	b.t.Helper()
	b.collect()
	html := run[string](b, `document.documentElement.outerHTML`)
	b.planted("the page", []byte(html+b.Text()))
	if bad := run[string](b, labels); bad != "" {
		b.t.Errorf("%s: without a name: %s", name, bad)
	}
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		if bad := b.settled(contrast); bad != "" {
			b.t.Errorf("%s, %s: too little contrast: %s", name, theme, bad)
		}
	}
	b.theme("light")
	b.Shot(name)
	b.do("a small screen", chromedp.EmulateViewport(360, 780))
	if bad := b.settled(overflow); bad != "" {
		b.t.Errorf("%s: at 360 px something is wider than the screen: %s", name, bad)
	}
	b.do("the usual screen", chromedp.EmulateViewport(1280, 900))
	b.walk(name)
}

// mostStops is how far the tabulator goes on one page. What comes after is looked at without it.
const mostStops = 60

// walk goes through the page by the tabulator: nothing that can be used is left out, the focus goes in the order of the document, and it is seen.
func (b *Tab) walk(name string) {
	b.t.Helper()
	if bad := run[string](b, stops); bad != "" {
		b.t.Errorf("%s: out of the order of the focus: %s", name, bad)
	}
	for range mostStops {
		b.do("the tabulator", chromedp.KeyEvent("\t"))
		bad := run[string](b, stopped)
		if bad == "end" {
			break
		}
		if bad != "" {
			b.t.Errorf("%s: the focus: %s", name, bad)
			break
		}
	}
	run[bool](b, `(document.activeElement.blur(), scrollTo(0, 0), true)`)
}

// settled is what a check finds once the page had time to lay itself out anew: pictures are drawn again after their place has changed.
func (b *Tab) settled(check string) (bad string) {
	for end := time.Now().Add(b.wait); ; time.Sleep(50 * time.Millisecond) {
		if bad = run[string](b, check); bad == "" || time.Now().After(end) {
			return bad
		}
	}
}

func (b *Tab) theme(name string) {
	b.t.Helper()
	b.do("theme "+name, chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		_, err := cdp.Call(ctx, s, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	}))
}

// mostShot is how many bytes a picture may have.
const mostShot = 150 << 10

// Shot writes a picture of what is shown, if pictures are wanted.
func (b *Tab) Shot(name string) {
	b.t.Helper()
	if b.shots == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	small, err := smaller(raw)
	if err != nil || len(small) > mostShot {
		b.t.Errorf("the picture %s has %d bytes (%v)", name, len(small), err)
	}
	if err := os.WriteFile(filepath.Join(b.shots, name+".png"), small, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Focus walks through the page by the tabulator, and returns what has the focus in turn, by its name, until it comes round or n were met.
func (b *Tab) Focus(n int) (names []string) {
	b.t.Helper()
	run[bool](b, `(() => {`+fromTop+`return true; })()`)
	for range n {
		b.do("the tabulator", chromedp.KeyEvent("\t"))
		name := run[string](b, `(() => { const e = document.activeElement; if (!e || e === document.body) return ""; const o = getComputedStyle(e); if (o.outlineStyle === "none" && o.boxShadow === "none" && e.id !== "main") return "invisible focus: " + e.outerHTML.slice(0, 120); return (e.getAttribute("aria-label") || e.innerText || (e.labels && e.labels[0] && e.labels[0].innerText) || e.name || e.id || e.tagName).trim().slice(0, 60) })()`)
		if name == "" {
			break
		}
		names = append(names, name)
	}
	return names
}

// Expect names a part of a message that the test provokes, such as the status of a refused request.
func (b *Tab) Expect(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, part)
}

// Quiet fails the test if the browser said anything, or a planted value came over the network.
func (b *Tab) Quiet() {
	b.t.Helper()
	b.collect()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, m := range b.said {
		for _, e := range b.expected {
			if strings.Contains(m, e) {
				continue next
			}
		}
		b.t.Errorf("the browser says: %s", m)
	}
	b.said = nil
}
