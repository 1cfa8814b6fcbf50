package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

// asset is a file held in memory, with the headers of its answer.
type asset struct {
	body  []byte
	media string
	etag  string
	cache string
	csp   string // "" means dataCSP
	// shared allows pages of any origin to read the asset, which is the same for everybody and sent without credentials.
	shared bool
}

func newAsset(body []byte, media string) asset {
	sum := sha256.Sum256(body)
	return taggedAsset(body, media, base64.RawURLEncoding.EncodeToString(sum[:16]))
}

// taggedAsset returns an asset whose ETag is made from tag. The ETag is weak because the compressed form shares it.
func taggedAsset(body []byte, media, tag string) asset {
	return asset{body: body, media: media, etag: `W/"` + tag + `"`, cache: "no-cache"}
}

// publicDocument returns an asset that any page, proxy and CDN may read and cache for maxAge.
func publicDocument(body []byte, media string, maxAge time.Duration) asset {
	return newAsset(body, media).public(maxAge)
}

func (a asset) public(maxAge time.Duration) asset {
	a.cache = fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds()))
	a.shared = true
	return a
}

// rootsDocument returns the document that the service worker pins. It is always revalidated, so that new roots arrive
// together with the app that knows their hash.
func rootsDocument(roots []byte) asset { return newAsset(roots, "application/json") }

func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", a.cache)
	if a.csp != "" {
		h.Set("Content-Security-Policy", a.csp)
	}
	if a.shared {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if isFresh(r.Header.Values("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.media)
	_, _ = w.Write(a.body)
}

// isFresh compares weakly (RFC 9110 §13.1.2).
func isFresh(ifNoneMatch []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// app is a built web application: its files by path on the server. A nil app has no files.
type app map[string]asset

// Placeholders that the build leaves in sw.js for the hash of the roots that this server trusts.
const (
	serviceWorker        = "sw.js"
	revisionPlaceholder  = "__ROOTS_REVISION__"
	integrityPlaceholder = "__ROOTS_INTEGRITY__"

	pinning = "precache /roots.json with revision " + revisionPlaceholder + " and integrity " + integrityPlaceholder
)

// hashed matches file names that contain a content hash: the content under such a name never changes.
var hashed = regexp.MustCompile(`^assets/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+$`)

var mediaTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

// notBuilt is served when there is no index.html.
const notBuilt = "This server was built without its web app. `make run` builds it and starts again.\n"

// isHidden reports whether a file or folder is hidden, such as .git or .env, and so not part of an app. .well-known is not
// hidden.
func isHidden(name string) bool {
	base := path.Base(name)
	return base != "." && base != ".well-known" && strings.HasPrefix(base, ".")
}

// loadFiles reads all files, passes each through prepare, and stores it under its path below the folder at.
func loadFiles(files fs.FS, at string, prepare func(name string, body []byte) ([]byte, error)) (app, error) {
	loaded := app{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && isHidden(name) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || isHidden(name) {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err == nil {
			body, err = prepare(name, body)
		}
		if err != nil {
			return err
		}
		file := newAsset(body, cmp.Or(mediaTypes[path.Ext(name)], "application/octet-stream"))
		file.csp = pageCSP
		if hashed.MatchString(name) {
			file.cache = "public, max-age=31536000, immutable"
		}
		loaded[at+name] = file
		return nil
	})
	return loaded, err
}

// loadApp reads all files and inserts the hash of the roots into the service worker. It fails unless the worker has exactly
// one placeholder for each form of the hash: an app that does not pin its roots must not be served.
func loadApp(files fs.FS, roots []byte) (app, error) {
	loaded, err := loadFiles(files, "/", func(name string, body []byte) ([]byte, error) {
		if name == serviceWorker {
			return pinRoots(body, roots)
		}
		return body, nil
	})
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	index, built := loaded["/index.html"]
	if !built {
		return app{"/": newAsset([]byte(notBuilt), mediaTypes[".txt"])}, nil
	}
	if _, ok := loaded["/"+serviceWorker]; !ok {
		return nil, errors.New("app: there is no " + serviceWorker + ", which has to " + pinning)
	}
	loaded["/"] = index
	return loaded, nil
}

// consolePath is the path of the support console. It is reserved on every server, whichever app is served.
const consolePath = "/support"

func isConsole(path string) bool {
	return path == consolePath || strings.HasPrefix(path, consolePath+"/")
}

// loadConsole reads the support console. Its pages keep their address in the fragment, so there is only one index.
func loadConsole(files fs.FS) (app, error) {
	loaded, err := loadFiles(files, consolePath+"/", func(_ string, body []byte) ([]byte, error) { return body, nil })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("console: %w", err)
	}
	index, built := loaded[consolePath+"/index.html"]
	if !built {
		return app{consolePath: newAsset([]byte(notBuilt), mediaTypes[".txt"])}, nil
	}
	loaded[consolePath], loaded[consolePath+"/"] = index, index
	return loaded, nil
}

func pinRoots(worker, roots []byte) ([]byte, error) {
	sum := sha256.Sum256(roots)
	for placeholder, value := range map[string]string{
		revisionPlaceholder:  hex.EncodeToString(sum[:]),
		integrityPlaceholder: "sha256-" + base64.StdEncoding.EncodeToString(sum[:]),
	} {
		if n := bytes.Count(worker, []byte(placeholder)); n != 1 {
			return nil, fmt.Errorf("%s holds %s %d times, not once: it has to %s", serviceWorker, placeholder, n, pinning)
		}
		worker = bytes.Replace(worker, []byte(placeholder), []byte(value), 1)
	}
	return worker, nil
}

// find returns the file of the app or console that r requests.
func (s *server) find(r *http.Request) (asset, bool) {
	if isConsole(r.URL.Path) {
		file, ok := s.console[r.URL.Path]
		return file, ok && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	}
	return s.app.find(r)
}

// find returns the file that r requests. A navigation to an address that only the app's own router knows gets the index.
func (a app) find(r *http.Request) (asset, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return asset{}, false
	}
	if file, ok := a[r.URL.Path]; ok {
		return file, true
	}
	for _, prefix := range []string{"/v1/", "/admin/", "/.well-known/", "/assets/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return asset{}, false
		}
	}
	index, built := a["/index.html"]
	return index, built && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// showApp serves the files of the app and the console that have a route of their own.
func (s *server) showApp(w http.ResponseWriter, r *http.Request, _ caller) error {
	file, ok := s.find(r)
	if !ok {
		return notFound
	}
	file.ServeHTTP(w, r)
	return nil
}
