package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"

	"github.com/scrimhq/scrim/console/chart"
)

//go:embed static
var files embed.FS

// assets are the embedded files by name, with the address under which browsers may keep each for ever.
var assets = readAssets()

type asset struct {
	body  []byte
	media string
	at    string
}

func readAssets() map[string]asset {
	list, err := files.ReadDir("static")
	if err != nil {
		panic(err) // it is embedded
	}
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	all := map[string]asset{}
	for _, e := range list {
		media, ok := types[path.Ext(e.Name())]
		if !ok {
			continue // licences
		}
		b, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		all[e.Name()] = newAsset(e.Name(), b, media)
	}
	all["chart.css"] = newAsset("chart.css", chart.Style, types[".css"])
	return all
}

func newAsset(name string, b []byte, media string) asset {
	sum := sha256.Sum256(b)
	return asset{b, media, "/static/" + hex.EncodeToString(sum[:6]) + "/" + name}
}

// Asset returns the address of an embedded file.
func Asset(name string) string { return assets[name].at }

func statics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[path.Base(r.URL.Path)]
		if !ok || strings.Trim(r.URL.Path, "/") != strings.Trim(a.at, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.media)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(a.body) // whoever asked has gone
	})
}
