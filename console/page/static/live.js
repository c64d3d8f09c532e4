// The live page: rows come as server-sent events, each frame already HTML of the server's own template. "p" pauses.
(() => {
  const start = () => {
    const body = document.getElementById('flows'), state = document.getElementById('live-state'), pause = document.getElementById('pause')
    if (!body?.dataset.events) return
    const most = 200
    let paused = false, waiting = 0, missed = 0, held = []
    const tell = text => { if (state.textContent !== text) state.textContent = text }
    const show = html => {
      body.insertAdjacentHTML('afterbegin', html)
      while (body.rows.length > most) body.deleteRow(-1)
      document.getElementById('live-empty').hidden = body.rows.length > 0
    }
    const words = () => {
      const more = missed ? `, ${missed} not shown` : ''
      tell(paused ? `Paused, ${waiting} waiting${more}` : `Live${more}`)
    }
    const source = new EventSource(body.dataset.events)
    source.addEventListener('open', words)
    source.addEventListener('error', () => tell(source.readyState === EventSource.CLOSED ? 'Not live any more; load the page anew.' : 'Connecting…'))
    source.addEventListener('idle', words)
    source.addEventListener('flows', e => {
      const f = JSON.parse(e.data)
      missed += f.skipped + f.lost
      if (paused) { waiting += f.count; held.unshift(f.html); held.length = Math.min(held.length, 20) } else show(f.html)
      words()
    })
    const turn = () => {
      paused = !paused
      pause.setAttribute('aria-pressed', paused)
      pause.textContent = paused ? 'Go on' : 'Pause'
      if (!paused) { show(held.join('')); held = []; waiting = 0 }
      words()
    }
    pause.addEventListener('click', turn)
    document.addEventListener('keydown', e => {
      if (e.key === 'p' && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.closest('input,textarea,select')) turn()
    })
    addEventListener('pagehide', () => source.close())
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start)
  else start()
})()
