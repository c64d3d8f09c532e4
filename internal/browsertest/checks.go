package browsertest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
)

// labels lists fields, buttons, links and pictures without an accessible name, and pages without a heading or a title.
const labels = `(() => {
  const bad = [];
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!e.checkVisibility()) continue;
    const name = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || (e.labels && e.labels.length && e.labels[0].textContent.trim()) || e.title;
    if (!name) bad.push(e.outerHTML.slice(0, 100));
  }
  for (const e of document.querySelectorAll("button, a[href], summary")) {
    if (!e.checkVisibility()) continue;
    const name = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim() || (e.querySelector("title") || {}).textContent || e.title;
    if (!name) bad.push(e.outerHTML.slice(0, 100));
  }
  for (const e of document.querySelectorAll("img:not([alt]), svg:not([aria-hidden]):not([role]):not([aria-label])")) if (e.checkVisibility()) bad.push(e.outerHTML.slice(0, 100));
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("th")) bad.push("a table without headings");
  if (document.querySelectorAll("h1").length !== 1) bad.push(document.querySelectorAll("h1").length + " headings of the first level");
  if (!document.title || !document.documentElement.lang) bad.push("the document");
  return bad.slice(0, 8).join(" | ");
})()`

// contrast lists texts with less contrast than WCAG 2.2 AA asks for: 4.5:1, and 3:1 where they are large.
const contrast = `(() => {
  const parse = c => { const m = /rgba?\(([^)]+)\)/.exec(c); if (!m) return null; const p = m[1].split(/[ ,\/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1] };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const lum = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
  const ground = e => { const all = []; for (let x = e; x; x = x.parentElement) { const c = parse(getComputedStyle(x).backgroundColor); if (c && c[3] > 0) { all.push(c); if (c[3] === 1) break } } let g = [255, 255, 255, 1]; while (all.length) g = over(all.pop(), g); return g };
  const bad = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || e.closest("[disabled], .visually-hidden, .skip, svg, script, style, noscript, option")) continue;
    const s = getComputedStyle(e), g = ground(e), c = parse(s.color);
    if (!c) continue;
    const a = lum(over(c, g)), b = lum(g), r = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const px = parseFloat(s.fontSize), large = px >= 24 || px >= 18.66 && parseInt(s.fontWeight) >= 700;
    if (r < (large ? 3 : 4.5)) bad.add(e.tagName.toLowerCase() + "." + e.className + " " + r.toFixed(2) + " (" + s.color + " on " + g.slice(0, 3).map(Math.round) + ")");
  }
  return [...bad].slice(0, 8).join(" | ");
})()`

// overflow lists what makes the page wider than the screen. What scrolls in a box of its own does not.
const overflow = `(() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide + 1) return "";
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.right > wide + 1 && r.width > 0 && !e.closest(".skip, .visually-hidden")) {
      let boxed = false;
      for (let x = e.parentElement; x && x !== document.body; x = x.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(x).overflowX)) boxed = true;
      if (!boxed) bad.push(e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + "." + e.className + " to " + Math.round(r.right));
    }
  }
  return "the page is " + document.documentElement.scrollWidth + " wide: " + bad.slice(0, 6).join(" | ");
})()`

// fromTop has the tabulator begin at the top of the page.
const fromTop = `document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex"); `

// stops prepares a walk by the tabulator from the top of the page, and lists what would come before its turn or never.
const stops = `(() => {
  const bad = [], groups = new Set();
  window.scrimStops = [];
  window.scrimThere = new Set(document.querySelectorAll("*"));
  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")) {
    if (e.disabled || e.type === "hidden" || !e.checkVisibility({visibilityProperty: true})) continue;
    if (e.tabIndex > 0) bad.push("before its turn: " + e.outerHTML.slice(0, 100));
    if (e.tabIndex < 0) {
      if (e.matches("a[href], button, input, select, textarea, summary")) bad.push("never: " + e.outerHTML.slice(0, 100));
      continue;
    }
    if (e.type === "radio") {
      const one = (e.form && [...document.forms].indexOf(e.form)) + " " + e.name;
      if (groups.has(one)) continue;
      groups.add(one);
    }
    window.scrimStops.push(e);
  }
  window.scrimAt = -1;
  ` + fromTop + `
  return bad.slice(0, 8).join(" | ");
})()`

// stopped says what is wrong with where the focus went, "end" if it left the page, or nothing.
const stopped = `(() => {
  const e = document.activeElement, stops = window.scrimStops, last = window.scrimAt;
  let next = last + 1; // a page that lives may have taken some away by now, and put others there
  while (next < stops.length && (!stops[next].isConnected || !stops[next].checkVisibility({visibilityProperty: true}))) next++;
  if (!e || e === document.body || e === document.documentElement) return next < stops.length ? "it leaves before " + stops[next].outerHTML.slice(0, 100) : "end";
  if (e === stops[last] && /^(date|time|datetime-local|month|week)$/.test(e.type)) return ""; // its parts are stops of their own, which the browser marks
  const o = getComputedStyle(e);
  if (o.outlineStyle === "none" && o.boxShadow === "none" && e.id !== "main") return "it is not seen on " + e.outerHTML.slice(0, 100);
  if (!window.scrimThere.has(e)) return "";
  let at = stops.indexOf(e);
  if (at < 0 && e.type === "radio") at = stops.findIndex(s => s.type === "radio" && s.name === e.name && s.form === e.form);
  if (at < 0) return /auto|scroll/.test(o.overflowX + o.overflowY) ? "" : "it goes to " + e.outerHTML.slice(0, 100);
  if (at !== next) return "it goes from the stop " + last + " to the stop " + at + ", " + e.outerHTML.slice(0, 100);
  window.scrimAt = at;
  return "";
})()`

// smaller writes a picture with at most 256 colours, those that it has most of, which is nearly all of a page of text.
func smaller(raw []byte) ([]byte, error) {
	src, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	b := src.Bounds()
	count := map[color.RGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			count[color.RGBAModel.Convert(src.At(x, y)).(color.RGBA)]++
		}
	}
	var palette color.Palette
	for len(palette) < 256 && len(count) > 0 {
		var most color.RGBA
		n := 0
		for c, k := range count {
			if k > n {
				most, n = c, k
			}
		}
		palette = append(palette, most)
		delete(count, most)
	}
	dst := image.NewPaletted(b, palette)
	draw.Draw(dst, b, src, b.Min, draw.Src)
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	err = enc.Encode(&out, dst)
	return out.Bytes(), err
}
