// Package web holds the built sample app, "Fieldbook", and the support console as files inside the binary. Before the
// first build, a checkout embeds only the placeholder dist/.gitignore, so that the module compiles without Node; servers
// tell the two apart by index.html.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist returns the root of the built app: index.html, sw.js, manifest.webmanifest, icons/ and assets/ (names with a
// content hash).
func Dist() fs.FS { return sub("dist") }

// Console returns the root of the built support console: index.html, icon.svg and assets/. If the console was never
// built, the root does not exist.
func Console() fs.FS { return sub("dist/support") }

func sub(folder string) fs.FS {
	files, err := fs.Sub(dist, folder)
	if err != nil {
		panic(err) // a valid path, the only thing Sub checks
	}
	return files
}
