// What the pages do in the browser beside htmx: the theme, the menu of small screens, keys, and what asks before it happens.
(() => {
  const root = document.documentElement
  try {
    const kept = localStorage.getItem('scrim-theme')
    if (kept === 'light' || kept === 'dark') root.dataset.theme = kept
  } catch { /* storage is off: the system's theme it is */ }
  const ready = () => {
    document.getElementById('theme')?.addEventListener('click', () => {
      const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
      root.dataset.theme = dark ? 'light' : 'dark'
      try { localStorage.setItem('scrim-theme', root.dataset.theme) } catch { /* for this page alone */ }
      document.dispatchEvent(new CustomEvent('scrim:theme'))
    })
    document.getElementById('menu')?.addEventListener('toggle', e => root.classList.toggle('menu-open', e.target.open))
  }
  // A form with data-confirm asks first.
  document.addEventListener('submit', e => {
    const ask = e.target.closest('form')?.dataset.confirm
    if (ask && !confirm(ask)) { e.preventDefault(); e.stopImmediatePropagation() }
  }, true)
  // "g" and the first letter of a page goes there; "/" goes to the first filter; "?" tells it.
  let went = 0
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input,textarea,select,[contenteditable]')) return
    if (e.key === 'g') { went = Date.now(); return }
    if (Date.now() - went < 1500) {
      went = 0
      for (const a of document.querySelectorAll('nav.side a'))
        if (a.textContent.toLowerCase().startsWith(e.key.toLowerCase())) { location.href = a.href; return }
    }
    if (e.key === '/') {
      const first = document.querySelector('main input[type=search], main form.filter input, main form.filter select')
      if (first) { e.preventDefault(); first.focus() }
    }
  })
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready)
  else ready()
})()
