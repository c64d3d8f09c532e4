package run

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quietTime is how long files must be left alone before they are read again: editors write in several steps.
const quietTime = 200 * time.Millisecond

// mounted is the link by which Kubernetes puts all files of a mounted ConfigMap or Secret in the place of the old ones:
// the files themselves are links through it, and do not change.
const mounted = "..data"

// watch returns what reloads, until ctx is done, when something changes that the configuration was made of. From its
// return on no change is missed. It watches directories, since editors put new files in the place of old ones.
func (r *Gateway) watch() (reload func(ctx context.Context)) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		r.log.Warn("files are not watched; reload with SIGHUP", "error", err)
		return func(context.Context) {}
	}
	dirs, watched := r.watchAll(w, nil)
	return func(ctx context.Context) {
		defer w.Close()
		r.reloadOn(ctx, w, dirs, watched)
	}
}

func (r *Gateway) reloadOn(ctx context.Context, w *fsnotify.Watcher, dirs, watched map[string]bool) {
	var quiet, renewed <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case err, ok := <-w.Errors:
			if !ok {
				return
			}
			r.log.Warn("watching files", "error", err)
		case ev, ok := <-w.Events:
			if !ok {
				return
			}
			name := filepath.Clean(ev.Name)
			if r.Config().TLS.On() && renewed == nil {
				renewed = time.After(quietTime) // whatever it was: a certificate may be a link to a link that changed
			}
			if ev.Op != fsnotify.Chmod && (watched[name] || watched[filepath.Dir(name)] || filepath.Base(name) == mounted) {
				quiet = time.After(quietTime)
			}
		case <-renewed:
			renewed = nil
			r.renewCertificate()
		case <-quiet:
			quiet = nil
			if err := r.Reload(ctx, "a file changed"); err != nil {
				r.log.Error("not reloaded", "error", err)
				continue
			}
			dirs, watched = r.watchAll(w, dirs)
		}
	}
}

// watchAll adds the directories of all files of the configuration in force to those watched already. It returns them,
// and by absolute name the files, and the directories all of whose files count.
func (r *Gateway) watchAll(w *fsnotify.Watcher, dirs map[string]bool) (map[string]bool, map[string]bool) {
	if dirs == nil {
		dirs = map[string]bool{}
	}
	watched := map[string]bool{}
	c := r.Config()
	for _, name := range c.Files() {
		abs, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		watched[abs] = true
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			abs = filepath.Dir(abs)
		}
		r.watchOne(w, dirs, abs)
	}
	if c.TLS.Cert != "" {
		for _, name := range []string{c.Path(c.TLS.Cert), c.Path(c.TLS.Key)} {
			if abs, err := filepath.Abs(name); err == nil {
				r.watchOne(w, dirs, filepath.Dir(abs))
			}
		}
	}
	return dirs, watched
}

func (r *Gateway) watchOne(w *fsnotify.Watcher, dirs map[string]bool, dir string) {
	if dirs[dir] {
		return
	}
	if err := w.Add(dir); err != nil {
		r.log.Warn("directory is not watched; reload with SIGHUP", "directory", dir)
		return
	}
	dirs[dir] = true
}
