// Package web holds the built sample app, "Fieldbook", as files inside the
// binary. A checkout in which the app was never built embeds only the
// placeholder dist/.gitignore, so that the module compiles without Node;
// whoever serves the files tells the two apart by index.html.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist returns the root of the built app: index.html, sw.js,
// manifest.webmanifest, icons/ and assets/ (names with a content hash).
func Dist() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path, the only thing Sub checks
	}
	return files
}
